"""The dates that a rule names, as walls: what a calendar and a clock on the wall show, without a zone.

Invariant: dates come in order and each once, and finding the next one costs a bounded number of steps.
RFC 5545 section 3.3.10, with SKIP of RFC 7529 section 4.1.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import product

from apps.calendar.errors import CalendarError
from apps.calendar.rules import Frequency, Rule, Skip

Wall = date | datetime

_STEPS = 20_000
_DAY = 24 * 3600


class TooCostly(CalendarError):
    """The work allowed was used up before a further date was found."""


def expand(rule: Rule, *, start: Wall, after: Wall | None = None) -> Iterator[Wall]:
    """The dates of the rule from `start` on that come after `after`, of the type of `start`. Raises `TooCostly`."""
    timed = isinstance(start, datetime)
    count = 0
    for day, second in _in_order(rule, start):
        if day > date.max.toordinal():
            return
        on = date.fromordinal(day)
        wall: Wall = datetime.combine(on, time(second // 3600, second // 60 % 60, second % 60)) if timed else on
        if wall < start:
            continue
        count += 1
        if (rule.count is not None and count > rule.count) or _is_over(rule, wall):
            return
        if after is None or wall > after:
            yield wall


def _is_over(rule: Rule, wall: Wall) -> bool:
    until = rule.until
    if until is None or getattr(until, "tzinfo", None) is not None:
        return False
    if isinstance(until, datetime) and isinstance(wall, datetime):
        return wall > until
    return _date(wall) > _date(until)


def _date(wall: Wall) -> date:
    return wall.date() if isinstance(wall, datetime) else wall


def _in_order(rule: Rule, start: Wall) -> Iterator[tuple[int, int]]:
    held: list[tuple[int, int]] = []
    steps = 0
    for first, candidates in _periods(rule, start):
        steps += 1 + len(candidates)
        chosen = candidates
        if rule.by_set_pos:
            size = len(candidates)
            places = {place - 1 if place > 0 else size + place for place in rule.by_set_pos}
            chosen = [candidates[place] for place in places if 0 <= place < size]
        certain = [one for one in held if one < (first - 1, 0)]
        if certain:
            steps = 0
        yield from certain
        held = sorted({*held[len(certain) :], *chosen})
        if steps > _STEPS:
            raise TooCostly("This rule names no date within what may be looked through.")
    yield from held


def _periods(rule: Rule, start: Wall) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    first = _date(start)
    clock = start.time() if isinstance(start, datetime) else time()
    at = clock.hour * 3600 + clock.minute * 60 + clock.second
    if rule.frequency in _UNITS:
        yield from _short_periods(rule, first.toordinal() * _DAY + at)
        return
    hours = rule.by_hour or (clock.hour,)
    minutes = rule.by_minute or (clock.minute,)
    seconds = _seconds(rule) or (clock.second,)
    times = [hour * 3600 + minute * 60 + second for hour, minute, second in product(hours, minutes, seconds)]
    for begin, days in _day_periods(rule, first):
        yield begin, [(day, second) for day in sorted(set(days)) for second in times]


def _seconds(rule: Rule) -> tuple[int, ...]:
    return tuple(sorted({min(second, 59) for second in rule.by_second}))


_UNITS = {Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}


def _short_periods(rule: Rule, start: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    unit = _UNITS[rule.frequency]
    seconds = _seconds(rule)
    at = start // unit * unit
    while at < (date.max.toordinal() + 1) * _DAY:
        day, second = divmod(at, _DAY)
        if not _matches(rule, date.fromordinal(day)):
            step = unit * rule.interval
            at += -(((day + 1) * _DAY - at) // -step) * step
            yield day, []
            continue
        minutes = (rule.by_minute or ((start // 60) % 60,)) if unit == 3600 else (0,)
        within = (seconds or (start % 60,)) if unit > 1 else (0,)
        found = [
            (day, second + minute * 60 + one)
            for minute, one in product(minutes, within)
            if _clock_matches(rule, second + minute * 60 + one, seconds)
        ]
        yield day, found
        at += unit * rule.interval


def _clock_matches(rule: Rule, at: int, seconds: tuple[int, ...]) -> bool:
    return not (
        (rule.by_hour and at // 3600 not in rule.by_hour)
        or (rule.by_minute and at // 60 % 60 not in rule.by_minute)
        or (seconds and at % 60 not in seconds)
    )


def _day_periods(rule: Rule, start: date) -> Iterator[tuple[int, list[int]]]:
    first, last = start.toordinal(), date.max.toordinal()
    if rule.frequency is Frequency.DAILY:
        for day in range(first, last + 1, rule.interval):
            yield day, [day] if _matches(rule, date.fromordinal(day)) else []
    elif rule.frequency is Frequency.WEEKLY:
        weekdays = {int(day.weekday) for day in rule.by_day} or {start.weekday()}
        week = first - (start.weekday() - rule.week_start) % 7
        for begin in range(week, last + 1, rule.interval * 7):
            days = [day for day in range(max(begin, 1), min(begin + 7, last + 1)) if (day - 1) % 7 in weekdays]
            yield begin, [day for day in days if _matches(rule, date.fromordinal(day))]
    elif rule.frequency is Frequency.MONTHLY:
        for month in range(start.year * 12 + start.month - 1, 9999 * 12 + 12, rule.interval):
            begin = date(month // 12, month % 12 + 1, 1).toordinal()
            yield begin, _days_of_month(rule, month // 12, month % 12 + 1, start)
    else:
        year = _week_year(start, rule) if rule.by_week_no else start.year
        for number in range(year, 10_000, rule.interval):
            yield date(number, 1, 1).toordinal() - 7, _days_of_year(rule, number, start)


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]


def _moved(first: int, length: int, number: int, skip: Skip) -> list[int]:
    """The day of that number of a month or year, or what SKIP makes of it."""
    if abs(number) <= length:
        return [first + number - 1 if number > 0 else first + length + number]
    if skip is Skip.OMIT:
        return []
    after = first + length if number > 0 else first
    return [after if skip is Skip.FORWARD else after - 1]


def _days_of_month(rule: Rule, year: int, month: int, start: date) -> list[int]:
    if rule.by_month and month not in rule.by_month:
        return []
    first, length = date(year, month, 1).toordinal(), _length(year, month)
    if rule.by_month_day or not rule.by_day:
        numbers = rule.by_month_day or (start.day,)
        days = [day for number in numbers for day in _moved(first, length, number, rule.skip)]
        return [day for day in days if not rule.by_day or _day_counts(rule, day, by_month=True)]
    return [day for day in range(first, first + length) if _day_counts(rule, day, by_month=True)]


def _days_of_year(rule: Rule, year: int, start: date) -> list[int]:
    first, length = date(year, 1, 1).toordinal(), 366 if _length(year, 2) == 29 else 365
    if rule.by_week_no:
        return _days_of_weeks(rule, year, start)
    if rule.by_year_day:
        days = [day for number in rule.by_year_day for day in _moved(first, length, number, rule.skip)]
        return [day for day in days if _matches(rule, date.fromordinal(day))]
    if rule.by_month_day or not rule.by_day:
        months = rule.by_month or (range(1, 13) if rule.by_month_day else (start.month,))
        numbers = rule.by_month_day or (start.day,)
        days = [
            day
            for month in months
            for number in numbers
            for day in _moved(date(year, month, 1).toordinal(), _length(year, month), number, rule.skip)
        ]
        return [day for day in days if not rule.by_day or _day_counts(rule, day, by_month=bool(rule.by_month))]
    return [day for day in range(first, first + length) if _matches(rule, date.fromordinal(day))]


def _first_week(year: int, rule: Rule) -> int:
    """The first day of the first week with four days or more in the year."""
    fourth = date(year, 1, 4)
    return fourth.toordinal() - (fourth.weekday() - rule.week_start) % 7


def _week_year(day: date, rule: Rule) -> int:
    if day.year < 9999 and day.toordinal() >= _first_week(day.year + 1, rule):
        return day.year + 1
    return day.year if day.toordinal() >= _first_week(day.year, rule) else day.year - 1


def _days_of_weeks(rule: Rule, year: int, start: date) -> list[int]:
    first = _first_week(year, rule)
    after = _first_week(year + 1, rule) if year < 9999 else first + 52 * 7
    weeks = (after - first) // 7
    weekdays = {start.weekday()} if not (rule.by_day or rule.by_month_day or rule.by_year_day) else set(range(7))
    wanted = {number - 1 if number > 0 else weeks + number for number in rule.by_week_no}
    days = [day for week in wanted if 0 <= week < weeks for day in range(first + week * 7, first + week * 7 + 7)]
    days = [day for day in days if 0 < day <= date.max.toordinal() and (day - 1) % 7 in weekdays]
    return [day for day in days if _matches(rule, date.fromordinal(day))]


def _matches(rule: Rule, day: date) -> bool:
    length = _length(day.year, day.month)
    year_length = 366 if _length(day.year, 2) == 29 else 365
    of_year = day.toordinal() - date(day.year, 1, 1).toordinal() + 1
    return not (
        (rule.by_month and day.month not in rule.by_month)
        or (rule.by_month_day and not {day.day, day.day - length - 1} & set(rule.by_month_day))
        or (rule.by_year_day and not {of_year, of_year - year_length - 1} & set(rule.by_year_day))
        or (rule.by_day and not _day_counts(rule, day.toordinal(), by_month=bool(rule.by_month)))
    )


def _day_counts(rule: Rule, ordinal: int, *, by_month: bool) -> bool:
    day = date.fromordinal(ordinal)
    if by_month:
        place, length = day.day, _length(day.year, day.month)
    else:
        place = ordinal - date(day.year, 1, 1).toordinal() + 1
        length = 366 if _length(day.year, 2) == 29 else 365
    numbers = {0, (place - 1) // 7 + 1, -((length - place) // 7 + 1)}
    return any(named.weekday == day.weekday() and named.ordinal in numbers for named in rule.by_day)
