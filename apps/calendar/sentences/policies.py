"""How a repeating task behaves, as a sentence: its rule, the ends of months, what becomes of dates that went by.

Invariant: a policy is told where it can change a date, and only there.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from apps.calendar import rules
from apps.calendar.recurrences import parse_wall
from apps.calendar.rules import Frequency, Rule, Skip
from apps.calendar.sentences.plain import MONTHS, counted, day_in_turn, day_in_words, joined
from apps.calendar.sentences.rule import IN_EVERY_MONTH, late, may_lack_days, rule_in_words, years_may_lack

_SKIP = {"clamp": Skip.BACKWARD, "roll": Skip.FORWARD, "skip": Skip.OMIT}
_CATCH_UP = {
    "latest": "passed ones are caught up with the latest",
    "all": "each comes on its date, whether the one before is done or not",
    "wait": "each waits for the one before, and none is left out",
    "skip": "passed ones are left out",
}
_WHATEVER_THE_START = {
    "clamp": "in shorter months on their last day",
    "roll": "in shorter months on the 1st of the next",
    "skip": "skips months that do not have its day",
}
_LEAP_YEAR, _COMMON_YEAR = 2024, 2023
_SHOWN = 3


def policy_in_words(recurrence: Mapping[str, Any], *, today: date, starts_on: date | None = None) -> str:
    """`every month on the 31st, in shorter months on their last day; passed ones are caught up with the latest`.

    `starts_on`, where it is known, tells which day of the month a rule means that names none. Raises a `CalendarError`
    for what is no recurrence.
    """
    rule = rules.parse(recurrence["rule"])
    from_completion = recurrence.get("from") == "completion"
    told = month_end_in_words(recurrence, starts_on=starts_on)
    skip = _SKIP[recurrence.get("month_end", "clamp")]
    if told and skip is not Skip.OMIT:
        rule, told = replace(rule, skip=skip), None
    sentence = rule_in_words(rule.text, today=today, from_completion=from_completion)
    catch_up = None if from_completion else _CATCH_UP[recurrence.get("catch_up", "latest")]
    return "; ".join(part for part in (sentence + _dates(recurrence, today=today), told, catch_up) if part)


def month_end_in_words(recurrence: Mapping[str, Any], *, starts_on: date | None = None) -> str | None:
    """`skips February`, `in shorter months on their last day`; `None` where no date depends on it.

    Of a yearly rule that leaves its day to a start that is not known, that is not told: 29 February is rare.
    """
    rule = rules.parse(recurrence["rule"])
    policy = recurrence.get("month_end", "clamp")
    if rule.skip is not Skip.OMIT or not may_lack_days(rule):
        return None
    if lacking := years_may_lack(rule):
        return f"skips years without such a {lacking}" if policy == "skip" else _moved(lacking, policy)
    return _of_months(rule, policy=policy, starts_on=starts_on)


def _of_months(rule: Rule, *, policy: str, starts_on: date | None) -> str | None:
    # Where the start is not known, its day is looked at as if it were a 31st, and told without naming months.
    days = late(rule.by_month_day or [starts_on.day if starts_on else 31], IN_EVERY_MONTH)
    months = _months(rule, starts_on=starts_on)
    lacks = {day: [month for month in months if monthrange(_COMMON_YEAR, month)[1] < abs(day)] for day in days}
    month_of_start = rule.frequency is Frequency.YEARLY and not (rule.by_month or rule.by_week_no)
    if not any(lacks.values()):
        return None
    if starts_on is None and (month_of_start or not rule.by_month_day):
        return None if month_of_start and not rule.by_month_day else _WHATEVER_THE_START[policy]
    if policy == "skip":
        return f"skips {_skipped({day: found for day, found in lacks.items() if found})}"
    return _moved("day", policy) if min(days) < 0 else _WHATEVER_THE_START[policy]


def _moved(what: str, policy: str) -> str:
    return f"a {what} that there is not moved to the one {'before' if policy == 'clamp' else 'after'}"


def _dates(recurrence: Mapping[str, Any], *, today: date) -> str:
    """`, but not on 4 May, and also on 6 May at 09:00`; many are counted."""
    told = ""
    for name, words in (("exdates", "but not"), ("rdates", "and also")):
        dates = [_wall_in_words(parse_wall(text), today=today) for text in recurrence.get(name) or ()]
        if dates:
            told += f", {words} on {joined(dates) if len(dates) <= _SHOWN else counted(len(dates), 'day')}"
    return told


def _wall_in_words(wall: date, *, today: date) -> str:
    day = day_in_words(wall, today=today)
    if not isinstance(wall, datetime):
        return day
    return f"{day} at {wall:%H:%M:%S}" if wall.second else f"{day} at {wall:%H:%M}"


def _months(rule: Rule, *, starts_on: date | None) -> list[int]:
    every = list(range(1, 13))
    if starts_on and rule.frequency is Frequency.MONTHLY:
        every = sorted({(starts_on.month - 1 + step * rule.interval) % 12 + 1 for step in range(12)})
    elif starts_on and not (rule.by_month or rule.by_week_no):
        every = [starts_on.month]
    return [month for month in every if month in rule.by_month] if rule.by_month else every


def _skipped(lacking: Mapping[int, Sequence[int]]) -> str:
    if len(lacking) == 1:
        [(day, months)] = lacking.items()
        return _months_without(day, months)
    told = [f"the {day_in_turn(day)} in {_months_without(day, months)}" for day, months in lacking.items()]
    return joined(told)


def _months_without(day: int, months: Sequence[int]) -> str:
    told = joined([MONTHS[month - 1] for month in months])
    return f"{told} except in leap years" if abs(day) == monthrange(_LEAP_YEAR, 2)[1] else told
