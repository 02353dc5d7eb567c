"""Rules that repeat by seconds, minutes, hours, days, or whole weeks: days at regular distances that pass limits.

Invariant: days come in order, each once. Days, hours, minutes that cannot be are not gone through one by one: the
distances and the limits are both jumped along, in turns, until they meet.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import date
from itertools import compress
from math import gcd

from apps.calendar import clocks, years
from apps.calendar.clocks import DAY_SECONDS, DayTimes, Span, Times
from apps.calendar.rrule import Frequency, Rule
from apps.calendar.steps import Steps
from apps.calendar.years import DayParts, Days

# Meeting once takes about as long as going by so many dates.
_LEAP = 4


def walk(rule: Rule, span: Span, steps: Steps) -> Iterator[DayTimes]:
    """From `span.begin` to about `span.last`."""
    if rule.frequency is Frequency.WEEKLY:
        return _weekly(rule, span, steps)
    return _daily_or_shorter(rule, span, steps)


def _weekly(rule: Rule, span: Span, steps: Steps) -> Iterator[DayTimes]:
    weekdays = {int(day.weekday) for day in rule.by_day} or {(span.day - 1) % 7}
    first = span.day - (span.day - 1 - rule.week_start) % 7
    modulus = rule.interval * 7
    classes = sorted(day % modulus for day in range(first, first + 7) if (day - 1) % 7 in weekdays)
    times = clocks.times_of_period(rule, span)
    for day in _days(classes, modulus, DayParts(months=rule.by_month), span, steps):
        yield day, times


def _daily_or_shorter(rule: Rule, span: Span, steps: Steps) -> Iterator[DayTimes]:
    """Units of the day, `interval` apart: on which of them a day begins repeats after `modulus` days."""
    unit = clocks.UNIT_SECONDS[rule.frequency]
    units = DAY_SECONDS // unit
    first = span.day * units + span.second // unit
    modulus = rule.interval // gcd(units, rule.interval)
    fitting = _fitting(rule)
    classes = _classes(first, units, rule.interval, fitting)
    within = clocks.times_of_period(rule, span)
    if rule.by_set_pos:
        within = tuple(within[index] for index in clocks.places(rule.by_set_pos)(len(within)))
    if not within:
        return
    times_from = _times_from(rule, within, fitting)
    limits = DayParts(rule.by_month, (), rule.by_year_day, rule.by_month_day, rule.by_day)
    for day in _days(classes, modulus, limits, span, steps):
        yield day, times_from((first - day * units) % rule.interval)


def _classes(first: int, units: int, interval: int, fitting: bytes) -> list[int]:
    """The remainders, by the modulus, of days that have a unit which is wanted.

    The first unit in turn from a day's beginning on is `(first - day * units) % interval`: each that lies within the
    day is solved for the day, so that what repeats rarely costs no more.
    """
    shared = gcd(units, interval)
    modulus = interval // shared
    inverse = pow(units // shared, -1, modulus)
    within = range(first % shared, min(units, interval), shared)
    return sorted((first - unit) // shared * inverse % modulus for unit in within if 1 in fitting[unit::interval])


def _fitting(rule: Rule) -> bytes:
    """For each unit of a day, 1 where its hour, minute and second are wanted."""
    unit = clocks.UNIT_SECONDS[rule.frequency]
    fitting = b"\1"
    for longest, size, wanted in ((1, 60, clocks.seconds_of(rule)), (60, 60, rule.by_minute), (3600, 24, rule.by_hour)):
        if unit <= longest:
            fitting = b"".join(
                fitting if not wanted or number in wanted else bytes(len(fitting)) for number in range(size)
            )
    return fitting


def _times_from(rule: Rule, within: Times, fitting: bytes) -> Callable[[int], Times]:
    """From the first unit of a day, wanted or not, to the day's times; worked out once for each."""
    unit, each = clocks.UNIT_SECONDS[rule.frequency], rule.interval
    known: dict[int, Times] = {}

    def times(first: int) -> Times:
        if first not in known:
            units: Times = range(first, len(fitting), each)
            if 0 in fitting:
                units = tuple(compress(units, fitting[first::each]))
            known[first] = clocks.each_with_each(units, unit, within)
        return known[first]

    return times


def _days(classes: list[int], modulus: int, limits: DayParts, span: Span, steps: Steps) -> Iterator[int]:
    """Days whose remainder by the modulus is in the classes, in order, and that pass the limits."""
    if limits.weekdays and modulus % 7 == 0:
        weekdays = {day.weekday for day in limits.weekdays}
        classes, limits = [one for one in classes if (one - 1) % 7 in weekdays], limits._replace(weekdays=())
    if not classes:
        return iter(())
    if not any(limits[:5]):
        return _regular(classes, modulus, span)
    days = years.days_limited(limits)
    return _limited(days, span) if modulus == 1 else _meeting(classes, modulus, days, span, steps)


def _regular(classes: list[int], modulus: int, span: Span) -> Iterator[int]:
    if modulus == 1:
        yield from range(span.begin, span.last + 1)
        return
    for base in range(span.begin - span.begin % modulus, span.last + 1, modulus):
        for one in classes:
            if base + one >= span.begin:
                yield base + one


def _limited(days: Days, span: Span) -> Iterator[int]:
    day: int | None = _next_in(days, span.begin)
    while day is not None and day <= span.last:
        number = date.fromordinal(day).year
        first, of_year = years.first_day(number), days.of(number)
        for one in of_year[bisect_left(of_year, day - first) :]:
            yield first + one
        day = _next_in(days, years.first_day(number + 1))


def _meeting(classes: list[int], modulus: int, days: Days, span: Span, steps: Steps) -> Iterator[int]:
    day: int | None = span.begin
    while day is not None and day <= span.last:
        rest = day % modulus
        place = bisect_left(classes, rest)
        regular = day - rest + (classes[place] if place < len(classes) else modulus + classes[0])
        day = _next_in(days, regular)
        if day == regular:
            yield day
            day += 1
        steps.take(_LEAP)


def _next_in(days: Days, day: int) -> int | None:
    """The first day from there on that passes the limits; none in a whole cycle is none ever."""
    if day > date.max.toordinal():
        return None
    number = date.fromordinal(day).year
    for year in range(number, number + years.CYCLE_YEARS + 1):
        first, of_year = years.first_day(year), days.of(year)
        if of_year and first + of_year[-1] >= day:
            return first + of_year[bisect_left(of_year, day - first)]
    return None
