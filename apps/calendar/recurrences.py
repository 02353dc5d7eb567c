"""What repeats: a rule with the start it repeats from, the zone it lives in, and the dates left out or put in.

Invariant: dates are walls in order; each stands for an instant, or a day, that no earlier one of them stands for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from heapq import merge
from zoneinfo import ZoneInfo

from apps.calendar import expansion, zones
from apps.calendar.expansion import TooCostly
from apps.calendar.rrule import Rule
from apps.calendar.walls import InvalidWall, Wall, day_of, parse_wall, wall_text

__all__ = ["InvalidWall", "Recurrence", "Wall", "day_of", "parse_wall", "wall_text"]

# No clock was ever set forward by more than a day: Samoa left one out.
_WIDEST_GAP = timedelta(hours=25)
# Walls in a row that may stand for instants which were dates already: those of a left-out day by the minute do.
_REPEATED = 20_000


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """`start`, `exdates` and `rdates` are walls of one type: all dates, or all date-times.

    The start is the first date whether or not the rule names it, and counts in COUNT. What `rdates` put in does not
    count, what `exdates` leave out does.
    """

    rule: Rule
    start: Wall
    zone: ZoneInfo
    exdates: frozenset[Wall] = frozenset()
    rdates: tuple[Wall, ...] = ()

    def dates(self, *, after: Wall | None = None, before: Wall | None = None) -> Iterator[Wall]:
        """The dates that come after one wall and before another, or all. A step of it raises `expansion.TooCostly`.

        Nothing from `before` on is looked through. Of walls that stand for one instant, as an hour in a gap and the
        hour that it moves to, only the first is one. What has no instant, at the very ends of the calendar, is none.
        """
        moved: set[Wall] = set()
        repeated = 0
        for wall in self._walls(after=after if after is None else self._before_gap(after), before=before):
            if before is not None and wall >= before:
                return
            if isinstance(wall, datetime) and (gap := _gap(wall, self.zone)):
                moved.add(wall + gap)
            elif wall in moved:
                repeated += 1
                if repeated > _REPEATED:
                    raise TooCostly("This rule names too many times that clocks left out.")
                continue
            if after is None or wall > after:
                repeated = 0
                yield wall

    def _walls(self, *, after: Wall | None, before: Wall | None) -> Iterator[Wall]:
        put_in = sorted(wall for wall in self.rdates if wall > self.start and (after is None or wall > after))
        last: Wall | None = None
        for wall in merge(self._named(after, before), put_in):
            if wall != last and wall not in self.exdates and self._has_instant(wall):
                yield wall
            last = wall

    def _named(self, after: Wall | None, before: Wall | None) -> Iterator[Wall]:
        """The start and what the rule names after it, as far as COUNT and UNTIL go, and no further than `before`."""
        if after is None or after < self.start:
            yield self.start
            after = self.start
        rule = replace(self.rule, until=self._loose_until(before))
        if rule.count is not None and not self._start_is_named:
            if rule.count == 1:
                return
            rule = replace(rule, count=rule.count - 1)
        named = expansion.expand(rule, start=self.start, after=after)
        until = self.rule.until
        if isinstance(until, datetime) and until.tzinfo is not None and isinstance(self.start, datetime):
            named = self._not_after(until, (wall for wall in named if isinstance(wall, datetime)))
        yield from named

    @property
    def _start_is_named(self) -> bool:
        alone = replace(self.rule, count=None, until=self.start)
        return next(expansion.expand(alone, start=self.start), None) == self.start

    def _loose_until(self, before: Wall | None) -> Wall | None:
        """UNTIL as a wall, or `before` where that is earlier, somewhat late: what is found is held against both."""
        until = self._until_as_wall()
        if before is None or until is None:
            return before if until is None else until
        return before if day_of(before) < day_of(until) else until

    def _until_as_wall(self) -> Wall | None:
        """Where it is in UTC somewhat late, as each instant near it is looked at."""
        until = self.rule.until
        if not isinstance(until, datetime) or until.tzinfo is None:
            return until
        try:
            local = until.astimezone(self.zone).replace(tzinfo=None)
            return local + _WIDEST_GAP if isinstance(self.start, datetime) else local.date()
        except OverflowError:
            return None

    def _not_after(self, until: datetime, walls: Iterator[datetime]) -> Iterator[datetime]:
        for wall in walls:
            if zones.attach(wall, self.zone) <= until:
                yield wall
            elif not _gap(wall, self.zone):
                return

    def _has_instant(self, wall: Wall) -> bool:
        if not isinstance(wall, datetime) or 1 < wall.year < date.max.year:
            return True
        try:
            return bool(zones.attach(wall, self.zone))
        except zones.OutsideCalendar:
            return False

    def _before_gap(self, after: Wall) -> Wall:
        """A wall early enough that all dates which moved past `after` come after it."""
        if not isinstance(after, datetime) or after.year == 1:
            return after
        widened = _offset(after, self.zone, fold=1) - _offset(after - 2 * _WIDEST_GAP, self.zone)
        return after - 2 * widened if widened > timedelta(0) else after


def _gap(wall: datetime, zone: ZoneInfo) -> timedelta | None:
    """How far clocks jumped over a wall-clock time that they never showed (PEP 495)."""
    gap = _offset(wall, zone, fold=1) - _offset(wall, zone)
    return gap if gap > timedelta(0) else None


def _offset(wall: datetime, zone: ZoneInfo, *, fold: int = 0) -> timedelta:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0)
