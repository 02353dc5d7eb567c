"""Why words are not understood, and what to say instead.

Invariant: a refusal names the place of the first word that is not understood and tells what could stand there.
"""

from apps.calendar.errors import CalendarError
from apps.calendar.phrases.words import Kind, Word

LONGEST_QUOTE = 40

START = "Say how often: daily, every 2 weeks on mon and thu, every month on the last friday, 3 days after completion."
EVERY = (
    "After “every” stands a unit (day, week, month, year), a number and a unit (2 weeks), days (mon, workday, "
    "last friday, 15th) or months (january)."
)
UNIT = "Say hours, days, weeks, months, quarters or years."
DAYS = "Say which days: mon and thu, workdays, the 15th, the last day, the last friday, 3 may."
MONTHS = "Say months, such as january and july."
ENDS = "Say a day, such as 1 june, 1 june 2027 or 2027-06-01."
MORE = "What may follow: on days, in months, until a day, a number of times, after completion."

_TIME = "A time of day belongs to the due, not to the repeat: give it there, and leave it out here."
_OFTEN = "Say on which days instead, such as every week on mon and thu; or how far apart, such as every 8 hours."
_START = "The repeat starts at the due: set that instead, and leave this out."
_SHORT = "A task repeats hourly at the most often."
_INSTEAD = {
    "twice": _OFTEN,
    "thrice": _OFTEN,
    "times": _OFTEN,
    "starting": _START,
    "starts": _START,
    "beginning": _START,
    "from": _START,
    "biweekly": "It may mean twice a week or every 2 weeks: say every 2 weeks, or on which days.",
    "bimonthly": "It may mean twice a month or every 2 months: say every 2 months, or on which days.",
    "biannually": "It may mean twice a year or every 2 years: say every 6 months or every 2 years.",
    "biannual": "It may mean twice a year or every 2 years: say every 6 months or every 2 years.",
    "except": "Leave out single days as exdates beside the rule, or name the days that it does have.",
    "skipping": "What becomes of a day that a month does not have is said by month_end, beside the rule.",
    "minutely": _SHORT,
    "at": f"{_TIME} For the end of a month, say every month on the last day.",
    "end": "Say every month on the last day; or until a day, such as until 1 june.",
    "before": "Say until, with the last day that it may be on, such as until 31 may.",
}


class NotUnderstood(CalendarError):
    """`span` is where the first word not understood stands, `(start, end)`; both the end where a word is missing."""

    def __init__(self, sentence: str, *, span: tuple[int, int]) -> None:
        super().__init__(sentence)
        self.span = span


def not_understood(word: Word, *, instead: str, span: tuple[int, int] | None = None) -> NotUnderstood:
    """The word as it was read, why it is refused where there is a reason of its own, else what could stand there."""
    place = span or word.span
    if word.ended:
        return NotUnderstood(f"A word is missing at the end. {instead}", span=place)
    if word.kind is Kind.TIME:
        return NotUnderstood(f"“{quoted(word.text)}” is not understood here. {_TIME}", span=place)
    told = _INSTEAD.get(word.text, instead)
    return NotUnderstood(f"“{quoted(word.text)}” is not understood here. {told}", span=place)


def too_often(word: Word) -> NotUnderstood:
    return NotUnderstood(f"“{quoted(word.text)}” is too often. {_SHORT}", span=word.span)


def quoted(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
