"""Which reminders a task wants, worked out from what its facts tell: the tests' own, beside the application's.

Pure but for the pictures, which are read from the log: a task as it was at a position of it, and its owner's zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from apps.calendar import durations, zones
from apps.events.models import Event

OPEN = {"pending", "in_progress"}
# What a change of changes what a task wants.
DECIDING = ("status", "due_at", "due_on", "due_time_zone", "reminders")


@dataclass(frozen=True, slots=True)
class Defaults:
    """The reminder of a task that asks for none in particular."""

    before_due: str | None = "PT30M"
    on_day: time | None = time(9, 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """A task as a fact told it, when, and since when what decides about its reminders is so."""

    position: int
    told_at: datetime
    owner_id: UUID
    task: Mapping[str, Any]
    asked_at: datetime

    @property
    def is_open(self) -> bool:
        return self.task["status"] in OPEN


@dataclass(frozen=True, slots=True)
class Wish:
    at: datetime
    by_default: bool
    due_passes_at: datetime | None


@dataclass
class Tasks:
    """Every task's pictures, in the order of the log, and the zones of their owners."""

    pictures: dict[UUID, list[Picture]] = field(default_factory=dict)
    zones: dict[UUID, list[tuple[int, str, datetime]]] = field(default_factory=dict)

    @classmethod
    def from_log(cls) -> "Tasks":
        read = cls()
        facts = Event.objects.filter(subject_type="task", topic="task-events").order_by("position")
        for position, task_id, owner_id, at, kind, data in facts.values_list(
            "position", "subject_id", "owner_id", "occurred_at", "type", "data"
        ):
            assert owner_id is not None, "a task has an owner"
            known = read.pictures.setdefault(task_id, [])
            task = dict(data["task"]) if kind != "task.purged.v1" else {**known[-1].task, "status": "purged"}
            same = bool(known) and all(task[name] == known[-1].task[name] for name in DECIDING)
            known.append(Picture(position, at, owner_id, task, known[-1].asked_at if same else at))
        moves = Event.objects.filter(type="account.time_zone_changed.v1").order_by("position")
        for position, owner_id, at, data in moves.values_list("position", "subject_id", "occurred_at", "data"):
            told = data["time_zone"]
            read.zones.setdefault(owner_id, [(0, told["before"], at)]).append((position, told["after"], at))
        return read

    def before(self, position: int, task_id: UUID) -> Picture:
        """As it was when the event at this position was written."""
        return [one for one in self.pictures[task_id] if one.position < position][-1]

    def at(self, instant: datetime, task_id: UUID) -> Picture | None:
        """As it was at an instant; what was told at that instant itself is not counted."""
        return next((one for one in reversed(self.pictures[task_id]) if one.told_at < instant), None)

    def zone(self, owner_id: UUID, position: int, *, now: str) -> ZoneInfo:
        """Where the owner was; `now` is where who never moved has always been."""
        there = [name for at, name, _ in self.zones.get(owner_id, []) if at < position]
        return ZoneInfo(there[-1] if there else now)

    def moved_at(self, owner_id: UUID) -> datetime | None:
        moves = self.zones.get(owner_id, [])
        return moves[-1][2] if moves else None


def due_of(task: Mapping[str, Any]) -> tuple[datetime | None, date | None]:
    at, on = task["due_at"], task["due_on"]
    return datetime.fromisoformat(at) if at else None, date.fromisoformat(on) if on else None


def wishes(task_id: UUID, task: Mapping[str, Any], *, defaults: Defaults, zone: ZoneInfo) -> dict[UUID, Wish]:
    """Per reminder, when it is to be triggered; none of a task that is not open."""
    if task["status"] not in OPEN:
        return {}
    zone = ZoneInfo(task["due_time_zone"]) if task["due_time_zone"] else zone
    due_at, due_on = due_of(task)
    passes_at = zones.end_of_day(due_on, zone) if due_on else due_at
    if task["reminders"] is None:
        at = _by_default(due_at, due_on, defaults=defaults, zone=zone)
        return {} if at is None else {uuid5(task_id, "default"): Wish(at, True, passes_at)}
    start = zones.attach(datetime.combine(due_on, time(9, 0)), zone) if due_on else due_at
    found = {}
    for one in task["reminders"]:
        if "trigger_at" in one:
            found[UUID(one["id"])] = Wish(datetime.fromisoformat(one["trigger_at"]), False, passes_at)
        elif start is not None:
            found[UUID(one["id"])] = Wish(start - durations.parse(one["before_due"]), False, passes_at)
    return found


def _by_default(due_at: datetime | None, due_on: date | None, *, defaults: Defaults, zone: ZoneInfo) -> datetime | None:
    if due_on is not None:
        return None if defaults.on_day is None else zones.attach(datetime.combine(due_on, defaults.on_day), zone)
    if due_at is None or defaults.before_due is None:
        return None
    before: timedelta = durations.parse(defaults.before_due)
    return due_at - before
