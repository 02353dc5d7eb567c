"""What reaches a person at the wrong time, or no more: a snooze that is lost, what is told or sent of what is done,
moved or still to come, and what stays in the inbox for nothing.

Each finding is a sentence; the log tells what was known when.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from apps.events.models import Event
from apps.notifications.models import DeliveryAttempt, DeliveryItem, Notification
from tests.support.receiving import Given
from tests.support.told_once import Told, instant
from tests.support.wishes import Picture, due_of


def lost_snoozes(told: Told) -> list[str]:
    """Put off to an instant, and told before it or never, though the task still asks for it."""
    found = []
    for reminder_id, events in told.events.items():
        until: dict[str, Any] | None = None
        for event in events:
            if event["type"] == "reminder.snoozed.v1":
                until = event
            elif until is not None and _is_lost(told, until, event):
                found.append(f"reminder {reminder_id}: snoozed until {instant(until, 'trigger_at')}, {event['type']}")
                until = None
            elif until is not None and event["data"]["reminder"]["status"] != "snoozed":
                until = None
    return found


def _is_lost(told: Told, snoozed: dict[str, Any], event: dict[str, Any]) -> bool:
    """By what came next: cancelled, or moved to what has passed, while the task is open and asks for it."""
    now, reminder = _task_at(told, event), event["data"]["reminder"]
    if reminder["status"] == "planned":
        return instant(event, "planned_for") <= event["occurred_at"] and instant(event, "trigger_at") < instant(
            snoozed, "trigger_at"
        )
    if reminder["status"] != "cancelled" or not now.is_open:
        return False
    if reminder["origin"] == "snooze":
        return due_of(now.task) == due_of(_task_at(told, snoozed).task)
    return event["subject_id"] in told.wishes(_task_of(event), now.task, now.owner_id, event["position"])


def _task_at(told: Told, event: dict[str, Any]) -> Picture:
    return told.tasks.before(event["position"], _task_of(event))


def nudged_in_vain(told: Told) -> list[str]:
    """Nudged about a task that was not open, not due then, or not yet."""
    found = []
    made = Event.objects.filter(type="notification.created.v1", data__notification__kind="overdue")
    for position, pk, data, at in made.values_list("position", "subject_id", "data", told.clock):
        one = data["notification"]
        picture = told.tasks.before(position, UUID(one["task_id"]))
        if not picture.is_open or any(one[name] != picture.task[name] for name in ("due_at", "due_on")):
            found.append(f"notification {pk}: a nudge about {picture.task}")
        elif datetime.fromisoformat(one["about_at"]) > at:
            found.append(f"notification {pk}: a nudge ahead of {one['about_at']}")
    return found


def sent_in_vain(told: Told, *, grace: timedelta = timedelta(0)) -> list[str]:
    """Sent although all it tells of was done or gone for longer than `grace` when the attempt began."""
    found = []
    attempts = DeliveryAttempt.objects.exclude(delivery__because="asked_again").filter(
        delivery__redelivery_of=None, delivery__items__notification__task_id__isnull=False
    )
    items: dict[tuple[UUID, int, datetime], list[UUID | None]] = defaultdict(list)
    for pk, number, at, task_id in attempts.values_list(
        "delivery_id", "number", "started_at", "delivery__items__notification__task_id"
    ):
        items[pk, number, at].append(task_id)
    for (pk, number, at), task_ids in items.items():
        known = [_over_since(told, task_id, at) for task_id in task_ids if task_id is not None]
        if known and all(since is not None and since < at - grace for since in known):
            found.append(f"delivery {pk}: attempt {number} at {at}, and all that it tells of was done")
    return found


def _over_since(told: Told, task_id: UUID, at: datetime) -> datetime | None:
    """Since when a task was not open at an instant; nothing where it was."""
    since = None
    for one in told.tasks.pictures[task_id]:
        if one.told_at <= at:
            since = None if one.is_open else since or one.told_at
    return since


def sent_early(given: Sequence[Given]) -> list[str]:
    """Given to a receiver before the instant that it is about, by the receiver's clock."""
    about = DeliveryItem.objects.values_list("delivery_id", "notification__about_at")
    last: dict[str, datetime] = {}
    for pk, at in about:
        last[str(pk)] = max(at, last.get(str(pk), at))
    return [
        f"key {one.key}: given {last[one.key].timestamp() - one.at:.3f} s early"
        for one in given
        if one.key in last and one.at < last[one.key].timestamp()
    ]


def left_in_the_inbox(told: Told, *, now: datetime) -> list[str]:
    """At rest: done in one place, gone in the others; what hung on a due that moved is gone too; what is snoozed is
    told again, and waits for that.
    """
    found = []
    left = Notification.objects.filter(status__in=["unread", "snoozed"], task_id__isnull=False)
    for one in left:
        assert one.task_id is not None
        last = told.tasks.pictures[one.task_id][-1]
        if not last.is_open:
            found.append(f"notification {one.pk}: {one.status}, its task is {last.task['status']}")
        elif _hangs_on_due(one) and (one.due_at, one.due_on) != due_of(last.task):
            found.append(f"notification {one.pk}: {one.status}, it says due {one.due_at or one.due_on}, and that moved")
        elif one.status == "snoozed" and (one.snoozed_until is None or one.snoozed_until <= now):
            found.append(f"notification {one.pk}: still snoozed until {one.snoozed_until}")
        elif one.status == "snoozed" and not _is_woken(one, told):
            found.append(f"notification {one.pk}: snoozed until {one.snoozed_until}, and nothing tells it then")
    return found


def _hangs_on_due(one: Notification) -> bool:
    """A reminder of an instant of its own says what it says whenever the task is due."""
    return one.kind == "overdue" or one.data.get("origin") == "default" or one.data.get("before_due") is not None


def _is_woken(one: Notification, told: Told) -> bool:
    rows = [told.reminders.get(pk) for pk in (one.reminder_id, uuid5(one.pk, "snooze")) if pk is not None]
    return any(row is not None and row.waits for row in rows)


def _task_of(event: dict[str, Any]) -> UUID:
    return UUID(event["data"]["reminder"]["task_id"])
