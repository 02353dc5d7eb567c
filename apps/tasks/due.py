"""When a task is due: at an instant, on a day, or not at all. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.tasks import values
from apps.tasks.exceptions import InvalidTask

NAMES = frozenset({"due_at", "due_on", "due_time_zone"})

# A day has no hour to count from; people mean the morning.
MORNING = time(9, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """`at` or `on` or neither; `zone` is where the wall clock hangs."""

    at: datetime | None
    on: date | None
    zone: ZoneInfo

    def __bool__(self) -> bool:
        return self.at is not None or self.on is not None

    @property
    def wall(self) -> date | datetime | None:
        """What calendar and clock show then in the zone, to the second; the day alone where there is no hour."""
        return zones.wall_at(self.at, self.zone) if self.at is not None else self.on

    @property
    def reminders_count_from(self) -> datetime | None:
        """The instant, or 09:00 local on the day."""
        if self.on is not None:
            return zones.attach(datetime.combine(self.on, MORNING), self.zone)
        return self.at

    @property
    def passes_at(self) -> datetime | None:
        """The instant from which the task is overdue: a day is over when it ends."""
        return zones.end_of_day(self.on, self.zone) if self.on is not None else self.at

    @property
    def nudge_at(self) -> datetime | None:
        """The instant to remind of what is not done: when it is due, of a day the morning after."""
        if self.on is not None:
            return zones.attach(datetime.combine(self.on + timedelta(days=1), MORNING), self.zone)
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class DueColumns:
    """A due as a task keeps it: without a zone of its own it hangs in its owner's."""

    due_at: datetime | None = None
    due_on: date | None = None
    due_time_zone: str = ""

    def in_zone_of(self, owner_zone: str) -> Due:
        return Due(at=self.due_at, on=self.due_on, zone=zones.zone(self.due_time_zone or owner_zone))


def asked_for(asked: Mapping[str, Any], *, before: DueColumns, owner_zone: str) -> DueColumns:
    """What `asked` (names and values as REST has them) makes of the due there was before. Raises `InvalidTask`."""
    at, on = _one_of(asked, before)
    at = None if on is not None else at if "due_at" in asked else before.due_at
    on = None if at is not None and "due_at" in asked else on if "due_on" in asked else before.due_on
    zone_name = asked.get("due_time_zone") or ""
    if zone_name and at is None:
        told = "A time zone goes with an instant: give due_at too. A day is the owner's."
        raise InvalidTask(field="due_time_zone", reason=told)
    if "due_time_zone" not in asked:
        zone_name = before.due_time_zone if at is not None else ""
    try:
        zone = zones.zone(zone_name or owner_zone)
    except CalendarError as reason:
        raise InvalidTask(field="due_time_zone", reason=str(reason)) from reason
    return DueColumns(
        due_at=values.checked_due_at(at and placed(at, zone, field="due_at")),
        due_on=values.checked_due_on(on),
        due_time_zone=zone_name,
    )


def placed(at: datetime, zone: ZoneInfo, *, field: str) -> datetime:
    """A wall-clock time as the instant it is in the zone; an instant as it is. Raises `InvalidTask` of that field."""
    try:
        return at if at.tzinfo is not None else zones.attach(at, zone)
    except CalendarError as reason:
        raise InvalidTask(field=field, reason=str(reason)) from reason


def _one_of(asked: Mapping[str, Any], before: DueColumns) -> tuple[datetime | None, date | None]:
    """The instant or the day that is asked for; what is sent back as it was read, beside the other, is not."""
    at: datetime | None = asked.get("due_at")
    on: date | None = asked.get("due_on")
    if at is None or on is None:
        return at, on
    if before.due_at == at:
        return None, on
    if before.due_on == on:
        return at, None
    raise InvalidTask(field="due_on", reason="A task is due at an instant or on a day: give due_at or due_on.")
