"""Days, durations and rules in words."""

from datetime import date, timedelta

import pytest

from apps.calendar import sentences
from apps.calendar.rules import InvalidRule

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=HOURLY;INTERVAL=6", "every 6 hours"),
        ("FREQ=DAILY", "every day"),
        ("FREQ=DAILY;INTERVAL=3;COUNT=10", "every 3 days, 10 times"),
        ("FREQ=WEEKLY;BYDAY=MO", "every week on Monday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,MO", "every 2 weeks on Monday and Thursday"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every week on workdays"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the 1st and 15th"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", "every month on the 2nd last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=2,3,11,22,23", "every month on the 2nd, 3rd, 11th, 22nd and 23rd"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "every month on the last workday"),
        ("FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1", "every month on the 1st Saturday or Sunday"),
        ("FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1", "every year on the 1st of January"),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "every year on the 4th Thursday in November"),
        ("FREQ=DAILY;BYMONTH=1,7", "every day in January and July"),
        ("FREQ=DAILY;UNTIL=20261231", "every day, until 31 December"),
        ("FREQ=DAILY;UNTIL=20270503T235959Z", "every day, until 3 May 2027"),
        ("FREQ=DAILY;COUNT=1", "every day, 1 time"),
        ("FREQ=DAILY;BYHOUR=9", "by the rule FREQ=DAILY;BYHOUR=9"),
        ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "by the rule FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"),
        ("FREQ=YEARLY;BYYEARDAY=100", "by the rule FREQ=YEARLY;BYYEARDAY=100"),
    ],
)
def test_a_rule_has_words_or_is_told_by_its_text(rule, words):
    assert sentences.rule_in_words(rule, today=TODAY) == words


def test_what_is_no_rule_is_refused():
    with pytest.raises(InvalidRule):
        sentences.rule_in_words("FREQ=SOMETIMES", today=TODAY)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(), "0 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=90), "1 hour and 30 minutes"),
        (timedelta(days=1, hours=2, seconds=3), "1 day, 2 hours and 3 seconds"),
        (timedelta(weeks=2), "2 weeks"),
        (timedelta(days=-1), "1 day"),
    ],
)
def test_a_duration_has_words(duration, words):
    assert sentences.duration_in_words(duration) == words


def test_a_reminder_when_it_is_due_is_told_so():
    assert sentences.before_due_in_words("PT0S") == "when due"
    assert sentences.before_due_in_words("P2W") == "2 weeks before due"


@pytest.mark.parametrize(("day", "words"), [(date(2026, 5, 3), "3 May"), (date(2025, 12, 31), "31 December 2025")])
def test_a_day_has_its_year_only_when_it_is_another(day, words):
    assert sentences.day_in_words(day, today=TODAY) == words


@pytest.mark.parametrize(
    ("words", "sentence"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_joined(words, sentence):
    assert sentences.joined(words) == sentence
