"""Triggers the reminders whose time has come.

Invariants: what is due is decided by the database's clock. A reminder is claimed, held against its task as the task is
now, and triggered in one transaction, in which the task cannot change: so never early, never twice, and never after a
completion, deletion, move or cancellation that was committed first. Nobody waits for anybody here: what another holds
just now is left to the next round.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.calendar.zones import instant_text
from apps.events import crash
from apps.notifications.events import ReminderEvent
from apps.notifications.models import Notification, Preferences, Reminder
from apps.notifications.models.preferences import DEFAULT_STALE_AFTER_HOURS
from apps.notifications.selectors.clock import database_now
from apps.notifications.services import changes as writing
from apps.notifications.services import plans
from apps.notifications.services.plans import Heard
from apps.notifications.services.reminders import Changes
from apps.notifications.wanted import Because, Picture, due_of, fate, wanted
from apps.tasks.selectors import TaskPicture, existing_among, pictures

log = structlog.get_logger(__name__)

Status = Reminder.Status
WAITING = (Status.PLANNED, Status.SNOOZED)

AT_ONCE = 200
DEFAULT_LIMIT = timedelta(hours=DEFAULT_STALE_AFTER_HOURS)
# Of one person so many in a round while others wait.
SHARE = 50
# Who was put out and is let in again within so long is told what they missed.
LONGEST_OUT = timedelta(hours=24)


@dataclass(slots=True)
class Triggered:
    """What became of those that were due: triggered, let go as too late, found to be for no more or another instant;
    left to another round; failed by themselves, and told in the log.
    """

    triggered: int = 0
    stale: int = 0
    settled: set[UUID] = field(default_factory=set)
    left: set[UUID] = field(default_factory=set)
    failed: set[UUID] = field(default_factory=set)

    def __len__(self) -> int:
        return self.triggered + self.stale + len(self.settled) + len(self.left) + len(self.failed)

    def __iadd__(self, other: "Triggered") -> Self:
        self.triggered += other.triggered
        self.stale += other.stale
        self.settled |= other.settled
        self.left |= other.left
        self.failed |= other.failed
        return self


def trigger_due(*, most: int | None = None, but: Collection[UUID] = ()) -> Triggered:
    """Trigger up to `most` reminders that are due, the oldest first; leave out those of `but`.

    Where one fails, each is tried by itself: one that cannot be triggered holds up no other.
    """
    claimed: list[UUID] = []
    try:
        return _trigger(_due().filter(pk__in=_next(most=most or AT_ONCE, but=but)), claimed=claimed)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # noqa: BLE001 - which of them it was, and what, is found out one by one
        done = Triggered()
        for reminder_id in claimed:
            done += _trigger_alone(reminder_id)
        return done


def _trigger_alone(reminder_id: UUID) -> Triggered:
    try:
        return _trigger(_due().filter(pk=reminder_id), claimed=[])
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("reminder_not_triggered", reminder_id=str(reminder_id))
        return Triggered(failed={reminder_id})


@transaction.atomic
def _trigger(which: QuerySet[Reminder], *, claimed: list[UUID]) -> Triggered:
    """One transaction; `claimed` is told which they are, also when it fails."""
    due = list(which)
    claimed += [reminder.pk for reminder in due]
    if not due:
        return Triggered()
    round_ = _Round(due, now=database_now())
    round_.decide()
    round_.changes.keep()
    round_.plan_anew()
    round_.end_snoozes()
    crash.at("reminders.triggering")
    return round_.done


def _next(*, most: int, but: Collection[UUID]) -> list[UUID]:
    """Which of what is due goes next: the oldest, but of one person only so many while others wait.

    Of people who are put out, what is too late to be told to anybody, to be let go.
    """
    for_somebody = Q(owner__is_active=True) | Q(trigger_at__lte=Now() - LONGEST_OUT)
    due = Reminder.objects.filter(for_somebody, status__in=WAITING, trigger_at__lte=Now()).exclude(pk__in=but)
    rows = due.order_by("trigger_at", "id").values_list("pk", "owner_id")
    oldest = list(rows[:most])
    counts = Counter(owner_id for _, owner_id in oldest)
    greedy = [owner_id for owner_id, count in counts.items() if count > SHARE]
    if not greedy:
        return [pk for pk, _ in oldest]
    having: Counter[UUID] = Counter()
    first: list[UUID] = []
    then: list[UUID] = []
    for pk, owner_id in [*oldest, *rows.exclude(owner_id__in=greedy)[:most]]:
        having[owner_id] += 1
        (first if having[owner_id] <= SHARE or owner_id not in greedy else then).append(pk)
    return list(dict.fromkeys([*first, *then]))[:most]


def _due() -> QuerySet[Reminder]:
    """What is due and nobody else holds, locked with the turns of their tasks."""
    due = Reminder.objects.filter(status__in=WAITING, trigger_at__lte=Now())
    rows = due.select_related("task").order_by("trigger_at", "id")
    return rows.select_for_update(skip_locked=True, of=("self", "task"))


class _Round:
    """Reminders that were claimed, and what becomes of them."""

    def __init__(self, due: Sequence[Reminder], *, now: datetime) -> None:
        self.changes = Changes(now=now)
        self.done = Triggered()
        self.now = now
        self._due = due
        self._tasks = pictures({reminder.task_id for reminder in due}, lock=True)
        self._there = existing_among({one.task_id for one in due} - self._tasks.keys())
        owner_ids = {reminder.owner_id for reminder in due}
        self._limits = _limits(owner_ids)
        self._defaults = plans.defaults_of(owner_ids)
        self._otherwise: dict[UUID, TaskPicture] = {}
        self._again: set[UUID] = set()

    def decide(self) -> None:
        for reminder in self._due:
            task = self._tasks.get(reminder.task_id)
            if task is not None:
                self._decide(reminder, task)
            elif reminder.task_id in self._there:
                self.done.left.add(reminder.pk)
            else:
                told = {"because": str(Because.PURGED)}
                values = {"status": Status.CANCELLED, "because": Because.PURGED}
                self.changes.change(reminder, ReminderEvent.CANCELLED, values=values, told=told)
                self.done.settled.add(reminder.pk)

    def _decide(self, reminder: Reminder, task: TaskPicture) -> None:
        if not self._holds(reminder, task):
            self._otherwise[task.id] = task
            self.done.settled.add(reminder.pk)
            return
        late = (self.now - reminder.trigger_at).total_seconds()
        limit = self._limits.get(reminder.owner_id, DEFAULT_LIMIT) if task.owner_is_active else LONGEST_OUT
        if limit is not None and late > limit.total_seconds():
            self._let_go(reminder, late=late, limit=limit)
        else:
            self._tell(reminder, task, late=late)

    def _holds(self, reminder: Reminder, task: TaskPicture) -> bool:
        """Whether the task asks for it, as the task is now."""
        defaults = self._defaults.get(reminder.owner_id)
        if defaults is None:
            return False
        picture = Picture.seen(task)
        asked = wanted(picture, defaults=defaults).get(reminder.pk)
        moved = due_of(reminder.task) != due_of(picture)
        due = picture.due(defaults.time_zone)
        return fate(reminder, asked, picture, moved=moved, due=due, asked_at=self.now) is None

    def _tell(self, reminder: Reminder, task: TaskPicture, *, late: float) -> None:
        number = reminder.triggers + 1
        told = {
            "task": {
                "title": task.title,
                "priority": str(task.priority),
                "due_at": instant_text(task.due_at),
                "due_on": task.due_on.isoformat() if task.due_on else None,
                "due_time_zone": task.due_time_zone or None,
            },
            "number": number,
            "late_seconds": round(late, 3),
        }
        if reminder.status == Status.SNOOZED:
            self._again.add(reminder.task_id)
        values = {"status": Status.TRIGGERED, "triggers": number, "triggered_at": self.now}
        self.changes.change(reminder, ReminderEvent.TRIGGERED, values=values, told=told)
        self.done.triggered += 1

    def _let_go(self, reminder: Reminder, *, late: float, limit: timedelta) -> None:
        told = {"late_seconds": round(late, 3), "limit_seconds": limit.total_seconds()}
        values = {"status": Status.STALE, "because": Because.TOO_LATE}
        self.changes.change(reminder, ReminderEvent.STALE, values=values, told=told)
        self.done.stale += 1

    def plan_anew(self) -> None:
        """What was planned is not what the task asks for now: its event is on its way. The next round decides."""
        heard = [Heard(picture=Picture.seen(task), at=task.updated_at) for task in self._otherwise.values()]
        if heard:
            plans.follow(heard, now=self.now, again=True)

    def end_snoozes(self) -> None:
        """What was snoozed until now is told again: by another notification."""
        over = Q(task_id__in=self._again, status=Notification.Status.SNOOZED, snoozed_until__lte=self.now)
        values = {"status": Notification.Status.DONE, "because": "told_again"}
        if self._again:
            writing.change(writing.locked(over), values, kind="done", now=self.now)


def _limits(owner_ids: Collection[UUID]) -> dict[UUID, timedelta | None]:
    """How late people want to be told; those who never said are left out."""
    said = Preferences.objects.filter(pk__in=owner_ids).values_list("pk", "stale_after_hours")
    return {pk: None if hours is None else timedelta(hours=hours) for pk, hours in said}
