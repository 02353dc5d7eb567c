"""Days, durations and rules in words."""

from collections import defaultdict
from contextlib import suppress
from datetime import date, timedelta
from itertools import product

import pytest

from apps.calendar import rules, sentences
from apps.calendar.rules import Frequency, InvalidRule

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=HOURLY;INTERVAL=6", "every 6 hours"),
        ("FREQ=MINUTELY;INTERVAL=5", "every 5 minutes"),
        ("FREQ=SECONDLY", "every second"),
        ("FREQ=DAILY", "every day"),
        ("FREQ=DAILY;INTERVAL=3;COUNT=10", "every 3 days, 10 times"),
        ("FREQ=DAILY;COUNT=1", "every day, 1 time"),
        # days of the week
        ("FREQ=WEEKLY;BYDAY=MO", "every week on Monday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,MO", "every 2 weeks on Monday and Thursday"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every week on workdays"),
        ("FREQ=WEEKLY;BYDAY=SA,SU", "every week on weekends"),
        ("FREQ=WEEKLY;INTERVAL=5;BYDAY=MO,TU,WE,TH,FR,SA,SU", "every 5 weeks on Monday to Sunday"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1", "every week on the 1st Monday, Wednesday or Friday"),
        # the first day of the week, only where it changes a date
        ("FREQ=WEEKLY;WKST=SU;BYDAY=MO", "every week on Monday"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "every 2 weeks"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO", "every 2 weeks on Monday, with weeks starting on Sunday"),
        ("FREQ=YEARLY;BYWEEKNO=1;WKST=SU", "every year in the 1st week of the year, with weeks starting on Sunday"),
        # days of the month
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the 1st and 15th"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2,-1,1", "every month on the 1st, 2nd last day and last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=2,3,11,22,23", "every month on the 2nd, 3rd, 11th, 22nd and 23rd"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,2,3,31", "every month on the 1st to 3rd and 31st"),
        ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "every month on the 13th when that is a Friday"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=1,2;BYDAY=MO,TU,WE,TH,FR",
            "every month on the 1st and 2nd when that is a workday",
        ),
        # days of the week, counted
        ("FREQ=MONTHLY;BYDAY=MO", "every month on every Monday"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR", "every month on every workday"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
        (
            "FREQ=MONTHLY;BYDAY=1MO,3MO,-1FR,SU",
            "every month on every Sunday, the 1st and 3rd Monday and the last Friday",
        ),
        (
            "FREQ=MONTHLY;BYDAY=1MO,1TU,1WE,1TH,2FR",
            "every month on the 1st Monday, the 1st Tuesday, the 1st Wednesday, the 1st Thursday and the 2nd Friday",
        ),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "every month on the last workday"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1", "every month on the 1st and last workday"),
        ("FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1", "every month on the 1st Saturday or Sunday"),
        # places in what is not a choice of days of the week
        (
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2,-1",
            "every month on every Monday, of these only the 2nd and last of each month",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=1,2;BYDAY=MO,TU;BYSETPOS=1",
            "every month on the 1st and 2nd when that is a Monday or a Tuesday, of these only the 1st of each month",
        ),
        (
            "FREQ=YEARLY;BYMONTH=1,7;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1",
            "every year on every workday of January and July, of these only the 1st of each year",
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU;BYHOUR=9,17;BYMINUTE=0;BYSETPOS=1",
            "every month on every Monday and every Tuesday at 09:00 and 17:00, of these only the 1st of each month",
        ),
        # of the year
        ("FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1", "every year on the 1st of January"),
        ("FREQ=YEARLY;BYMONTHDAY=1", "every year on the 1st of the same month"),
        ("FREQ=YEARLY;BYMONTH=1,2,3,7", "every year in January to March and July"),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "every year on the 4th Thursday of November"),
        ("FREQ=YEARLY;BYDAY=20MO", "every year on the 20th Monday of the year"),
        ("FREQ=YEARLY;BYDAY=MO", "every year on every Monday"),
        ("FREQ=YEARLY;BYDAY=MO,-1TH", "every year on every Monday and the last Thursday of the year"),
        ("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "every year on the last workday of the year"),
        ("FREQ=YEARLY;BYYEARDAY=1,100,-1", "every year on the 1st, 100th and last day of the year"),
        ("FREQ=YEARLY;BYYEARDAY=100;BYMONTH=4", "every year on the 100th day of the year, only in April"),
        ("FREQ=YEARLY;BYWEEKNO=20", "every year in the 20th week of the year"),
        ("FREQ=YEARLY;BYWEEKNO=20,-1;BYDAY=MO", "every year on Monday of the 20th and last week of the year"),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "every 4 years on the 2nd to 8th of November when that is a Tuesday",
        ),
        (
            "FREQ=YEARLY;BYYEARDAY=9;BYMONTHDAY=8;BYDAY=2SU",
            "every year on the 9th day of the year when that is the 8th of a month and the 2nd Sunday of the year",
        ),
        # limits
        ("FREQ=DAILY;BYMONTH=1,7", "every day in January and July"),
        ("FREQ=DAILY;INTERVAL=3;BYMONTH=1", "every 3 days, only in January"),
        ("FREQ=DAILY;INTERVAL=3;BYDAY=MO", "every 3 days, only on Monday"),
        ("FREQ=WEEKLY;BYDAY=MO;BYMONTH=5", "every week on Monday in May"),
        ("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1;BYMONTH=1", "every 2 months on the 1st, only in January"),
        ("FREQ=HOURLY;BYDAY=MO,TU,WE,TH,FR", "every hour, only on workdays"),
        # times of day
        ("FREQ=DAILY;BYHOUR=9,17;BYMINUTE=30", "every day at 09:30 and 17:30"),
        ("FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=5", "every week on Monday at 09:00:05"),
        ("FREQ=DAILY;BYDAY=MO;BYHOUR=9;BYMINUTE=0", "every day, only on Monday, at 09:00"),
        ("FREQ=DAILY;BYHOUR=9", "every day in hour 9 of the day"),
        ("FREQ=DAILY;BYMINUTE=0", "every day at minute 0 of the hour"),
        ("FREQ=DAILY;BYSECOND=15", "every day at second 15 of the minute"),
        (
            "FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30",
            "every day in hour 9 of the day at minutes 0 and 30 of the hour",
        ),
        (
            "FREQ=HOURLY;BYHOUR=9,10,11,17;BYMINUTE=30",
            "every hour, only in hours 9 to 11 and 17 of the day, at minute 30 of the hour",
        ),
        (
            "FREQ=MINUTELY;INTERVAL=5;BYMINUTE=0,5",
            "every 5 minutes, only at minutes 0 and 5 of the hour",
        ),
        ("FREQ=SECONDLY;BYSECOND=0", "every second, only at second 0 of the minute"),
        # ends
        ("FREQ=DAILY;UNTIL=20261231", "every day, until 31 December"),
        ("FREQ=DAILY;UNTIL=20261120", "every day, until 20 November"),
        ("FREQ=DAILY;UNTIL=20261119", "every day, until 19 November 2026"),
        ("FREQ=DAILY;UNTIL=20270503", "every day, until 3 May 2027"),
        ("FREQ=DAILY;UNTIL=20270503T090000", "every day, until 3 May 2027 at 09:00"),
        ("FREQ=DAILY;UNTIL=20270503T235959Z", "every day, until 3 May 2027 at 23:59:59 UTC"),
        # days that there are not
        (
            "FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=BACKWARD;COUNT=9",
            "every month on the 31st, in shorter months on their last day, 9 times",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=FORWARD",
            "every month on the 31st, in shorter months on the 1st of the next",
        ),
        (
            "FREQ=YEARLY;BYYEARDAY=366;RSCALE=GREGORIAN;SKIP=BACKWARD",
            "every year on the 366th day of the year, a day that there is not moved to the one before",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-31;RSCALE=GREGORIAN;SKIP=FORWARD",
            "every month on the 31st day from the end, a day that there is not moved to the one after",
        ),
        (
            "FREQ=YEARLY;BYWEEKNO=-53;RSCALE=GREGORIAN;SKIP=FORWARD",
            "every year in the 53rd last week of the year, a week that there is not moved to the one after",
        ),
        (
            "FREQ=YEARLY;BYWEEKNO=53;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=BACKWARD",
            (
                "every year on the 31st of every month, only in the 53rd week of the year,"
                " a day or week that there is not moved to the one before"
            ),
        ),
        ("FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=BACKWARD", "every year, in shorter months on their last day"),
        # nor are they told where every month and year has them, or where a day only limits
        (
            "FREQ=MONTHLY;BYMONTHDAY=28,-28;RSCALE=GREGORIAN;SKIP=BACKWARD",
            "every month on the 28th and 28th day from the end",
        ),
        ("FREQ=MONTHLY;BYDAY=5MO;RSCALE=GREGORIAN;SKIP=BACKWARD", "every month on the 5th Monday"),
        ("FREQ=YEARLY;BYWEEKNO=52;RSCALE=GREGORIAN;SKIP=FORWARD", "every year in the 52nd week of the year"),
        ("FREQ=YEARLY;BYYEARDAY=365;RSCALE=GREGORIAN;SKIP=FORWARD", "every year on the 365th day of the year"),
        ("FREQ=DAILY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=BACKWARD", "every day, only on the 31st"),
        ("FREQ=WEEKLY;RSCALE=GREGORIAN;SKIP=BACKWARD", "every week"),
    ],
)
def test_a_rule_is_told_whole(rule, words):
    assert sentences.rule_in_words(rule, today=TODAY) == words


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY;INTERVAL=3", "3 days after it is completed"),
        ("FREQ=MONTHLY", "1 month after it is completed"),
        ("FREQ=HOURLY;INTERVAL=12;COUNT=5", "12 hours after it is completed, 5 times"),
        ("FREQ=WEEKLY;UNTIL=20270601", "1 week after it is completed, until 1 June 2027"),
        (
            "FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=BACKWARD",
            "1 month after it is completed, in shorter months on their last day",
        ),
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=5", "every week on Monday, counted from completion, 5 times"),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0", "every day at 09:00, counted from completion"),
    ],
)
def test_what_counts_from_completion_is_told_so(rule, words):
    assert sentences.rule_in_words(rule, today=TODAY, from_completion=True) == words


