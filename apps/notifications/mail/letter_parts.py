"""The parts of a mail: the things it tells of, with their times in words and the links to act on them. Pure.

Invariant: what people wrote is one line of text without anything that hides or turns the text around it; when something
is due is told by day and time of the reader's zone.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.dateparse import parse_date, parse_datetime

from apps.calendar import zones
from apps.calendar.sentences import clock
from apps.notifications.kinds import Kind
from apps.notifications.mail import links
from apps.notifications.mail.links import Action
from apps.notifications.models import Delivery, Notification

# Up to a minute is not told.
_LATE_SECONDS = 60
_HOUR = 3600
_DAY = 24 * _HOUR
# What turns the direction of text around it, and what shows nothing at all.
_HIDDEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]")
_BREAKS = {"Cc", "Zl", "Zp", "Cs"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing told. Addresses are empty where there is nothing to do."""

    title: str
    when: str = ""
    late: str = ""
    text: str = ""
    urgent: bool = False
    overdue: bool = False
    open_url: str = ""
    complete_url: str = ""
    snoozes: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    entries: Sequence[Entry]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """Of which delivery, by whom, when and in which zone."""

    delivery: Delivery
    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        return zones.local_date(self.now, self.zone)

    def link(self, action: Action, about: UUID) -> str:
        return links.make(
            action, owner_id=self.delivery.owner_id, delivery_id=self.delivery.pk, now=self.now, about=about
        )

    def day(self, day: date) -> str:
        """`Sun 22 Nov`; with the year when it is another one."""
        return f"{day:%a} {day.day} {day:%b}" + ("" if day.year == self.today.year else f" {day.year}")

    def due(self, due_at: datetime | None, due_on: date | None) -> str:
        if due_at is None:
            return "" if due_on is None else self.day(due_on)
        try:
            return f"{self.day(zones.local_date(due_at, self.zone))}, {clock(due_at, zone=self.zone)}"
        except zones.OutsideCalendar:
            return zones.instant_text(due_at)

    def passed(self, due_at: datetime | None, due_on: date | None) -> bool:
        return due_at <= self.now if due_at is not None else due_on is not None and due_on < self.today


def one_line(text: str, *, most: int) -> str:
    """As a line of at most `most` characters, without what breaks lines or hides."""
    plain = "".join(" " if unicodedata.category(each) in _BREAKS else each for each in _HIDDEN.sub("", text))
    line = " ".join(plain.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def late_in_words(seconds: float) -> str:
    """`2 h late`; empty up to a minute."""
    if seconds <= _LATE_SECONDS:
        return ""
    if seconds < _HOUR:
        return f"{int(seconds // 60)} min late"
    return f"{int(seconds // _HOUR)} h late" if seconds < 2 * _DAY else f"{int(seconds // _DAY)} days late"


def entry_of(reading: Reading, item: Notification) -> Entry:
    actions: dict[str, Any] = {}
    if item.task_id:
        actions = {
            "open_url": f"{settings.PUBLIC_URL}/api/v1/tasks/{item.task_id}/",
            "complete_url": reading.link(Action.COMPLETE, item.task_id),
            "snoozes": [
                ("in 15 minutes", reading.link(Action.SNOOZE_QUARTER, item.pk)),
                ("in 1 hour", reading.link(Action.SNOOZE_HOUR, item.pk)),
                ("tomorrow", reading.link(Action.SNOOZE_TOMORROW, item.pk)),
            ],
        }
    return Entry(
        title=one_line(item.title, most=500),
        when=reading.due(item.due_at, item.due_on),
        late=late_in_words(item.late_seconds) if item.kind == Kind.REMINDER else "",
        text=item.text if item.kind == Kind.NOTICE else "",
        urgent=item.urgent,
        overdue=item.kind == Kind.OVERDUE or reading.passed(item.due_at, item.due_on),
        **actions,
    )


def tasks_of(reading: Reading, listed: Any) -> list[Entry]:
    """Tasks of a digest, as its notification has them."""
    found = []
    for task in listed if isinstance(listed, list) else []:
        task_id = UUID(str(task.get("task_id") or task.get("id")))
        due_at, due_on = _instant(task, "due_at"), _day(task, "due_on")
        entry = Entry(
            title=one_line(str(task.get("title", "")), most=500),
            when=reading.due(due_at, due_on),
            urgent=task.get("priority") == "urgent",
            overdue=reading.passed(due_at, due_on),
            open_url=f"{settings.PUBLIC_URL}/api/v1/tasks/{task_id}/",
            complete_url=reading.link(Action.COMPLETE, task_id),
        )
        found.append(entry)
    return found


def _instant(task: Mapping[str, Any], name: str) -> datetime | None:
    return parse_datetime(task[name]) if task.get(name) else None


def _day(task: Mapping[str, Any], name: str) -> date | None:
    return parse_date(task[name]) if task.get(name) else None
