"""A recurrence rule as a sentence.

Invariant: every part of a rule that changes its dates is told, and two rules have the same sentence only where those
parts are the same; `phrases.read` reads each back that names no time of day. What only limits a rule is told with
`only`, since it does not begin the counting anew.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from apps.calendar import rules
from apps.calendar.rules import Frequency, Rule, Skip
from apps.calendar.sentences.days import chooses_among_days, conditions, days_in_words, named_together
from apps.calendar.sentences.plain import (
    WEEKDAYS,
    counted,
    day_in_words,
    months_in_words,
    ordinals,
)
from apps.calendar.sentences.times import times_in_words

UNIT = {
    Frequency.SECONDLY: "second",
    Frequency.MINUTELY: "minute",
    Frequency.HOURLY: "hour",
    Frequency.DAILY: "day",
    Frequency.WEEKLY: "week",
    Frequency.MONTHLY: "month",
    Frequency.YEARLY: "year",
}
# Of these every BY part of days is a limit.
SHORT = {Frequency.SECONDLY, Frequency.MINUTELY, Frequency.HOURLY, Frequency.DAILY}


IN_EVERY_MONTH, DAYS_IN_EVERY_YEAR, WEEKS_IN_EVERY_YEAR = 28, 365, 52


class Clause(NamedTuple):
    """`apart`: with a comma before it, as then all that follows it."""

    words: str
    apart: bool = False


def rule_in_words(text: str, *, today: date, from_completion: bool = False) -> str:
    """`every 2 weeks on Monday and Thursday, 10 times` of an RRULE.

    A day has its year unless it is the next such day from `today` on. Raises `rules.InvalidRule`.
    """
    rule = rules.parse(text)
    unit = UNIT[rule.frequency]
    if from_completion and not names_dates(rule):
        told = f"{counted(rule.interval, unit)} after it is completed"
        return told + _joined([*_skip(rule), *_end(rule, today=today)])
    told = f"every {unit}" if rule.interval == 1 else f"every {counted(rule.interval, unit)}"
    clauses = [*_dates(rule), *_places(rule), *_skip(rule), *_week_start(rule)]
    if from_completion:
        clauses.append(Clause("counted from completion", apart=True))
    return told + _joined([*clauses, *_end(rule, today=today)])


def names_dates(rule: Rule) -> bool:
    """Whether the rule names days, months, weeks or times, rather than only how often."""
    days = rule.by_day or rule.by_month_day or rule.by_year_day or rule.by_week_no or rule.by_month
    return bool(days or rule.by_hour or rule.by_minute or rule.by_second)


def may_lack_days(rule: Rule) -> bool:
    """Whether a month may lack a day, or a year a day or week, that the rule or its start asks for.

    Only there SKIP changes a date.
    """
    if rule.frequency not in {Frequency.MONTHLY, Frequency.YEARLY}:
        return False
    if rule.by_year_day or rule.by_month_day or rule.by_week_no:
        return bool(late(rule.by_month_day, IN_EVERY_MONTH)) or bool(years_may_lack(rule))
    return not rule.by_day


def years_may_lack(rule: Rule) -> str:
    """`day`, `week` or both: what a rule names that some years do not have."""
    days, weeks = late(rule.by_year_day, DAYS_IN_EVERY_YEAR), late(rule.by_week_no, WEEKS_IN_EVERY_YEAR)
    return " or ".join([*(["day"] if days else []), *(["week"] if weeks else [])])


def late(numbers: Sequence[int], bound: int) -> list[int]:
    return [number for number in numbers if abs(number) > bound]


def _joined(clauses: list[Clause]) -> str:
    told, apart = "", False
    for clause in clauses:
        apart = apart or clause.apart
        told += f"{',' if apart else ''} {clause.words}"
    return told


def _dates(rule: Rule) -> Iterator[Clause]:
    days = days_in_words(rule)
    when = conditions(rule)
    short = rule.frequency in SHORT
    if days:
        words = f"{days} when that is {when}" if when else days
        yield Clause(f"only {words}", apart=True) if short else Clause(words)
    if rule.by_month and not named_together(rule):
        apart = bool(when or (days and short) or rule.interval > 1 or rule.by_year_day or rule.by_week_no)
        expands = rule.frequency is Frequency.YEARLY and not days
        months = f"in {months_in_words(rule.by_month)}"
        yield Clause(months) if expands or not apart else Clause(f"only {months}", apart=True)
    if rule.by_week_no and (rule.by_year_day or rule.by_month_day):
        yield Clause(f"only in the {ordinals(rule.by_week_no)} week of the year", apart=True)
    yield from (Clause(words, apart=words.startswith("only")) for words in times_in_words(rule))


def _places(rule: Rule) -> Iterator[Clause]:
    if rule.by_set_pos and not chooses_among_days(rule):
        words = f"of these only the {ordinals(rule.by_set_pos)} of each {UNIT[rule.frequency]}"
        yield Clause(words, apart=True)


def _skip(rule: Rule) -> Iterator[Clause]:
    if rule.skip is Skip.OMIT or not may_lack_days(rule):
        return
    back = rule.skip is Skip.BACKWARD
    lacking, days = years_may_lack(rule), late(rule.by_month_day, IN_EVERY_MONTH)
    if lacking or any(day < 0 for day in days):
        what = "day or week" if days and lacking == "week" else lacking or "day"
        yield Clause(f"a {what} that there is not moved to the one {'before' if back else 'after'}", apart=True)
    else:
        words = "in shorter months on their last day" if back else "in shorter months on the 1st of the next"
        yield Clause(words, apart=True)


def _week_start(rule: Rule) -> Iterator[Clause]:
    weekly = rule.frequency is Frequency.WEEKLY
    matters = rule.by_week_no or (weekly and (rule.by_set_pos or (rule.by_day and rule.interval > 1)))
    if rule.week_start and matters:
        yield Clause(f"with weeks starting on {WEEKDAYS[rule.week_start]}", apart=True)


def _end(rule: Rule, *, today: date) -> Iterator[Clause]:
    if rule.count is not None:
        yield Clause(counted(rule.count, "time"), apart=True)
    if rule.until is None:
        return
    day = rule.until.date() if isinstance(rule.until, datetime) else rule.until
    told = day_in_words(day, today=today)
    if day.year == today.year and day < today:
        told = f"{told} {day.year}"
    if isinstance(rule.until, datetime):
        shown = f"{rule.until:%H:%M:%S}" if rule.until.second else f"{rule.until:%H:%M}"
        told += f" at {shown}{' UTC' if rule.until.tzinfo else ''}"
    yield Clause(f"until {told}", apart=True)
