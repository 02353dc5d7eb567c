"""Heals a group that lost an event between the log and its hands; the only thing that does.

Invariants: what is repaired was committed, had left the outbox before the group's lag was seen to be 0, and was
neither handled nor parked. In a healthy system that is nothing, so the count of repairs stays 0. On another cluster
than before, a group first handles all that is committed, also what is still in the outbox: what only the old one
had taken may be older than the first record of the new one. Of each subject the committed versions have no gap at
their end, so nothing comes before its predecessor.

The mark that keeps a run short counts transactions, not positions: a transaction still open may yet commit an
event with a lower position than one already handled, but never one below the oldest running transaction id.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now

from apps.events import event_types, handling, retention, selectors
from apps.events.brokers.base import Broker, BrokerState
from apps.events.errors import BrokerFailed, Transient
from apps.events.models import Event, GroupProgress
from apps.events.outbox import envelope_of
from apps.events.subscriptions import ConsumerGroup

log = structlog.get_logger(__name__)

# While the relay is behind, what looks lost is only late.
OUTBOX_IS_YOUNG_SECONDS = 10.0
REPAIR_LIMIT = 5000

_MISSING = """
SELECT e.position
FROM events_event e
WHERE e.transaction_id >= %(mark)s
  AND e.recorded_at > now() - make_interval(days => %(days)s)
  AND e.erased_at IS NULL
  AND (e.type = ANY(%(types)s) OR (%(every)s AND NOT e.type = ANY(%(snapshots)s)))
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
    """One step towards the cluster and topics of `state`; settled when their records may be handled.

    Nothing to do where the group was last, unless it has `missed` records there. Raises `Transient` as `run` does.
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
    if not progress.cluster_id:  # its first cluster: what is there comes from Kafka
        GroupProgress.objects.filter(pk=group.name, cluster_id="").update(cluster_id=state.identity)
        return Repair(settled=True)
    if progress.cluster_id == state.identity and not missed:
        return Repair(settled=True)
    horizon = _horizon()
    missing = _missing(group, progress, relayed_or_not=True)
    handled = _repair(group, missing)
    return _note(group, state, handled, excused=True, horizon=None if len(missing) == REPAIR_LIMIT else horizon)


def _run(group: ConsumerGroup, broker: Broker) -> Repair:
    state = broker.state(group.topics())
    progress, _ = GroupProgress.objects.get_or_create(group=group.name)
    if progress.cluster_id not in {"", state.identity}:
        return _catch_up(group, state)
    if (age := selectors.outbox_status().oldest_age_seconds) > OUTBOX_IS_YOUNG_SECONDS:
        return Repair(settled=False, reason=f"The outbox is {age:.0f} s old.")
    # In this order: seen missing, then seen to have no lag. The other way round, a record could come between.
    horizon = _horizon()
    missing = _missing(group, progress)
    if missing and (lag := broker.lag(group.name, group.topics())):
        return Repair(settled=False, reason=f"The group is {lag} records behind.")
    if missing and broker.state(group.topics()) != state:
        return Repair(settled=False, reason="Kafka was replaced just now.")
    handled = _repair(group, missing)
    # What a broker in memory no longer had, or no broker ever for a group younger than the log, is no loss of ours.
    excused = not state.keeps_records or not progress.settled_transaction_id
    return _note(group, state, handled, excused=excused, horizon=None if len(missing) == REPAIR_LIMIT else horizon)


def _note(group: ConsumerGroup, state: BrokerState, handled: int, *, excused: bool, horizon: int | None) -> Repair:
    """Keep what came of a look. Without a `horizon` there is more to repair, and the mark stays where it is."""
    counter = "caught_up" if excused else "repaired"
    changes: dict[str, Any] = {counter: F(counter) + handled, "checked_at": Now()}
    if horizon is not None:
        changes |= {"cluster_id": state.identity, "settled_transaction_id": horizon}
    GroupProgress.objects.filter(pk=group.name).update(**changes)
    if handled:
        report = log.info if excused else log.error
        report("reconcile_repaired", group=group.name, events=handled, counted_as=counter)
    return Repair(settled=horizon is not None, handled=handled)


def _horizon() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON)
        return int(cursor.fetchone()[0])


def _missing(group: ConsumerGroup, progress: GroupProgress, *, relayed_or_not: bool = False) -> list[int]:
    mark = progress.settled_transaction_id
    if mark > _next_transaction_id():
        mark = 0  # the database was restored elsewhere, where transactions are numbered anew
    with connection.cursor() as cursor:
        cursor.execute(
            _MISSING,
            {
                "mark": mark,
                "days": retention.days_handled_is_known(),
                "types": [event_type.name for event_type in group.types()],
                "every": group.takes_every_fact,
                "snapshots": [event_type.name for event_type in event_types.declared() if event_type.snapshot],
                "group": group.name,
                "relayed_or_not": relayed_or_not,
                "limit": REPAIR_LIMIT,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def _next_transaction_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def _repair(group: ConsumerGroup, positions: list[int]) -> int:
    handled = 0
    size = settings.CONSUMER_BATCH_SIZE
    for start in range(0, len(positions), size):
        events = Event.objects.filter(position__in=positions[start : start + size], erased_at=None).order_by("position")
        handled += handling.handle(group, [envelope_of(event) for event in events]).handled
    return handled
