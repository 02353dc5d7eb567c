"""Heals a group that lost an event between the log and its hands; the only thing that does.

Invariants: what is repaired was committed, had left the outbox before the group's lag was seen to be 0, and was
neither handled nor parked. In a healthy system that is nothing, so the count of repairs stays 0. Before its first
record of another cluster than before a group handles all that is committed, also what is still in the outbox: what
only the old one had taken may be older. So it does with a type that it began to want: its members may have read on
past it. Before the very first record come the events that Kafka keeps no longer. Of each subject the committed
versions have no gap at their end, so nothing comes before its predecessor.

The marks that keep a run short count transactions, not positions: a transaction still open may yet commit an
event with a lower position than one already handled, but never one below the oldest running transaction id.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now

from apps.events import event_types, handling, marks, retention, selectors
from apps.events.brokers.base import Broker, BrokerState
from apps.events.errors import BrokerFailed, Transient
from apps.events.models import Event, GroupProgress
from apps.events.outbox import envelope_of
from apps.events.subscriptions import ConsumerGroup

log = structlog.get_logger(__name__)

# While the relay is behind, what looks lost is only late.
OUTBOX_IS_YOUNG_SECONDS = 10.0
REPAIR_LIMIT = 5000
# A broker in memory has at most what came since it was started, and lets go of the oldest when there is much of it.
IN_MEMORY_KEPT_SECONDS = 600.0

_MISSING = """
SELECT e.position
FROM events_event e
JOIN unnest(%(types)s::text[], %(marks)s::bigint[]) AS m (type, mark)
    ON m.type = CASE WHEN %(every)s AND NOT e.type = ANY(%(snapshots)s::text[]) THEN '*' ELSE e.type END
WHERE e.transaction_id >= %(lowest)s AND e.transaction_id >= m.mark
  AND e.recorded_at > now() - make_interval(days => %(days)s)
  AND e.recorded_at <= statement_timestamp() - make_interval(secs => %(older)s::double precision)
  AND e.erased_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM events_handledevent h WHERE h."group" = %(group)s AND h.event_id = e.event_id)
  AND NOT EXISTS (SELECT 1 FROM events_deadletter d WHERE d."group" = %(group)s AND d.event_id = e.event_id)
  AND (%(relayed_or_not)s OR NOT EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position))
ORDER BY e.position
LIMIT %(limit)s
"""
_HORIZON = """
SELECT least(
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    (SELECT min(e.transaction_id) FROM events_outboxentry o JOIN events_event e ON e.position = o.event_id)
)
"""


@dataclass(frozen=True, slots=True)
class Repair:
    """`settled` when nothing was missing, or all of it was handled now; else come back later, for `reason`."""

    settled: bool
    handled: int = 0
    reason: str = ""


def run(group: ConsumerGroup, *, broker: Broker) -> Repair:
    """Look once. Raises `Transient` when PostgreSQL does not answer or a handler asks to wait."""
    try:
        with _database_failures_are_transient():
            return _run(group, broker)
    except BrokerFailed as reason:
        # A broker that started anew may lack a topic on which nothing has happened since: what lags on it could
        # never be told.
        log.warning("reconcile_waits", group=group.name, reason=str(reason))
        with suppress(BrokerFailed):
            broker.ensure_topics(event_types.topics())
        return Repair(settled=False, reason=str(reason))


def catch_up(group: ConsumerGroup, state: BrokerState, *, missed: bool = False) -> Repair:
    """One step towards handling records of the cluster and topics of `state`; settled when they may be handled.

    Nothing to do where the group was last, with the types it had, unless it has `missed` records there.
    Raises `Transient` as `run` does.
    """
    with _database_failures_are_transient():
        return _catch_up(group, state, missed=missed)


@contextmanager
def _database_failures_are_transient() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as reason:
        connection.close()
        raise Transient(str(reason).strip()) from reason


def _catch_up(group: ConsumerGroup, state: BrokerState, *, missed: bool = False) -> Repair:
    progress, _ = GroupProgress.objects.get_or_create(group=group.name)
    if not progress.cluster_id:
        return _begin(group, state)
    known = marks.look(group)
    if missed or progress.cluster_id != state.identity:
        look_for = known.settled
    elif known.late:
        look_for = {name: known.settled[name] for name in known.late}
    else:
        return Repair(settled=True)
    horizon = _horizon()
    missing = _missing(group, look_for, relayed_or_not=True)
    handled = _repair(group, missing)
    if len(missing) == REPAIR_LIMIT:
        return _note(group, handled, excused=True)
    # No higher than the others, or these would seem to have been left behind.
    mark = horizon if look_for.keys() == known.settled.keys() else min(horizon, known.highest)
    marks.move(group, look_for, to=mark, added=known.added)
    return _note(group, handled, excused=True, settled_on=state)


def _begin(group: ConsumerGroup, state: BrokerState) -> Repair:
    """A group's first cluster: what it has comes from there, and before it, in order, what it has no longer."""
    everything = dict.fromkeys(marks.types_of(group), 0)
    missing = _missing(group, everything, relayed_or_not=True, older_than_seconds=_surely_kept_seconds(state))
    handled = _repair(group, missing)
    if len(missing) == REPAIR_LIMIT:
        return _note(group, handled, excused=True)
    marks.begin(group)
    return _note(group, handled, excused=True, settled_on=state)


