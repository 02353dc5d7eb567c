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

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now

from apps.events import event_types, handling, marks, outbox, selectors
from apps.events.brokers.base import Broker, BrokerState
from apps.events.errors import BrokerFailed, Transient
from apps.events.missing import Laps
from apps.events.models import GroupProgress
from apps.events.subscriptions import ConsumerGroup

log = structlog.get_logger(__name__)

# While the relay is behind, what looks lost is only late.
OUTBOX_IS_YOUNG_SECONDS = 10.0
REPAIR_LIMIT = 5000
# A broker in memory has at most what came since it was started, and lets go of the oldest when there is much of it.
IN_MEMORY_KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Repair:
    """`settled` when nothing was missing, or all of it was handled now; else come back later, for `reason`."""

    settled: bool
    handled: int = 0
    reason: str = ""


def run(group: ConsumerGroup, *, broker: Broker, laps: Laps | None = None) -> Repair:
    """Look once, going on with the caller's `laps`.

    Raises `Transient` when PostgreSQL does not answer or a handler asks to wait.
    """
    try:
        with _database_failures_are_transient():
            _make_missing_topics(broker)
            return _run(group, broker, laps or Laps())
    except BrokerFailed as reason:
        # A broker that started anew may lack a topic on which nothing has happened since: what lags on it could
        # never be told.
        log.warning("reconcile_waits", group=group.name, reason=str(reason))
        with suppress(BrokerFailed):
            broker.ensure_topics(event_types.topics())
        return Repair(settled=False, reason=str(reason))


def _make_missing_topics(broker: Broker) -> None:
    """What somebody deleted nobody else makes again, and the relay holds what belongs there. Raises `BrokerFailed`."""
    names = event_types.topics()
    if "" in broker.state(names).topics:
        made = broker.ensure_topics(names)
        log.warning("topics_made_again", topics=[name for name in names if made[name] == "created"])


def catch_up(group: ConsumerGroup, state: BrokerState, *, missed: bool = False, laps: Laps | None = None) -> Repair:
    """One step towards handling records of the cluster and topics of `state`; settled when they may be handled.

    Nothing to do where the group was last, with the types it had, unless it has `missed` records there. The `laps` are
    those since the doubt arose: what was passed by meanwhile is behind an older one. Raises `Transient` as `run` does.
    """
    with _database_failures_are_transient():
        return _catch_up(group, state, laps or Laps(), missed=missed)


@contextmanager
def _database_failures_are_transient() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as reason:
        connection.close()
        raise Transient(str(reason).strip()) from reason


def _catch_up(group: ConsumerGroup, state: BrokerState, laps: Laps, *, missed: bool = False) -> Repair:
    progress, _ = GroupProgress.objects.get_or_create(group=group.name)
    if not progress.cluster_id:
        return _begin(group, state, laps)
    known = marks.look(group)
    if missed or progress.cluster_id != state.identity:
        look_for = known.settled
    elif known.late:
        look_for = {name: known.settled[name] for name in known.late}
    else:
        return Repair(settled=True)
    found = laps.look(group, look_for, limit=REPAIR_LIMIT, relayed_or_not=True, cluster=state.identity)
    handled = _repair(group, found.positions)
    if not found.complete:
        return _note(group, handled, excused=True, reason=found.told)
    # No higher than the others, or these would seem to have been left behind.
    mark = found.horizon if look_for.keys() == known.settled.keys() else min(found.horizon, known.highest)
    marks.move(group, look_for, to=mark, added=known.added)
    return _note(group, handled, excused=True, settled_on=state)


def _begin(group: ConsumerGroup, state: BrokerState, laps: Laps) -> Repair:
    """A group's first cluster: what it has comes from there, and before it, in order, what it has no longer."""
    everything = dict.fromkeys(marks.types_of(group), 0)
    older = _surely_kept_seconds(state)
    found = laps.look(
        group,
        everything,
        limit=REPAIR_LIMIT,
        relayed_or_not=True,
        older_than_seconds=older,
        cluster=state.identity,
    )
    handled = _repair(group, found.positions)
    if not found.complete:
        return _note(group, handled, excused=True, reason=found.told)
    marks.begin(group)
    return _note(group, handled, excused=True, settled_on=state)


def _surely_kept_seconds(state: BrokerState) -> float:
    """What is younger the cluster has for certain, unless it is younger itself."""
    return (settings.KAFKA_RETENTION_DAYS - 1) * 86_400.0 if state.keeps_records else IN_MEMORY_KEPT_SECONDS


def _run(group: ConsumerGroup, broker: Broker, laps: Laps) -> Repair:
    state = broker.state(group.topics())
    progress, _ = GroupProgress.objects.get_or_create(group=group.name)
    if progress.cluster_id not in {"", state.identity}:
        return _catch_up(group, state, laps)
    if (age := selectors.outbox_status().oldest_age_seconds) > OUTBOX_IS_YOUNG_SECONDS:
        return Repair(settled=False, reason=f"The outbox is {age:.0f} s old.")
    # In this order: seen missing, then seen to have no lag. The other way round, a record could come between.
    known = marks.look(group)
    found = laps.look(group, known.settled, limit=REPAIR_LIMIT)
    if found.positions and (lag := broker.lag(group.name, group.topics())):
        laps.keep(found)
        return Repair(settled=False, reason=f"The group is {lag} records behind.")
    if found.positions and broker.state(group.topics()) != state:
        return Repair(settled=False, reason="Kafka was replaced just now.")
    handled = _repair(group, found.positions)
    # No loss of ours is what a broker in memory no longer had, what no broker had for a group younger than the log,
    # and what members read on past that did not want it yet.
    excused = not state.keeps_records or not all(known.settled.values()) or bool(known.late)
    if not found.complete:
        return _note(group, handled, excused=excused, reason=found.told)
    laps.settle(found)
    # On its first cluster a group has no marks yet, and nobody was before it.
    marks.move(group, known.settled, to=found.horizon, added=known.added if progress.cluster_id else ())
    return _note(group, handled, excused=excused, settled_on=state)


def _note(
    group: ConsumerGroup, handled: int, *, excused: bool, settled_on: BrokerState | None = None, reason: str = ""
) -> Repair:
    """Keep what came of a look. Unless it `settled_on` a cluster there is more to look at, from the same marks on."""
    counter = "caught_up" if excused else "repaired"
    changes: dict[str, Any] = {counter: F(counter) + handled, "checked_at": Now()}
    if settled_on:
        changes["cluster_id"] = settled_on.identity
    GroupProgress.objects.filter(pk=group.name).update(**changes)
    if handled:
        report = log.info if excused else log.error
        report("reconcile_repaired", group=group.name, events=handled, counted_as=counter)
    return Repair(settled=settled_on is not None, handled=handled, reason=reason)


def _repair(group: ConsumerGroup, positions: list[int]) -> int:
    handled = 0
    size = settings.CONSUMER_BATCH_SIZE
    for start in range(0, len(positions), size):
        handled += handling.handle_logged(group, outbox.logged(positions[start : start + size])).handled
    return handled
