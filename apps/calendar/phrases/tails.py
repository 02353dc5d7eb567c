"""What may follow how often: days, months, what must hold besides, ends, counting from completion.

Invariant: the order does not matter, and each is said once.
"""

from collections.abc import Callable
from datetime import date

from apps.calendar.phrases.conditions import read_conditions
from apps.calendar.phrases.dates import bounded, read_date
from apps.calendar.phrases.days import DaysKind, read_days, read_weeks
from apps.calendar.phrases.draft import Draft
from apps.calendar.phrases.lists import months, ordinals
from apps.calendar.phrases.refusals import MONTHS, MORE, NotUnderstood, not_understood
from apps.calendar.phrases.words import Kind, Words
from apps.calendar.rules import Frequency, Skip

_UNTIL = {"until", "till", "til", "ending", "ends"}
_COMPLETED = (
    "[counted] after|from|once|when [the|its|it|it's|i|i'm|i've] [task] [is|am|have|has] "
    "completion|complete|completed|completing|finish|finished|finishing|done [it|this|the] [task]"
)
_FOR = "Say how often, such as for 10 times; or until when, such as until 1 june."


def read_tail(words: Words, draft: Draft, *, today: date) -> None:
    """One thing more. Raises `NotUnderstood`."""
    words.take(",")
    word = words.peek()
    if word.kind is Kind.NUMBER and words.peek(1).text in {"time", "times"}:
        _times(words, draft)
    elif words.take(*_UNTIL):
        words.take("on")
        draft.until = read_date(words, today=today)
        draft.once("the end", word=word)
    elif word.text in _READERS:
        _READERS[word.text](words, draft)
    else:
        raise not_understood(words.peek_whole(), instead=MORE)


def _only(words: Words, draft: Draft) -> None:
    words.next()
    if words.peek().text == "on":
        _on(words, draft, only=True)
    elif words.peek().text == "in":
        _in(words, draft)
    else:
        raise not_understood(words.peek_whole(), instead="Say only on mon and thu, or only in january.")


def _on(words: Words, draft: Draft, *, only: bool = False) -> None:
    words.next()
    draft.name(read_days(words), only=only)


def _in(words: Words, draft: Draft) -> None:
    word = words.next()
    if words.take_phrase("shorter months on their|the last day"):
        draft.skip_to(Skip.BACKWARD, word=word)
    elif words.take_phrase("shorter months on the 1st|first of the next [month]"):
        draft.skip_to(Skip.FORWARD, word=word)
    elif words.peek().text in {"week", "weeks", "the"}:
        if draft.frequency is not Frequency.YEARLY:
            raise not_understood(words.peek(), instead=f"{MONTHS} Weeks are counted beside years.")
        weeks = read_weeks(words)
        draft.weeks = {bounded(each, low=-53, high=53, what="a week") and number for number, each in weeks.items()}
        draft.once("weeks", word=word)
    else:
        draft.months |= months(words)
        draft.once("months", word=word)


def _of_these(words: Words, draft: Draft) -> None:
    word = words.peek()
    if not words.take_phrase("of these only [the]"):
        raise not_understood(word, instead=MORE)
    if words.peek().kind is not Kind.ORDINAL:
        raise not_understood(words.peek(), instead="Say which of them, such as the 1st and last.")
    places = ordinals(words)
    draft.places = {bounded(each, low=-366, high=366, what="a place") and number for number, each in places.items()}
    if words.take_phrase("of each") and words.next().value != (draft.frequency, 1):
        raise not_understood(words.peek(-1), instead="Say of each what it repeats by.")
    draft.once("which of these", word=word)
    if draft.days and draft.days.kind is DaysKind.CHOSEN:
        raise NotUnderstood("It is told already which of them.", span=words.since(word))


def _when(words: Words, draft: Draft) -> None:
    here = words.at
    if words.take_phrase(_COMPLETED):
        words.at = here
        _completed(words, draft)
    elif words.take_phrase("when that|it is") or words.take_phrase("when that's|it's"):
        read_conditions(words, draft)
    else:
        _completed(words, draft)


def _completed(words: Words, draft: Draft) -> None:
    """`after completion`, `when done`, `counted from completion`."""
    word = words.peek()
    if words.take_phrase(_COMPLETED):
        draft.once("completion", word=word)
        draft.from_completion = True
        return
    if word.text in {"from", "once"}:
        raise not_understood(word, instead="Say 1 time, or once completed.")
    words.next()
    raise not_understood(words.peek(), instead="Say after completion.")


def _times(words: Words, draft: Draft) -> None:
    number, times = words.next(), words.next()
    if words.peek().text in {"a", "an", "per", "each", "every"}:
        raise not_understood(times, instead=MORE)
    draft.count = bounded(number, low=1, high=100_000, what="a number of times")
    draft.once("the end", word=number)


def _for(words: Words, draft: Draft) -> None:
    words.next()
    if words.peek().kind is not Kind.NUMBER:
        raise not_understood(words.peek(), instead=_FOR)
    if words.peek(1).text not in {"time", "times"}:
        raise not_understood(words.peek(1), instead=_FOR)
    _times(words, draft)


def _week_start(words: Words, draft: Draft) -> None:
    word = words.peek()
    if not words.take_phrase("[with] week|weeks starting|starts|start on"):
        raise not_understood(word, instead=MORE)
    if words.peek().kind is not Kind.WEEKDAY:
        raise not_understood(words.peek(), instead="Say the first day of the week, such as sunday.")
    draft.week_start = words.next().value
    draft.once("the first day of the week", word=word)


def _moved(words: Words, draft: Draft) -> None:
    word = words.peek()
    if not words.take_phrase("a day|week [or] [week] that there is not moved to the one before|after"):
        raise not_understood(word, instead=MORE)
    draft.skip_to(Skip.BACKWARD if words.peek(-1).text == "before" else Skip.FORWARD, word=word)


_READERS: dict[str, Callable[[Words, Draft], None]] = {
    "only": _only,
    "on": _on,
    "in": _in,
    "of": _of_these,
    "when": _when,
    "after": _completed,
    "from": _completed,
    "once": _completed,
    "counted": _completed,
    "for": _for,
    "with": _week_start,
    "weeks": _week_start,
    "week": _week_start,
    "a": _moved,
}
