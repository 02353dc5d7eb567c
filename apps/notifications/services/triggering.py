"""Triggers the reminders whose time has come.

Invariants: what is due is decided by the database's clock. A reminder is claimed, held against its task as the task is
now, and triggered in one transaction, in which the task cannot change: so never early, never twice, and never after a
completion, deletion, move or cancellation that was committed first. Nobody waits for anybody here: what another holds
just now is left to the next round.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.calendar.zones import instant_text
from apps.events import crash
from apps.notifications.events import ReminderEvent
from apps.notifications.models import Preferences, Reminder
from apps.notifications.models.preferences import DEFAULT_STALE_AFTER_HOURS
from apps.notifications.services import plans
from apps.notifications.services.plans import Heard
from apps.notifications.services.reminders import Changes
from apps.notifications.wanted import Because, Defaults, Picture, still_asked
from apps.tasks.selectors import TaskPicture, pictures

Status = Reminder.Status
WAITING = (Status.PLANNED, Status.SNOOZED)

AT_ONCE = 200


@dataclass(slots=True)
class Triggered:
    """What became of those that were due: triggered, too late to be told, found to be for no more or another instant;
    left to another round.
    """

    triggered: int = 0
    stale: int = 0
    settled: int = 0
    left: set[UUID] = field(default_factory=set)

    def __len__(self) -> int:
        return self.triggered + self.stale + self.settled + len(self.left)


@transaction.atomic
def trigger_due(*, most: int = AT_ONCE, but: Collection[UUID] = ()) -> Triggered:
    """Trigger up to `most` reminders that are due, the oldest first; leave out those of `but`."""
    done = Triggered()
    due = _claimed(most=most, but=but)
    if not due:
        return done
    now = _database_now()
    tasks = pictures([reminder.task_id for reminder in due], lock=True)
    found = [reminder for reminder in due if reminder.task_id in tasks]
    done.left = {reminder.pk for reminder in due} - {reminder.pk for reminder in found}
    limits = _limits({reminder.owner_id for reminder in found})
    defaults = plans.defaults_of({reminder.owner_id for reminder in found})
    changes = Changes(now=now)
    otherwise: dict[UUID, TaskPicture] = {}
    for reminder in found:
        task = tasks[reminder.task_id]
        if not _holds(reminder, task, defaults=defaults.get(reminder.owner_id)):
            otherwise[task.id] = task
            continue
        late = (now - reminder.trigger_at).total_seconds()
        limit = limits.get(reminder.owner_id, timedelta(hours=DEFAULT_STALE_AFTER_HOURS))
        if limit is not None and late > limit.total_seconds():
            _let_go(reminder, late=late, limit=limit, changes=changes)
            done.stale += 1
        else:
            _trigger(reminder, task, late=late, changes=changes)
            done.triggered += 1
    changes.keep()
    if otherwise:
        _plan_anew(otherwise, now=now)
        done.settled = len(found) - done.triggered - done.stale
    crash.at("reminders.triggering")
    return done


def _claimed(*, most: int, but: Collection[UUID]) -> list[Reminder]:
    """What is due and nobody else holds, locked with the turns of their tasks."""
    due = Reminder.objects.filter(status__in=WAITING, trigger_at__lte=Now(), owner__is_active=True)
    rows = due.exclude(pk__in=but).select_related("task").order_by("trigger_at", "id")
    return list(rows.select_for_update(skip_locked=True, of=("self", "task"))[:most])


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def _limits(owner_ids: Collection[UUID]) -> dict[UUID, timedelta | None]:
    """How late people want to be told; those who never said are left out."""
    said = Preferences.objects.filter(pk__in=owner_ids).values_list("pk", "stale_after_hours")
    return {pk: None if hours is None else timedelta(hours=hours) for pk, hours in said}


def _holds(reminder: Reminder, task: TaskPicture, *, defaults: Defaults | None) -> bool:
    return defaults is not None and still_asked(reminder, Picture.seen(task), before=reminder.task, defaults=defaults)


def _trigger(reminder: Reminder, task: TaskPicture, *, late: float, changes: Changes) -> None:
    told = {
        "task": {
            "title": task.title,
            "priority": str(task.priority),
            "due_at": instant_text(task.due_at),
            "due_on": task.due_on.isoformat() if task.due_on else None,
            "due_time_zone": task.due_time_zone or None,
        },
        "number": reminder.triggers + 1,
        "late_seconds": round(late, 3),
    }
    values = {"status": Status.TRIGGERED, "triggers": reminder.triggers + 1, "triggered_at": changes.now}
    changes.change(reminder, ReminderEvent.TRIGGERED, values=values, told=told)


def _let_go(reminder: Reminder, *, late: float, limit: timedelta, changes: Changes) -> None:
    told = {"late_seconds": round(late, 3), "limit_seconds": limit.total_seconds()}
    values = {"status": Status.STALE, "because": Because.TOO_LATE}
    changes.change(reminder, ReminderEvent.STALE, values=values, told=told)


def _plan_anew(tasks: Mapping[UUID, TaskPicture], *, now: datetime) -> None:
    """What was planned is not what the task asks for now: its event is still on its way. The next round decides."""
    heard: Sequence[Heard] = [Heard(picture=Picture.seen(task), at=now) for task in tasks.values()]
    plans.follow(heard, now=now, again=True)