def _surely_kept_seconds(state: BrokerState) -> float:
    """What is younger the cluster has for certain, unless it is younger itself."""
    return (settings.KAFKA_RETENTION_DAYS - 1) * 86_400.0 if state.keeps_records else IN_MEMORY_KEPT_SECONDS


def _run(group: ConsumerGroup, broker: Broker) -> Repair:
    state = broker.state(group.topics())
    progress, _ = GroupProgress.objects.get_or_create(group=group.name)
    if progress.cluster_id not in {"", state.identity}:
        return _catch_up(group, state)
    if (age := selectors.outbox_status().oldest_age_seconds) > OUTBOX_IS_YOUNG_SECONDS:
        return Repair(settled=False, reason=f"The outbox is {age:.0f} s old.")
    # In this order: seen missing, then seen to have no lag. The other way round, a record could come between.
    known = marks.look(group)
    horizon = _horizon()
    missing = _missing(group, known.settled)
    if missing and (lag := broker.lag(group.name, group.topics())):
        return Repair(settled=False, reason=f"The group is {lag} records behind.")
    if missing and broker.state(group.topics()) != state:
        return Repair(settled=False, reason="Kafka was replaced just now.")
    handled = _repair(group, missing)
    # No loss of ours is what a broker in memory no longer had, what no broker had for a group younger than the log,
    # and what members read on past that did not want it yet.
    excused = not state.keeps_records or not all(known.settled.values()) or bool(known.late)
    if len(missing) == REPAIR_LIMIT:
        return _note(group, handled, excused=excused)
    # On its first cluster a group has no marks yet, and nobody was before it.
    marks.move(group, known.settled, to=horizon, added=known.added if progress.cluster_id else ())
    return _note(group, handled, excused=excused, settled_on=state)


def _note(group: ConsumerGroup, handled: int, *, excused: bool, settled_on: BrokerState | None = None) -> Repair:
    """Keep what came of a look. Unless it `settled_on` a cluster there is more to repair, from the same marks on."""
    counter = "caught_up" if excused else "repaired"
    changes: dict[str, Any] = {counter: F(counter) + handled, "checked_at": Now()}
    if settled_on:
        changes["cluster_id"] = settled_on.identity
    GroupProgress.objects.filter(pk=group.name).update(**changes)
    if handled:
        report = log.info if excused else log.error
        report("reconcile_repaired", group=group.name, events=handled, counted_as=counter)
    return Repair(settled=settled_on is not None, handled=handled)


def _horizon() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON)
        return int(cursor.fetchone()[0])


def _missing(
    group: ConsumerGroup, types: Mapping[str, int], *, relayed_or_not: bool = False, older_than_seconds: float = 0
) -> list[int]:
    """The oldest positions at or above the mark of their type that the group was not given. Nothing without types."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MISSING,
            {
                "lowest": min(types.values(), default=0),
                "days": retention.days_handled_is_known(),
                "older": older_than_seconds,
                "types": list(types),
                "marks": list(types.values()),
                "every": group.takes_every_fact,
                "snapshots": [event_type.name for event_type in event_types.declared() if event_type.snapshot],
                "group": group.name,
                "relayed_or_not": relayed_or_not,
                "limit": REPAIR_LIMIT,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def _repair(group: ConsumerGroup, positions: list[int]) -> int:
    handled = 0
    size = settings.CONSUMER_BATCH_SIZE
    for start in range(0, len(positions), size):
        events = Event.objects.filter(position__in=positions[start : start + size], erased_at=None).order_by("position")
        handled += handling.handle(group, [envelope_of(event) for event in events]).handled
    return handled