def month_end(rule, policy="clamp", **start):
    return sentences.month_end_in_words({"rule": rule, "month_end": policy}, **start)


@pytest.mark.parametrize(
    ("rule", "policy", "words"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31", "clamp", "in shorter months on their last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "roll", "in shorter months on the 1st of the next"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "skip", "skips February, April, June, September and November"),
        ("FREQ=MONTHLY;BYMONTHDAY=30", "skip", "skips February"),
        ("FREQ=MONTHLY;BYMONTHDAY=29", "skip", "skips February except in leap years"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=29,30",
            "skip",
            "skips the 29th in February except in leap years and the 30th in February",
        ),
        ("FREQ=MONTHLY;BYMONTHDAY=-31", "skip", "skips February, April, June, September and November"),
        ("FREQ=MONTHLY;BYMONTHDAY=-30", "clamp", "a day that there is not moved to the one before"),
        ("FREQ=MONTHLY;BYMONTHDAY=-30", "roll", "a day that there is not moved to the one after"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=1,4", "skip", "skips April"),
        ("FREQ=YEARLY;BYMONTHDAY=29;BYMONTH=2", "skip", "skips February except in leap years"),
        ("FREQ=YEARLY;BYMONTHDAY=31", "skip", "skips months that do not have its day"),
        ("FREQ=YEARLY;BYMONTHDAY=31", "clamp", "in shorter months on their last day"),
        ("FREQ=YEARLY;BYYEARDAY=366", "skip", "skips years without such a day"),
        ("FREQ=YEARLY;BYYEARDAY=366", "clamp", "a day that there is not moved to the one before"),
        ("FREQ=YEARLY;BYWEEKNO=53", "skip", "skips years without such a week"),
        ("FREQ=YEARLY;BYWEEKNO=53", "roll", "a week that there is not moved to the one after"),
        ("FREQ=MONTHLY;BYMONTH=4", "skip", "skips months that do not have its day"),
        ("FREQ=YEARLY;BYMONTH=4", "clamp", "in shorter months on their last day"),
        ("FREQ=MONTHLY", "clamp", "in shorter months on their last day"),
        ("FREQ=MONTHLY", "skip", "skips months that do not have its day"),
    ],
)
def test_what_becomes_of_a_day_that_a_month_does_not_have_is_told(rule, policy, words):
    assert month_end(rule, policy) == words


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYMONTHDAY=28",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=1,3",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=WEEKLY",
        "FREQ=DAILY;BYMONTHDAY=31",
        "FREQ=YEARLY;BYYEARDAY=365",
        "FREQ=YEARLY;BYWEEKNO=52",
        "FREQ=YEARLY",
        "FREQ=YEARLY;BYMONTH=1,3",
        "FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=BACKWARD",
    ],
)
def test_nothing_is_told_of_month_ends_where_they_change_no_date_or_the_rule_tells_it(rule):
    assert month_end(rule, "skip") is None


