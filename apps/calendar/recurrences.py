"""What repeats: a rule with the start it repeats from, the zone it lives in, and the dates left out or put in.

Invariant: dates are walls in order; each stands for an instant, or a day, that no earlier one of them stands for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import chain
from zoneinfo import ZoneInfo

from apps.calendar import expansion, zones
from apps.calendar.errors import CalendarError
from apps.calendar.expansion import Wall
from apps.calendar.rules import Rule

# No clock was ever set forward by more: Samoa left out a whole day.
_WIDEST_GAP = timedelta(hours=25)
_INSTANT = timedelta(seconds=1)


class InvalidWall(CalendarError):
    """What is no date or time of day written as `20260504` or `20260504T090000`."""


def wall_text(wall: Wall) -> str:
    """`20260504` or `20260504T090000` (RFC 5545 sections 3.3.4 and 3.3.5)."""
    return wall.isoformat().replace("-", "").replace(":", "")


def parse_wall(text: str) -> Wall:
    """What `wall_text` wrote. Raises `InvalidWall`."""
    try:
        if re.fullmatch("[0-9]{8}", text):
            return date.fromisoformat(text)
        if re.fullmatch("[0-9]{8}T[0-9]{6}", text):
            return datetime.fromisoformat(text)
    except ValueError as reason:
        raise InvalidWall(f"{text} is no date or time that there is: {reason}.") from reason
    raise InvalidWall("Write a date as 20260504, a time on it as 20260504T090000, without a zone.")


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of a wall-clock time in a zone. Raises `zones.OutsideCalendar`."""
    return zones.attach(wall, zone)


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """`start`, `exdates` and `rdates` are all dates or all naive date-times.

    The start is the first date whether or not the rule names it, and counts in COUNT. What `rdates` put in does not
    count, what `exdates` leave out does.
    """

    rule: Rule
    start: Wall
    zone: ZoneInfo
    exdates: frozenset[Wall] = frozenset()
    rdates: tuple[Wall, ...] = ()

    def dates(self, *, after: Wall | None = None) -> Iterator[Wall]:
        """The dates that come after the wall `after`, or all. Raises `expansion.TooCostly` where a next one costs."""
        put_in = sorted(wall for wall in set(self.rdates) if wall > self.start and (after is None or wall > after))
        last: Wall | None = None
        for wall in merge(self._from_rule(after), put_in):
            if wall != last and wall not in self.exdates and not self._stands_for_an_earlier(wall):
                yield wall
            last = wall

    def _from_rule(self, after: Wall | None) -> Iterator[Wall]:
        first = [self.start] if after is None or after < self.start else []
        rule = replace(self.rule, until=self._loose_until())
        if rule.count is not None and next(expansion.expand(rule, start=self.start), None) != self.start:
            if rule.count == 1:
                return iter(first)
            rule = replace(rule, count=rule.count - 1)
        beyond = self.start if after is None or after < self.start else after
        return chain(first, self._until(expansion.expand(rule, start=self.start, after=beyond)))

    def _loose_until(self) -> date | datetime | None:
        """UNTIL as a wall; one in UTC a little too late, as its instant is looked at date by date."""
        until = self.rule.until
        if not isinstance(until, datetime) or until.tzinfo is None:
            return until
        try:
            local = until.astimezone(self.zone).replace(tzinfo=None)
            return local + _WIDEST_GAP if isinstance(self.start, datetime) else local.date()
        except OverflowError:
            return None

    def _until(self, walls: Iterator[Wall]) -> Iterator[Wall]:
        until = self.rule.until
        if not isinstance(until, datetime) or until.tzinfo is None:
            yield from walls
            return
        for wall in walls:
            if not isinstance(wall, datetime) or instant_of(wall, self.zone) <= until:
                yield wall

    def _stands_for_an_earlier(self, wall: Wall) -> bool:
        """Whether it is the instant of a date that fell into a gap and moved forward."""
        return False
