"""The days that a phrase names: `mon and thu`, `the last friday`, `the 1st and 15th of may`, `the last workday`.

Invariant: one phrase names days of one kind, since a rule does not add days of the week to days of the month.
"""

from dataclasses import dataclass, field
from enum import StrEnum, auto

from apps.calendar.phrases.lists import WEEKEND, WORKDAYS, months, ordinals, weekdays
from apps.calendar.phrases.refusals import DAYS, not_understood
from apps.calendar.phrases.words import Kind, Word, Words
from apps.calendar.rules import DayOfWeek, Weekday

_MIXED = "Days of the month and days of the week do not add up in one repeat: make two tasks of it, or name one kind."


class DaysKind(StrEnum):
    PLAIN = auto()  # mon and thu
    COUNTED = auto()  # every mon and the last friday
    CHOSEN = auto()  # the last workday
    OF_MONTH = auto()  # the 1st and 15th
    OF_YEAR = auto()  # the 100th day of the year


class Within(StrEnum):
    """What the days are told to be of."""

    NOTHING = auto()
    MONTH = auto()
    SAME_MONTH = auto()
    EVERY_MONTH = auto()
    MONTHS = auto()
    WEEKS = auto()
    YEAR = auto()


@dataclass
class Days:
    kind: DaysKind
    first: Word
    span: tuple[int, int] = (0, 0)
    weekdays: set[DayOfWeek] = field(default_factory=set)
    numbers: dict[int, Word] = field(default_factory=dict)
    """Days of the month or the year, or places among the days of the week, with the words that told them."""
    within: Within = Within.NOTHING
    months: set[int] = field(default_factory=set)
    weeks: dict[int, Word] = field(default_factory=dict)
    plural: bool = True


def read_days(words: Words) -> Days:
    """Raises `NotUnderstood` where no days stand."""
    days = _item(words)
    while days.within is Within.NOTHING and words.take_separator(_more_days):
        more = _item(words)
        if more.kind is not days.kind or (days.kind is DaysKind.CHOSEN):
            raise not_understood(more.first, instead=_MIXED)
        days.weekdays |= more.weekdays
        days.numbers |= more.numbers
        days.plural = days.plural and more.plural
        days.within, days.months = more.within, more.months
    if days.within is Within.NOTHING:
        _read_within(words, days)
    _check_same_days(words, days)
    bare = [word for word in days.numbers.values() if word.kind is Kind.NUMBER]
    if bare and days.within is not Within.MONTHS and days.first.text != "day":
        raise not_understood(bare[0], instead=f"Say the day as one that counts, such as 15th. {DAYS}")
    days.span = words.since(days.first)
    return days


def _check_same_days(words: Words, days: Days) -> None:
    """A rule has the same days in each of its months."""
    here = words.at
    if days.kind is DaysKind.OF_MONTH and days.months and words.take_separator(_more_dates):
        told = "One repeat has the same days in each of its months: make two tasks of it."
        raise not_understood(words.peek(), instead=told)
    words.at = here


def begins_days(word: Word) -> bool:
    named = {Kind.ORDINAL, Kind.WEEKDAY, Kind.WORKDAY, Kind.WEEKEND}
    return word.kind in named or word.text == "the"


def _more_days(word: Word, behind: Word) -> bool:
    every = word.text in {"every", "each"} and behind.kind in {Kind.WEEKDAY, Kind.WORKDAY}
    return every or (begins_days(word) and behind.text not in {"time", "times"})


def _more_dates(word: Word, behind: Word) -> bool:
    day, month = {Kind.NUMBER, Kind.ORDINAL}, word.kind is Kind.MONTH
    return (word.kind in day and behind.text not in {"time", "times"}) or (month and behind.kind in day)


def _item(words: Words) -> Days:
    words.take("the")
    first = words.peek()
    if words.take("every", "each"):
        if words.peek().kind is Kind.WORKDAY:
            words.next()
            return Days(DaysKind.COUNTED, first, weekdays=_each(WORKDAYS))
        if words.peek().kind is not Kind.WEEKDAY:
            raise not_understood(words.peek(), instead=DAYS)
        return Days(DaysKind.COUNTED, first, weekdays=_each(weekdays(words)[0]))
    if words.take("day"):
        if words.peek().kind is not Kind.NUMBER:
            raise not_understood(words.peek(), instead="Say the number of the day, such as day 15.")
        return Days(DaysKind.OF_MONTH, first, numbers=ordinals(words))
    match first.kind:
        case Kind.WEEKDAY | Kind.WORKDAY | Kind.WEEKEND:
            return _plain(words)
        case Kind.ORDINAL | Kind.NUMBER:
            return _numbered(words)
        case Kind.MONTH:
            return _of_months(words)
    raise not_understood(first, instead=DAYS)


