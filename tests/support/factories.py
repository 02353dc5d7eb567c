"""Makes people, tasks, events and records for tests, by the doors the application itself uses."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.events import envelope as envelopes
from apps.events import event_types, outbox
from apps.events.brokers.base import OutgoingRecord, Record
from apps.events.context import Cause, new_traceparent
from apps.events.envelope import Envelope, RecordPosition
from apps.events.models import Event, OutboxEntry
from apps.tasks import services
from apps.tasks.events import UPDATES_TOPIC
from apps.tasks.models import Task

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CAUSE = Cause("a-correlation", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

_numbers = count(1)


def person(name: str = "", **fields: Any) -> User:
    name = name or f"person-{next(_numbers)}"
    return User.objects.create_user(name, f"{name}@example.org", "a-good-password", **fields)


def task_of(owner: User, *, title: str = "Buy milk", **fields: Any) -> Task:
    return services.create_task(owner=owner, actor=owner, title=title, now=NOW, **fields)


def task_data(**fields: Any) -> dict[str, Any]:
    """What `task.created.v1` tells."""
    plain = {"title": "Buy milk", "description": "", "status": "pending", "priority": "none", "due_at": None}
    return {"task": plain | fields}


def change_data(**fields: Any) -> dict[str, Any]:
    """What `task.updated.v1` and its like tell."""
    return {**task_data(**fields), "changes": {"title": {"before": "Buy", "after": "Buy milk"}}}


def event(
    *,
    subject_id: UUID | None = None,
    version: int | None = 1,
    data: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Envelope:
    """`task.created.v1` as version 1 of its subject, `task.updated.v1` as a later one, not kept anywhere yet."""
    first = version == 1
    event_type = event_types.find("task.created.v1" if first else "task.updated.v1")
    assert event_type is not None
    made = envelopes.new(
        event_type,
        subject_type="task",
        subject_id=subject_id or uuid4(),
        version=version,
        owner_id=uuid4(),
        actor_id=uuid4(),
        occurred_at=NOW,
        data=data if data is not None else task_data() if first else change_data(),
    )
    return replace(made, correlation_id=CAUSE.correlation_id, traceparent=new_traceparent(), **fields)


def life_of_one_subject(length: int) -> list[Envelope]:
    """Events of one subject, versions 1 to `length`: they share a key."""
    subject_id = uuid4()
    return [event(subject_id=subject_id, version=version) for version in range(1, length + 1)]


def append(*events: Envelope) -> list[Event]:
    """Keep events as a service would, in one transaction; their rows."""
    with transaction.atomic():
        outbox.append(*events)
    rows = Event.objects.in_bulk([one.id for one in events], field_name="event_id")
    return [rows[one.id] for one in events]


def erasure_of(owner_id: UUID) -> Envelope:
    """`account.erased.v1` of a person, not kept anywhere yet."""
    one = event(subject_id=owner_id, version=None, data={})
    kind = event_types.find("account.erased.v1")
    assert kind is not None
    return replace(one, owner_id=owner_id, type=kind.name, topic=kind.topic, subject_type="account")


def log_only(one: Envelope) -> Event:
    """Keep an event as if Kafka had it already; its row."""
    (row,) = append(one)
    OutboxEntry.objects.filter(event=row).delete()
    return row


def facts() -> QuerySet[Event]:
    """The log without its snapshots, in order."""
    return Event.objects.exclude(topic=UPDATES_TOPIC).order_by("position")


def outgoing(one: Envelope) -> OutgoingRecord:
    return OutgoingRecord(one.topic, *envelopes.encode(one))


def record_of(one: Envelope, *, partition: int = 0, offset: int = 0) -> Record:
    """The record that would carry an event, as read at this place."""
    key, value, headers = envelopes.encode(one)
    return Record(one.topic, partition, offset, key, value, headers)


def as_read(one: Envelope, *, partition: int = 0, offset: int = 0) -> Envelope:
    return replace(one, record=RecordPosition(one.topic, partition, offset))


def backdated_event(one: Envelope, *, days: int) -> int:
    """A row of the log that is `days` old, without outbox entry; its position."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id,"
            " subject_version, occurred_at, recorded_at, correlation_id, traceparent, data)"
            " VALUES (%s, %s, %s, %s, '/todo', 'task', %s, %s, now(), now() - make_interval(days => %s),"
            " 'old', '', '{}') RETURNING position",
            [one.id, one.type, one.topic, one.key, one.subject_id, one.version, days],
        )
        position: int = cursor.fetchone()[0]
    return position
