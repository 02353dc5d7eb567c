"""Recurrence rules: the text of RFC 5545 section 3.3.10, with SKIP of RFC 7529, read into a `Rule`.

Invariant: a `Rule` that `parse` made obeys what both RFCs demand of a rule by itself, and `parse(rule.text)` is the
same rule.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from apps.calendar.errors import CalendarError
from apps.calendar.walls import wall_text

LONGEST_TEXT = 1000

# What stands beside a rule in a calendar's file, and where that goes here.
BESIDE_A_RULE = {
    "DTSTART": "When it starts is no part of the rule: put it in the due.",
    "EXDATE": "Dates left out are no part of the rule: put them in exdates.",
    "RDATE": "Dates put in are no part of the rule: put them in rdates.",
}


class InvalidRule(CalendarError):
    """What is no rule, or none of ours. `part` is the name of the part to correct, empty for the whole."""

    def __init__(self, sentence: str, *, part: str = "") -> None:
        super().__init__(sentence)
        self.part = part


class Frequency(StrEnum):
    SECONDLY = "SECONDLY"
    MINUTELY = "MINUTELY"
    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


class Skip(StrEnum):
    """What becomes of a day that a month or year does not have (RFC 7529 section 4.1)."""

    OMIT = "OMIT"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"


class Weekday(IntEnum):
    """As `date.weekday()` counts."""

    MO, TU, WE, TH, FR, SA, SU = range(7)


class DayOfWeek(NamedTuple):
    """`ordinal` 0 is every such day, 1 the first of the month or year, -1 the last."""

    ordinal: int
    weekday: Weekday


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule in its normal form: each list sorted, without repetition; what was not given has its default.

    `until` is a wall or an instant in UTC, as it was written.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: date | datetime | None = None
    by_second: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_day: tuple[DayOfWeek, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_week_no: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: Weekday = Weekday.MO
    skip: Skip = Skip.OMIT

    @property
    def text(self) -> str:
        """The rule as RRULE text, without what is its default anyway."""
        written = [
            f"{name}={_written(getattr(self, part.field))}"
            for name, part in _PARTS.items()
            if name != "RSCALE" and getattr(self, part.field) != Rule.__dataclass_fields__[part.field].default
        ]
        return ";".join([*written, "RSCALE=GREGORIAN"] if self.skip is not Skip.OMIT else written)


def parse(text: str) -> Rule:
    """The rule of an RRULE, in whatever case; `RRULE:` before it and one semicolon behind are no part of it.

    Raises `InvalidRule`.
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidRule(f"A rule has at most {LONGEST_TEXT:,} characters.")
    written = text.strip().upper()
    if beside := re.search(rf"(?<![A-Z])({'|'.join(BESIDE_A_RULE)})[:;=]", written):
        raise InvalidRule(BESIDE_A_RULE[beside[1]], part=beside[1])
    given: dict[str, Any] = {}
    for piece in written.removeprefix("RRULE:").removesuffix(";").split(";"):
        name, equals, value = piece.partition("=")
        if not (equals and value):
            raise InvalidRule("A rule is parts like FREQ=WEEKLY;BYDAY=MO,TH: names and values, a semicolon between.")
        if name not in _PARTS:
            raise InvalidRule(f"{name[:20]} is no part of a rule; there are {', '.join(_PARTS)}.", part=name[:20])
        if name in given:
            raise InvalidRule(f"{name} stands twice.", part=name)
        given[name] = _PARTS[name].read(name, value)
    _check_together(given)
    given.pop("RSCALE", None)
    return Rule(**{_PARTS[name].field: value for name, value in given.items()})


def _check_together(given: dict[str, Any]) -> None:
    """What the RFCs forbid of parts that are each right."""
    frequency = given.get("FREQ")
    if frequency is None:
        raise InvalidRule("A rule needs a FREQ, such as FREQ=WEEKLY.", part="FREQ")
    if "COUNT" in given and "UNTIL" in given:
        raise InvalidRule("A rule ends by COUNT or by UNTIL, not by both.", part="UNTIL")
    if "SKIP" in given and "RSCALE" not in given:
        raise InvalidRule("SKIP needs RSCALE=GREGORIAN beside it.", part="SKIP")
    for part, frequencies in _NOT_WITH.items():
        if part in given and frequency in frequencies:
            raise InvalidRule(f"{part} does not go with FREQ={frequency}.", part=part)
    if any(day.ordinal for day in given.get("BYDAY", ())):
        if frequency not in {Frequency.MONTHLY, Frequency.YEARLY}:
            raise InvalidRule(f"BYDAY counts days, as in 1MO, by the month or the year, not {frequency}.", part="BYDAY")
        if "BYWEEKNO" in given:
            raise InvalidRule("BYDAY does not count days, as in 1MO, beside BYWEEKNO.", part="BYDAY")
    if "BYSETPOS" in given and not any(name.startswith("BY") and name != "BYSETPOS" for name in given):
        raise InvalidRule("BYSETPOS chooses from what another BY part names; add one, such as BYDAY.", part="BYSETPOS")


