"""The limits under the figures, of PostgreSQL: the same rows and queries by pgbench, the audit insert alone."""

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, connections, transaction
from django.db.models import AutoField, Model
from django.db.models.fields import NOT_PROVIDED
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.audit import services as audit
from apps.dev.embedded import postgres_binaries
from apps.events import rights
from apps.events.envelope import Envelope
from apps.events.models import Event
from apps.events.outbox import envelope_of
from apps.tasks.models import Task

_MANY_TASKS = """
INSERT INTO tasks_task (id, owner_id, version, created_at, updated_at, title, description, status,
                        status_before_deletion, priority, due_at, due_time_zone, tag_ids, position, recurrence_id)
SELECT gen_random_uuid(), %s, 1, at, at, 'Task number ' || n, 'What is to be done about it.', 'pending', '',
       (ARRAY['none', 'low', 'medium', 'high', 'urgent'])[1 + n %% 5], at + interval '9 days', '', '{}', n, ''
FROM (SELECT n, now() - n * interval '1 minute' AS at FROM generate_series(1, %s::int) n) s
"""
# Columns that every run of the script needs another value of; the rest is as the application wrote it last.
_NEW_ID = "gen_random_uuid()"
_SAME_ROWS = """
WITH t AS (
    INSERT INTO tasks_task ({task_columns}) VALUES ({task}) RETURNING id
), e AS (
    INSERT INTO events_event ({event_columns}) SELECT {fact} FROM t UNION ALL SELECT {snapshot} FROM t
    RETURNING position
)
INSERT INTO events_outboxentry (event_id) SELECT position FROM e;
"""


def same_rows_by_pgbench(*, seconds: int) -> float:
    """What creating a task writes, in one statement and transaction, 8 clients: transactions a second."""
    return _number(_by_pgbench(_same_rows(), "-c", "8", "-j", "2", "-T", str(seconds)), "tps = ")


def same_rows_at_a_pace(*, seconds: int, rate: int) -> float:
    """The same, so many a second: milliseconds of one on average, its waiting for a free client left out."""
    told = _by_pgbench(_same_rows(), "-c", "4", "-R", str(rate), "-T", str(seconds))
    return _number(told, "latency average = ") - _number(told, "rate limit schedule lag: avg ")


def _same_rows() -> str:
    fact = Event.objects.filter(type="task.created.v1").latest("position")
    snapshot = Event.objects.get(causation_id=fact.event_id)
    task = Task.objects.get(pk=fact.subject_id)
    own = {"event_id": _NEW_ID, "subject_id": "t.id"}
    task_row = _literals(task, {"id": _NEW_ID})
    fact_row = _literals(fact, own | {"key": "t.id::text"})
    return _SAME_ROWS.format(
        task_columns=", ".join(task_row),
        task=", ".join(task_row.values()),
        event_columns=", ".join(fact_row),
        fact=", ".join(fact_row.values()),
        snapshot=", ".join(_literals(snapshot, own).values()),
    )


def _literals(row: Model, instead: dict[str, str]) -> dict[str, str]:
    """The columns of a row that a writer sets, as SQL; `instead` has those that differ."""
    columns: dict[str, str] = {}
    for field in row._meta.local_concrete_fields:  # noqa: SLF001
        if field.generated or field.db_default is not NOT_PROVIDED or isinstance(field, AutoField):
            continue
        if field.column in rights.filled(row._meta.db_table):  # noqa: SLF001 - Django's documented API
            continue
        value = field.get_db_prep_save(getattr(row, field.attname), connection)
        columns[str(field.column)] = instead.get(str(field.column)) or _literal(value)
    return columns


def _literal(value: Any) -> str:
    connection.ensure_connection()
    return str(psycopg.ClientCursor(connection.connection).mogrify("%s", [value]))


def one_page_by_pgbench(path: str, *, reader: User, seconds: int) -> float:
    """The query that reads the page of tasks, as the application asks it, 8 clients: queries a second."""
    caller = APIClient(HTTP_HOST="127.0.0.1")
    caller.force_authenticate(reader)
    with CaptureQueriesContext(connection) as captured:
        answer = caller.get(path)
    assert len(answer.json()["results"]) == 50, answer.content
    query = max((each["sql"] for each in captured if 'FROM "tasks_task"' in each["sql"]), key=len)
    return _number(_by_pgbench(f"{query};", "-c", "8", "-j", "2", "-T", str(seconds)), "tps = ")


def _by_pgbench(script: str, *options: str) -> str:
    """What it tells on its standard output."""
    binary = postgres_binaries.installed() / "bin" / "pgbench"
    with TemporaryDirectory() as folder:
        file = Path(folder, "script.sql")
        file.write_text(script.strip().replace("\n", " ") + "\n")
        command = [str(binary), "-n", "-M", "prepared", *options, "-f", str(file), settings.DATABASE_URL]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _number(told: str, before: str) -> float:
    """The number behind these words."""
    return float(told.partition(before)[2].split()[0].rstrip(","))


def many_tasks(*, count: int, owner: User) -> None:
    """Tasks of one owner without their events: what is read here nobody is told of."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_task DISABLE TRIGGER task_has_event")
        cursor.execute(_MANY_TASKS, [owner.pk, count])
        cursor.execute("ALTER TABLE tasks_task ENABLE TRIGGER task_has_event")
        cursor.execute("ANALYZE tasks_task")


def an_event() -> Envelope:
    return envelope_of(Event.objects.filter(type="task.created.v1").latest("position"))


def audit_insert_alone(*, count: int) -> float:
    """Chained audit records in batches as the consumer writes them, rolled back at the end: records a second."""
    from dataclasses import replace

    from uuid_utils.compat import uuid7

    event = an_event()
    batches = [
        [
            replace(event, id=uuid7(), subject_id=uuid7(), occurred_at=datetime.now(UTC))
            for _ in range(settings.CONSUMER_BATCH_SIZE)
        ]
        for _ in range(count // settings.CONSUMER_BATCH_SIZE)
    ]
    started = time.perf_counter()
    with transaction.atomic():
        for batch in batches:
            audit.append_records(batch)
        transaction.set_rollback(True)
    took = time.perf_counter() - started
    connection.close()
    return len(batches) * settings.CONSUMER_BATCH_SIZE / took
