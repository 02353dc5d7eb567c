"""Which reminders a task wants, and what becomes of those there are. Pure.

Invariant: a reminder is never wanted for an instant that has passed, but once: when it is asked for while due is still
ahead, it is for at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Self
from uuid import UUID

from apps.calendar import durations, zones
from apps.calendar.errors import CalendarError
from apps.events.envelope import Envelope
from apps.notifications.models import Preferences, RemindedTask, Reminder
from apps.notifications.models.preferences import DEFAULT_BEFORE_DUE, DEFAULT_ON_DAY
from apps.tasks import intents
from apps.tasks.due import Due
from apps.tasks.intents.reminders import trigger_at
from apps.tasks.selectors import TaskPicture

Status = Reminder.Status
Origin = Reminder.Origin
Because = Reminder.Because
_KEPT = (
    *("task_id", "owner_id", "version", "title", "status", "priority", "due_at", "due_on", "due_time_zone"),
    "reminders",
)
_OPEN = {"pending", "in_progress"}
_DONE = {"completed": Because.COMPLETED, "deleted": Because.DELETED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A task, as far as its reminders go. `purged`: it is gone for good."""

    task_id: UUID
    owner_id: UUID
    version: int
    title: str
    status: str
    priority: str
    due_at: datetime | None
    due_on: date | None
    due_time_zone: str
    reminders: Sequence[Mapping[str, str]] | None
    purged: bool = False

    @classmethod
    def told(cls, event: Envelope) -> Self:
        """As an event of the task tells it."""
        assert event.owner_id is not None and event.version is not None, "an event of a task has both"
        task = event.data["task"]
        at, on = task.get("due_at"), task.get("due_on")
        return cls(
            task_id=event.subject_id,
            owner_id=event.owner_id,
            version=event.version,
            title=task["title"],
            status=task["status"],
            priority=task["priority"],
            due_at=datetime.fromisoformat(at) if at else None,
            due_on=date.fromisoformat(on) if on else None,
            due_time_zone=task.get("due_time_zone") or "",
            reminders=task.get("reminders"),
            purged=event.type.startswith("task.purged."),
        )

    @classmethod
    def seen(cls, task: TaskPicture) -> Self:
        """As the task is now."""
        return cls(
            task_id=task.id,
            owner_id=task.owner_id,
            version=task.version,
            title=task.title,
            status=str(task.status),
            priority=str(task.priority),
            due_at=task.due_at,
            due_on=task.due_on,
            due_time_zone=task.due_time_zone,
            reminders=task.reminders,
        )

    @classmethod
    def remembered(cls, task: RemindedTask) -> Self:
        """As it was last heard of."""
        return cls(
            task_id=task.pk,
            owner_id=task.owner_id,
            version=task.version,
            title=task.title,
            status=task.status,
            priority=task.priority,
            due_at=task.due_at,
            due_on=task.due_on,
            due_time_zone=task.due_time_zone,
            reminders=task.reminders,
        )

    def columns(self) -> dict[str, Any]:
        """As `RemindedTask` keeps it."""
        return {name: getattr(self, name) for name in _KEPT}

    @property
    def is_open(self) -> bool:
        return self.status in _OPEN and not self.purged

    @property
    def has_due(self) -> bool:
        return self.due_at is not None or self.due_on is not None

    @property
    def may_want_any(self) -> bool:
        return self.has_due or bool(self.reminders)

    def due(self, owner_zone: str) -> Due:
        return Due(at=self.due_at, on=self.due_on, zone=zones.zone(self.due_time_zone or owner_zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """A person's own: the reminder of a task that asks for none in particular. `time_zone` is where they live."""

    before_due: str | None = DEFAULT_BEFORE_DUE
    on_day: time | None = DEFAULT_ON_DAY
    time_zone: str = "UTC"

    @classmethod
    def of(cls, preferences: Preferences | None, *, time_zone: str) -> Self:
        if preferences is None:
            return cls(time_zone=time_zone)
        return cls(before_due=preferences.default_before_due, on_day=preferences.default_on_day, time_zone=time_zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A reminder that a task asks for."""

    origin: Origin
    before_due: str
    planned_for: datetime


def default_id(task_id: UUID) -> UUID:
    """The id of the reminder that a task has by its owner's default."""
    return UUID(intents.default_id(task_id))


def wanted(picture: Picture, *, defaults: Defaults) -> dict[UUID, Wanted]:
    """What a task asks for, by the ids of reminders; nothing when it is done."""
    if not picture.is_open:
        return {}
    due = picture.due(defaults.time_zone)
    if picture.reminders is None:
        default = _default(due, defaults)
        return {default_id(picture.task_id): default} if default else {}
    found: dict[UUID, Wanted] = {}
    for asked in picture.reminders:
        instant = trigger_at(asked, due=due)
        if instant is not None:
            before_due = asked.get("before_due", "")
            found[UUID(asked["id"])] = Wanted(origin=Origin.ASKED, before_due=before_due, planned_for=instant)
    return found


def _default(due: Due, defaults: Defaults) -> Wanted | None:
    try:
        if due.at is not None and defaults.before_due is not None:
            instant = due.at - durations.parse(defaults.before_due)
            return Wanted(origin=Origin.DEFAULT, before_due=defaults.before_due, planned_for=instant)
        if due.on is not None and defaults.on_day is not None:
            instant = zones.attach(datetime.combine(due.on, defaults.on_day), due.zone)
            return Wanted(origin=Origin.DEFAULT, before_due="", planned_for=instant)
    except (CalendarError, OverflowError):
        return None
    return None


def starts_at(asked: Wanted, *, due: Due, asked_at: datetime, fired_at: datetime | None) -> datetime | None:
    """When a reminder that was asked for in an instant is triggered; `None` is never.

    What has passed by then is for at once while due is still ahead, unless it was triggered at that time or later.
    """
    if asked.planned_for > asked_at:
        return asked.planned_for
    if fired_at is not None and fired_at >= asked.planned_for:
        return None
    return asked_at if due.passes_at is not None and due.passes_at > asked_at else None


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a reminder: it is for `at` now, or is cancelled `because`.

    With `stays` a snoozed one goes on waiting until when it was snoozed, for what the task now asks for.
    """

    at: datetime | None = None
    because: Because | None = None
    stays: bool = False


def fate(
    reminder: Reminder | None,
    asked: Wanted | None,
    picture: Picture,
    *,
    moved: bool,
    due: Due,
    asked_at: datetime,
) -> Fate | None:
    """What becomes of a reminder by what its task asks for since `asked_at`; `None` is nothing.

    `asked` is what it asks for under the reminder's id; `moved` says whether its due is another than was known.
    """
    if asked is None:
        return _fate_of_one_not_asked_for(reminder, picture, moved=moved)
    if reminder is not None and is_for(reminder, asked):
        return None
    fired_at = reminder.triggered_at if reminder else None
    start = starts_at(asked, due=due, asked_at=asked_at, fired_at=fired_at)
    if reminder is not None and reminder.status == Status.SNOOZED and (start is None or start <= asked_at):
        # Its owner was told, and said when to be told again.
        return Fate(at=reminder.trigger_at, stays=True)
    if start is not None:
        return Fate(at=start)
    return Fate(because=Because.PASSED) if reminder is not None and reminder.waits else None


def _fate_of_one_not_asked_for(reminder: Reminder | None, picture: Picture, *, moved: bool) -> Fate | None:
    if reminder is None or not reminder.waits:
        return None
    if reminder.origin == Origin.SNOOZE and picture.is_open and not moved:
        return None
    return Fate(because=why_not(reminder, picture))


def is_for(reminder: Reminder, asked: Wanted) -> bool:
    """Whether it waits for what is asked for, perhaps snoozed, or was triggered for it."""
    return reminder.planned_for == asked.planned_for and reminder.status != Status.CANCELLED


def due_of(task: RemindedTask | Picture) -> tuple[datetime | None, date | None]:
    return task.due_at, task.due_on


def why_not(reminder: Reminder, picture: Picture) -> Because:
    """Why a reminder is not asked for any more."""
    if picture.purged:
        return Because.PURGED
    if picture.status in _DONE:
        return _DONE[picture.status]
    if reminder.origin == Origin.SNOOZE:
        return Because.DUE_MOVED
    if picture.reminders is None:
        named, without = reminder.origin == Origin.DEFAULT, Because.DEFAULT
    else:
        named, without = any(asked["id"] == str(reminder.pk) for asked in picture.reminders), Because.REMOVED
    if named and not picture.has_due:
        return Because.NO_DUE
    return without if named else Because.REMOVED
