"""Which dates a rule names, found by asking every day, hour, minute and second in turn whether it is one.

Slow, and written from RFC 5545 section 3.3.10 by itself: it shares nothing with the engine, which it is held against.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from apps.calendar.rules import Frequency, Rule, Skip

DAY = timedelta(days=1)
SHORT = {Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}


def dates(rule: Rule, *, start: date, limit: date) -> list[date]:
    """The dates from the start to before the limit; COUNT and UNTIL are not looked at."""
    by_period: dict[int, set[date]] = {}
    for period, wall in _walls(rule, start, limit):
        by_period.setdefault(period, set()).add(wall)
    chosen = {wall for walls in by_period.values() for wall in _set_pos(rule, sorted(walls))}
    return sorted(wall for wall in chosen if start <= wall < limit)


def _set_pos(rule: Rule, walls: list[date]) -> list[date]:
    size = len(walls)
    return [
        wall
        for place, wall in enumerate(walls, 1)
        if not rule.by_set_pos or place in rule.by_set_pos or place - 1 - size in rule.by_set_pos
    ]


def _walls(rule: Rule, start: date, limit: date) -> Iterator[tuple[int, date]]:
    for period, day in _days(rule, start, limit):
        if not isinstance(start, datetime):
            yield period, day
        elif rule.frequency in SHORT:
            yield from _short(rule, start, day, limit)
        else:
            for wall in _times(rule, start, day):
                yield period, wall


def _days(rule: Rule, start: date, limit: date) -> Iterator[tuple[int, date]]:
    first, last = _date(start), _date(limit)
    by_numbers = bool(rule.by_month_day or rule.by_year_day or not rule.by_day) and not rule.by_week_no
    if rule.skip is not Skip.OMIT and by_numbers and rule.frequency in {Frequency.YEARLY, Frequency.MONTHLY}:
        found = _days_by_number(rule, first, last)
    else:
        day, found = date(first.year - 2, 12, 20), []
        # Whole periods: BYSETPOS counts from the end, too.
        end = last + DAY if rule.frequency in SHORT else date(last.year + 1, 1, 12)
        while day < end:
            if _names_day(rule, first, day):
                found.append((_period(rule, day), day))
            day += DAY
    begin = _period(rule, first)
    for period, day in found:
        if period >= begin and (rule.frequency in SHORT or (period - begin) % rule.interval == 0):
            yield period, day


def _date(wall: date) -> date:
    return wall.date() if isinstance(wall, datetime) else wall


def _week(rule: Rule, day: date) -> date:
    return day - DAY * ((day.weekday() - rule.week_start) % 7)


def _period(rule: Rule, day: date) -> int:
    if rule.frequency is Frequency.YEARLY:
        # A week belongs to the year that has most of its days.
        return (_week(rule, day) + 3 * DAY).year if rule.by_week_no else day.year
    if rule.frequency is Frequency.MONTHLY:
        return day.year * 12 + day.month
    if rule.frequency is Frequency.WEEKLY:
        return _week(rule, day).toordinal() // 7
    return day.toordinal()


def _names_day(rule: Rule, start: date, day: date) -> bool:
    return (
        (not rule.by_month or day.month in rule.by_month)
        and (not rule.by_week_no or _in_week(rule, day))
        and (not rule.by_year_day or _is_numbered(rule.by_year_day, _day_of_year(day), _days_of_year(day)))
        and (not rule.by_month_day or _is_numbered(rule.by_month_day, day.day, monthrange(day.year, day.month)[1]))
        and (not rule.by_day or _is_weekday(rule, day))
        and _is_as_the_start(rule, start, day)
    )


def _is_as_the_start(rule: Rule, start: date, day: date) -> bool:
    """What no part names comes from the start."""
    if rule.frequency is Frequency.YEARLY and not (rule.by_month or rule.by_week_no or rule.by_year_day):
        if rule.by_month_day or not rule.by_day:
            return day.month == start.month and bool(rule.by_month_day or day.day == start.day)
        return True
    if rule.by_day or rule.by_month_day or rule.by_year_day:
        return True
    if rule.by_week_no or rule.frequency is Frequency.WEEKLY:
        return day.weekday() == start.weekday()
    if rule.frequency is Frequency.MONTHLY:
        return day.day == start.day
    return rule.frequency is not Frequency.YEARLY or day.day == start.day


def _is_numbered(numbers: tuple[int, ...], number: int, of: int) -> bool:
    return number in numbers or number - of - 1 in numbers


def _day_of_year(day: date) -> int:
    return day.timetuple().tm_yday


def _days_of_year(day: date) -> int:
    return _day_of_year(date(day.year, 12, 31))


def _in_week(rule: Rule, day: date) -> bool:
    middle = _week(rule, day) + 3 * DAY
    # 28 December is always in the last week of its year.
    last = _week(rule, date(middle.year, 12, 28)) + 3 * DAY
    return _is_numbered(rule.by_week_no, (_day_of_year(middle) + 6) // 7, (_day_of_year(last) + 6) // 7)


def _is_weekday(rule: Rule, day: date) -> bool:
    if rule.frequency is Frequency.MONTHLY or rule.by_month:
        place, of = day.day, monthrange(day.year, day.month)[1]
    else:
        place, of = _day_of_year(day), _days_of_year(day)
    counted = {0, (place + 6) // 7, -((of - place + 7) // 7)}
    return any(named.weekday == day.weekday() and named.ordinal in counted for named in rule.by_day)


def _days_by_number(rule: Rule, start: date, limit: date) -> list[tuple[int, date]]:
    """Where SKIP moves days that are not there: from the numbers that the rule has, month by month."""
    found: list[tuple[int, date]] = []
    for year in range(start.year, limit.year + 2):
        first, length = date(year, 1, 1), _days_of_year(date(year, 1, 1))
        if rule.by_year_day:
            found += [(year, _numbered(rule, first, length, number)) for number in rule.by_year_day]
            continue
        for month in rule.by_month or (range(1, 13) if rule.frequency is Frequency.MONTHLY else (start.month,)):
            first, length = date(year, month, 1), monthrange(year, month)[1]
            period = _period(rule, first)
            found += [(period, _numbered(rule, first, length, one)) for one in rule.by_month_day or (start.day,)]
    return [(period, day) for period, day in found if not rule.by_day or _is_weekday(rule, day)]


def _numbered(rule: Rule, first: date, length: int, number: int) -> date:
    if 0 < number <= length:
        return first + (number - 1) * DAY
    if -length <= number < 0:
        return first + (length + number) * DAY
    day_after = first + length * DAY if number > 0 else first
    return day_after if rule.skip is Skip.FORWARD else day_after - DAY


def _times(rule: Rule, start: datetime, day: date) -> Iterator[datetime]:
    for hour in rule.by_hour or (start.hour,):
        for minute in rule.by_minute or (start.minute,):
            for second in rule.by_second or (start.second,):
                yield datetime.combine(day, time(hour, minute, second))


def _short(rule: Rule, start: datetime, day: date, limit: date) -> Iterator[tuple[int, datetime]]:
    """Each second of the day, without those of hours and minutes that cannot be."""
    hour_of_start = start.replace(minute=0, second=0)
    for hour in (hour for hour in range(24) if not rule.by_hour or hour in rule.by_hour):
        if not hour_of_start <= datetime.combine(day, time(hour)) < limit:
            continue
        if rule.frequency is Frequency.HOURLY and not _is_in_turn(rule, start, datetime.combine(day, time(hour))):
            continue
        minutes = rule.by_minute or (range(60) if rule.frequency is not Frequency.HOURLY else (start.minute,))
        seconds = rule.by_second or (range(60) if rule.frequency is Frequency.SECONDLY else (start.second,))
        for minute in minutes:
            for second in seconds:
                wall = datetime.combine(day, time(hour, minute, second))
                if _is_in_turn(rule, start, wall):
                    yield _unit(rule, wall), wall


def _is_in_turn(rule: Rule, start: datetime, wall: datetime) -> bool:
    return (_unit(rule, wall) - _unit(rule, start)) % rule.interval == 0


def _unit(rule: Rule, wall: datetime) -> int:
    return (wall.toordinal() * 86400 + wall.hour * 3600 + wall.minute * 60 + wall.second) // SHORT[rule.frequency]
