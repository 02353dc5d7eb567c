"""Sorts open tasks into what is late, what is today's and what can wait; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from apps.tasks.models import Task


@dataclass(slots=True)
class Section:
    name: str
    title: str
    tasks: list[Task] = field(default_factory=list)


def by_due(tasks: Iterable[Task], *, now: datetime, zone: ZoneInfo) -> list[Section]:
    """The sections that have tasks, each in the order given. "Today" is the day of `now` in `zone`."""
    sections = {
        name: Section(name, title)
        for name, title in {
            "overdue": "Overdue",
            "today": "Today",
            "later": "Later",
            "someday": "No due date",
        }.items()
    }
    for task in tasks:
        sections[_section_of(task.due_at, now=now, zone=zone)].tasks.append(task)
    return [section for section in sections.values() if section.tasks]


def _section_of(due_at: datetime | None, *, now: datetime, zone: ZoneInfo) -> str:
    if due_at is None:
        return "someday"
    if due_at < now:
        return "overdue"
    return "today" if due_at.astimezone(zone).date() == now.astimezone(zone).date() else "later"