_NOT_WITH = {
    "BYWEEKNO": set(Frequency) - {Frequency.YEARLY},
    "BYYEARDAY": {Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY},
    "BYMONTHDAY": {Frequency.WEEKLY},
}


class _Part(NamedTuple):
    field: str
    read: Callable[[str, str], Any]


def _number(low: int, high: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise InvalidRule(f"{name} is a number from {low} to {high:,}.", part=name)
        return int(value)

    return read


def _numbers(low: int, high: int, *, from_the_end: bool = False) -> Callable[[str, str], tuple[int, ...]]:
    """A list; `from_the_end` also counts backwards, as -1 for the last."""
    form = re.compile("[+-]?[0-9]{1,9}" if from_the_end else "[0-9]{1,9}")
    told = f"{low} to {high}, or -{high} to -{low}" if from_the_end else f"{low} to {high}"
    most = (high - low + 1) * (2 if from_the_end else 1)

    def read(name: str, value: str) -> tuple[int, ...]:
        words = value.split(",")
        if len(words) > most:
            raise InvalidRule(f"{name} names at most {most} numbers.", part=name)
        for word in words:
            if not form.fullmatch(word) or not low <= abs(int(word)) <= high:
                raise InvalidRule(f"{name} is numbers from {told}, a comma between.", part=name)
        return tuple(sorted({int(word) for word in words}))

    return read


def _word(choices: type[StrEnum] | type[Weekday]) -> Callable[[str, str], Any]:
    def read(name: str, value: str) -> Any:
        if value not in choices.__members__:
            raise InvalidRule(f"{name} is one of {', '.join(choices.__members__)}.", part=name)
        return choices[value]

    return read


def _days(name: str, value: str) -> tuple[DayOfWeek, ...]:
    days = set()
    for word in value.split(","):
        found = re.fullmatch("([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", word)
        if not found or not (found[1] is None or 1 <= abs(int(found[1])) <= 53):
            raise InvalidRule("BYDAY is days such as MO, or 1MO and -1FR for first and last, up to 53.", part=name)
        days.add(DayOfWeek(int(found[1] or 0), Weekday[found[2]]))
    return tuple(sorted(days))


def _until(name: str, value: str) -> date | datetime:
    # A second of 60 is read as 59 where there are no leap seconds (RFC 5545 section 3.3.12).
    written = re.sub("60(Z?)$", r"59\1", value) if "T" in value else value
    try:
        if re.fullmatch("[0-9]{8}", written):
            return date.fromisoformat(written)
        if re.fullmatch("[0-9]{8}T[0-9]{6}Z?", written):
            return datetime.fromisoformat(written)
    except ValueError as reason:
        raise InvalidRule(f"UNTIL names a time that there is not: {reason}.", part=name) from reason
    raise InvalidRule("UNTIL is 20261231, or 20261231T235959Z with a time in UTC.", part=name)


def _scale(name: str, value: str) -> str:
    if value != "GREGORIAN":
        raise InvalidRule("RSCALE is GREGORIAN; there is no other calendar here.", part=name)
    return value


# In the order they are written; RFC 5545 wants FREQ first.
_PARTS = {
    "FREQ": _Part("frequency", _word(Frequency)),
    "INTERVAL": _Part("interval", _number(1, 10_000)),
    "COUNT": _Part("count", _number(1, 100_000)),
    "UNTIL": _Part("until", _until),
    "BYSECOND": _Part("by_second", _numbers(0, 60)),
    "BYMINUTE": _Part("by_minute", _numbers(0, 59)),
    "BYHOUR": _Part("by_hour", _numbers(0, 23)),
    "BYDAY": _Part("by_day", _days),
    "BYMONTHDAY": _Part("by_month_day", _numbers(1, 31, from_the_end=True)),
    "BYYEARDAY": _Part("by_year_day", _numbers(1, 366, from_the_end=True)),
    "BYWEEKNO": _Part("by_week_no", _numbers(1, 53, from_the_end=True)),
    "BYMONTH": _Part("by_month", _numbers(1, 12)),
    "BYSETPOS": _Part("by_set_pos", _numbers(1, 366, from_the_end=True)),
    "WKST": _Part("week_start", _word(Weekday)),
    "SKIP": _Part("skip", _word(Skip)),
    "RSCALE": _Part("", _scale),
}


def _written(value: Any) -> str:
    if isinstance(value, DayOfWeek):
        return f"{value.ordinal or ''}{value.weekday.name}"
    if isinstance(value, tuple):
        return ",".join(_written(one) for one in value)
    if isinstance(value, Weekday):
        return value.name
    if isinstance(value, date):
        utc = "Z" if isinstance(value, datetime) and value.tzinfo else ""
        return wall_text(value.replace(tzinfo=None) if isinstance(value, datetime) else value) + utc
    return str(value)
