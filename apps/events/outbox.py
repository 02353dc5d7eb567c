"""The one door into the event log.

Invariant: an event is appended inside the transaction of the change it tells of, or not at all.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from apps.events import crash, event_types
from apps.events.envelope import Envelope, encode
from apps.events.errors import EventErased, EventTooLarge, NoSuchEvent, OutsideTransaction
from apps.events.models import Event

log = structlog.get_logger(__name__)

Key = tuple[str, str]  # topic, key

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
# Many are one parameter: the statement is always the same, and neither side has to take it apart anew.
_FEW = 4
_INSERT_MANY = """
WITH appended AS (
    INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, subject_version, owner_id,
                              actor_id, occurred_at, correlation_id, causation_id, traceparent, data)
    SELECT id, type, topic, key, source, subject_type, subject_id, version, owner_id,
           actor_id, occurred_at, correlation_id, causation_id, traceparent, data
    FROM ROWS FROM (json_to_recordset(%s::json) AS (
        id uuid, type text, topic text, key text, source text, subject_type text, subject_id uuid, version integer,
        owner_id uuid, actor_id uuid, occurred_at timestamptz, correlation_id text, causation_id uuid,
        traceparent text, data jsonb
    )) WITH ORDINALITY AS given (id, type, topic, key, source, subject_type, subject_id, version, owner_id, actor_id,
                                 occurred_at, correlation_id, causation_id, traceparent, data, place)
    ORDER BY place
    RETURNING position
)
INSERT INTO events_outboxentry (event_id) SELECT position FROM appended
"""

# The fields of an envelope in the order of the columns above and below, but for the position and the data.
_FIELDS = (
    *("id", "type", "topic", "key", "source", "subject_type", "subject_id", "version", "owner_id", "actor_id"),
    *("occurred_at", "correlation_id", "causation_id", "traceparent"),
)
_fields = attrgetter(*_FIELDS)
# OFFSET 0 keeps the planner from reading the log and looking up the outbox, which statistics from before a backlog was
# worked off make look cheap.
_WAITING = """
SELECT o.event_id, e.event_id, e.type, e.topic, e.key, e.source, e.subject_type, e.subject_id, e.subject_version,
       e.owner_id, e.actor_id, e.occurred_at, e.correlation_id, e.causation_id, e.traceparent, e.data
FROM ({which}) o LEFT JOIN LATERAL (SELECT * FROM events_event WHERE position = o.event_id OFFSET 0) e ON true
WHERE {only}
ORDER BY o.event_id
"""
_OLDEST = "SELECT event_id FROM events_outboxentry WHERE held_at IS NULL ORDER BY event_id LIMIT %s"
_BEHIND = "SELECT event_id FROM events_outboxentry WHERE held_at IS NULL AND event_id > %s ORDER BY event_id LIMIT %s"
_LOGGED = "SELECT position AS event_id FROM events_event WHERE position = ANY(%s::bigint[]) AND erased_at IS NULL"
_VISIBLE = "pg_visible_in_snapshot(e.transaction_id::text::xid8, %s::pg_snapshot)"

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
    rows: list[tuple[Any, ...]] = []
    for envelope in envelopes:
        event_types.check_data(envelope.type, envelope.data, exact=True)
        data = json.dumps(envelope.data)
        _check_size(envelope, written=len(data))
        rows.append((*_fields(envelope), data))
    crash.at("outbox.before_event")
    with connection.cursor() as cursor:
        if len(rows) > _FEW:
            cursor.execute(_INSERT_MANY, [f"[{','.join(map(_in_json, rows))}]"])
        else:
            cursor.execute(_insert(len(rows)), [value for row in rows for value in row])
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


def _in_json(row: tuple[Any, ...]) -> str:
    """The columns as an object; the data is JSON already."""
    attributes = json.dumps(dict(zip(_FIELDS, row[:-1], strict=True)), default=str)
    return f'{attributes[:-1]}, "data": {row[-1]}}}'


@cache
def _insert(count: int) -> str:
    return _INSERT.format(rows=", ".join([_ROW] * count))


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


@dataclass(frozen=True, slots=True)
class Logged:
    """An event at its position in the log, as it was read; perhaps none that Python can read, or none at all."""

    position: int
    topic: str
    key: str
    row: tuple[Any, ...]

    @property
    def of_key(self) -> Key:
        return self.topic, self.key

    @property
    def event_id(self) -> UUID:
        """Raises `NoSuchEvent`."""
        return UUID(str(self._field(1)))

    @property
    def type(self) -> str:
        """Raises `NoSuchEvent`."""
        return str(self._field(2))

    @property
    def text(self) -> str:
        """The data as PostgreSQL has it, whoever can read that."""
        return str(self.row[-1])

    def _field(self, number: int) -> Any:
        if self.row[1] is None:
            raise NoSuchEvent(self.position)
        return self.row[number]

    def envelope(self) -> Envelope:
        """Raises `NoSuchEvent`, or `ValueError` or `RecursionError` for data that Python cannot read."""
        self._field(1)
        return Envelope(**dict(zip(_FIELDS, self.row[1:-1], strict=True)), data=json.loads(self.row[-1]))


def oldest(limit: int) -> list[Logged]:
    """The events that wait for Kafka and are not held, in order.

    As rows: making two models of each took the relay a third of its time.
    """
    return read(_OLDEST, limit)


def logged(positions: Collection[int]) -> list[Logged]:
    """The events at these positions, without hollow ones, in order; waiting or not."""
    return read(_LOGGED, list(positions))


def oldest_behind(position: int, limit: int, *, snapshot: str) -> list[Logged]:
    """Of the `limit` oldest at positions above this one, those that were committed at the time of `snapshot`.

    Whoever was given all that is below the position, of that snapshot or a younger one, misses no predecessor of
    these: of one subject the committed versions have no gap at their end.
    """
    return read(_BEHIND, position, limit, snapshot, only=_VISIBLE)


def snapshot() -> str:
    """Which transactions are committed now, as PostgreSQL writes it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        taken: str = cursor.fetchone()[0]
    return taken


def read(which: str, *parameters: Any, only: str = "true") -> list[Logged]:
    """The events of the entries that the statement `which` selects by their `event_id`, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING.format(which=which, only=only), parameters)
        return [Logged(row[0], row[3] or "", row[4] or "", row) for row in cursor.fetchall()]


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
