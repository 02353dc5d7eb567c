"""Which days a rule names, as a part of a sentence.

Invariant: days of the year stand before days of the month, those before days of the week; each after the first is told
as a condition, `when that is`.
"""

from collections.abc import Sequence

from apps.calendar.rules import DayOfWeek, Frequency, Rule, Weekday
from apps.calendar.sentences.plain import (
    WEEKDAYS,
    day_in_turn,
    in_runs,
    joined,
    months_in_words,
    ordinal,
    ordinals,
)

WORKDAYS = tuple(DayOfWeek(0, weekday) for weekday in list(Weekday)[:5])
_WEEKEND = tuple(DayOfWeek(0, weekday) for weekday in list(Weekday)[5:])


def days_in_words(rule: Rule) -> str:
    """`on the 1st and 15th of May`; empty where the rule leaves the day to its start."""
    if rule.by_year_day:
        return f"on the {_days_of_year(rule.by_year_day)} of the year"
    yearly = rule.frequency is Frequency.YEARLY
    if rule.by_month_day:
        of_any = "every month" if rule.by_week_no else "the same month"
        months = (months_in_words(rule.by_month) or of_any) if yearly else ""
        return f"on the {_days_of_month(rule.by_month_day)}{f' of {months}' if months else ''}"
    if rule.by_day:
        return f"on {_weekdays(rule)}"
    return f"in the {ordinals(rule.by_week_no)} week of the year" if rule.by_week_no else ""


def named_together(rule: Rule) -> bool:
    """Whether the months stand in `days_in_words` already."""
    if rule.frequency is not Frequency.YEARLY or rule.by_year_day:
        return False
    return bool(rule.by_month_day or (rule.by_day and not rule.by_week_no))


def chooses_among_days(rule: Rule) -> bool:
    """Whether BYSETPOS is told as `the last workday`: it chooses one of several days of the week, at one time."""
    if not rule.by_set_pos or rule.by_month_day or rule.by_year_day or rule.by_week_no:
        return False
    several = len(rule.by_day) > 1 and not any(day.ordinal for day in rule.by_day)
    once = max(len(rule.by_hour), len(rule.by_minute), len(rule.by_second)) <= 1
    of_one = rule.frequency in {Frequency.WEEKLY, Frequency.MONTHLY} or (
        rule.frequency is Frequency.YEARLY and len(rule.by_month) <= 1
    )
    return several and once and of_one


def conditions(rule: Rule) -> str:
    """`the 13th of a month and a Friday`: what a day, told by its number, must be besides."""
    told = []
    if rule.by_year_day and rule.by_month_day:
        told.append(f"the {_days_of_month(rule.by_month_day, last='or')} of a month")
    if rule.by_day and (rule.by_year_day or rule.by_month_day):
        told.append(_one_of_weekdays(rule))
    return " and ".join(told)


def _weekdays(rule: Rule) -> str:
    yearly = rule.frequency is Frequency.YEARLY
    if chooses_among_days(rule):
        days = f"the {ordinals(rule.by_set_pos)} {_any_of(rule.by_day)}"
        return f"{days} of {months_in_words(rule.by_month) or 'the year'}" if yearly else days
    if rule.by_week_no:
        return f"{_plain(rule.by_day)} of the {ordinals(rule.by_week_no)} week of the year"
    if not yearly and rule.frequency is not Frequency.MONTHLY:
        return _plain(rule.by_day)
    days = _each(rule.by_day)
    if yearly and rule.by_month:
        return f"{days} of {months_in_words(rule.by_month)}"
    return f"{days} of the year" if yearly and any(day.ordinal for day in rule.by_day) else days


def _plain(days: Sequence[DayOfWeek]) -> str:
    if days == WORKDAYS:
        return "workdays"
    if days == _WEEKEND:
        return "weekends"
    return joined(in_runs([day.weekday for day in days], lambda weekday: WEEKDAYS[weekday]))


def _any_of(days: Sequence[DayOfWeek]) -> str:
    return "workday" if days == WORKDAYS else joined([WEEKDAYS[day.weekday] for day in days], last="or")


def _each(days: Sequence[DayOfWeek]) -> str:
    """`every Monday and the 1st and last Friday`."""
    plain = tuple(day for day in days if not day.ordinal)
    told = ["every workday"] if plain == WORKDAYS else [f"every {WEEKDAYS[day.weekday]}" for day in plain]
    for weekday in Weekday:
        counts = [day.ordinal for day in days if day.weekday is weekday and day.ordinal]
        if counts:
            told.append(f"the {ordinals(counts)} {WEEKDAYS[weekday]}")
    return joined(told)


def _one_of_weekdays(rule: Rule) -> str:
    plain = tuple(day for day in rule.by_day if not day.ordinal)
    told = [f"a {_any_of(plain)}"] if plain == WORKDAYS else [f"a {WEEKDAYS[day.weekday]}" for day in plain]
    numbered = [f"the {ordinal(day.ordinal)} {WEEKDAYS[day.weekday]}" for day in rule.by_day if day.ordinal]
    if numbered:
        by_month = rule.frequency is Frequency.MONTHLY or rule.by_month
        numbered[-1] += f" of the {'month' if by_month else 'year'}"
    return joined([*told, *numbered], last="or")


def _days_of_month(days: Sequence[int], *, last: str = "and") -> str:
    return joined(in_runs(days, day_in_turn), last=last)


def _days_of_year(days: Sequence[int]) -> str:
    """`1st, 100th and last day`: the word once for all that need it."""
    told = in_runs(days, lambda day: day_in_turn(day).removesuffix(" day"))
    return joined(told) + ("" if told[-1].endswith("end") else " day")
