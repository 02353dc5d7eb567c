"""Plain words for how often: each to its rule and back to its sentence, or refused with the place of what was not
understood.
"""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from apps.calendar import phrases, rules, sentences
from apps.calendar.errors import CalendarError
from apps.calendar.phrases import NotUnderstood, Phrase
from apps.calendar.rules import DayOfWeek, Frequency, Rule, Skip, Weekday

TODAY = date(2026, 11, 20)
LAST_WORKDAY = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"
WORKDAYS = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"

UNDERSTOOD = [
    # how often
    ("daily", "FREQ=DAILY", "every day"),
    ("weekly", "FREQ=WEEKLY", "every week"),
    ("monthly", "FREQ=MONTHLY", "every month"),
    ("yearly", "FREQ=YEARLY", "every year"),
    ("annually", "FREQ=YEARLY", "every year"),
    ("hourly", "FREQ=HOURLY", "every hour"),
    ("quarterly", "FREQ=MONTHLY;INTERVAL=3", "every 3 months"),
    ("fortnightly", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
    ("everyday", "FREQ=DAILY", "every day"),
    ("every day", "FREQ=DAILY", "every day"),
    ("each day", "FREQ=DAILY", "every day"),
    ("  Every \t WEEK\n", "FREQ=WEEKLY", "every week"),
    ("every other day", "FREQ=DAILY;INTERVAL=2", "every 2 days"),
    ("every 2 weeks", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
    ("every two weeks", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
    ("every fortnight", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
    ("every 1 day", "FREQ=DAILY", "every day"),
    ("every thirty-one days", "FREQ=DAILY;INTERVAL=31", "every 31 days"),
    ("every 10,000 days", "FREQ=DAILY;INTERVAL=10000", "every 10,000 days"),
    ("every second month", "FREQ=MONTHLY;INTERVAL=2", "every 2 months"),
    ("every 3rd day", "FREQ=DAILY;INTERVAL=3", "every 3 days"),
    ("every quarter", "FREQ=MONTHLY;INTERVAL=3", "every 3 months"),
    ("every 2 quarters", "FREQ=MONTHLY;INTERVAL=6", "every 6 months"),
    ("every 6 hours", "FREQ=HOURLY;INTERVAL=6", "every 6 hours"),
    ("once a week", "FREQ=WEEKLY", "every week"),
    ("once every 2 weeks", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
    # days of the week
    ("every mon, wed and fri", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "every week on Monday, Wednesday and Friday"),
    ("every monday, wednesday, and friday", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "every week on Monday, Wednesday and Friday"),
    ("every mon wed fri", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "every week on Monday, Wednesday and Friday"),
    ("every mo,th", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    ("every mo & th", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    ("every mo/th", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    ("every thurs, mon, thu", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    ("every mon-fri", WORKDAYS, "every week on workdays"),
    ("every mon \u2013 fri", WORKDAYS, "every week on workdays"),
    (
        "every monday to thursday and sat",
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,SA",
        "every week on Monday to Thursday and Saturday",
    ),
    ("every fri to mon", "FREQ=WEEKLY;BYDAY=MO,FR,SA,SU", "every week on Monday and Friday to Sunday"),
    ("every weekday", WORKDAYS, "every week on workdays"),
    ("every business day", WORKDAYS, "every week on workdays"),
    ("on weekdays", WORKDAYS, "every week on workdays"),
    ("workdays", WORKDAYS, "every week on workdays"),
    ("every workday and saturday", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA", "every week on Monday to Saturday"),
    ("weekends", "FREQ=WEEKLY;BYDAY=SA,SU", "every week on weekends"),
    ("every weekend", "FREQ=WEEKLY;BYDAY=SA,SU", "every week on weekends"),
    ("mondays", "FREQ=WEEKLY;BYDAY=MO", "every week on Monday"),
    ("on mondays and thursdays", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    ("monday and thursday every week", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    ("mondays, every 2 weeks", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "every 2 weeks on Monday"),
    ("every 2 weeks on mon, thu", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "every 2 weeks on Monday and Thursday"),
    ("every other week on monday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "every 2 weeks on Monday"),
    ("every other friday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "every 2 weeks on Friday"),
    ("every other weekend", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU", "every 2 weeks on weekends"),
    ("weekly on mon, thu", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Monday and Thursday"),
    ("every week on the last workday", LAST_WORKDAY.replace("MONTHLY", "WEEKLY"), "every week on the last workday"),
    (
        "every 2 weeks on sun and mon, with weeks starting on sunday",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
        "every 2 weeks on Monday and Sunday, with weeks starting on Sunday",
    ),
    # days of the month
    ("every month on the 1st", "FREQ=MONTHLY;BYMONTHDAY=1", "every month on the 1st"),
    ("every month on the 1st and 15th", "FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the 1st and 15th"),
    ("every month on the first and on the 15th", "FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the 1st and 15th"),
    ("every month on the twenty-first", "FREQ=MONTHLY;BYMONTHDAY=21", "every month on the 21st"),
    ("every month on the thirty first", "FREQ=MONTHLY;BYMONTHDAY=31", "every month on the 31st"),
    ("every month on the 1st to 5th", "FREQ=MONTHLY;BYMONTHDAY=1,2,3,4,5", "every month on the 1st to 5th"),
    ("every month on the last day", "FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
    ("every month on the 1st and last day", "FREQ=MONTHLY;BYMONTHDAY=-1,1", "every month on the 1st and last day"),
    (
        "every month on the 31st day from the end",
        "FREQ=MONTHLY;BYMONTHDAY=-31",
        "every month on the 31st day from the end",
    ),
    ("every 4th day from the end", "FREQ=MONTHLY;BYMONTHDAY=-4", "every month on the 4th day from the end"),
    (
        "every year on the 1st and 100th last day of the year",
        "FREQ=YEARLY;BYYEARDAY=-100,1",
        "every year on the 1st and 100th day from the end of the year",
    ),
    ("every year on the 29th of february", "FREQ=YEARLY;BYMONTHDAY=29;BYMONTH=2", "every year on the 29th of February"),
    (
        "every 30 feb, in shorter months on the last day",
        "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2;SKIP=BACKWARD;RSCALE=GREGORIAN",
        "every year on the 30th of February, in shorter months on their last day",
    ),
    ("every month on the second to last day", "FREQ=MONTHLY;BYMONTHDAY=-2", "every month on the 2nd last day"),
    ("every month on day 15", "FREQ=MONTHLY;BYMONTHDAY=15", "every month on the 15th"),
    ("monthly on the 15th of each month", "FREQ=MONTHLY;BYMONTHDAY=15", "every month on the 15th"),
    ("every 15th", "FREQ=MONTHLY;BYMONTHDAY=15", "every month on the 15th"),
    ("every 3rd day of the month", "FREQ=MONTHLY;BYMONTHDAY=3", "every month on the 3rd"),
    ("every last day", "FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
    ("1st of every month", "FREQ=MONTHLY;BYMONTHDAY=1", "every month on the 1st"),
    ("every quarter on the last day", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=-1", "every 3 months on the last day"),
    ("every friday the 13th", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "every month on the 13th when that is a Friday"),
    (
        "every month on the 31st, in shorter months on the last day",
        "FREQ=MONTHLY;BYMONTHDAY=31;SKIP=BACKWARD;RSCALE=GREGORIAN",
        "every month on the 31st, in shorter months on their last day",
    ),
    # counted days of the week
    ("every month on the last friday", "FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
    ("every month on the second tuesday", "FREQ=MONTHLY;BYDAY=2TU", "every month on the 2nd Tuesday"),
    ("every month on the 1st and 3rd monday", "FREQ=MONTHLY;BYDAY=1MO,3MO", "every month on the 1st and 3rd Monday"),
    (
        "every month on the 1st monday and the last friday",
        "FREQ=MONTHLY;BYDAY=-1FR,1MO",
        "every month on the 1st Monday and the last Friday",
    ),
    ("every month on every monday", "FREQ=MONTHLY;BYDAY=MO", "every month on every Monday"),
    ("every last friday", "FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
    ("every third friday", "FREQ=MONTHLY;BYDAY=3FR", "every month on the 3rd Friday"),
    ("every second friday of the month", "FREQ=MONTHLY;BYDAY=2FR", "every month on the 2nd Friday"),
    ("on the last friday of every month", "FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
    ("the first monday of every 2 months", "FREQ=MONTHLY;INTERVAL=2;BYDAY=1MO", "every 2 months on the 1st Monday"),
    ("every month on the first workday", LAST_WORKDAY.replace("-1", "1"), "every month on the 1st workday"),
    ("every last workday", LAST_WORKDAY, "every month on the last workday"),
    (
        "every month on the first saturday or sunday",
        "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1",
        "every month on the 1st Saturday or Sunday",
    ),
    (
        "every month on the first weekend day",
        "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1",
        "every month on the 1st Saturday or Sunday",
    ),
    (
        "every month on every monday and every friday, of these only the 2nd",
        "FREQ=MONTHLY;BYDAY=MO,FR;BYSETPOS=2",
        "every month on the 2nd Monday or Friday",
    ),
    # of the year
    ("every year on 3 may", "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=5", "every year on the 3rd of May"),
    ("every year on the 3rd of may", "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=5", "every year on the 3rd of May"),
    ("every year on may 3rd", "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=5", "every year on the 3rd of May"),
    ("every may 3", "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=5", "every year on the 3rd of May"),
    ("every 3 may", "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=5", "every year on the 3rd of May"),
    ("every 3rd of may", "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=5", "every year on the 3rd of May"),
    ("3 may every year", "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=5", "every year on the 3rd of May"),
    ("every year on 3 and 17 may", "FREQ=YEARLY;BYMONTHDAY=3,17;BYMONTH=5", "every year on the 3rd and 17th of May"),
    (
        "every year on the last monday of may",
        "FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5",
        "every year on the last Monday of May",
    ),
    ("every last monday of may", "FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5", "every year on the last Monday of May"),
    (
        "every year in may on the last monday",
        "FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5",
        "every year on the last Monday of May",
    ),
    (
        "every january and july on the 1st",
        "FREQ=YEARLY;BYMONTHDAY=1;BYMONTH=1,7",
        "every year on the 1st of January and July",
    ),
    ("every jan-mar", "FREQ=YEARLY;BYMONTH=1,2,3", "every year in January to March"),
    (
        "every year on the first workday of may",
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYMONTH=5;BYSETPOS=1",
        "every year on the 1st workday of May",
    ),
    (
        "every year on the last friday of the year",
        "FREQ=YEARLY;BYDAY=-1FR",
        "every year on the last Friday of the year",
    ),
    ("every year on the 100th day of the year", "FREQ=YEARLY;BYYEARDAY=100", "every year on the 100th day of the year"),
    ("every year in week 20", "FREQ=YEARLY;BYWEEKNO=20", "every year in the 20th week of the year"),
    (
        "every year on monday of the 1st and last week of the year",
        "FREQ=YEARLY;BYDAY=MO;BYWEEKNO=-1,1",
        "every year on Monday of the 1st and last week of the year",
    ),
    (
        "every 4 years on the 2nd to 8th of november when it is a tuesday",
        "FREQ=YEARLY;INTERVAL=4;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;BYMONTH=11",
        "every 4 years on the 2nd to 8th of November when that is a Tuesday",
    ),
    ("every year on the 1st of the same month", "FREQ=YEARLY;BYMONTHDAY=1", "every year on the 1st of the same month"),
    # limits
    ("every monday in may", "FREQ=WEEKLY;BYDAY=MO;BYMONTH=5", "every week on Monday in May"),
    ("every day only in january", "FREQ=DAILY;BYMONTH=1", "every day in January"),
    ("every 3 days, only on monday", "FREQ=DAILY;INTERVAL=3;BYDAY=MO", "every 3 days, only on Monday"),
    (
        "every 8 hours, only on workdays",
        "FREQ=HOURLY;INTERVAL=8;BYDAY=MO,TU,WE,TH,FR",
        "every 8 hours, only on workdays",
    ),
    (
        "every 2 months on the 1st, only in january",
        "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1;BYMONTH=1",
        "every 2 months on the 1st, only in January",
    ),
    # ends
    ("every day until 1 june", "FREQ=DAILY;UNTIL=20270601", "every day, until 1 June 2027"),
    ("every day until 20 november", "FREQ=DAILY;UNTIL=20261120", "every day, until 20 November"),
    ("every day till the 1st of june 2027", "FREQ=DAILY;UNTIL=20270601", "every day, until 1 June 2027"),
    ("every day until june 1st, 2027", "FREQ=DAILY;UNTIL=20270601", "every day, until 1 June 2027"),
    ("every day ending 2027-06-01", "FREQ=DAILY;UNTIL=20270601", "every day, until 1 June 2027"),
    ("every day until 29 february", "FREQ=DAILY;UNTIL=20280229", "every day, until 29 February 2028"),
    ("every day, 10 times", "FREQ=DAILY;COUNT=10", "every day, 10 times"),
    ("every day for ten times", "FREQ=DAILY;COUNT=10", "every day, 10 times"),
    ("every day 1,000 times", "FREQ=DAILY;COUNT=1000", "every day, 1,000 times"),
    ("every month on the 1st, 10 times", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1", "every month on the 1st, 10 times"),
    (
        "every year on 3 may, 10 times",
        "FREQ=YEARLY;COUNT=10;BYMONTHDAY=3;BYMONTH=5",
        "every year on the 3rd of May, 10 times",
    ),
]


@pytest.mark.parametrize(("words", "rule", "sentence"), UNDERSTOOD)
def test_words_have_their_rule_and_it_has_its_sentence(words, rule, sentence):
    phrase = phrases.read(words, today=TODAY)

    assert phrase == Phrase(rule=rules.parse(rule))
    assert phrase.rule.text == rule
    assert sentences.rule_in_words(rule, today=TODAY) == sentence
    assert phrases.read(sentence, today=TODAY) == phrase


@pytest.mark.parametrize(
    "words",
    [
        "every 3 days after completion",
        "every 3 days after i finish it",
        "every 3 days after I'm done",
        "every 3 days after it\u2019s done",
        "every 3 days after it is completed",
        "every 3 days when done",
        "every 3 days when it is done",
        "every 3 days once finished",
        "every 3 days from completion",
        "every 3 days, counted from completion",
        "every! 3 days",
        "3 days after completion",
        "three days after it is completed",
        "after 3 days",
    ],
)
def test_what_counts_from_completion_says_so(words):
    phrase = phrases.read(words, today=TODAY)

    assert phrase == Phrase(rule=Rule(frequency=Frequency.DAILY, interval=3), from_completion=True)


def test_what_counts_from_completion_may_name_days_and_an_end():
    phrase = phrases.read("a month after completion, until 1 june", today=TODAY)
    named = phrases.read("every week on mon after completion, 5 times", today=TODAY)

    assert phrase == Phrase(rule=rules.parse("FREQ=MONTHLY;UNTIL=20270601"), from_completion=True)
    assert named == Phrase(rule=rules.parse("FREQ=WEEKLY;BYDAY=MO;COUNT=5"), from_completion=True)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=WEEKLY;BYDAY=MO",
        "rrule:freq=weekly;byday=mo",
        "  RRULE:FREQ=WEEKLY;BYDAY=MO ",
        "FREQ=WEEKLY;BYDAY=MO;",
    ],
)
def test_a_rule_may_stand_in_place_of_words(text):
    assert phrases.read(text, today=TODAY) == Phrase(rule=rules.parse("FREQ=WEEKLY;BYDAY=MO"))


@pytest.mark.parametrize(("text", "part"), [("FREQ=NEVER", "FREQ"), ("INTERVAL=2", "FREQ"), ("RRULE:daily", "")])
def test_a_wrong_rule_is_refused_as_a_rule(text, part):
    with pytest.raises(rules.InvalidRule) as refusal:
        phrases.read(text, today=TODAY)

    assert refusal.value.part == part


@pytest.mark.parametrize(
    ("text", "part", "told"),
    [
        ("DTSTART:20260504T090000Z\nRRULE:FREQ=DAILY", "DTSTART", "put it in the due."),
        ("DTSTART;TZID=Europe/London:20260504T090000\nRRULE:FREQ=DAILY", "DTSTART", "put it in the due."),
        ("DTSTART:20260504", "DTSTART", "put it in the due."),
        ("freq=daily;dtstart=20260504", "DTSTART", "put it in the due."),
        ("RRULE:FREQ=DAILY\nEXDATE:20260505", "EXDATE", "put them in exdates."),
        ("RRULE:FREQ=DAILY\nRDATE;VALUE=DATE:20260505", "RDATE", "put them in rdates."),
    ],
)
def test_what_stands_beside_a_rule_in_a_calendars_file_is_told_where_it_goes(text, part, told):
    with pytest.raises(rules.InvalidRule) as refusal:
        phrases.read(text, today=TODAY)

    assert (refusal.value.part, str(refusal.value).partition(": ")[2]) == (part, told)


@pytest.mark.parametrize("text", ["FREQ=DAILY;;", ";FREQ=DAILY", "FREQ=DAILY;;COUNT=2"])
def test_of_semicolons_only_one_at_the_end_is_no_part(text):
    with pytest.raises(rules.InvalidRule):
        phrases.read(text, today=TODAY)


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


SAID = (
    "every each other the a of on in only until for times after when that is it completion and or , & - to ! @ day "
    "days week months year years hour quarter daily 1st 2nd third last 3 10 31 2027 mon fridays workday weekend "
    "weekends may june jan 2027-06-01 9am noon these with weeks starting twice once x 1,000 \u2019 é ٣ from"
)


@given(st.lists(st.sampled_from(SAID.split()), max_size=14).map(" ".join) | st.text(max_size=60))
@example("every month on the 1st, of these only the")
def test_any_words_are_understood_as_a_rule_or_refused_as_words(words):
    assume("=" not in words)

    with suppress(NotUnderstood):
        phrase = phrases.read(words, today=TODAY)
        assert rules.parse(phrase.rule.text) == phrase.rule


@pytest.mark.parametrize("words", [case[0] for case in UNDERSTOOD])
def test_no_word_is_passed_over(words):
    with pytest.raises(NotUnderstood) as behind:
        phrases.read(f"{words} gibberish", today=TODAY)
    with pytest.raises(NotUnderstood) as before:
        phrases.read(f"gibberish {words}", today=TODAY)

    assert behind.value.span == (len(words) + 1, len(words) + 10)
    assert before.value.span == (0, 9)


def some(numbers, most=4):
    return st.sets(numbers, max_size=most).map(lambda found: tuple(sorted(found)))


def either_way(high):
    return st.integers(1, high) | st.integers(-high, -1)


@st.composite
def rules_in_reach(draw):
    """Rules that tasks may have and that name no time of day; WKST and SKIP only where they change a date."""
    frequency = draw(st.sampled_from(list(Frequency)[2:]))
    yearly, monthly = frequency is Frequency.YEARLY, frequency is Frequency.MONTHLY
    short = frequency in {Frequency.HOURLY, Frequency.DAILY}
    months = draw(some(st.integers(1, 12), most=12))
    weeks = draw(some(either_way(53))) if yearly and draw(st.booleans()) else ()
    month_days = draw(some(either_way(31), most=6)) if (short or monthly or yearly) and draw(st.booleans()) else ()
    year_days = draw(some(either_way(366))) if (yearly or frequency is Frequency.HOURLY) and draw(st.booleans()) else ()
    most = 5 if monthly or months else 53
    ordinals = st.just(0) | either_way(most) if (yearly or monthly) and not weeks else st.just(0)
    weekdays = draw(some(st.builds(DayOfWeek, ordinals, st.sampled_from(Weekday)), most=7))
    some_days = months or weeks or month_days or year_days or weekdays
    places = draw(some(either_way(366))) if some_days and draw(st.booleans()) else ()
    interval = draw(st.sampled_from([1, 1, 2, 10_000]))
    weekly = frequency is Frequency.WEEKLY
    week_matters = weeks or (weekly and (places or (weekdays and interval > 1)))
    late = max([abs(day) + 337 for day in month_days] + [abs(day) for day in year_days] + [0]) > 365
    late = late or 53 in weeks or -53 in weeks
    skip_matters = (yearly or monthly) and (late or not (month_days or year_days or weekdays or weeks))
    rule = Rule(
        frequency=frequency,
        interval=interval,
        count=draw(st.none() | st.integers(1, 100_000)),
        by_day=weekdays,
        by_month_day=month_days,
        by_year_day=year_days,
        by_week_no=weeks,
        by_month=months,
        by_set_pos=places,
        week_start=draw(st.sampled_from(Weekday)) if week_matters else Weekday.MO,
        skip=draw(st.sampled_from(Skip)) if skip_matters else Skip.OMIT,
    )
    until = draw(st.none() | st.dates(date(2000, 1, 1), date(2999, 12, 31)))
    return rules.parse(rule.text) if rule.count or not until else rules.parse(f"{rule.text};UNTIL={until:%Y%m%d}")


def names_a_day_that_never_is(rule):
    """As 30 February, which words are not to say."""
    if not rule.by_month or rule.by_year_day or rule.skip is not Skip.OMIT:
        return False
    longest = max(31 - (month in {4, 6, 9, 11}) - 2 * (month == 2) for month in rule.by_month)
    return any(abs(day) > longest for day in rule.by_month_day)


@given(rules_in_reach(), st.booleans(), st.dates(date(2000, 1, 1), date(2999, 12, 31)))
def test_every_rule_without_times_is_read_back_from_its_sentence(rule, from_completion, today):
    sentence = sentences.rule_in_words(rule.text, today=today, from_completion=from_completion)
    assume(len(sentence) <= phrases.LONGEST and not names_a_day_that_never_is(rule))

    assert phrases.read(sentence, today=today) == Phrase(rule=rule, from_completion=from_completion)
