"""Quiet hours and the hour of the daily digest, on the wall of a person's zone. Pure.

Invariant: what quiet hours hold is held to an instant that is later and no longer quiet, whatever the clocks do.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apps.calendar import zones

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time on the wall until before another; where that is earlier, until that of the next day."""

    begins: time
    ends: time

    def __post_init__(self) -> None:
        if self.begins == self.ends:
            raise ValueError("Quiet hours that begin when they end are none, or all day.")

    def hold(self, instant: datetime, *, zone: ZoneInfo) -> bool:
        """Whether clocks of the zone show a quiet time at the aware `instant`."""
        shown = instant.astimezone(zone).time()
        if self.begins < self.ends:
            return self.begins <= shown < self.ends
        return shown >= self.begins or shown < self.ends

    def end(self, instant: datetime, *, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours that hold at an aware `instant` are over, in UTC; nothing where none hold.

        An end that clocks leap over is the instant they leap; one they show twice, the first that is still to come.
        """
        if not self.hold(instant, zone=zone):
            return None
        until = instant
        while self.hold(until, zone=zone):  # once, but where clocks leap from quiet hours into the next
            shown = until.astimezone(zone)
            day = shown.date() + (_DAY if shown.time() >= self.ends else timedelta())
            until = _first_at_or_past(datetime.combine(day, self.ends), after=until, zone=zone)
        return until


def _first_at_or_past(wall: datetime, *, after: datetime, zone: ZoneInfo) -> datetime:
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:  # no clock shows it: read with the offset after the leap it lies before it
        return _leap_between(second, first, zone=zone)
    return first if first > after else second


def _leap_between(before: datetime, after: datetime, *, zone: ZoneInfo) -> datetime:
    """The instant in (before, after] at which the offset changes, to the second."""
    offset = after.astimezone(zone).utcoffset()
    lacks, has = 0, int((after - before).total_seconds())
    while has - lacks > 1:
        middle = (lacks + has) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            has = middle
        else:
            lacks = middle
    return before + timedelta(seconds=has)


def next_digest(at: time, *, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after the aware `after` at which the digest of a day is due, in UTC: once a day."""
    day = zones.local_date(after, zone) - _DAY
    while (instant := digest_of(day, at, zone=zone)) <= after:
        day += _DAY
    return instant


def digest_of(day: date, at: time, *, zone: ZoneInfo) -> datetime:
    """When the digest of that day is due: a time that clocks leap over comes as much later, of two it is the first."""
    return zones.attach(datetime.combine(day, at), zone)
