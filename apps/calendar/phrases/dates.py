"""The day until which something repeats, and numbers that are counted out.

Invariant: a day without a year is the next such day from today on; a day that can be read in two ways is refused.
"""

from datetime import date

from apps.calendar.phrases.refusals import ENDS, NotUnderstood, not_understood, quoted
from apps.calendar.phrases.words import Kind, Word, Words

_LEAP_YEARS_APART = 8


def read_date(words: Words, *, today: date) -> date:
    """`2027-06-01`, `1 june`, `the 1st of june 2027`, `june 1, 2027`, `may 3rd`."""
    words.take("the")
    first = words.next()
    if first.kind is Kind.DATE:
        return _iso(first)
    if first.kind is Kind.SLASHED:
        raise not_understood(first, instead="Days and months may be either way round: write it as 2027-06-01.")
    if first.kind is Kind.MONTH:
        month, day = first.value, words.next()
    elif first.kind in {Kind.NUMBER, Kind.ORDINAL} and first.value > 0:
        words.take("of")
        named = words.next()
        if named.kind is not Kind.MONTH:
            raise not_understood(named, instead=ENDS)
        month, day = named.value, first
    else:
        raise not_understood(first, instead=ENDS)
    if day.kind not in {Kind.NUMBER, Kind.ORDINAL}:
        raise not_understood(day, instead=ENDS)
    return _day(first, month=month, day=day.value, year=_year(words), words=words, today=today)


def bounded(word: Word, *, low: int, high: int, what: str) -> int:
    """The number of the word; refused where it is not between the two."""
    if not low <= word.value <= high:
        raise NotUnderstood(f"“{quoted(word.text)}” is not from {low} to {high:,}, as {what} is.", span=word.span)
    return int(word.value)


def _year(words: Words) -> int | None:
    here = words.at
    words.take(",")
    word = words.peek()
    # A number with a comma, or one that is counted (`1 june, 2000 times`), is no year.
    if word.kind is Kind.NUMBER and word.text.isdecimal() and len(word.text) == 4 and words.peek(1).text != "times":
        return int(words.next().value)
    words.at = here
    return None


def _iso(word: Word) -> date:
    try:
        return date.fromisoformat(word.text)
    except ValueError as reason:
        raise NotUnderstood(f"There is no day {word.text}. {ENDS}", span=word.span) from reason


def _day(first: Word, *, month: int, day: int, year: int | None, words: Words, today: date) -> date:
    years = [year] if year is not None else range(today.year, min(today.year + _LEAP_YEARS_APART, date.max.year) + 1)
    for each in years:
        try:
            found = date(each, month, day)
        except ValueError:
            continue
        if year is not None or found >= today:
            return found
    start, end = words.since(first)
    raise NotUnderstood(f"There is no day “{words.text[start:end]}”. {ENDS}", span=(start, end))
