"""The days of a year that the day parts of a rule name, counted from 0 for 1 January.

Invariant: pure arithmetic on the Gregorian calendar, also for the years just outside of it. A day beyond the end of
its year, or before its beginning, is one of the neighbour's: SKIP and weeks reach over there.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from apps.calendar.rrule import DayOfWeek, Skip, Weekday

ALL_MONTHS = tuple(range(1, 13))
# What the Gregorian calendar repeats after: 20,871 weeks.
CYCLE_YEARS, CYCLE_WEEKS = 400, 20_871

_STARTS = (
    (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365),
    (0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366),
)


def first_day(year: int) -> int:
    """The proleptic Gregorian ordinal of 1 January, as `date.toordinal` counts."""
    before = year - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + 1


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _length(year: int) -> int:
    return 366 if is_leap(year) else 365


def week_year(day: int, *, about: int, week_start: int) -> int:
    """The year, `about` or a neighbour, whose weeks the day of that ordinal belongs to."""
    return next(
        year for year in (about + 1, about, about - 1) if day >= first_day(year) + Year(year).first_week(week_start)
    )


class DayParts(NamedTuple):
    """The parts of a rule that name days; `counted_in_months` says what ordinals of weekdays count by."""

    months: tuple[int, ...] = ()
    week_numbers: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[DayOfWeek, ...] = ()
    counted_in_months: bool = False
    week_start: int = 0
    skip: Skip = Skip.OMIT


class Year:
    """One year, which answers with sets of its days."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.leap = is_leap(number)
        self.length = _length(number)
        self._starts = _STARTS[self.leap]
        self._weekday = (first_day(number) - 1) % 7

    @property
    def shape(self) -> tuple[int, bool]:
        """Years of one shape have the same days."""
        return self._weekday, self.leap

    @property
    def neighbours(self) -> tuple[bool, bool]:
        """Of two years of one shape and with the same neighbours the margins are the same too."""
        return is_leap(self.number - 1), is_leap(self.number + 1)

    def months(self, months: Iterable[int]) -> Iterator[range]:
        return (range(self._starts[month - 1], self._starts[month]) for month in months)

    def in_months(self, months: Iterable[int]) -> set[int]:
        return {day for month in self.months(months) for day in month}

    def on_month_days(self, months: Iterable[int], numbers: Iterable[int], *, skip: Skip = Skip.OMIT) -> set[int]:
        return {
            day for month in self.months(months) for number in numbers for day in _numbered(month, number, skip=skip)
        }

    def on_year_days(self, numbers: Iterable[int], *, skip: Skip = Skip.OMIT) -> set[int]:
        return {day for number in numbers for day in _numbered(range(self.length), number, skip=skip)}

    def on_weekdays(self, named: Iterable[DayOfWeek], *, within: Iterable[range]) -> set[int]:
        """Those weekdays; where they have ordinals, the ones of that ordinal in each of the ranges."""
        found: set[int] = set()
        for days in within:
            for ordinal, weekday in named:
                begin = days.start + (weekday - self._weekday - days.start) % 7
                such = range(begin, days.stop, 7)
                if not ordinal:
                    found.update(such)
                elif abs(ordinal) <= len(such):
                    found.add(such[ordinal - 1 if ordinal > 0 else ordinal])
        return found

    def names_of(self, day: int, *, in_months: bool) -> tuple[DayOfWeek, DayOfWeek, DayOfWeek]:
        """What a day of this year or a neighbour is called: a Friday, the second Friday, the last but two."""
        if day < 0:
            return Year(self.number - 1).names_of(day + _length(self.number - 1), in_months=in_months)
        if day >= self.length:
            return Year(self.number + 1).names_of(day - self.length, in_months=in_months)
        begin, end = 0, self.length
        if in_months:
            month = bisect_right(self._starts, day)
            begin, end = self._starts[month - 1], self._starts[month]
        weekday = Weekday((self._weekday + day) % 7)
        return (
            DayOfWeek(0, weekday),
            DayOfWeek((day - begin) // 7 + 1, weekday),
            DayOfWeek(-((end - 1 - day) // 7 + 1), weekday),
        )

    def keep_weekdays(self, days: set[int], named: Iterable[DayOfWeek], *, in_months: bool) -> set[int]:
        """Those of the days that have one of the names."""
        if not any(ordinal for ordinal, _ in named):
            wanted = {(weekday - self._weekday) % 7 for _, weekday in named}
            return {day for day in days if day % 7 in wanted}
        names = set(named)
        return {day for day in days if not names.isdisjoint(self.names_of(day, in_months=in_months))}

    def first_week(self, week_start: int) -> int:
        """The day that the first week with four days or more in this year begins on: -3 to 3."""
        return 3 - (self._weekday + 3 - week_start) % 7

    def in_weeks(self, numbers: Iterable[int], *, week_start: int, skip: Skip) -> set[int]:
        first = self.first_week(week_start)
        weeks = range((self.length + Year(self.number + 1).first_week(week_start) - first) // 7)
        found = (week for number in numbers for week in _numbered(weeks, number, skip=skip))
        return {day for week in found for day in range(first + week * 7, first + week * 7 + 7)}


def _numbered(days: range, number: int, *, skip: Skip) -> tuple[int, ...]:
    """The day, or week, of that number of these, counted from the end where negative; or what SKIP makes of it."""
    if abs(number) <= len(days):
        return (days[number - 1 if number > 0 else number],)
    if skip is Skip.OMIT:
        return ()
    missing_before = days.stop if number > 0 else days.start
    return (missing_before if skip is Skip.FORWARD else missing_before - 1,)


class Days:
    """The days of any year that the parts name, worked out once for years alike."""

    def __init__(self, parts: DayParts, which: Callable[[Year, DayParts], list[int]]) -> None:
        self._parts, self._which = parts, which
        self._reaches_over = bool(parts.week_numbers) or parts.skip is not Skip.OMIT
        self._by_shape: dict[object, tuple[int, ...]] = {}
        self._by_year: list[tuple[int, ...] | None] = [None] * CYCLE_YEARS

    def of(self, number: int) -> tuple[int, ...]:
        """In order; beyond the borders of the year where SKIP or a week reaches there."""
        known = self._by_year[number % CYCLE_YEARS]
        return self._worked_out(number) if known is None else known

    def _worked_out(self, number: int) -> tuple[int, ...]:
        year = Year(number)
        shape = (year.shape, year.neighbours if self._reaches_over else None)
        days = self._by_shape.get(shape)
        if days is None:
            days = self._by_shape[shape] = tuple(self._which(year, self._parts))
        self._by_year[number % CYCLE_YEARS] = days
        return days


@lru_cache(maxsize=64)
def days_expanded(parts: DayParts) -> Days:
    """The days that a YEARLY rule names in a year, or a MONTHLY one in its one month."""
    return Days(parts, _expanded)


@lru_cache(maxsize=64)
def days_limited(parts: DayParts) -> Days:
    """The days that pass all parts: what they mean in rules that repeat daily or more often."""
    return Days(parts, lambda year, limits: sorted(_limited(year, set(range(year.length)), limits)))


def _expanded(year: Year, parts: DayParts) -> list[int]:
    if parts.week_numbers:
        found = _limited(year, year.in_weeks(parts.week_numbers, week_start=parts.week_start, skip=parts.skip), parts)
    elif parts.year_days:
        found = _on_year_days(year, parts)
    elif parts.month_days:
        found = year.on_month_days(parts.months, parts.month_days, skip=parts.skip)
    else:
        within = year.months(parts.months) if parts.counted_in_months else [range(year.length)]
        return sorted(year.on_weekdays(parts.weekdays, within=within))
    return sorted(_limited(year, found, DayParts(weekdays=parts.weekdays, counted_in_months=parts.counted_in_months)))


def _on_year_days(year: Year, parts: DayParts) -> set[int]:
    """A day beyond the year's end is of its last month still, as one before its beginning is of its first."""
    limits = DayParts(months=parts.months, month_days=parts.month_days)
    found = _limited(year, year.on_year_days(parts.year_days), limits)
    if parts.month_days:
        return found
    missing = [number for number in parts.year_days if abs(number) > year.length]
    months = parts.months or ALL_MONTHS
    return found | year.on_year_days([one for one in missing if (12 if one > 0 else 1) in months], skip=parts.skip)


def _limited(year: Year, found: set[int], parts: DayParts) -> set[int]:
    if parts.months:
        found = _kept(year, found, lambda one: one.in_months(parts.months))
    if parts.year_days:
        found = _kept(year, found, lambda one: one.on_year_days(parts.year_days))
    if parts.month_days:
        found = _kept(year, found, lambda one: one.on_month_days(ALL_MONTHS, parts.month_days))
    if parts.weekdays:
        found = year.keep_weekdays(found, parts.weekdays, in_months=parts.counted_in_months)
    return found


def _kept(year: Year, found: set[int], wanted: Callable[[Year], set[int]]) -> set[int]:
    """Those of the found that are wanted; the ones beyond a border by the neighbour's own count."""
    if not found:
        return found
    kept = wanted(year)
    if min(found) < 0:
        before = Year(year.number - 1)
        kept |= {day - before.length for day in wanted(before)}
    if max(found) >= year.length:
        kept |= {day + year.length for day in wanted(Year(year.number + 1))}
    return found & kept
