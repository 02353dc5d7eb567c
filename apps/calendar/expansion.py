"""The dates that a rule names, as walls.

Invariant: dates come in order and each once, and finding the next one costs a bounded number of steps, else it is
refused. RFC 5545 section 3.3.10, with SKIP of RFC 7529 section 4.1.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from apps.calendar import grids, periods
from apps.calendar.clocks import DAY_SECONDS, UNIT_SECONDS, DayTimes, Span
from apps.calendar.rrule import Frequency, InvalidRule, Rule
from apps.calendar.steps import Steps, TooCostly
from apps.calendar.walls import Wall

__all__ = ["TooCostly", "Wall", "expand"]

# What going by a day costs whose dates are only counted.
_COUNTED = 2

# A day, as `date.toordinal` counts, and a second of it.
_Place = tuple[int, int]

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
    found = _asked_for(
        walk(rule, span, steps), start=(day, second), beyond=beyond, end=end, count=rule.count, steps=steps
    )
    return _walls(found, timed=timed, steps=steps)


def _by_periods(rule: Rule) -> bool:
    return rule.frequency in {Frequency.YEARLY, Frequency.MONTHLY} or (
        rule.frequency is Frequency.WEEKLY and bool(rule.by_set_pos)
    )


def _place(wall: Wall, *, last: bool = False) -> _Place:
    """The day and the second of it; of a date the first, or the last."""
    if isinstance(wall, datetime):
        return wall.toordinal(), wall.hour * 3600 + wall.minute * 60 + wall.second
    return wall.toordinal(), DAY_SECONDS - 1 if last else 0


def _end(rule: Rule) -> _Place:
    if rule.until is None or getattr(rule.until, "tzinfo", None) is not None:
        return _LAST
    return _place(rule.until, last=True)


def _asked_for(
    found: Iterator[DayTimes], *, start: _Place, beyond: _Place, end: _Place, count: int | None, steps: Steps
) -> Iterator[DayTimes]:
    """What is found from the start to the end, `count` of it, and of that what comes beyond a place."""
    left = count
    for day, some in found:
        if day > end[0]:
            return
        times = some
        if day <= start[0]:
            times = times[bisect_left(times, start[1]) :] if day == start[0] else ()
        if day == end[0]:
            times = times[: bisect_right(times, end[1])]
        if left is not None:
            times = times[:left]
            left -= len(times)
        if day <= beyond[0]:
            steps.take(_COUNTED)
            times = times[bisect_right(times, beyond[1]) :] if day == beyond[0] else ()
        if times:
            yield day, times
        if left == 0:
            return


def _walls(found: Iterator[DayTimes], *, timed: bool, steps: Steps) -> Iterator[Wall]:
    for day, times in found:
        if timed:
            midnight = datetime.fromordinal(day)
            for second in times:
                steps.renew()
                yield midnight + timedelta(0, second)
        else:
            steps.renew()
            yield date.fromordinal(day)
