"""Days, instants, durations and rules as a person says them, in English.

Invariant: a sentence tells the whole of what it is about, and no two rules that differ share one.
"""

from apps.calendar.sentences.plain import (
    before_due_in_words,
    clock,
    day_in_words,
    duration_in_words,
    instant_in_words,
    joined,
    months_in_words,
)
from apps.calendar.sentences.policies import month_end_in_words, policy_in_words
from apps.calendar.sentences.rule import rule_in_words

__all__ = [
    "before_due_in_words",
    "clock",
    "day_in_words",
    "duration_in_words",
    "instant_in_words",
    "joined",
    "month_end_in_words",
    "months_in_words",
    "policy_in_words",
    "rule_in_words",
]
