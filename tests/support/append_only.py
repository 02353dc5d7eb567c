"""Lets the flush between transactional tests empty the tables that refuse it from everybody else, and quickly.

A transactional test ends with TRUNCATE, which these tables refuse by trigger. Only the flush, as their owner,
switches the triggers off and on again; every refusal is tested as the application meets it.

Invariant: after a flush every table of a model is empty but for what Django itself keeps there (content types and
permissions, as after a migration), whoever still held one was waited for, and every guard is on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase

GUARDED_TABLES = [
    "events_event",
    "tasks_task",
    "tasks_tasklist",
    "tasks_tag",
    "recurrence_series",
    "notifications_reminder",
    "notifications_notification",
    "audit_auditrecord",
    "audit_auditcontent",
]
# Django fills them after each migration and each flush of its own.
DJANGOS_OWN = ["django_content_type", "auth_permission"]
# Beyond that, TRUNCATE is quicker than DELETE, and leaves no dead rows to who looks at plans.
_FEW_BYTES = 256 * 1024


@contextmanager
def guards_off() -> Iterator[None]:
    _switch("DISABLE")
    try:
        yield
    finally:
        _switch("ENABLE")


def _switch(word: str) -> None:
    with connection.cursor() as cursor:
        for table in GUARDED_TABLES:
            cursor.execute(f"ALTER TABLE {table} {word} TRIGGER USER")


class QuickFlush:
    """Deletes the few rows of a test; what is not as usual, it leaves to Django's flush.

    TRUNCATE makes new files for every table and index, and then Django writes its own rows again: 0.1 s for each test.
    """

    def __init__(self, flush: Callable[[TransactionTestCase], None]) -> None:
        self._flush = flush
        self._tables: list[str] = []
        self._djangos_rows = ""

    def __call__(self, case: TransactionTestCase) -> None:
        usual = case.available_apps is None and not case.serialized_rollback and bool(self._tables)
        if usual and self._delete():
            return
        with guards_off():
            self._flush(case)
        there = connection.introspection.django_table_names(only_existing=True, include_views=False)
        self._tables = sorted(set(there) - set(DJANGOS_OWN))
        self._djangos_rows = _djangos_rows()

    def _delete(self) -> bool:
        """Whether all is empty now."""
        with transaction.atomic(), connection.cursor() as cursor:
            # As TRUNCATE does: it waits for whoever still reads or writes, so that nothing comes in behind it.
            cursor.execute(f"LOCK TABLE {', '.join([*self._tables, *DJANGOS_OWN])} IN ACCESS EXCLUSIVE MODE")
            sizes = _sizes(self._tables)
            if max(sizes.values(), default=0) > _FEW_BYTES or _djangos_rows() != self._djangos_rows:
                return False
            with guards_off():
                for table in sizes:
                    cursor.execute(f"DELETE FROM {table}")
                # What references are still to be looked at would keep the guards from going on again.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return True


def _sizes(tables: list[str]) -> dict[str, int]:
    """Bytes of those that have any: rows, or room that rows had."""
    query = (
        "SELECT table_name, size FROM (SELECT table_name, pg_relation_size(table_name) AS size "
        "FROM unnest(%s::text[]) AS table_name) AS sizes WHERE size > 0"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [tables])
        return dict(cursor.fetchall())


def _djangos_rows() -> str:
    """Tells one content of Django's own tables from another."""
    one = "SELECT md5(string_agg(row::text, ' ' ORDER BY id)) FROM {} AS row"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(one.format(table) for table in DJANGOS_OWN))
        return str(cursor.fetchall())


@pytest.fixture(autouse=True, scope="session")
def flush_past_the_guards() -> Iterator[None]:
    flush = QuickFlush(TransactionTestCase._fixture_teardown)  # type: ignore[attr-defined]

    def quickly(self: TransactionTestCase) -> None:
        flush(self)

    patch = pytest.MonkeyPatch()
    patch.setattr(TransactionTestCase, "_fixture_teardown", quickly)
    yield
    patch.undo()
