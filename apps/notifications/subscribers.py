"""What the notifications group takes from the log: what happened to tasks, and to their owners.

Each function unpacks its events and calls a service.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from apps.accounts.events import AccountEvent
from apps.events.envelope import Envelope
from apps.events.subscriptions import ConsumerGroup
from apps.notifications.events import ReminderEvent
from apps.notifications.services import inbox, owners, plans, preferences, telling
from apps.tasks.events import TaskEvent

group = ConsumerGroup("notifications")


@group.on_batch(
    TaskEvent.CREATED,
    TaskEvent.UPDATED,
    TaskEvent.COMPLETED,
    TaskEvent.REOPENED,
    TaskEvent.DELETED,
    TaskEvent.RESTORED,
    TaskEvent.PURGED,
)
def plan_reminders(events: Sequence[Envelope]) -> None:
    plans.follow_tasks(events, now=_now())
    inbox.done_with_tasks(events, now=_now())


@group.on_batch(ReminderEvent.TRIGGERED)
def tell_reminders(events: Sequence[Envelope]) -> None:
    telling.tell_reminders(events)


@group.on(AccountEvent.TIME_ZONE_CHANGED)
def move_to_time_zone(event: Envelope) -> None:
    plans.move_to_time_zone(owner_id=event.subject_id, now=_now())
    preferences.follow_time_zone(owner_id=event.subject_id, time_zone=event.data["time_zone"]["after"], now=_now())


@group.on(AccountEvent.ERASED)
def forget_owner(event: Envelope) -> None:
    while owners.forget_owner(owner_id=event.subject_id, now=_now()):
        pass


def _now() -> datetime:
    """When it is heard: what is planned is planned then, whenever it was asked for."""
    return datetime.now(UTC)
