"""Puts off what a person was told, or is to be told: one state for all transports.

Invariant: what is snoozed waits as a reminder, so it is triggered as any other, and only while its task is open.
"""

from datetime import date, datetime, time
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.calendar import snoozes, zones
from apps.calendar.errors import CalendarError
from apps.calendar.zones import instant_text
from apps.notifications.events import ReminderEvent
from apps.notifications.exceptions import CannotSnooze, InvalidSnooze, NotificationNotFound, ReminderNotFound
from apps.notifications.models import Notification, RemindedTask, Reminder
from apps.notifications.selectors.asked_reminders import reminder_of
from apps.notifications.services import changes as writing
from apps.notifications.services import plans
from apps.notifications.services.reminders import Changes, take_turns
from apps.notifications.wanted import Origin, Picture
from apps.tasks.selectors import pictures

Status = Reminder.Status
_MORNING = time(9, 0)


@transaction.atomic
def snooze_notification(*, notification_id: UUID, actor: User, until: str, now: datetime) -> Notification:
    """Tell a person again, at an instant, after a duration (`PT15M`), or when `apps.calendar.snoozes` says.

    A day is its morning. All that was told of the same reminder is snoozed with it. Raises `NotificationNotFound`,
    `InvalidSnooze`, and `CannotSnooze` for what is no task's, or a task's that is not open.
    """
    about = Notification.objects.filter(pk=notification_id, owner=actor).first()
    if about is None:
        raise NotificationNotFound(notification_id)
    if about.task_id is None:
        raise CannotSnooze("Only what is about one task can be snoozed. Mark it as read instead.")
    at = _instant(until, actor=actor, now=now)
    task = _open_task(about.task_id, now=now)
    reminder = _of_notification(about)
    changes = Changes(now=now)
    if reminder is None:
        reminder = Reminder(
            pk=uuid5(about.pk, "snooze"),
            owner_id=about.owner_id,
            task=task,
            origin=Origin.SNOOZE,
            planned_for=about.about_at,
            trigger_at=about.about_at,
        )
        changes.make(reminder, actor_id=actor.pk)
        changes.keep()
        changes = Changes(now=now)
    _put_off(reminder, at, actor=actor, changes=changes, notification_id=about.pk)
    changes.keep()
    of_same = Q(reminder_id=about.reminder_id) if about.reminder_id else Q(pk=about.pk)
    _snooze_what_was_told(of_same, until=at, actor=actor, now=now)
    return Notification.objects.get(pk=about.pk)


@transaction.atomic
def snooze_reminder(*, reminder_id: UUID, actor: User, until: str, now: datetime) -> Reminder:
    """Put off a reminder, whether it waits, was triggered, or its task asked for it just now.

    Raises as `snooze_notification`, and `ReminderNotFound`.
    """
    found = Reminder.objects.filter(pk=reminder_id, owner=actor).first() or reminder_of(reminder_id, owner=actor)
    if found is None:
        raise ReminderNotFound(reminder_id)
    at = _instant(until, actor=actor, now=now)
    _open_task(found.task_id, now=now)
    reminder = Reminder.objects.filter(pk=reminder_id, owner=actor).first()
    if reminder is None:
        raise ReminderNotFound(reminder_id)
    if reminder.status == Status.CANCELLED:
        raise CannotSnooze("This reminder was cancelled. Ask for a new one instead.")
    changes = Changes(now=now)
    _put_off(reminder, at, actor=actor, changes=changes, notification_id=None)
    changes.keep()
    _snooze_what_was_told(Q(reminder_id=reminder_id), until=at, actor=actor, now=now)
    return reminder


def _open_task(task_id: UUID, *, now: datetime) -> RemindedTask:
    """The task's turn, as the task is now: what happened to it may not have been heard of yet."""
    seen = pictures([task_id], lock=False).get(task_id)
    if seen is None or not seen.is_open:
        raise CannotSnooze("Its task is not open any more: there is nothing to be reminded of.")
    task = take_turns([task_id]).get(task_id)
    if task is None or task.version < seen.version:
        plans.follow([plans.Heard(picture=Picture.seen(seen), at=now)], now=now)
        task = take_turns([task_id]).get(task_id)
    if task is None:
        # Neither due nor reminders: the one that is snoozed is its first.
        task = RemindedTask.objects.create(**Picture.seen(seen).columns())
    return task


def _of_notification(about: Notification) -> Reminder | None:
    """The reminder it was told by, unless that waits for another time now; or the one of an earlier snooze."""
    told_by = Q(pk=about.reminder_id) & ~Q(status__in=[Status.PLANNED, Status.CANCELLED])
    return Reminder.objects.filter(told_by | Q(pk=uuid5(about.pk, "snooze"))).order_by("created_at").first()


def _put_off(reminder: Reminder, at: datetime, *, actor: User, changes: Changes, notification_id: UUID | None) -> None:
    told = {
        "before": instant_text(reminder.trigger_at),
        "after": instant_text(at),
        "notification_id": str(notification_id) if notification_id else None,
    }
    values = {"status": Status.SNOOZED, "trigger_at": at, "because": ""}
    changes.change(reminder, ReminderEvent.SNOOZED, values=values, told=told, actor_id=actor.pk)


def _snooze_what_was_told(which: Q, *, until: datetime, actor: User, now: datetime) -> None:
    open_ones = which & ~Q(status=Notification.Status.DONE)
    values = {"status": Notification.Status.SNOOZED, "snoozed_until": until}
    writing.change(writing.locked(open_ones), values, kind="snoozed", now=now, actor_id=actor.pk)


def _instant(until: str, *, actor: User, now: datetime) -> datetime:
    """Raises `InvalidSnooze`."""
    zone = zones.zone(actor.time_zone)
    try:
        given = snoozes.snooze(until, now=now, zone=zone, due_at=None, due_on=None)
        at = given if isinstance(given, datetime) else _morning_of(given, zone=zone)
    except (CalendarError, OverflowError) as reason:
        raise InvalidSnooze(str(reason)) from reason
    if at <= now:
        raise InvalidSnooze("That has passed; snooze to a time still to come.")
    return at


def _morning_of(day: date, *, zone: ZoneInfo) -> datetime:
    return zones.attach(datetime.combine(day, _MORNING), zone)
