"""Feeds a group again from the log.

Invariants: nothing older than what `HandledEvent` remembers is fed, so a replay repeats no effect; nothing is fed
while the group is behind, so an event does not overtake an older one of its subject that is still on its way.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Min, QuerySet
from django.utils import timezone

from apps.events import handling, outbox, selectors
from apps.events.brokers.base import Broker
from apps.events.errors import GroupBehind, ReplayTooOld
from apps.events.handling import Outcome
from apps.events.models import Event
from apps.events.subscriptions import ConsumerGroup


def select(group: ConsumerGroup, *, since: datetime | None, first: int | None, last: int | None) -> QuerySet[Event]:
    """The group's events recorded at or after `since`, with positions from `first` to `last`, both included.

    Without those that are held: what cannot go to Kafka, or stands behind such a one, comes when it is let go.
    Raises `ReplayTooOld` when that reaches beyond the retention of `HandledEvent`.
    """
    events = Event.objects.exclude(outbox_entry__held_at__isnull=False).order_by("position")
    if not group.takes_every_fact:
        events = events.filter(type__in=[event_type.name for event_type in group.types()])
    if since is not None:
        events = events.filter(recorded_at__gte=since)
    if first is not None:
        events = events.filter(position__gte=first)
    if last is not None:
        events = events.filter(position__lte=last)
    oldest = events.aggregate(oldest=Min("recorded_at"))["oldest"]
    horizon = timezone.now() - timedelta(days=settings.HANDLED_EVENT_RETENTION_DAYS)
    if oldest is not None and oldest < horizon:
        raise ReplayTooOld(
            f"The oldest of these events is of {oldest:%Y-%m-%d %H:%M} UTC. What a group has handled is remembered "
            f"for {settings.HANDLED_EVENT_RETENTION_DAYS} days, so a replay may begin at {horizon:%Y-%m-%d %H:%M} UTC."
        )
    return events


LOOK_AGAIN_SECONDS = 0.5


def wait_until_caught_up(
    group: ConsumerGroup, *, broker: Broker, patience_seconds: float, report: Callable[[str], None]
) -> None:
    """Until all that was committed before this call has left the outbox and the group's lag is 0.

    `report` hears what is waited for. Raises `GroupBehind` after `patience_seconds`, `BrokerFailed` without Kafka.
    """
    began = time.monotonic()
    while behind := _what_is_behind(group, broker, waited_seconds=time.monotonic() - began):
        if time.monotonic() - began >= patience_seconds:
            raise GroupBehind(group.name, behind=behind)
        report(behind)
        time.sleep(min(LOOK_AGAIN_SECONDS, patience_seconds))


def _what_is_behind(group: ConsumerGroup, broker: Broker, *, waited_seconds: float) -> str:
    waiting = selectors.outbox_status()
    if waiting.depth and waiting.oldest_age_seconds >= waited_seconds:
        return f"the outbox holds {waiting.depth} events, the oldest {waiting.oldest_age_seconds:.1f} s old"
    lag = broker.lag(group.name, group.topics())
    return f"{group.name} is {lag} records behind" if lag else ""


def feed(group: ConsumerGroup, events: QuerySet[Event], *, report: Callable[[int], None]) -> Outcome:
    """Apply the events in order; `report` hears after each batch how many were fed so far.

    Those that were erased with their owner are left out and counted: the group has been given them before.
    """
    outcome, fed = Outcome(), 0
    last = events.aggregate(last=Max("position"))["last"] or 0
    position = 0
    rows = events.values_list("position", "type")
    while batch := list(rows.filter(position__gt=position, position__lte=last)[: settings.CONSUMER_BATCH_SIZE]):
        chosen = [place for place, name in batch if group.wants(name)]
        wanted = outbox.logged(chosen)
        outcome += handling.handle_logged(group, wanted)
        outcome.erased += len(chosen) - len(wanted)
        position = batch[-1][0]
        fed += len(wanted)
        report(fed)
    return outcome
