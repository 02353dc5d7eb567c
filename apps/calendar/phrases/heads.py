"""How a phrase begins: how often, or on which days of how often.

Invariant: what can be read in two ways, as every second friday, is refused with both.
"""

from apps.calendar.phrases.days import Days, DaysKind, Within, begins_days, read_days
from apps.calendar.phrases.draft import Draft
from apps.calendar.phrases.lists import months, ordinals
from apps.calendar.phrases.refusals import EVERY, START, UNIT, NotUnderstood, not_understood
from apps.calendar.phrases.words import Kind, Word, Words
from apps.calendar.rules import Frequency

_RATE = "Say how far apart, such as every 8 hours; or on which days, such as every week on mon and thu."


def read_head(words: Words, draft: Draft) -> None:
    """Raises `NotUnderstood`; afterwards the draft has a frequency."""
    first = words.peek()
    if first.kind is Kind.ADVERB:
        draft.every(words.next())
    elif words.take("every", "each"):
        if words.take("!"):
            draft.from_completion = True
            draft.once("completion", word=first)
        _every(words, draft)
    elif words.take("once"):
        if not words.take("a", "an", "per", "each", "every"):
            raise not_understood(words.peek(), instead="Say once a week, or every 2 weeks.")
        _units(words, draft)
    elif words.take("after"):
        draft.from_completion = True
        draft.once("completion", word=first)
        _units(words, draft)
    elif first.text in {"a", "an"} or (first.kind is Kind.NUMBER and words.peek(1).kind is not Kind.MONTH):
        _so_long_after(words, draft)
    elif begins_days(first) or first.kind in {Kind.NUMBER, Kind.MONTH} or first.text == "on":
        _days_first(words, draft)
    else:
        raise not_understood(words.peek_whole(), instead=START)


def _units(words: Words, draft: Draft) -> None:
    """`week`, `2 weeks`, `a week`."""
    words.take("a", "an")
    number = words.take_kind(Kind.NUMBER)
    if words.peek().kind is not Kind.UNIT:
        raise not_understood(words.peek(), instead=_RATE if words.peek().text in {"time", "times"} else UNIT)
    draft.every(words.next(), number=number)


def _so_long_after(words: Words, draft: Draft) -> None:
    first = words.peek()
    _units(words, draft)
    if words.peek().text not in {"after", "from", "once", "when"}:
        span = words.since(first)
        told = f"Say every {words.text[slice(*span)]}, or {words.text[slice(*span)]} after completion."
        raise NotUnderstood(f"A word is missing before it. {told}", span=span)


def _every(words: Words, draft: Draft) -> None:
    first, second = words.peek(), words.peek(1)
    if first.kind is Kind.UNIT:
        draft.every(words.next())
    elif words.take("other"):
        _every_other(words, draft)
    elif first.kind is Kind.NUMBER and second.kind is not Kind.MONTH:
        number = words.next()
        if words.peek().kind is not Kind.UNIT:
            told = f"Say every {number.text} weeks on mon; or a day as one that counts, such as every 15th."
            raise not_understood(words.peek(), instead=f"{UNIT} {told}")
        draft.every(words.next(), number=number)
    elif first.kind is Kind.ORDINAL and second.kind is Kind.UNIT and not _last_day(first, words):
        _every_nth(words, draft)
    elif first.kind is Kind.MONTH:
        _every_month(words, draft)
    elif begins_days(first) or first.kind is Kind.NUMBER:
        _every_days(words, draft)
    else:
        raise not_understood(words.peek_whole(), instead=EVERY)


def _last_day(first: Word, words: Words) -> bool:
    day = words.peek(1).text == "day"
    from_the_end = [words.peek(ahead).text for ahead in (2, 3, 4)] == ["from", "the", "end"]
    return day and (first.value < 1 or words.peek(2).text == "of" or from_the_end)


