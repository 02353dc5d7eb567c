"""A burst into an empty trail: what a batch asks is planned for the tables as they have become."""

import pytest
from django.db import connection

from apps.audit.subscribers import group
from apps.events import handling
from tests.support.append_only import guards_off
from tests.support.factories import event
from tests.support.plans import forget_statistics
from todo_project.databases import PLANNED_EACH_TIME

BATCH = 300
_ROWS_READ_ONE_BY_ONE = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'audit_auditrecord'"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mode", "reads_all"), [(PLANNED_EACH_TIME["plan_cache_mode"], False), ("auto", True)], ids=["as set", "control"]
)
def test_a_batch_does_not_read_all_the_trail_that_was_empty_when_it_was_first_asked(mode, reads_all):
    """All in one transaction, so that nobody analyses the tables in between."""
    with guards_off(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_auditrecord, audit_auditcontent")
        forget_statistics("audit_auditrecord", "audit_auditcontent")
        cursor.execute(f"SET LOCAL plan_cache_mode = {mode}")
        cursor.execute("DISCARD PLANS")  # what was planned for the tables of another test
    for _ in range(12):
        handling.handle(group, [event()])
    for _ in range(5):
        handling.handle(group, [event() for _ in range(BATCH)])
    before = _rows_read()

    handling.handle(group, [event()])

    assert (_rows_read() - before > 4 * BATCH) is reads_all


def _rows_read():
    with connection.cursor() as cursor:
        cursor.execute(_ROWS_READ_ONE_BY_ONE)
        return cursor.fetchone()[0]
