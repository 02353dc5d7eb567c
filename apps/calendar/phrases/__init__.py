"""Recurrence in plain words, read into a rule.

Invariant: words are understood whole or refused with the place of the first that was not; none is passed over. What
can be read in two ways is refused with both.
"""

from dataclasses import dataclass
from datetime import date

from apps.calendar import rules
from apps.calendar.phrases.draft import Draft
from apps.calendar.phrases.heads import read_head
from apps.calendar.phrases.refusals import START, NotUnderstood
from apps.calendar.phrases.tails import read_tail
from apps.calendar.phrases.words import Words
from apps.calendar.rules import Rule

__all__ = ["LONGEST", "NotUnderstood", "Phrase", "read"]

LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """What words say: the rule, and whether it counts from completion rather than from the schedule."""

    rule: Rule
    from_completion: bool = False


def read(words: str, *, today: date) -> Phrase:
    """What the words say; what looks like an RRULE is read as one. A day without a year is the next from `today` on.

    Raises `NotUnderstood`, or `rules.InvalidRule` for an RRULE.
    """
    if "=" in words or words.strip().upper().startswith(("RRULE", *rules.BESIDE_A_RULE)):
        return Phrase(rule=rules.parse(words))
    if len(words) > LONGEST:
        told = f"Words have at most {LONGEST} characters. {START}"
        raise NotUnderstood(told, span=(LONGEST, len(words)))
    told_words = Words(words)
    draft = Draft(told_words)
    read_head(told_words, draft)
    while not told_words.peek().ended:
        read_tail(told_words, draft, today=today)
    return Phrase(rule=draft.rule(), from_completion=draft.from_completion)
