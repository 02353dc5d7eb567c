"""To when a snooze moves what is due.

Invariant: what a snooze answers is still to come: an instant after now, or a date not before today.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.calendar import durations, zones
from apps.calendar.errors import CalendarError

_LATER = timedelta(hours=3)
_QUARTER = timedelta(minutes=15)
_CHOICES = "Say PT15M, later_today, tomorrow or next_week, or give a date or an instant such as 2026-11-25T09:00:00Z."


class InvalidSnooze(CalendarError):
    """A snooze to no time that is still to come."""


def snooze(
    until: str, *, now: datetime, zone: ZoneInfo, due_at: datetime | None, due_on: date | None
) -> datetime | date:
    """The new due: an instant in UTC, or a date.

    `until` is `later_today` (three hours from now, rounded up to a quarter of an hour, always an instant),
    `tomorrow`, `next_week` (the next Monday), a duration from now (`PT15M`, always an instant), an ISO date, or an ISO
    instant; without an offset it is wall-clock time in the zone. A day, named or given, keeps the time of day that an
    instant `due_at` has in the zone; where nothing or a date was due it is a date. Raises `InvalidSnooze` and
    `InvalidDuration`.
    """
    try:
        new = _moved(until.strip(), now=now, zone=zone, due_at=due_at)
        passed = new <= now if isinstance(new, datetime) else new < zones.local_date(now, zone)
    except (zones.OutsideCalendar, OverflowError) as reason:
        raise InvalidSnooze("That lies outside the years 1 to 9999.") from reason
    if passed:
        raise InvalidSnooze("That has passed; snooze to a time still to come.")
    return new


def _moved(until: str, *, now: datetime, zone: ZoneInfo, due_at: datetime | None) -> datetime | date:
    today = zones.local_date(now, zone)
    if until[:1] in {"P", "p"}:
        return now + durations.parse(until)
    if until == "later_today":
        return _later_today(now=now, zone=zone)
    if until == "tomorrow":
        return _on(today + timedelta(days=1), zone=zone, due_at=due_at)
    if until == "next_week":
        return _on(today + timedelta(days=7 - today.weekday()), zone=zone, due_at=due_at)
    return _given(until, zone=zone, due_at=due_at)


def _later_today(*, now: datetime, zone: ZoneInfo) -> datetime:
    later = (now + _LATER).astimezone(zone)
    past_the_quarter = timedelta(minutes=later.minute % 15, seconds=later.second, microseconds=later.microsecond)
    # Added to the instant, not to the wall clock, which may jump in between.
    rounded = later.astimezone(UTC) + (-past_the_quarter % _QUARTER)
    if zones.local_date(rounded, zone) != zones.local_date(now, zone):
        raise InvalidSnooze("Three hours from now is no longer today; snooze to tomorrow.")
    return rounded


def _given(until: str, *, zone: ZoneInfo, due_at: datetime | None) -> datetime | date:
    try:
        return _on(date.fromisoformat(until), zone=zone, due_at=due_at)
    except zones.OutsideCalendar:
        raise
    except ValueError:
        pass  # an instant, then
    try:
        instant = datetime.fromisoformat(until)
    except ValueError as reason:
        raise InvalidSnooze(f"That is no time to snooze to. {_CHOICES}") from reason
    return instant.astimezone(UTC) if instant.tzinfo else zones.attach(instant, zone)


def _on(day: date, *, zone: ZoneInfo, due_at: datetime | None) -> datetime | date:
    if due_at is None:
        return day
    return zones.attach(datetime.combine(day, due_at.astimezone(zone).time()), zone)
