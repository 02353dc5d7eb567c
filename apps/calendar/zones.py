"""Wall-clock times and days in a time zone, as UTC instants.

Invariant: every wall-clock time and every day has exactly one answer, also where clocks jump: a gap moves
forward, a fold takes the first (RFC 5545 section 3.3.5).
"""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache
from typing import overload
from zoneinfo import ZoneInfo

from apps.calendar.errors import CalendarError

# The machine's own zone and the placeholder for "not set up yet": no places a person lives in.
_NO_PLACES = {"localtime", "Factory"}
_LONGEST_NAME = 64


class UnknownTimeZone(CalendarError):
    """The IANA time zone database has no such name."""


class OutsideCalendar(CalendarError):
    """The instant lies outside the years 1 to 9999."""


@cache
def time_zone_names() -> frozenset[str]:
    """The names a person may choose."""
    return frozenset(zoneinfo.available_timezones() - _NO_PLACES)


def zone(name: str) -> ZoneInfo:
    """The zone of that exact name. Raises `UnknownTimeZone`."""
    if name in time_zone_names():
        return ZoneInfo(name)
    if len(name) > _LONGEST_NAME:
        raise UnknownTimeZone("That is no time zone; give a name such as Europe/London.")
    alike = get_close_matches(name, sorted(time_zone_names()), n=1)
    raise UnknownTimeZone(f"{name} is no time zone; give a name such as {alike[0] if alike else 'Europe/London'}.")


def attach(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which clocks of the zone show the `wall`.

    In a gap it moves forward by the gap's length, being read with the offset before the gap; in a fold it is
    the first of both. Raises `OutsideCalendar`.
    """
    if wall.tzinfo is not None:
        raise TypeError("A wall-clock time has no zone of its own.")
    # Python's fold=0 is both rules of the RFC.
    return _in_utc(wall.replace(tzinfo=zone, fold=0))


def wall_at(instant: datetime, zone: ZoneInfo) -> datetime:
    """What calendars and clocks of the zone show at the aware `instant`, to the second."""
    return instant.astimezone(zone).replace(tzinfo=None, microsecond=0)


@overload
def instant_text(instant: datetime) -> str: ...
@overload
def instant_text(instant: datetime | None) -> str | None: ...
def instant_text(instant: datetime | None) -> str | None:
    """An aware instant in UTC, as events and answers have it: `2026-05-04T09:00:00Z`; nothing of nothing."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, of a day in the zone; of a day that was left out, the instant clocks leapt over it.

    Where clocks fell back across midnight the day before goes on for a while after this. Raises `OutsideCalendar`.
    """
    midnight = datetime.combine(day, time())
    instant = attach(midnight, zone)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    return instant if shown == midnight else _end_of_gap(instant, zone, shown - midnight)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the next day starts. Raises `OutsideCalendar`."""
    try:
        following = day + timedelta(days=1)
    except OverflowError as reason:
        raise OutsideCalendar("That day is the last of the calendar.") from reason
    return start_of_day(following, zone)


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The date that a calendar in the zone shows at the aware `instant`. Raises `OutsideCalendar`."""
    if instant.tzinfo is None:
        raise TypeError("An instant has a zone.")
    try:
        return instant.astimezone(zone).date()
    except OverflowError as reason:
        raise OutsideCalendar("That instant lies outside the years 1 to 9999.") from reason


def _end_of_gap(instant: datetime, zone: ZoneInfo, gap: timedelta) -> datetime:
    """The instant clocks jumped: at most a gap's length before `instant`, to the second."""
    after = instant.astimezone(zone).utcoffset()
    early, late = 0, int(gap.total_seconds())
    while early < late:
        back = (early + late + 1) // 2
        if (instant - timedelta(seconds=back)).astimezone(zone).utcoffset() == after:
            early = back
        else:
            late = back - 1
    return instant - timedelta(seconds=early)


def _in_utc(local: datetime) -> datetime:
    try:
        return local.astimezone(UTC)
    except OverflowError as reason:
        raise OutsideCalendar("That instant lies outside the years 1 to 9999.") from reason
