"""Outbox entries that cannot go to Kafka: which they are, why, and how it goes on with them.

Invariant: while an entry of a (topic, key) is held, later ones of that key are held behind it, and other keys flow. The
first of each key is offered again every few seconds, alone; when Kafka took it, those behind it wait for their turn as
before. Only the active relay holds and lets go, so nobody else can leave one behind nothing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import connection

from apps.events import handling, outbox, replay
from apps.events.brokers.base import Broker
from apps.events.errors import NoSuchEvent, NotHeld
from apps.events.outbox import Key, Logged
from apps.events.subscriptions import ConsumerGroup, groups

log = structlog.get_logger(__name__)

BEHIND = "Behind an earlier one of its key."

_KEYS = """
SELECT DISTINCT e.topic, e.key
FROM events_outboxentry o JOIN events_event e ON e.position = o.event_id WHERE o.held_at IS NOT NULL
"""
_FIRST_OF_EACH_KEY = """
SELECT min(o.event_id) AS event_id
FROM events_outboxentry o JOIN events_event e ON e.position = o.event_id WHERE o.held_at IS NOT NULL
GROUP BY e.topic, e.key ORDER BY min(o.held_at) LIMIT %s
"""
_HOLD = """
UPDATE events_outboxentry o SET held_at = clock_timestamp(), refusal = refused.reason
FROM unnest(%s::bigint[], %s::text[]) AS refused (position, reason) WHERE o.event_id = refused.position
"""
_LET_GO = """
UPDATE events_outboxentry o SET held_at = NULL, refusal = ''
FROM events_event e, unnest(%s::text[], %s::text[]) AS freed (topic, key)
WHERE o.held_at IS NOT NULL AND e.position = o.event_id AND e.topic = freed.topic AND e.key = freed.key
"""
_LISTED = """
SELECT o.event_id, o.refusal, o.held_at, e.type, e.topic, e.key, e.event_id
FROM events_outboxentry o LEFT JOIN events_event e ON e.position = o.event_id
WHERE o.held_at IS NOT NULL ORDER BY o.event_id LIMIT %s
"""
_AT = "SELECT event_id FROM events_outboxentry WHERE held_at IS NOT NULL AND event_id = %s"
_FIRST_OF_KEY = """
SELECT min(o.event_id) FROM events_outboxentry o JOIN events_event e ON e.position = o.event_id
WHERE o.held_at IS NOT NULL AND e.topic = %s AND e.key = %s
"""


def keys() -> set[Key]:
    """The (topic, key) pairs of which something is held."""
    with connection.cursor() as cursor:
        cursor.execute(_KEYS)
        return set(cursor.fetchall())


def first_of_each_key(limit: int) -> list[Logged]:
    """Whom all the others of a key wait for; of many keys those that have not been offered for longest."""
    return outbox.read(_FIRST_OF_EACH_KEY, limit)


def hold(reasons: Mapping[int, str]) -> None:
    """Set entries aside, by position, each with why. One that is held already gets the new reason."""
    if reasons:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, [list(reasons), [reason[:200] for reason in reasons.values()]])


def let_go(freed: Collection[Key]) -> None:
    """Nothing of these keys is held any more."""
    if freed:
        with connection.cursor() as cursor:
            cursor.execute(_LET_GO, [[topic for topic, _ in freed], [key for _, key in freed]])


@dataclass(frozen=True, slots=True)
class Held:
    """A held entry and why. Of one that points at no event there is nothing else to tell."""

    position: int
    why: str
    held_at: datetime
    type: str | None
    topic: str | None
    key: str | None
    event_id: UUID | None


def listed(limit: int) -> list[Held]:
    """What is held, in order, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(_LISTED, [limit])
        return [Held(*row) for row in cursor.fetchall()]


def give_up(position: int, *, broker: Broker, patience_seconds: float, report: Callable[[str], None]) -> list[str]:
    """Hand the event to every group that wants it, from the log, and take it out of the outbox: Kafka never gets it.

    The groups' names; none when it points at no event. Those behind it go on. Raises `NotHeld` unless it is the first
    of its key that is held, and what `replay.wait_until_caught_up` and `handling.handle` raise; then it stays, and may
    be given up again.
    """
    entry = first_held(position)
    chosen = wanting(entry)
    for group in chosen:
        # What came before it of its key has been relayed; handled it must be, too.
        replay.wait_until_caught_up(group, broker=broker, patience_seconds=patience_seconds, report=report)
        handling.handle_logged(group, [entry])
    outbox.forget([position])
    log.warning("outbox_entry_given_up", position=position, groups=[group.name for group in chosen])
    return [group.name for group in chosen]


def wanting(entry: Logged) -> list[ConsumerGroup]:
    try:
        return [group for group in groups() if group.wants(entry.type)]
    except NoSuchEvent:
        return []


def first_held(position: int) -> Logged:
    """The entry at this position. Raises `NotHeld` unless it is the first of its key that is held."""
    found = outbox.read(_AT, position)
    if not found:
        raise NotHeld(position, why="it is not held")
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_OF_KEY, found[0].of_key)
        first = cursor.fetchone()[0]
    if first is not None and first != position:
        raise NotHeld(position, why=f"it waits behind {first}")
    return found[0]
