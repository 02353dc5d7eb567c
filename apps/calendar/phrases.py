"""Recurrence in plain words, read into a rule.

Invariant: words are understood whole or refused with the place of the first that was not.
"""

import re
from dataclasses import dataclass
from datetime import date

from apps.calendar import rules
from apps.calendar.errors import CalendarError
from apps.calendar.rules import Rule

_UNITS = {"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
_ADVERBS = {"daily", "weekly", "monthly", "yearly"}
_UNDERSTOOD = (
    "Say daily, weekly, monthly, yearly, every day, every week, every month or every year, "
    "or give an RRULE such as FREQ=WEEKLY;BYDAY=MO,TH."
)
_LONGEST_QUOTE = 40


class NotUnderstood(CalendarError):
    """`span` is where the first word not understood stands, `(start, end)`; both the end where a word is missing."""

    def __init__(self, sentence: str, *, span: tuple[int, int]) -> None:
        super().__init__(sentence)
        self.span = span


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """What words say: the rule, and whether it counts from completion rather than from the schedule."""

    rule: Rule
    from_completion: bool = False


def read(words: str, *, today: date) -> Phrase:
    """What the words say; what looks like an RRULE is read as one. A day without a year is the next from `today` on.

    Raises `NotUnderstood`, or `rules.InvalidRule` for an RRULE.
    """
    return Phrase(rule=rule_of(words))


def rule_of(words: str) -> Rule:
    """The rule that the words name; what looks like an RRULE is read as one.

    Raises `NotUnderstood`, or `rules.InvalidRule` for an RRULE.
    """
    if "FREQ=" in words.upper():
        return rules.parse(words)
    frequency, expected = None, [*_ADVERBS, "every"]
    for found in re.finditer(r"\S+", words):
        word = found[0].lower()
        if word not in expected:
            raise _not_understood(found[0], span=found.span())
        if word == "every":
            expected = [*_UNITS]
        else:
            frequency, expected = _UNITS.get(word, word.upper()), []
    if frequency is None:
        end = len(words.rstrip())
        raise NotUnderstood(_UNDERSTOOD, span=(end, end))
    return rules.parse(f"FREQ={frequency}")


def _not_understood(word: str, *, span: tuple[int, int]) -> NotUnderstood:
    quoted = word if len(word) <= _LONGEST_QUOTE else f"{word[:_LONGEST_QUOTE]}…"
    return NotUnderstood(f"“{quoted}” is not understood here. {_UNDERSTOOD}", span=span)
