"""Rules that repeat by years, months, or weeks out of which BYSETPOS chooses: periods one by one.

Invariant: days come in order, each once. A rule whose periods are empty for a whole cycle of the calendar ends.
"""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby

from apps.calendar import clocks, years
from apps.calendar.clocks import DayTimes, Span, Times
from apps.calendar.rrule import DayOfWeek, Frequency, Rule, Skip, Weekday
from apps.calendar.steps import Steps
from apps.calendar.years import DayParts

# A period takes about as long as going by so many dates.
_PERIOD = 2

# The first day of a period, or of its year, and the period's days counted from there.
_Period = tuple[int, tuple[int, ...]]


def walk(rule: Rule, span: Span, steps: Steps) -> Iterator[DayTimes]:
    """By whole periods, from the one of `span.begin` or before it to about the one of `span.last`."""
    times = clocks.times_of_period(rule, span)
    periods, most_days, cycle = _PERIODS[rule.frequency]
    if rule.frequency is Frequency.WEEKLY:
        most_days = len({day.weekday for day in rule.by_day}) or 1
    if rule.by_set_pos and not clocks.places(rule.by_set_pos)(most_days * len(times)):
        return iter(())
    found = _in_each(periods(rule, span), _choice(rule, times), cycle=cycle, steps=steps)
    return found if rule.skip is Skip.OMIT else _joined(found)


def _years(rule: Rule, span: Span) -> Iterator[_Period]:
    start = date.fromordinal(span.day)
    parts = _parts(rule, start)
    first = start.year
    if parts.week_numbers:
        # Weeks are counted by the year they belong to, so the rule repeats by such years.
        first = years.week_year(span.day, about=first, week_start=parts.week_start)
    days = years.days_expanded(parts)
    for number in range(_first(first, _year(span.begin) - 1, rule.interval), 10_001, rule.interval):
        first_day = years.first_day(number)
        if first_day > span.last + 7:
            return
        yield first_day, days.of(number)


def _months(rule: Rule, span: Span) -> Iterator[_Period]:
    start = date.fromordinal(span.day)
    parts = _parts(rule, start)._replace(counted_in_months=True)
    wanted = parts.months or years.ALL_MONTHS
    days = {month: years.days_expanded(parts._replace(months=(month,))) for month in wanted}
    first = _first(start.year * 12 + start.month - 1, (_year(span.begin) - 1) * 12, rule.interval)
    for index in range(first, 10_000 * 12, rule.interval):
        year, month = divmod(index, 12)
        first_day = years.first_day(year)
        if first_day > span.last:
            return
        yield first_day, days[month + 1].of(year) if month + 1 in days else ()


def _weeks(rule: Rule, span: Span) -> Iterator[_Period]:
    weekdays = {int(day.weekday) for day in rule.by_day} or {(span.day - 1) % 7}
    first = span.day - (span.day - 1 - rule.week_start) % 7
    offsets = tuple(offset for offset in range(7) if (rule.week_start + offset) % 7 in weekdays)
    for week in range(_first(first, span.begin - 7, rule.interval * 7), span.last + 1, rule.interval * 7):
        if rule.by_month:
            yield week, tuple(day for day in offsets if _month(week + day) in rule.by_month)
        else:
            yield week, offsets


# The periods of a frequency, the days that one has at most, and after how many the calendar repeats.
_PERIODS = {
    Frequency.YEARLY: (_years, 371, years.CYCLE_YEARS),
    Frequency.MONTHLY: (_months, 31, years.CYCLE_YEARS * 12),
    Frequency.WEEKLY: (_weeks, 7, years.CYCLE_WEEKS),
}


def _parts(rule: Rule, start: date) -> DayParts:
    """The rule's day parts, with what the start says where they leave it open."""
    months, month_days, weekdays = rule.by_month, rule.by_month_day, rule.by_day
    if not (month_days or weekdays or rule.by_year_day):
        if rule.by_week_no:
            weekdays = (DayOfWeek(0, Weekday(start.weekday())),)
        else:
            month_days = (start.day,)
    if rule.frequency is Frequency.YEARLY and month_days and not (months or rule.by_week_no or rule.by_year_day):
        months = (start.month,)
    return DayParts(
        months=months,
        week_numbers=rule.by_week_no,
        year_days=rule.by_year_day,
        month_days=month_days,
        weekdays=weekdays,
        counted_in_months=bool(rule.by_month),
        week_start=rule.week_start,
        skip=rule.skip,
    )


def _first(first: int, wanted: int, interval: int) -> int:
    """The first of the periods, `interval` apart, that is not before the wanted one."""
    return first + max(0, -((first - wanted) // interval)) * interval


def _year(day: int) -> int:
    return date.fromordinal(day).year


def _month(day: int) -> int:
    return date.fromordinal(day).month if 0 < day <= date.max.toordinal() else 12


def _choice(rule: Rule, times: Times) -> Callable[[tuple[int, ...]], list[DayTimes]]:
    """What a period's days and times come to: all of them, or those that BYSETPOS counts."""
    if not rule.by_set_pos:
        return lambda days: [(day, times) for day in days]
    indices, each = clocks.places(rule.by_set_pos), len(times)

    def chosen(days: tuple[int, ...]) -> list[DayTimes]:
        by_day = groupby(indices(len(days) * each), lambda index: index // each)
        return [(days[day], [times[index % each] for index in group]) for day, group in by_day]

    return chosen


def _in_each(
    periods: Iterator[_Period], chosen: Callable[[tuple[int, ...]], list[DayTimes]], *, cycle: int, steps: Steps
) -> Iterator[DayTimes]:
    empty = 0
    for first_day, days in periods:
        found = chosen(days)
        for day, times in found:
            yield first_day + day, times
        steps.take(_PERIOD)
        empty = 0 if found else empty + 1
        if empty >= cycle:
            return


def _joined(found: Iterator[DayTimes]) -> Iterator[DayTimes]:
    """In order and with each day once: SKIP may move a period's last week or day into the next, or the other way."""
    held: dict[int, Times] = {}
    for day, times in found:
        for certain in [one for one in sorted(held) if one < day - 7]:
            yield certain, held.pop(certain)
        held[day] = times if held.get(day, times) == times else sorted({*times, *held[day]})
    yield from sorted(held.items())