def test_a_rule_without_a_day_has_the_one_of_its_start():
    assert month_end("FREQ=MONTHLY", "skip", starts_on=date(2026, 1, 30)) == "skips February"
    assert month_end("FREQ=MONTHLY", "skip", starts_on=date(2026, 1, 28)) is None
    assert month_end("FREQ=MONTHLY;INTERVAL=6", "skip", starts_on=date(2026, 3, 31)) == "skips September"
    assert month_end("FREQ=MONTHLY;INTERVAL=12", "skip", starts_on=date(2026, 1, 31)) is None
    assert month_end("FREQ=YEARLY", "skip", starts_on=date(2024, 2, 29)) == "skips February except in leap years"
    assert month_end("FREQ=YEARLY", "skip", starts_on=date(2024, 3, 31)) is None
    assert month_end("FREQ=YEARLY;BYMONTHDAY=31", "skip", starts_on=date(2026, 4, 30)) == "skips April"
    assert month_end("FREQ=YEARLY;BYMONTHDAY=31", "skip", starts_on=date(2026, 5, 31)) is None


@pytest.mark.parametrize(
    ("recurrence", "words"),
    [
        (
            {"rule": "FREQ=MONTHLY;BYMONTHDAY=31", "from": "schedule", "month_end": "clamp", "catch_up": "latest"},
            "every month on the 31st, in shorter months on their last day; passed ones are caught up with the latest",
        ),
        (
            {"rule": "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=5", "from": "schedule", "month_end": "roll", "catch_up": "skip"},
            "every month on the 31st, in shorter months on the 1st of the next, 5 times; passed ones are left out",
        ),
        (
            {"rule": "FREQ=MONTHLY;BYMONTHDAY=30", "from": "schedule", "month_end": "skip", "catch_up": "wait"},
            "every month on the 30th; skips February; each waits for the one before, and none is left out",
        ),
        (
            {"rule": "FREQ=WEEKLY", "from": "schedule", "month_end": "clamp", "catch_up": "all"},
            "every week; each comes on its date, whether the one before is done or not",
        ),
        (
            {"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion", "month_end": "clamp", "catch_up": "latest"},
            "3 days after it is completed",
        ),
        ({"rule": "FREQ=DAILY"}, "every day; passed ones are caught up with the latest"),
        (
            {"rule": "FREQ=WEEKLY", "exdates": ["20261123", "20270104"], "rdates": ["20261125T090000"]},
            (
                "every week, but not on 23 November and 4 January 2027, and also on 25 November at 09:00;"
                " passed ones are caught up with the latest"
            ),
        ),
        (
            {"rule": "FREQ=WEEKLY", "exdates": ["20261123", "20261130", "20261207", "20261214"], "catch_up": "skip"},
            "every week, but not on 4 days; passed ones are left out",
        ),
    ],
)
def test_a_whole_intent_is_told(recurrence, words):
    assert sentences.policy_in_words(recurrence, today=TODAY) == words


def rules_of_few_values():
    """Each part absent or with a value or two, wherever it may stand: close neighbours."""
    parts = {
        "INTERVAL": ["", "2"],
        "BYMONTH": ["", "1", "1,2"],
        "BYWEEKNO": ["", "1"],
        "BYMONTHDAY": ["", "1", "-1"],
        "BYYEARDAY": ["", "1"],
        "BYDAY": ["", "MO", "MO,TU", "1MO", "MO,TU,WE,TH,FR"],
        "BYHOUR": ["", "9"],
        "BYMINUTE": ["", "30"],
        "BYSETPOS": ["", "1"],
    }
    for frequency in Frequency:
        for values in product(*parts.values()):
            given = [f"{name}={value}" for name, value in zip(parts, values, strict=True) if value]
            with suppress(InvalidRule):
                yield rules.parse(";".join([f"FREQ={frequency}", *given]))


def test_no_two_rules_share_a_sentence():
    told = defaultdict(set)
    for rule in rules_of_few_values():
        told[sentences.rule_in_words(rule.text, today=TODAY)].add(rule.text)

    assert [same for same in told.values() if len(same) > 1] == []
    assert len(told) > 4_000


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
