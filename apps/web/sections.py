"""Sorts open tasks into what is late, what is today's and what can wait, subtasks beneath what they are part of; pure.

Invariant: every task given stands in one place. A subtask stands beneath its parent unless its own due puts it
into another section: there it stands for itself, so that nothing late hides under what can wait.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.tasks.models import Task

_TITLES = {"overdue": "Overdue", "today": "Today", "later": "Later", "someday": "No due date"}


@dataclass(slots=True)
class Entry:
    """A task and what is shown beneath it."""

    task: Task
    subtasks: list["Entry"] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    name: str
    title: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def tasks(self) -> list[Task]:
        """All of them, as they stand below each other."""
        return list(_flat(self.entries))


def by_due(tasks: Iterable[Task], *, now: datetime, zone: ZoneInfo) -> list[Section]:
    """The sections that have tasks, each in the order given. "Today" is the day of `now` in `zone`."""
    tasks = list(tasks)
    sections = {name: Section(name, title) for name, title in _TITLES.items()}
    entries = {task.pk: Entry(task) for task in tasks}
    own = {task.pk: _section_of(task, now=now, zone=zone) for task in tasks}
    parents = {task.pk: task.parent_id for task in tasks}
    shown: dict[UUID, str] = {}
    for task in tasks:
        section = _shown_in(task.pk, own=own, parents=parents, shown=shown)
        beneath = task.parent_id in entries and section == shown.get(task.parent_id)
        place = entries[task.parent_id].subtasks if beneath and task.parent_id else sections[section].entries
        place.append(entries[task.pk])
    return [section for section in sections.values() if section.entries]


def _shown_in(pk: UUID, *, own: dict[UUID, str], parents: dict[UUID, UUID | None], shown: dict[UUID, str]) -> str:
    """The section of a task: its own, or its parent's when it has no due itself."""
    if pk not in shown:
        parent = parents[pk]
        above = _shown_in(parent, own=own, parents=parents, shown=shown) if parent in own else ""
        shown[pk] = above if own[pk] == "someday" and above else own[pk]
    return shown[pk]


def _flat(entries: Iterable[Entry]) -> Iterator[Task]:
    for entry in entries:
        yield entry.task
        yield from _flat(entry.subtasks)


def _section_of(task: Task, *, now: datetime, zone: ZoneInfo) -> str:
    today = zones.local_date(now, zone)
    day = task.due_on if task.due_on is not None else zones.local_date(task.due_at, zone) if task.due_at else None
    if day is None:
        return "someday"
    if day < today or (task.due_at is not None and task.due_at < now):
        return "overdue"
    return "today" if day == today else "later"
