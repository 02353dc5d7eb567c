"""The dates that a rule names, as walls: what a calendar and a clock on the wall show, without a zone.

Invariant: dates come in order and each once, and finding the next one costs a bounded number of steps, else it is
refused. RFC 5545 section 3.3.10, with SKIP of RFC 7529 section 4.1.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from apps.calendar import grids, periods
from apps.calendar.clocks import DAY_SECONDS, UNIT_SECONDS, DayTimes, Span
from apps.calendar.rules import Frequency, InvalidRule, Rule
from apps.calendar.steps import Steps, TooCostly

__all__ = ["TooCostly", "Wall", "expand"]

# A date, or a naive date-time in whole seconds.
Wall = date | datetime

_LAST = (date.max.toordinal(), DAY_SECONDS - 1)


def expand(rule: Rule, *, start: Wall, after: Wall | None = None) -> Iterator[Wall]:
    """The dates of the rule that are not before `start` and come after `after`, of the type of `start`.

    COUNT counts them from the start. UNTIL is taken as a wall; one in UTC is left to who knows the zone. It ends with
    the year 9999, or where the rule provably names nothing further. A step of it raises `TooCostly` where the next
    date is beyond what may be looked through. Raises `InvalidRule` for hours, minutes and seconds from a date.
    """
    timed = isinstance(start, datetime)
    if not timed and UNIT_SECONDS.get(rule.frequency, DAY_SECONDS) < DAY_SECONDS:
        raise InvalidRule("What starts on a date, without a time, repeats daily at the most often.", part="FREQ")
    day, second = _place(start)
    beyond = (day, second - 1) if after is None else max((day, second - 1), _place(after, last=True))
    end = _end(rule)
    begin = day if rule.count is not None else max(beyond[0], 1)
    span = Span(day=day, second=second, timed=timed, begin=begin, last=end[0])
    steps = Steps()
    walk = periods.walk if _by_periods(rule) else grids.walk
    found = _between(walk(rule, span, steps), (day, second), end)
    if rule.count is not None:
        found = _counted(found, rule.count)
    return _walls(_after(found, beyond, steps), timed=timed, steps=steps)


def _by_periods(rule: Rule) -> bool:
    return rule.frequency in {Frequency.YEARLY, Frequency.MONTHLY} or (
        rule.frequency is Frequency.WEEKLY and bool(rule.by_set_pos)
    )


def _place(wall: Wall, *, last: bool = False) -> tuple[int, int]:
    """The day and the second of it; of a date the first, or the last."""
    if isinstance(wall, datetime):
        return wall.toordinal(), wall.hour * 3600 + wall.minute * 60 + wall.second
    return wall.toordinal(), DAY_SECONDS - 1 if last else 0


def _end(rule: Rule) -> tuple[int, int]:
    if rule.until is None or getattr(rule.until, "tzinfo", None) is not None:
        return _LAST
    return _place(rule.until, last=True)


def _between(found: Iterator[DayTimes], start: tuple[int, int], end: tuple[int, int]) -> Iterator[DayTimes]:
    (first, second), (last, last_second) = start, end
    for day, times in found:
        if day > first:
            if day >= last:
                if day == last:
                    yield day, times[: bisect_right(times, last_second)]
                return
            yield day, times
        elif day == first:
            stop = bisect_right(times, last_second) if day == last else len(times)
            yield day, times[bisect_left(times, second) : stop]


def _counted(found: Iterator[DayTimes], count: int) -> Iterator[DayTimes]:
    for day, times in found:
        yield day, times[:count]
        count -= len(times)
        if count <= 0:
            return


def _after(found: Iterator[DayTimes], beyond: tuple[int, int], steps: Steps) -> Iterator[DayTimes]:
    for day, times in found:
        if day > beyond[0]:
            yield day, times
            break
        if day == beyond[0]:
            yield day, times[bisect_right(times, beyond[1]) :]
        steps.take()
    yield from found


def _walls(found: Iterator[DayTimes], *, timed: bool, steps: Steps) -> Iterator[Wall]:
    for day, times in found:
        if timed:
            midnight = datetime.fromordinal(day)
            for second in times:
                steps.renew()
                yield midnight + timedelta(0, second)
        elif times:
            steps.renew()
            yield date.fromordinal(day)