def _plain(words: Words) -> Days:
    first = words.peek()
    if first.kind in {Kind.WORKDAY, Kind.WEEKEND}:
        named = WORKDAYS if words.next().kind is Kind.WORKDAY else WEEKEND
        return Days(DaysKind.PLAIN, first, weekdays=_each(named))
    begin = words.at
    named, either = weekdays(words)
    if either:
        raise not_understood(first, instead="Say which of the days counts, such as the first saturday or sunday.")
    told = [word for word in words.all[begin : words.at] if word.kind is Kind.WEEKDAY]
    return Days(DaysKind.PLAIN, first, weekdays=_each(named), plural=all(word.text.endswith("days") for word in told))


def _numbered(words: Words) -> Days:
    """`1st and 3rd monday`, `last workday`, `first saturday or sunday`, `1st and last day`, `3rd and 17th of may`."""
    first = words.peek()
    numbers = ordinals(words)
    behind = words.peek()
    if behind.kind is Kind.WEEKDAY:
        named, either = weekdays(words)
        if either:
            return Days(DaysKind.CHOSEN, first, weekdays=_each(named), numbers=numbers)
        counted = {DayOfWeek(number, weekday) for number in numbers for weekday in named}
        return Days(DaysKind.COUNTED, first, weekdays=counted, numbers=numbers)
    if words.take_kind(Kind.WORKDAY):
        return Days(DaysKind.CHOSEN, first, weekdays=_each(WORKDAYS), numbers=numbers)
    if behind.kind is Kind.WEEKEND and behind.text.startswith("weekend day"):
        words.next()
        return Days(DaysKind.CHOSEN, first, weekdays=_each(WEEKEND), numbers=numbers)
    if behind.kind is Kind.WEEKEND or (behind.kind is Kind.UNIT and behind.text not in {"day", "days"}):
        raise not_understood(behind, instead="Say which day, such as the first saturday, or the first weekend day.")
    words.take("day", "days")
    if words.take_phrase("of|in the|each|every year"):
        return Days(DaysKind.OF_YEAR, first, numbers=numbers, within=Within.YEAR)
    days = Days(DaysKind.OF_MONTH, first, numbers=numbers)
    if words.peek().kind is Kind.MONTH:
        days.within, days.months = Within.MONTHS, months(words)
    return days


def _of_months(words: Words) -> Days:
    """`may 3`, `january and july 1st and 15th`."""
    first = words.peek()
    named = months(words)
    words.take("the")
    if words.peek().kind not in {Kind.ORDINAL, Kind.NUMBER}:
        raise not_understood(words.peek(), instead="Say the day, such as 3 may.")
    return Days(DaysKind.OF_MONTH, first, numbers=ordinals(words), within=Within.MONTHS, months=named)


def _read_within(words: Words, days: Days) -> None:
    """`of may`, `of the month`, `of the year`, `of the 20th week of the year`."""
    if words.peek().text != "of" or (words.peek(1).text in {"every", "each"} and words.peek(2).text != "month"):
        return
    if words.peek(1).text == "these":
        return
    words.next()
    if words.take_phrase("the month"):
        days.within = Within.MONTH
    elif words.take_phrase("the same month"):
        days.within = Within.SAME_MONTH
    elif words.take_phrase("every|each month"):
        days.within = Within.EVERY_MONTH
    elif words.take_phrase("the year"):
        days.within = Within.YEAR
    elif words.peek().kind is Kind.MONTH:
        days.within, days.months = Within.MONTHS, months(words)
    else:
        days.within, days.weeks = Within.WEEKS, read_weeks(words)


def read_weeks(words: Words) -> dict[int, Word]:
    """`the 20th and last week of the year`, `week 20`."""
    if words.take("week", "weeks"):
        if words.peek().kind is not Kind.NUMBER:
            raise not_understood(words.peek(), instead="Say the number of the week, such as week 20.")
        return ordinals(words)
    words.take("the")
    if words.peek().kind is not Kind.ORDINAL:
        raise not_understood(words.peek(), instead="Say of which month, of the month, or of the year.")
    weeks = ordinals(words)
    if not words.take_phrase("week|weeks of the year"):
        raise not_understood(words.peek(), instead="Say weeks by their number, such as the 20th week of the year.")
    return weeks


def _each(named: list[Weekday]) -> set[DayOfWeek]:
    return {DayOfWeek(0, weekday) for weekday in named}
