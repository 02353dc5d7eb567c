"""Plain words for how often."""

from datetime import date

import pytest

from apps.calendar import phrases, rules
from apps.calendar.phrases import Phrase
from apps.calendar.rules import Frequency, Rule

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("words", "frequency"),
    [
        ("daily", Frequency.DAILY),
        ("weekly", Frequency.WEEKLY),
        ("monthly", Frequency.MONTHLY),
        ("yearly", Frequency.YEARLY),
        ("every day", Frequency.DAILY),
        ("every week", Frequency.WEEKLY),
        ("every month", Frequency.MONTHLY),
        ("every year", Frequency.YEARLY),
        ("  Every \t WEEK\n", Frequency.WEEKLY),
        ("DAILY", Frequency.DAILY),
    ],
)
def test_words_are_understood(words, frequency):
    assert phrases.read(words, today=TODAY) == Phrase(rule=Rule(frequency=frequency))


@pytest.mark.parametrize("text", ["FREQ=WEEKLY;BYDAY=MO", "rrule:freq=weekly;byday=mo"])
def test_a_rule_may_stand_in_place_of_words(text):
    assert phrases.read(text, today=TODAY).rule == rules.parse("FREQ=WEEKLY;BYDAY=MO")


def test_a_wrong_rule_is_refused_as_a_rule():
    with pytest.raises(rules.InvalidRule) as refusal:
        phrases.read("FREQ=NEVER", today=TODAY)

    assert refusal.value.part == "FREQ"


@pytest.mark.parametrize(
    ("words", "span"),
    [
        ("fortnightly", (0, 11)),
        ("  every fortnight", (8, 17)),
        ("every every day", (6, 11)),
        ("daily please", (6, 12)),
        ("day", (0, 3)),
        ("", (0, 0)),
        ("   ", (0, 0)),
        ("every ", (5, 5)),
    ],
)
def test_the_first_word_not_understood_is_named_by_its_place(words, span):
    with pytest.raises(phrases.NotUnderstood) as refusal:
        phrases.read(words, today=TODAY)

    assert refusal.value.span == span
    assert str(refusal.value).endswith(
        "Say daily, weekly, monthly, yearly, every day, every week, every month or every year, "
        "or give an RRULE such as FREQ=WEEKLY;BYDAY=MO,TH."
    )


def test_the_word_not_understood_is_quoted():
    with pytest.raises(phrases.NotUnderstood, match=r"^“fortnight” is not understood here"):
        phrases.read("every fortnight", today=TODAY)


def test_a_word_without_end_is_quoted_in_part():
    with pytest.raises(phrases.NotUnderstood) as refusal:
        phrases.read("x" * 100_000, today=TODAY)

    assert str(refusal.value).startswith("“" + "x" * 40 + "…” is not understood here.")
    assert refusal.value.span == (0, 100_000)
