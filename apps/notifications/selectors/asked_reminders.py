"""The reminders of a task as its owner sees them at once: those it asks for, also before the group has heard of them.

Invariant: what a task asks for is shown as asked for. A row that tells of an earlier wish is not shown as waiting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from apps.accounts.models import User
from apps.notifications.models import RemindedTask, Reminder
from apps.notifications.selectors import preferences
from apps.notifications.selectors.reminders import reminders_of
from apps.notifications.wanted import Defaults, Picture, Wanted, default_id, due_of, fate, wanted
from apps.tasks import selectors as task_selectors
from apps.tasks.models import Task

ASKED = "asked"
WAITING = (Reminder.Status.PLANNED, Reminder.Status.SNOOZED)
MOST_OVER = 50
# A reminder that nobody has heard of yet is looked for among so many tasks that were changed last.
MOST_TASKS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedReminder:
    """A reminder that a task asks for and that has no row yet, or one that tells of an earlier wish."""

    pk: UUID
    task: Task
    origin: str
    before_due: str
    planned_for: datetime
    status: str = ASKED
    because: str = ""
    triggers: int = 0
    triggered_at: datetime | None = None
    version: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def task_id(self) -> UUID:
        return self.task.pk

    @property
    def trigger_at(self) -> datetime:
        return self.planned_for


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTask:
    """The reminders of a task. `asked`: whether it asks for its owner's default, for its own, or for none."""

    task: Task
    asked: str
    reminders: Sequence[Reminder | AskedReminder]


def default_of(task: Task, *, owner: User) -> dict[str, Any] | None:
    """The reminder that a task has by its owner's default, as one of its own would be written."""
    wish = _wish(task, owner=owner)
    for one in wish.wanted.values():
        if one.origin == Reminder.Origin.DEFAULT:
            return {"before_due": one.before_due} if one.before_due else {"trigger_at": one.planned_for}
    return None


def reminders_of_task(task: Task, *, owner: User) -> OfTask:
    """Those it asks for and those that are over, by their instants."""
    rows = reminders_of(owner=owner).filter(task_id=task.pk)
    waiting = list(rows.filter(status__in=WAITING))
    over = list(rows.exclude(status__in=WAITING).order_by("-trigger_at", "-pk")[:MOST_OVER])
    wish = _wish(task, owner=owner)
    if not wish.heard:
        waiting = [row for row in waiting if wish.keeps(row)]
        over = [row for row in over if not wish.moves(row)]
    found = [*waiting, *over, *(() if wish.heard else wish.asked(known={row.pk for row in [*waiting, *over]}))]
    asked = "default" if task.reminders is None else "own" if task.reminders else "none"
    return OfTask(task=task, asked=asked, reminders=sorted(found, key=lambda one: (one.trigger_at, one.pk)))


def reminder_of(reminder_id: UUID, *, owner: User) -> Reminder | AskedReminder | None:
    """One as it is asked for now; nothing where there is none, or it was taken away."""
    row = reminders_of(owner=owner).filter(pk=reminder_id).first()
    task = _task_of(row, owner=owner) if row else _task_that_asks(reminder_id, owner=owner)
    if task is None:
        return row
    wish = _wish(task, owner=owner)
    if row is not None and (wish.heard or (wish.keeps(row) if row.waits else not wish.moves(row))):
        return row
    return next((one for one in wish.asked(known=set()) if one.pk == reminder_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What a task asks for as it is now; `heard`: the rows are made from that already."""

    task: Task
    picture: Picture
    defaults: Defaults
    wanted: Mapping[UUID, Wanted]
    before: RemindedTask | None

    @property
    def heard(self) -> bool:
        return self.before is not None and self.before.version >= self.picture.version

    def keeps(self, row: Reminder) -> bool:
        """Whether a reminder that waits goes on doing so, as it will be followed once it is heard of."""
        if self.before is None:
            return False
        end = fate(
            row,
            self.wanted.get(row.pk),
            self.picture,
            moved=due_of(self.before) != due_of(self.picture),
            due=self.picture.due(self.defaults.time_zone),
            asked_at=self.task.updated_at,
        )
        return end is None or end.stays

    def moves(self, row: Reminder) -> bool:
        return row.pk in self.wanted and self.wanted[row.pk].planned_for != row.planned_for

    def asked(self, *, known: set[UUID]) -> list[AskedReminder]:
        return [
            AskedReminder(
                pk=pk, task=self.task, origin=one.origin, before_due=one.before_due, planned_for=one.planned_for
            )
            for pk, one in self.wanted.items()
            if pk not in known
        ]


def _wish(task: Task, *, owner: User) -> _Wish:
    picture = Picture.seen(task_selectors.pictures([task.pk], lock=False)[task.pk])
    defaults = Defaults.of(preferences.of([owner.pk])[owner.pk], time_zone=owner.time_zone)
    return _Wish(
        task=task,
        picture=picture,
        defaults=defaults,
        wanted=wanted(picture, defaults=defaults),
        before=RemindedTask.objects.filter(pk=task.pk).first(),
    )


def _task_of(row: Reminder, *, owner: User) -> Task | None:
    found: Task | None = task_selectors.tasks_of(owner=owner).filter(pk=row.task_id).first()
    return found


def _task_that_asks(reminder_id: UUID, *, owner: User) -> Task | None:
    """Among those that nobody has heard of as they are, and of these that were changed last."""
    tasks = task_selectors.tasks_of(owner=owner)
    newest = tasks.order_by("-updated_at", "-pk").values("pk")[:MOST_TASKS]
    heard = RemindedTask.objects.filter(pk=OuterRef("pk"), version__gte=OuterRef("version"))
    may_ask = Q(due_at__isnull=False) | Q(due_on__isnull=False) | (Q(reminders__isnull=False) & ~Q(reminders=[]))
    unheard = tasks.filter(may_ask, ~Exists(heard), pk__in=newest)
    for pk, asked in unheard.values_list("pk", "reminders"):
        if any(one["id"] == str(reminder_id) for one in asked or []) or default_id(pk) == reminder_id:
            found: Task | None = tasks.filter(pk=pk).first()
            return found
    return None


def version_of_task(reminder: Reminder | AskedReminder, *, owner: User) -> int | None:
    """Of its task as it is; nothing where that is gone."""
    found = task_selectors.tasks_of(owner=owner).filter(pk=reminder.task_id)
    version: int | None = found.values_list("version", flat=True).first()
    return version
