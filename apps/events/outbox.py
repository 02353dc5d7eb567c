"""The one door into the event log.

Invariant: an event is appended inside the transaction of the change it tells of, or not at all.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from apps.events import crash, event_types
from apps.events.envelope import Envelope, encode
from apps.events.errors import EventErased, EventTooLarge, OutsideTransaction
from apps.events.models import Event

log = structlog.get_logger(__name__)

# Positions are numbered by the sequence in the order of the VALUES, and one statement is one way to the server.
_INSERT = """
WITH appended AS (
    INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, subject_version, owner_id,
                              actor_id, occurred_at, correlation_id, causation_id, traceparent, data)
    VALUES {rows}
    RETURNING position
)
INSERT INTO events_outboxentry (event_id) SELECT position FROM appended
"""
_ROW = f"({', '.join(['%s'] * 15)})"

# The fields of an envelope in the order in which `_OLDEST` reads them.
_FIELDS = (
    *("id", "type", "topic", "key", "source", "subject_type", "subject_id", "version", "owner_id", "actor_id"),
    *("occurred_at", "correlation_id", "causation_id", "traceparent"),
)
_OLDEST = """
SELECT e.position, e.event_id, e.type, e.topic, e.key, e.source, e.subject_type, e.subject_id, e.subject_version,
       e.owner_id, e.actor_id, e.occurred_at, e.correlation_id, e.causation_id, e.traceparent, e.data
FROM events_outboxentry o JOIN events_event e ON e.position = o.event_id ORDER BY o.event_id LIMIT %s
"""

# More than the key and all headers can take together, with 200 characters each as the columns have them.
_ATTRIBUTE_BYTES = 16 * 1024

_recordings: ContextVar[tuple[list[Envelope], ...]] = ContextVar("recordings", default=())


def append(*envelopes: Envelope) -> None:
    """Keep events for good, in the order given, and a pointer to each for the relay: one statement for all.

    Raises `OutsideTransaction` outside one, `InvalidEvent` when the data breaks the type's schema and
    `EventTooLarge` when the record would be more than `EVENT_MAX_BYTES`; then none of them is kept.
    """
    if not envelopes:
        return
    if not connection.in_atomic_block:
        raise OutsideTransaction(envelopes[0].type)
    values: list[Any] = []
    for envelope in envelopes:
        event_types.check_data(envelope.type, envelope.data, exact=True)
        data = json.dumps(envelope.data)
        _check_size(envelope, written=len(data))
        values += _columns(envelope, data)
    crash.at("outbox.before_event")
    with connection.cursor() as cursor:
        cursor.execute(_insert(len(envelopes)), values)
    crash.at("outbox.after_event")
    for recorded in _recordings.get():
        recorded.extend(envelopes)
    for envelope in envelopes:
        # A line tells what is kept; what was tried and rolled back was not.
        transaction.on_commit(partial(_tell, envelope))


@contextmanager
def recording() -> Iterator[list[Envelope]]:
    """What this context appends inside the block, in order, also when the transaction is then rolled back."""
    recorded: list[Envelope] = []
    token = _recordings.set((*_recordings.get(), recorded))
    try:
        yield recorded
    finally:
        _recordings.reset(token)


@cache
def _insert(count: int) -> str:
    return _INSERT.format(rows=", ".join([_ROW] * count))


def _columns(envelope: Envelope, data: str) -> list[Any]:
    return [
        envelope.id,
        envelope.type,
        envelope.topic,
        envelope.key,
        envelope.source,
        envelope.subject_type,
        envelope.subject_id,
        envelope.version,
        envelope.owner_id,
        envelope.actor_id,
        envelope.occurred_at,
        envelope.correlation_id,
        envelope.causation_id,
        envelope.traceparent,
        data,
    ]


def _check_size(envelope: Envelope, *, written: int) -> None:
    # JSON in ASCII with spaces is its longest form, so only what comes near the limit needs to be encoded.
    if written + _ATTRIBUTE_BYTES <= settings.EVENT_MAX_BYTES:
        return
    key, value, headers = encode(envelope)
    size = len(key) + len(value) + sum(len(name) + len(text) for name, text in headers)
    if size > settings.EVENT_MAX_BYTES:
        raise EventTooLarge(envelope.type, size=size, limit=settings.EVENT_MAX_BYTES)


def _tell(envelope: Envelope) -> None:
    """A line per fact; a snapshot is caused by one and says nothing new."""
    event_type = event_types.find(envelope.type)
    if event_type is not None and event_type.snapshot:
        return
    log.info(
        "event_appended",
        event_type=envelope.type,
        event_id=str(envelope.id),
        **{f"{envelope.subject_type}_id": str(envelope.subject_id)},
        version=envelope.version,
        actor_id=str(envelope.actor_id),
        correlation_id=envelope.correlation_id,
    )


def oldest(limit: int) -> list[tuple[int, Envelope]]:
    """The events that wait for Kafka, in order, each with its position in the log.

    As tuples: making two models of each row took the relay a third of its time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, [limit])
        # A row is the position, the fields of an envelope in order, and the data as text.
        return [
            (row[0], Envelope(**dict(zip(_FIELDS, row[1:-1], strict=True)), data=json.loads(row[-1])))
            for row in cursor.fetchall()
        ]


def forget(positions: list[int]) -> None:
    """Take the pointers to these events away: Kafka has them."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_outboxentry WHERE event_id = ANY(%s::bigint[])", [positions])


def envelope_of(event: Event) -> Envelope:
    """The envelope that was appended as `event`. Raises `EventErased` for a hollow one."""
    if event.erased_at is not None:
        raise EventErased(event.event_id)
    return Envelope(
        id=event.event_id,
        type=event.type,
        topic=event.topic,
        key=event.key,
        source=event.source,
        subject_type=event.subject_type,
        subject_id=event.subject_id,
        version=event.subject_version,
        owner_id=event.owner_id,
        actor_id=event.actor_id,
        occurred_at=event.occurred_at,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        traceparent=event.traceparent,
        data=event.data,
    )
