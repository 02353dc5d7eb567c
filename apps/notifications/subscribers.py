"""What the notifications group takes from the log: what happened to tasks, and to their owners.

Each function unpacks its events and calls a service.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from apps.accounts.events import AccountEvent
from apps.events.envelope import Envelope
from apps.events.subscriptions import ConsumerGroup
from apps.notifications.events import ReminderEvent
from apps.notifications.services import inbox, owners, plans, reminders, telling
from apps.tasks.events import TaskEvent

group = ConsumerGroup("notifications")


# The first of all: what it locks everybody locks first.
@group.on_batch(AccountEvent.TIME_ZONE_CHANGED)
def follow_time_zones(events: Sequence[Envelope]) -> None:
    plans.follow_up_all(owner_ids={event.subject_id for event in events}, now=_now())


# In one, so that the turns of all tasks are taken at once: of the next one's another may wait for ours.
@group.on_batch(
    TaskEvent.CREATED,
    TaskEvent.UPDATED,
    TaskEvent.COMPLETED,
    TaskEvent.REOPENED,
    TaskEvent.DELETED,
    TaskEvent.RESTORED,
    TaskEvent.PURGED,
    ReminderEvent.TRIGGERED,
)
def plan_and_tell(events: Sequence[Envelope]) -> None:
    triggered = [event for event in events if event.type == ReminderEvent.TRIGGERED.name]
    of_tasks = [event for event in events if event.type != ReminderEvent.TRIGGERED.name]
    reminders.take_turns(
        [*(event.subject_id for event in of_tasks), *(UUID(event.data["reminder"]["task_id"]) for event in triggered)]
    )
    if of_tasks:
        plans.follow_tasks(of_tasks, now=_now())
        inbox.done_with_tasks(of_tasks, now=_now())
    if triggered:
        telling.tell_reminders(triggered)


@group.on(AccountEvent.ERASED)
def forget_owner(event: Envelope) -> None:
    while owners.forget_owner(owner_id=event.subject_id, now=_now()):
        pass


def _now() -> datetime:
    """When it is heard: what is planned is planned then, whenever it was asked for."""
    return datetime.now(UTC)