def _every_nth(words: Words, draft: Draft) -> None:
    """`every 3rd day` is every 3 days."""
    number, unit = words.next(), words.next()
    if number.value < 2:
        told = (
            f"“{number.text} {unit.text}” does not say of what. Say every month on the last day, or every {unit.text}."
        )
        raise NotUnderstood(told, span=words.since(number))
    draft.every(unit, number=number)


def _every_other(words: Words, draft: Draft) -> None:
    first = words.peek()
    if first.kind is Kind.UNIT:
        draft.every(words.next(), interval=2)
        return
    if first.kind is Kind.WORKDAY:
        told = "Workdays are not counted out: say every other day, or every week on mon, wed and fri."
        raise not_understood(first, instead=told)
    if first.kind not in {Kind.WEEKDAY, Kind.WEEKEND}:
        raise not_understood(first, instead="Say every other day, every other week or every other monday.")
    draft.frequency, draft.interval = Frequency.WEEKLY, 2
    draft.name(_of_months_only(read_days(words)))


def _every_month(words: Words, draft: Draft) -> None:
    """`every january and july`, `every may 3`."""
    first = words.peek()
    draft.frequency = Frequency.YEARLY
    named = months(words)
    if words.peek().kind in {Kind.ORDINAL, Kind.NUMBER} and words.peek(1).text not in {"time", "times"}:
        numbers = ordinals(words)
        span = words.since(first)
        days = Days(DaysKind.OF_MONTH, first, span=span, numbers=numbers, within=Within.MONTHS, months=named)
        draft.name(days)
    else:
        draft.once("months", word=first)
        draft.months = named


def _every_days(words: Words, draft: Draft) -> None:
    """`every mon and thu`, `every last friday`, `every 15th`, `every 3rd of may`, `every friday the 13th`."""
    days = read_days(words)
    _check_second(words, days)
    if days.kind is DaysKind.PLAIN:
        draft.frequency = Frequency.WEEKLY
        if words.take_phrase("the") and words.peek().kind is Kind.ORDINAL:
            draft.frequency = Frequency.MONTHLY
            draft.condition_weekdays = days.weekdays
            days = read_days(words)
        draft.name(_of_months_only(days))
        return
    by_year = days.within in {Within.MONTHS, Within.YEAR}
    draft.frequency = Frequency.YEARLY if by_year else Frequency.MONTHLY
    draft.name(days)


def _check_second(words: Words, days: Days) -> None:
    if set(days.numbers) != {2} or days.within is not Within.NOTHING or words.peek().text in {"of", "in"}:
        return
    told = words.text[slice(*days.span)]
    if days.kind in {DaysKind.COUNTED, DaysKind.CHOSEN}:
        instead = f"Say every month on the {told}, or every other {told.split()[-1]}."
        raise NotUnderstood(f"“every {told}” may be one a month or one in two weeks. {instead}", span=days.span)
    if days.first.text == "second":
        raise NotUnderstood("“every second” does not say what. Say every second day, or every 2nd.", span=days.span)


def _days_first(words: Words, draft: Draft) -> None:
    """`the last friday of every month`, `on mondays`, `workdays`."""
    words.take("on")
    days = read_days(words)
    words.take("of", ",")
    if days.within is Within.EVERY_MONTH:
        draft.frequency = Frequency.MONTHLY
    elif words.take("every", "each"):
        _every(words, draft)
        if draft.days:
            raise not_understood(draft.days.first, instead=UNIT)
    elif days.kind is DaysKind.PLAIN and days.plural:
        draft.frequency = Frequency.WEEKLY
        days = _of_months_only(days)
    else:
        told = "does not say how often. Say every monday, every month on the last friday, every year on 3 may."
        raise NotUnderstood(f"“{words.text[slice(*days.span)]}” {told}", span=days.span)
    draft.name(days)


def _of_months_only(days: Days) -> Days:
    """Days of the week are of no month by themselves: what is told to be of the month or year counts them."""
    if days.kind is DaysKind.PLAIN and days.within not in {Within.NOTHING, Within.MONTHS}:
        told = "Say every monday, or every month on the first monday."
        raise NotUnderstood(f"Every such day is not counted by month or year. {told}", span=days.span)
    return days
