"""Lists in phrases: of numbers that count, of days of the week, of months; each may hold ranges.

Invariant: a list ends before the first word that does not belong to it; a range runs forward, over the end if need be.
"""

from apps.calendar.phrases.refusals import MONTHS, not_understood
from apps.calendar.phrases.words import Kind, Word, Words
from apps.calendar.rules import Weekday

WORKDAYS = list(Weekday)[:5]
WEEKEND = list(Weekday)[5:]
_TO = ("to", "-", "through", "thru")
_OR = ("and", "&", "/", "or")


def ordinals(words: Words, *, either: bool = False) -> dict[int, Word]:
    """`1st, 3rd to 5th and 2nd last`, `31st day from the end`, each with its word; -1 is the last.

    Bare numbers count, too.

    `either`: they stand with `or`, not with `and`.
    """
    found = _ordinal(words)
    while words.take_separator(_counts, words=("or",) if either else ("and", "&", "/")):
        words.take("the")
        found |= _ordinal(words)
    return found


def weekdays(words: Words) -> tuple[list[Weekday], bool]:
    """`mon, wed to fri and sun`, and whether `or` stood in it."""
    found, either = _weekday_range(words), False
    while (told := words.take_separator(_is_weekday, words=_OR)) or _is_weekday(words.peek(), words.peek(1)):
        either = either or told == "or"
        found += _weekday_range(words)
    return found, either


def months(words: Words) -> set[int]:
    """`january, march to may and july`."""
    found = _month_range(words)
    while words.take_separator(_is_month):
        found |= _month_range(words)
    return found


def _counts(word: Word, behind: Word) -> bool:
    return word.kind in {Kind.ORDINAL, Kind.NUMBER} and behind.text not in {"time", "times"}


def _is_weekday(word: Word, _behind: Word) -> bool:
    return word.kind is Kind.WEEKDAY


def _is_month(word: Word, _behind: Word) -> bool:
    return word.kind is Kind.MONTH


def _ordinal(words: Words) -> dict[int, Word]:
    first = words.next()
    if words.take_phrase("[-] to [-] last") or words.take_phrase("[-] last"):
        if first.value < 1:
            raise not_understood(first, instead="Say last, or 2nd last.")
        return {-first.value: first}
    if first.value > 0 and words.take_phrase("day from the end"):
        return {-first.value: first}
    here = words.at
    if (
        first.value > 0
        and words.take(*_TO)
        and _counts(words.peek(), words.peek(1))
        and words.peek().value > first.value
    ):
        last = words.next()
        if last.value > 366:
            raise not_understood(last, instead="A year has at most 366 days.")
        return dict.fromkeys(range(first.value, last.value + 1), last)
    words.at = here
    return {first.value: first}


def _weekday_range(words: Words) -> list[Weekday]:
    first = words.next().value
    here = words.at
    if words.take(*_TO) and _is_weekday(words.peek(), words.peek(1)):
        last = words.next().value
        return [Weekday((first + step) % 7) for step in range((last - first) % 7 + 1)]
    words.at = here
    return [first]


def _month_range(words: Words) -> set[int]:
    word = words.next()
    if word.kind is not Kind.MONTH:
        raise not_understood(word, instead=MONTHS)
    first, here = word.value, words.at
    if words.take(*_TO) and _is_month(words.peek(), words.peek(1)):
        last = words.next().value
        return {(first - 1 + step) % 12 + 1 for step in range((last - first) % 12 + 1)}
    words.at = here
    return {first}
