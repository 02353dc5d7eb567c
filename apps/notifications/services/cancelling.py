"""Takes away what a person put off: a reminder that no task asks for, but a snooze.

Invariant: what was snoozed with it is read, since nobody is told of it again.
"""

from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.notifications.events import ReminderEvent
from apps.notifications.exceptions import NotWaiting, ReminderNotFound
from apps.notifications.models import Notification, Reminder
from apps.notifications.services import changes as writing
from apps.notifications.services.reminders import Changes, take_turns
from apps.tasks.exceptions import StaleVersion

_REMOVED = Reminder.Because.REMOVED


@transaction.atomic
def cancel_snooze(*, reminder_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Reminder:
    """Cancel a reminder of origin `snooze` that waits.

    Raises `ReminderNotFound`, also for one of another origin, `StaleVersion`, and `NotWaiting` where it is over.
    """
    snoozes = Reminder.objects.filter(pk=reminder_id, owner=actor, origin=Reminder.Origin.SNOOZE)
    found = snoozes.first()
    if found is None:
        raise ReminderNotFound(reminder_id)
    take_turns([found.task_id])
    reminder = snoozes.get()
    if expected_version is not None and reminder.version != expected_version:
        raise StaleVersion(reminder)
    if not reminder.waits:
        raise NotWaiting(reminder_id)
    changes = Changes(now=now)
    changes.change(
        reminder,
        ReminderEvent.CANCELLED,
        values={"status": Reminder.Status.CANCELLED, "because": _REMOVED},
        told={"because": str(_REMOVED)},
        actor_id=actor.pk,
    )
    changes.keep()
    _read_what_was_put_off(reminder, actor=actor, now=now)
    return reminder


def _read_what_was_put_off(reminder: Reminder, *, actor: User, now: datetime) -> None:
    snoozed = Q(owner_id=reminder.owner_id, task_id=reminder.task_id, status=Notification.Status.SNOOZED)
    of_it = [one for one in writing.locked(snoozed) if reminder.pk in {one.reminder_id, uuid5(one.pk, "snooze")}]
    values = {"status": Notification.Status.READ, "read_at": now, "snoozed_until": None}
    writing.change(of_it, values, kind="read", now=now, actor_id=actor.pk)
