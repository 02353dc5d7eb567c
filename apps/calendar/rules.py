"""What may be asked of a recurrence rule: its text, another month-end, and whether it will do for a task and a start.

Invariant: a rule that is refused here is refused with the part to correct, where one can be named.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar.recurrences import Recurrence
from apps.calendar.rrule import BESIDE_A_RULE, DayOfWeek, Frequency, InvalidRule, Rule, Skip, Weekday, parse
from apps.calendar.steps import TooCostly
from apps.calendar.walls import Wall

__all__ = [
    "BESIDE_A_RULE",
    "DayOfWeek",
    "Frequency",
    "InvalidRule",
    "Rule",
    "Skip",
    "Weekday",
    "check_against_start",
    "check_for_tasks",
    "check_happens",
    "parse",
    "with_count",
    "with_skip",
]

# Each date that a count has behind it is counted again whenever the next one is looked for.
MOST_TIMES = 10_000


def check_for_tasks(rule: Rule) -> None:
    """Raises `InvalidRule` where a rule may ask for more than one task within an hour, or for too many."""
    if rule.frequency in {Frequency.SECONDLY, Frequency.MINUTELY}:
        raise InvalidRule("A task repeats hourly at the most often.", part="FREQ")
    if rule.count is not None and rule.count > MOST_TIMES:
        told = f"A task repeats {MOST_TIMES:,} times at the most; leave COUNT out where it has no end."
        raise InvalidRule(told, part="COUNT")
    for part, values in (("BYMINUTE", rule.by_minute), ("BYSECOND", rule.by_second)):
        if len(values) > 1:
            raise InvalidRule(f"A task repeats hourly at the most often: give {part} one value.", part=part)


def with_skip(rule: Rule, skip: Skip) -> Rule:
    """The rule with another answer to days that a month or year does not have."""
    return replace(rule, skip=skip)


def with_count(rule: Rule, count: int) -> Rule:
    """The rule with another number of dates."""
    return replace(rule, count=count)


def check_against_start(rule: Rule, *, start: Wall) -> None:
    """Raises `InvalidRule` where a rule does not go with the date or the time it repeats from.

    A date in UNTIL goes with a time too: the whole of that day is in.
    """
    if isinstance(start, datetime):
        return
    if rule.frequency in {Frequency.SECONDLY, Frequency.MINUTELY, Frequency.HOURLY}:
        raise InvalidRule("What starts on a date, without a time, repeats daily at the most often.", part="FREQ")
    for part, values in (("BYHOUR", rule.by_hour), ("BYMINUTE", rule.by_minute), ("BYSECOND", rule.by_second)):
        if values:
            raise InvalidRule(f"What starts on a date, without a time, has no {part}.", part=part)
    if isinstance(rule.until, datetime):
        raise InvalidRule("What starts on a date ends on one: write UNTIL as 20261231.", part="UNTIL")


def check_happens(rule: Rule, *, start: Wall, zone: ZoneInfo) -> None:
    """Raises `InvalidRule` where a rule names no date after its start, a wall, at all.

    Its own end is not looked at: COUNT=1, or UNTIL on the first day, is what somebody may want. A next date beyond
    what may be looked through is refused.
    """
    endless = replace(rule, count=None, until=None)
    try:
        if _happens(endless, start=start, zone=zone):
            return
    except TooCostly as reason:
        raise InvalidRule("A next date is not found in time: let the rule name dates more often.") from reason
    for part, field in _MAY_STAND_IN_THE_WAY.items():
        if getattr(rule, field) and _soon_happens(_without(endless, field), start=start, zone=zone):
            raise InvalidRule(f"This never happens: {part} does not meet the rest of the rule.", part=part)
    raise InvalidRule("This never happens: no date is all that the rule asks for.")


# What goes wrong is looked for by what would happen within so many years: a 29 February on each weekday is among them.
_SOON = 100

# The first of them without which a rule happens is what to correct.
_MAY_STAND_IN_THE_WAY = {
    "BYSETPOS": "by_set_pos",
    "BYMONTHDAY": "by_month_day",
    "BYYEARDAY": "by_year_day",
    "BYDAY": "by_day",
    "BYHOUR": "by_hour",
    "BYMINUTE": "by_minute",
    "BYSECOND": "by_second",
    "BYMONTH": "by_month",
    "BYWEEKNO": "by_week_no",
}


def _without(rule: Rule, field: str) -> Rule:
    """Nor does BYSETPOS stay where it has nothing more to choose from."""
    taken: dict[str, Any] = {field: ()}
    left = replace(rule, **taken)
    return left if any(getattr(left, one) for one in _MAY_STAND_IN_THE_WAY.values()) else replace(left, by_set_pos=())


def _happens(rule: Rule, *, start: Wall, zone: ZoneInfo, before: Wall | None = None) -> bool:
    return next(Recurrence(rule=rule, start=start, zone=zone).dates(after=start, before=before), None) is not None


def _soon_happens(rule: Rule, *, start: Wall, zone: ZoneInfo) -> bool:
    before = start.replace(year=min(start.year + _SOON, date.max.year), day=1)
    with suppress(TooCostly):
        return _happens(rule, start=start, zone=zone, before=before)
    return False
