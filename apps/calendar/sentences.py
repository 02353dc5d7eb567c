"""Days, instants, durations and rules as a person says them, in English.

Invariant: what has no words yet is told by its own text rather than wrongly: a rule with rare parts by its RRULE.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.calendar import durations, rules, zones
from apps.calendar.rules import DayOfWeek, Frequency, Rule, Skip

_UNIT = {
    Frequency.HOURLY: "hour",
    Frequency.DAILY: "day",
    Frequency.WEEKLY: "week",
    Frequency.MONTHLY: "month",
    Frequency.YEARLY: "year",
}
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WORKDAYS = tuple(DayOfWeek(0, weekday) for weekday in list(rules.Weekday)[:5])


def joined(words: Sequence[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def day_in_words(day: date, *, today: date) -> str:
    """`3 May`; with the year when it is not the one of `today`."""
    told = f"{day.day} {_MONTHS[day.month - 1]}"
    return told if day.year == today.year else f"{told} {day.year}"


def instant_in_words(instant: datetime, *, zone: ZoneInfo, today: date) -> str:
    """`3 May at 09:00`, as clocks of the zone show it. Raises `zones.OutsideCalendar`."""
    return f"{day_in_words(zones.local_date(instant, zone), today=today)} at {clock(instant, zone=zone)}"


def clock(instant: datetime, *, zone: ZoneInfo) -> str:
    """`09:00`; with the seconds where there are any."""
    shown = instant.astimezone(zone)
    return f"{shown:%H:%M:%S}" if shown.second else f"{shown:%H:%M}"


def duration_in_words(duration: timedelta) -> str:
    """`30 minutes`, `1 hour and 30 minutes`, `2 weeks`; the sign is not told."""
    seconds = abs(int(duration.total_seconds()))
    if seconds and seconds % (7 * 24 * 3600) == 0:
        return _counted(seconds // (7 * 24 * 3600), "week")
    days, seconds = divmod(seconds, 24 * 3600)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    counts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")]
    return joined([_counted(count, unit) for count, unit in counts if count]) or "0 minutes"


def before_due_in_words(text: str) -> str:
    """`30 minutes before due` of `PT30M`. Raises `durations.InvalidDuration`."""
    duration = durations.parse(text)
    return f"{duration_in_words(duration)} before due" if duration else "when due"


def rule_in_words(text: str, *, today: date) -> str:
    """`every 2 weeks on Monday and Thursday, 10 times` of an RRULE. Raises `rules.InvalidRule`."""
    rule = rules.parse(text)
    if _is_rare(rule):
        return f"by the rule {rule.text}"
    unit = _UNIT[rule.frequency]
    often = f"every {unit}" if rule.interval == 1 else f"every {_counted(rule.interval, unit)}"
    return f"{often}{_which(rule)}{_end(rule, today=today)}"


def _is_rare(rule: Rule) -> bool:
    return bool(
        rule.frequency not in _UNIT
        or rule.by_second
        or rule.by_minute
        or rule.by_hour
        or rule.by_year_day
        or rule.by_week_no
        or rule.skip is not Skip.OMIT
        or (rule.by_day and rule.by_month_day)
        or (rule.by_set_pos and not rule.by_day)
    )


def _which(rule: Rule) -> str:
    months = joined([_MONTHS[month - 1] for month in rule.by_month])
    if rule.by_set_pos:
        days = "workday" if rule.by_day == _WORKDAYS else joined([_DAYS[day.weekday] for day in rule.by_day], last="or")
        counted = f" on the {joined([_ordinal(place) for place in rule.by_set_pos])} {days}"
        return counted + (f" of {months}" if months else "")
    if rule.by_month_day:
        counted = f" on the {joined([_day_of_month(day) for day in rule.by_month_day])}"
        return counted + (f" of {months}" if months else "")
    if rule.by_day == _WORKDAYS:
        days = " on workdays"
    elif rule.by_day:
        days = f" on {joined([_day_of_week(day) for day in rule.by_day])}"
    else:
        days = ""
    return days + (f" in {months}" if months else "")


def _day_of_month(day: int) -> str:
    return f"{_ordinal(day)} day" if day < 0 else _ordinal(day)


def _day_of_week(day: DayOfWeek) -> str:
    name = _DAYS[day.weekday]
    return f"the {_ordinal(day.ordinal)} {name}" if day.ordinal else name


def _ordinal(number: int) -> str:
    if number < 0:
        return "last" if number == -1 else f"{_ordinal(-number)} last"
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _end(rule: Rule, *, today: date) -> str:
    if rule.count is not None:
        return f", {_counted(rule.count, 'time')}"
    if rule.until is not None:
        last = rule.until.date() if isinstance(rule.until, datetime) else rule.until
        return f", until {day_in_words(last, today=today)}"
    return ""


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
