"""When a task is due: at an instant, on a day, or not at all. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from apps.calendar import zones

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
        return wall_at(self.at, self.zone) if self.at is not None else self.on

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


def wall_at(instant: datetime, zone: ZoneInfo) -> datetime:
    """What calendar and clock show in the zone, to the second."""
    return instant.astimezone(zone).replace(tzinfo=None, microsecond=0)
