"""Plain words for how often: each to its rule and back to its sentence."""

from datetime import date

import pytest

from apps.calendar import phrases, rules, sentences
from apps.calendar.phrases import NotUnderstood, Phrase
from apps.calendar.rules import Frequency, Rule

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


@pytest.mark.parametrize("words", [case[0] for case in UNDERSTOOD])
def test_no_word_is_passed_over(words):
    with pytest.raises(NotUnderstood) as behind:
        phrases.read(f"{words} gibberish", today=TODAY)
    with pytest.raises(NotUnderstood) as before:
        phrases.read(f"gibberish {words}", today=TODAY)

    assert behind.value.span == (len(words) + 1, len(words) + 10)
    assert before.value.span == (0, 9)
