"""What a day must be besides: `the 13th when that is a friday`.

Invariant: what stands with `or` is of one kind, and each kind stands once.
"""

from apps.calendar.phrases.days import DaysKind, Within
from apps.calendar.phrases.draft import Draft
from apps.calendar.phrases.lists import WORKDAYS, ordinals, weekdays
from apps.calendar.phrases.refusals import NotUnderstood, not_understood
from apps.calendar.phrases.words import Kind, Word, Words
from apps.calendar.rules import DayOfWeek

_SAY = "Say a friday, the 1st monday of the month, or the 10th of a month."


def read_conditions(words: Words, draft: Draft) -> None:
    """What stands behind `when that is`. Raises `NotUnderstood`."""
    first = words.peek()
    if draft.days is None or draft.days.kind not in {DaysKind.OF_MONTH, DaysKind.OF_YEAR}:
        told = "Only a day that is told by its number can be asked to be another, too: the 13th when it is a friday."
        raise NotUnderstood(told, span=first.span)
    draft.once("what a day must be", word=first)
    _alternatives(words, draft)
    if words.take_phrase("and"):
        _alternatives(words, draft)


def _alternatives(words: Words, draft: Draft) -> None:
    first = words.peek()
    months = _alternative(words, draft)
    draft.once("days of the month" if months else "days of the week", word=first)
    while words.take_separator(_goes_on, words=("or",)):
        more = words.peek()
        if _alternative(words, draft) is not months:
            raise not_understood(more, instead="Say and between days of the month and days of the week.")


def _goes_on(word: Word, behind: Word) -> bool:
    named = behind.kind in {Kind.WEEKDAY, Kind.WORKDAY}
    return word.kind is Kind.ORDINAL or (word.text in {"a", "an"} and named)


def _alternative(words: Words, draft: Draft) -> bool:
    """Whether it was a day of the month, not of the week."""
    assert draft.days is not None
    if words.take("a", "an"):
        if words.take_kind(Kind.WORKDAY):
            draft.condition_weekdays |= {DayOfWeek(0, weekday) for weekday in WORKDAYS}
        elif words.peek().kind is Kind.WEEKDAY:
            draft.condition_weekdays |= {DayOfWeek(0, weekday) for weekday in weekdays(words)[0]}
        else:
            raise not_understood(words.peek(), instead=_SAY)
        return False
    words.take("the")
    if words.peek().kind is not Kind.ORDINAL:
        raise not_understood(words.peek(), instead=_SAY)
    first = words.peek()
    numbers = ordinals(words, either=True)
    if words.peek().kind is Kind.WEEKDAY:
        named, _ = weekdays(words)
        draft.condition_weekdays |= {DayOfWeek(number, weekday) for number in numbers for weekday in named}
        if words.take_phrase("of the month|year"):
            draft.condition_within = Within.YEAR if words.peek(-1).text == "year" else Within.MONTH
        draft.condition_span = words.since(first)
        return False
    words.take("day")
    if draft.days.kind is not DaysKind.OF_YEAR:
        raise NotUnderstood(f"The day of the month is told already. {_SAY}", span=words.since(first))
    words.take_phrase("of a|the month")
    draft.condition_month_days |= set(numbers)
    return True
