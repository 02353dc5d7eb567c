"""Plain words that are refused: with the place of what was not understood, and what to say instead."""

from datetime import date

import pytest

from apps.calendar import phrases
from apps.calendar.errors import CalendarError
from apps.calendar.phrases import NotUnderstood

TODAY = date(2026, 11, 20)


TIME = "A time of day belongs to the due, not to the repeat"
RATE = "Say on which days instead, such as every week on mon and thu"


@pytest.mark.parametrize(
    ("words", "refused", "told"),
    [
        ("please", "please", "Say how often: daily, every 2 weeks on mon and thu"),
        ("  every please", "please", "After “every” stands a unit"),
        ("every every day", "every", "After “every” stands a unit"),
        ("daily please", "please", "What may follow: on days, in months"),
        ("every day every day", "every", "What may follow"),
        ("every,monday", ",", "After “every” stands a unit"),
        ("every monday and", "and", "What may follow"),
        ("every monday,, friday", ",", "What may follow"),
        ("every ٣ days", "٣", "After “every” stands a unit"),
        ("every day # 3", "#", "What may follow"),
        # days that no such month has
        ("every 31 november", "31 november", "There is no 31st of November. Say the last day"),
        ("every feb 30", "feb 30", "There is no 30th of February. Say the last day"),
        ("every year on the 1st and 31st of june and april", "1st and 31st of june and april", "of April or June."),
        ("every 30th, only in february", "30th", "There is no 30th of February."),
        ("every month on the 31st day from the end, only in june", "31st", "no 31st day from the end of June."),
        # times of day
        ("every day at 9", "at 9", TIME),
        ("every day at 9am", "at 9am", TIME),
        ("every day @ 9:30 pm", "@ 9:30 pm", TIME),
        ("every day 09:00", "09:00", TIME),
        ("9am every day", "9am", TIME),
        ("every morning", "morning", TIME),
        ("every workday at noon", "at noon", TIME),
        ("every day at", "at", TIME),
        ("every month at the end", "at", "say every month on the last day"),
        ("end of every month", "end", "Say every month on the last day"),
        # rates
        ("twice a week", "twice", RATE),
        ("3 times a week", "times", RATE),
        ("every week 3 times a day", "times", RATE),
        ("every day twice", "twice", RATE),
        # too often
        ("every 5 minutes", "minutes", "A task repeats hourly at the most often"),
        ("minutely", "minutely", "A task repeats hourly at the most often"),
        ("every 30 seconds", "seconds", "A task repeats hourly at the most often"),
        # what can be read in two ways
        ("every second friday", "second friday", "Say every month on the second friday, or every other friday"),
        ("every 2nd workday", "2nd workday", "may be one a month or one in two weeks"),
        ("every second", "second", "Say every second day, or every 2nd"),
        ("biweekly", "biweekly", "say every 2 weeks"),
        ("bimonthly", "bimonthly", "say every 2 months"),
        ("every other workday", "workday", "say every other day"),
        ("every month on monday", "monday", "on the first monday, or on every monday"),
        ("every day on monday", "monday", "only on mon and thu"),
        ("monday", "monday", "does not say how often. Say every monday"),
        ("on 3 may", "3 may", "every year on 3 may"),
        ("3 days", "3 days", "Say every 3 days, or 3 days after completion"),
        ("every year on the 1st", "1st", "Say of which month they are"),
        (
            "every year on the first monday",
            "first monday",
            "Say of which month they are, such as of may; or of the year",
        ),
        ("every january and july on the first workday", "first workday", "only in january and july"),
        ("every first weekend", "weekend", "the first saturday, or the first weekend day"),
        ("every first day", "first day", "does not say of what"),
        ("every last week", "last week", "does not say of what"),
        ("every saturday or sunday", "saturday", "such as the first saturday or sunday"),
        ("every monday of the month", "monday of the month", "or every month on the first monday"),
        # what one rule cannot be
        ("every month on the 1st and friday", "friday", "do not add up in one repeat"),
        ("every year on 3 may and 5 june", "5", "same days in each of its months"),
        ("every workday except friday", "except", "name the days that it does have"),
        ("every month on the 31st skipping february", "skipping", "is said by month_end"),
        ("every day starting 1 june", "starting", "The repeat starts at the due"),
        ("every day from 1 june", "from", "The repeat starts at the due"),
        ("every year on the 1st of every month", "1st of every month", "say every month on the 1st"),
        ("every month on the 1st of the same month", "1st of the same month", "Beside months say"),
        ("every may on the 1st of the same month", "1st of the same month", "Say once of what they are"),
        ("every may on the last friday of the year", "last friday of the year", "Say once of what they are"),
        ("every week on the 1st", "1st", "Beside weeks say on mon and thu"),
        ("every day in week 3", "week", "Weeks are counted beside years"),
        ("every day when it is a friday", "a", "the 13th when it is a friday"),
        ("every month on the 1st when it is the 10th of a month", "10th", "The day of the month is told already"),
        # numbers that there are not
        ("every 0 days", "0", "not from 1 to 10,000"),
        ("every 10001 days", "10001", "not from 1 to 10,000"),
        ("every 3334 quarters", "3334", "not from 1 to 3,333"),
        ("every month on the 32nd", "32nd", "not from 1 to 31"),
        ("every month on the 0th", "0th", "not from 1 to 31"),
        ("every month on the 6th friday", "6th", "not from 1 to 5"),
        ("every year on the 54th monday of the year", "54th", "not from 1 to 53"),
        ("every year in week 54", "54", "not from -53 to 53"),
        ("every year on the 367th day of the year", "367th", "not from 1 to 366"),
        ("every day 0 times", "0", "not from 1 to 100,000"),
        ("every month on 15", "15", "such as 15th"),
        ("every month on the 1st to 99999999th", "99999999th", "at most 366 days"),
        # ends
        ("every day for 3 weeks", "weeks", "Say how often, such as for 10 times; or until when"),
        ("every day for ever", "ever", "Say how often, such as for 10 times; or until when"),
        ("every day until friday", "friday", "Say a day, such as 1 june"),
        ("every day until may", "", "Say a day, such as 1 june"),
        ("every day until 31 june", "31 june", "There is no day “31 june”"),
        ("every day until 29 february 2027", "29 february 2027", "There is no day"),
        ("every day until 2027-02-29", "2027-02-29", "There is no day 2027-02-29"),
        ("every day until 1/6/2027", "1/6/2027", "write it as 2027-06-01"),
        ("every day, 10 times, until 1 june", "until 1 june", "already something said of the end"),
        ("every day, 10 times, 10 times", "10 times", "already something said of the end"),
        ("every month on the 1st on the 2nd", "2nd", "already something said of days"),
        ("every may in june", "in june", "already something said of months"),
        ("every! day after completion", "after completion", "already something said of completion"),
        ("every day once", "once", "Say 1 time, or once completed"),
        ("every day after", "", "Say after completion"),
        ("every day after lunch", "lunch", "Say after completion"),
        # words that are missing
        ("", "", "A word is missing at the end. Say how often"),
        ("   ", "", "A word is missing at the end. Say how often"),
        ("every ", "", "A word is missing at the end. After “every” stands a unit"),
        ("every monday,", "", "A word is missing at the end. What may follow"),
        ("every month on", "", "A word is missing at the end. Say which days"),
        ("every day until", "", "A word is missing at the end. Say a day"),
        ("every 27", "", "such as every 15th"),
    ],
)
def test_the_first_word_not_understood_is_named_by_its_place_with_what_to_say_instead(words, refused, told):
    with pytest.raises(NotUnderstood) as refusal:
        phrases.read(words, today=TODAY)

    start, end = refusal.value.span
    assert words[start:end] == refused
    assert told in str(refusal.value)


def test_of_words_that_stand_twice_the_right_one_is_named():
    with pytest.raises(NotUnderstood) as second:
        phrases.read("every day every day", today=TODAY)
    with pytest.raises(NotUnderstood) as missing:
        phrases.read("every month on  ", today=TODAY)

    assert second.value.span == (10, 15)
    assert missing.value.span == (14, 14)


@pytest.mark.parametrize("words", ["x" * 201, "every day " + "and " * 100_000, "1st, " * 50_000, "=" * 2_000])
def test_words_without_end_are_refused_by_their_length(words):
    with pytest.raises(CalendarError, match="at most"):
        phrases.read(words, today=TODAY)


def test_a_word_without_end_is_quoted_in_part():
    with pytest.raises(NotUnderstood) as refusal:
        phrases.read("x" * 200, today=TODAY)

    assert str(refusal.value).startswith("“" + "x" * 40 + "…” is not understood here.")
    assert refusal.value.span == (0, 200)


def test_a_day_without_its_year_is_refused_where_the_calendar_ends():
    with pytest.raises(NotUnderstood, match="There is no day “1 june”"):
        phrases.read("every day until 1 june", today=date(9999, 12, 31))
