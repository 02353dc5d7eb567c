"""What was recorded before there were chains is linked as it was recorded."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.audit import chain
from apps.audit.models import AuditRecord
from apps.audit.verification import judging
from tests.support.factories import NOW

BEFORE = [("audit", "0002_append_only")]
_INSERT = (
    "INSERT INTO audit_auditrecord (event_id, type, subject_type, subject_id, subject_version, source, correlation_id,"
    " occurred_at, data, record_topic, readable, raw_key, raw_value, unreadable_because)"
    " VALUES (%s, %s, %s, %s, %s, '/todo', %s, %s, %s, 'task-events', %s, %s, %s, %s)"
)


@pytest.fixture
def before_the_chains(transactional_db):
    """The audit tables as they were, and afterwards as they are."""
    now = MigrationExecutor(connection).loader.graph.leaf_nodes("audit")
    with connection.cursor() as cursor:
        for table in ("auditrecord", "auditcontent", "auditverification", "checkpointnote"):
            cursor.execute(f"DROP TABLE audit_{table} CASCADE")
        cursor.execute("DROP FUNCTION audit_erase_contents; DROP FUNCTION audit_erase_some_contents")
        cursor.execute("DROP FUNCTION audit_refuse_unless_erased")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit'")
    MigrationExecutor(connection).migrate(BEFORE)
    yield
    MigrationExecutor(connection).migrate(now)


def _record(*, subject_id: UUID, version: int, title: str) -> UUID:
    event_id = uuid4()
    at = NOW + timedelta(seconds=version)
    values: list[Any] = [event_id, "task.updated.v1", "task", subject_id, version, "c-1", at]
    with connection.cursor() as cursor:
        data = json.dumps({"task": {"title": title}, "changes": {}})
        cursor.execute(_INSERT, [*values, data, True, None, None, ""])
    return event_id


@pytest.mark.django_db(transaction=True)
def test_old_records_keep_their_ids_and_content_and_stand_in_sound_chains(before_the_chains):
    subject_id = uuid4()
    ids = [_record(subject_id=subject_id, version=version, title=f"T {version}") for version in (1, 2, 3)]
    with connection.cursor() as cursor:
        garbage: list[Any] = [uuid4(), "unreadable", "", None, None, "", None, json.dumps({"headers": [["a", "b"]]})]
        cursor.execute(_INSERT, [*garbage, False, b"k", b"\xff{", "no JSON"])

    MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes("audit"))

    *told, unreadable = AuditRecord.objects.order_by("id")
    assert [record.event_id for record in told] == ids
    assert [(record.id, record.sequence) for record in told] == [(1, 1), (2, 2), (3, 3)]
    assert [record.content.title for record in told] == ["T 1", "T 2", "T 3"]
    assert (told[0].data, told[0].correlation_id) == ({"task": {"title": "T 1"}, "changes": {}}, "c-1")
    assert unreadable.data == {"because": "no JSON", "headers": [["a", "b"]], "key": "aw==", "value": "/3s="}
    assert [bytes(record.previous_hash) for record in told] == [bytes(32), *(bytes(r.hash) for r in told[:2])]
    assert all(chain.hash_of(record.link) == bytes(record.hash) for record in [*told, unreadable])
    assert [judging.content_changed(judging.row_of(record)) for record in [*told, unreadable]] == [None] * 4


@pytest.mark.django_db(transaction=True)
def test_after_the_migration_the_next_record_gets_the_next_id(before_the_chains):
    _record(subject_id=uuid4(), version=1, title="T")

    MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes("audit"))

    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('audit_auditrecord', 'id'))")
        assert cursor.fetchone() == (2,)
