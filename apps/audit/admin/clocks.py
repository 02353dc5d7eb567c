"""Instants as clocks of the reader's zone show them.

Invariant: whatever instant a record tells of is shown: in UTC, and said so, where clocks of the zone would show one
that no calendar has. An event may say that it happened at either end of the calendar.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.utils.formats import date_format


@dataclass(frozen=True, slots=True)
class Shown:
    """An instant in parts; `elsewhere` where it is not told in the reader's zone, but in UTC."""

    exact: str
    day: str
    clock: str
    zone: str
    elsewhere: bool


def shown(at: datetime, *, zone: ZoneInfo) -> Shown:
    try:
        here, elsewhere = at.astimezone(zone), False
    except OverflowError:
        here, elsewhere = at.astimezone(UTC), True
    plain = here.replace(tzinfo=None)
    return Shown(
        exact=here.isoformat(),
        day=date_format(plain, "j M Y"),
        clock=date_format(plain, "H:i:s"),
        zone=f"{here:%Z}",
        elsewhere=elsewhere,
    )


def day_of(at: datetime, *, zone: ZoneInfo) -> date:
    """The day there; that of UTC where there is none there."""
    try:
        return at.astimezone(zone).date()
    except OverflowError:
        return at.date()
