"""What RFC 5545 and RFC 7529 allow of a rule, and what they forbid."""

# ruff: noqa: DTZ001 - walls have no zone.

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendar import rules, steps, zones
from apps.calendar.rules import DayOfWeek, Frequency, Rule, Skip, Weekday


def test_a_rule_is_read_part_by_part():
    rule = rules.parse(
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYSECOND=0;BYMINUTE=30;BYHOUR=9,17;BYDAY=MO,-1FR;BYMONTHDAY=1,-1;"
        "BYYEARDAY=-366,366;BYMONTH=1,12;BYSETPOS=-1;WKST=SU;SKIP=FORWARD;RSCALE=GREGORIAN"
    )

    assert rule == Rule(
        frequency=Frequency.YEARLY,
        interval=2,
        count=10,
        by_second=(0,),
        by_minute=(30,),
        by_hour=(9, 17),
        by_day=(DayOfWeek(-1, Weekday.FR), DayOfWeek(0, Weekday.MO)),
        by_month_day=(-1, 1),
        by_year_day=(-366, 366),
        by_month=(1, 12),
        by_set_pos=(-1,),
        week_start=Weekday.SU,
        skip=Skip.FORWARD,
    )


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("rrule:freq=daily", "FREQ=DAILY"),
        ("  RRULE:FREQ=DAILY\n", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=1;WKST=MO", "FREQ=DAILY"),
        ("COUNT=3;FREQ=DAILY", "FREQ=DAILY;COUNT=3"),
        ("FREQ=WEEKLY;BYDAY=TH,MO,TH", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("FREQ=MONTHLY;BYDAY=+1MO,-1FR", "FREQ=MONTHLY;BYDAY=-1FR,1MO"),
        ("FREQ=MONTHLY;BYMONTHDAY=+15,-1,01", "FREQ=MONTHLY;BYMONTHDAY=-1,1,15"),
        ("FREQ=DAILY;BYHOUR=09", "FREQ=DAILY;BYHOUR=9"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "FREQ=YEARLY;BYDAY=MO;BYWEEKNO=20"),
        ("FREQ=DAILY;UNTIL=20261231", "FREQ=DAILY;UNTIL=20261231"),
        ("FREQ=DAILY;UNTIL=20261231T090000", "FREQ=DAILY;UNTIL=20261231T090000"),
        ("FREQ=DAILY;UNTIL=20261231t090000z", "FREQ=DAILY;UNTIL=20261231T090000Z"),
        ("FREQ=DAILY;UNTIL=20161231T235960Z", "FREQ=DAILY;UNTIL=20161231T235959Z"),
        ("FREQ=DAILY;UNTIL=00010101", "FREQ=DAILY;UNTIL=00010101"),
        ("RSCALE=GREGORIAN;FREQ=DAILY", "FREQ=DAILY"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=OMIT", "FREQ=MONTHLY"),
        (
            "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;BYMONTHDAY=31",
            "FREQ=MONTHLY;BYMONTHDAY=31;SKIP=BACKWARD;RSCALE=GREGORIAN",
        ),
    ],
)
def test_a_rule_has_one_normal_form(text, normal):
    assert rules.parse(text).text == normal
    assert rules.parse(normal) == rules.parse(text)


def test_until_is_what_it_was_written_as():
    assert rules.parse("FREQ=DAILY;UNTIL=20261231").until == date(2026, 12, 31)
    assert rules.parse("FREQ=DAILY;UNTIL=20261231T090000").until == datetime(2026, 12, 31, 9)
    assert rules.parse("FREQ=DAILY;UNTIL=20261231T090000Z").until == datetime(2026, 12, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        # The examples of RFC 5545 section 3.8.5.3.
        "FREQ=DAILY;COUNT=10",
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z",
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
        # Those of RFC 7529 section 4.2, in the calendar there is.
        "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD",
        "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=4",
        # Edges of the ranges.
        "FREQ=SECONDLY;BYSECOND=0,60;BYMINUTE=0,59;BYHOUR=0,23;BYYEARDAY=1,-1,366",
        "FREQ=DAILY;INTERVAL=10000;COUNT=100000",
        "FREQ=YEARLY;BYWEEKNO=53,-53;BYMONTHDAY=31,-31",
        "FREQ=YEARLY;BYDAY=53MO,-53SU",
    ],
)
def test_what_the_rfcs_allow_is_read(text):
    rule = rules.parse(text)

    assert rules.parse(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("every day", ""),
        ("FREQ=DAILY;COUNT=", ""),
        ("FREQ=DAILY,COUNT=2", "FREQ"),
        ("INTERVAL=2", "FREQ"),
        ("FREQ=FORTNIGHTLY", "FREQ"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ"),
        ("FREQ=DAILY;COUNT=2;COUNT=3", "COUNT"),
        ("FREQ=DAILY;X-MINE=1", "X-MINE"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=10001", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=+1", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=1 ;COUNT=2", "INTERVAL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;COUNT=100001", "COUNT"),
        ("FREQ=DAILY;COUNT=" + "9" * 900, "COUNT"),
        ("FREQ=DAILY;COUNT=٣", "COUNT"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20261231", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20261332", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL"),
        ("FREQ=DAILY;UNTIL=2026-12-31", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20261231T09", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20261231T250000", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20261231T090000+0100", "UNTIL"),
        ("FREQ=DAILY;BYSECOND=61", "BYSECOND"),
        ("FREQ=DAILY;BYMINUTE=60", "BYMINUTE"),
        ("FREQ=DAILY;BYMINUTE=-1", "BYMINUTE"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR"),
        ("FREQ=DAILY;BYHOUR=9,", "BYHOUR"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(["9"] * 25), "BYHOUR"),
        ("FREQ=DAILY;BYMONTH=0", "BYMONTH"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH"),
        ("FREQ=DAILY;BYMONTH=5L", "BYMONTH"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"),
        ("FREQ=YEARLY;BYYEARDAY=0", "BYYEARDAY"),
        ("FREQ=YEARLY;BYYEARDAY=-367", "BYYEARDAY"),
        ("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY"),
        ("FREQ=WEEKLY;BYYEARDAY=1", "BYYEARDAY"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY"),
        ("FREQ=YEARLY;BYWEEKNO=54", "BYWEEKNO"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO"),
        ("FREQ=HOURLY;BYWEEKNO=1", "BYWEEKNO"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"),
        ("FREQ=YEARLY;BYDAY=54MO", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=MONDAY", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY"),
        ("FREQ=DAILY;BYDAY=-1FR", "BYDAY"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "BYDAY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS"),
        ("FREQ=WEEKLY;WKST=1", "WKST"),
        ("FREQ=MONTHLY;SKIP=BACKWARD", "SKIP"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=ROLL", "SKIP"),
        ("RSCALE=CHINESE;FREQ=YEARLY", "RSCALE"),
        ("FREQ=DAILY;COUNT=" + "0" * 984, ""),
    ],
)
def test_what_the_rfcs_forbid_is_refused_by_the_part_that_is_wrong(text, part):
    with pytest.raises(rules.InvalidRule) as refusal:
        rules.parse(text)

    assert refusal.value.part == part
    assert str(refusal.value).endswith(".")


def test_a_refusal_says_what_to_write():
    with pytest.raises(rules.InvalidRule) as refusal:
        rules.parse("FREQ=MONTHLY;BYMONTHDAY=32")

    assert str(refusal.value) == "BYMONTHDAY is numbers from 1 to 31, or -31 to -1, a comma between."


NUMBERS = {
    "BYSECOND": st.integers(0, 60),
    "BYMINUTE": st.integers(0, 59),
    "BYHOUR": st.integers(0, 23),
    "BYMONTHDAY": st.integers(1, 31) | st.integers(-31, -1),
    "BYYEARDAY": st.integers(1, 366) | st.integers(-366, -1),
    "BYMONTH": st.integers(1, 12),
}
LISTS = {part: st.lists(values.map(str), min_size=1, max_size=6).map(",".join) for part, values in NUMBERS.items()}
YEARLY = st.fixed_dictionaries(
    {"FREQ": st.just("YEARLY")},
    optional=LISTS
    | {
        "INTERVAL": st.integers(1, 10_000).map(str),
        "COUNT": st.integers(1, 100_000).map(str),
        "BYDAY": st.sampled_from(["MO", "1MO", "-53SU,TU", "FR,FR"]),
        "WKST": st.sampled_from(["MO", "SU"]),
    },
)


@settings(deadline=None)
@given(parts=YEARLY)
def test_the_normal_form_is_read_as_the_same_rule_and_is_its_own(parts):
    rule = rules.parse(";".join(f"{name}={value}" for name, value in parts.items()))

    assert rules.parse(rule.text) == rule
    assert rules.parse(rule.text).text == rule.text


@settings(deadline=None)
@given(
    text=st.text(max_size=200)
    | st.lists(st.sampled_from([*"=;,-+0195TZ", "FREQ", "DAILY", "BYDAY", "MO"])).map("".join)
)
def test_whatever_is_typed_is_read_or_refused(text):
    refused = False
    try:
        rules.parse(text)
    except rules.InvalidRule:
        refused = True

    assert refused or "FREQ=" in text.upper()


@pytest.mark.parametrize("text", ["FREQ=HOURLY", "FREQ=HOURLY;BYMINUTE=30;BYSECOND=0", "FREQ=DAILY;BYHOUR=9,17"])
def test_a_task_may_repeat_hourly(text):
    rule = rules.parse(text)

    assert rules.check_for_tasks(rule) is None


@pytest.mark.parametrize(
    ("text", "part", "sentence"),
    [
        ("FREQ=SECONDLY", "FREQ", "A task repeats hourly at the most often."),
        ("FREQ=MINUTELY;INTERVAL=120", "FREQ", "A task repeats hourly at the most often."),
        ("FREQ=HOURLY;BYMINUTE=0,30", "BYMINUTE", "A task repeats hourly at the most often: give BYMINUTE one value."),
        ("FREQ=HOURLY;BYSECOND=0,30", "BYSECOND", "A task repeats hourly at the most often: give BYSECOND one value."),
        (
            "FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30",
            "BYMINUTE",
            "A task repeats hourly at the most often: give BYMINUTE one value.",
        ),
    ],
)
def test_a_task_may_not_repeat_more_often_than_hourly(text, part, sentence):
    rule = rules.parse(text)

    with pytest.raises(rules.InvalidRule) as refusal:
        rules.check_for_tasks(rule)

    assert (refusal.value.part, str(refusal.value)) == (part, sentence)


DAY, INSTANT = date(2026, 11, 25), datetime(2026, 11, 25, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("FREQ=DAILY", DAY),
        ("FREQ=DAILY;UNTIL=20261231", DAY),
        ("FREQ=HOURLY;BYHOUR=9", INSTANT),
        ("FREQ=DAILY;UNTIL=20261231T090000Z", INSTANT),
        ("FREQ=DAILY;UNTIL=20261231", INSTANT),
        ("FREQ=DAILY;UNTIL=20261231T090000", INSTANT),
    ],
)
def test_a_rule_goes_with_its_start(text, start):
    assert rules.check_against_start(rules.parse(text), start=start) is None


@pytest.mark.parametrize(
    ("text", "start", "part"),
    [
        ("FREQ=HOURLY", DAY, "FREQ"),
        ("FREQ=DAILY;BYHOUR=9", DAY, "BYHOUR"),
        ("FREQ=DAILY;BYMINUTE=9", DAY, "BYMINUTE"),
        ("FREQ=DAILY;BYSECOND=9", DAY, "BYSECOND"),
        ("FREQ=DAILY;UNTIL=20261231T090000Z", DAY, "UNTIL"),
        ("FREQ=DAILY;UNTIL=20261231T090000", DAY, "UNTIL"),
    ],
)
def test_a_rule_that_does_not_go_with_its_start_is_refused(text, start, part):
    rule = rules.parse(text)

    with pytest.raises(rules.InvalidRule) as refusal:
        rules.check_against_start(rule, start=start)

    assert refusal.value.part == part


BERLIN, WALL = zones.zone("Europe/Berlin"), datetime(2026, 11, 23, 9)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("FREQ=DAILY", DAY),
        ("FREQ=DAILY;COUNT=2", DAY),
        ("FREQ=DAILY;COUNT=1", DAY),
        ("FREQ=DAILY;UNTIL=20261126", DAY),
        ("FREQ=DAILY;UNTIL=20261125", DAY),
        ("FREQ=HOURLY;UNTIL=20261123T090000Z", WALL),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", DAY),
        ("FREQ=YEARLY;INTERVAL=100;BYMONTH=2;BYMONTHDAY=29", date(2000, 2, 29)),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31;SKIP=BACKWARD;RSCALE=GREGORIAN", DAY),
    ],
)
def test_a_rule_that_happens_after_its_start_is_let_in(text, start):
    assert rules.check_happens(rules.parse(text), start=start, zone=BERLIN) is None


@pytest.mark.parametrize(
    ("text", "start", "part"),
    [
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", DAY, "BYMONTHDAY"),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31", date(2026, 11, 30), "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", DAY, "BYSETPOS"),
        ("FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", DAY, "BYMONTH"),
        ("FREQ=YEARLY;BYYEARDAY=200;BYMONTH=2", DAY, "BYYEARDAY"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU", DAY, "BYDAY"),
        ("FREQ=HOURLY;INTERVAL=24;BYHOUR=3", WALL, "BYHOUR"),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29", date(2025, 2, 28), "BYMONTHDAY"),
        ("FREQ=YEARLY;INTERVAL=10000", DAY, ""),
    ],
)
def test_a_rule_that_never_happens_is_refused_by_the_part_that_stands_in_the_way(text, start, part):
    with pytest.raises(rules.InvalidRule, match="never happens") as refusal:
        rules.check_happens(rules.parse(text), start=start, zone=BERLIN)

    assert refusal.value.part == part


def test_a_rule_that_costs_too_much_to_look_through_is_refused(monkeypatch):
    monkeypatch.setattr(steps, "MOST", 100)
    rule = rules.parse("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31")

    with pytest.raises(rules.InvalidRule, match="not found in time"):
        rules.check_happens(rule, start=DAY, zone=BERLIN)


@pytest.mark.parametrize("skip", list(Skip))
def test_a_rule_is_given_another_skip(skip):
    rule = rules.parse("FREQ=MONTHLY;BYMONTHDAY=31;SKIP=FORWARD;RSCALE=GREGORIAN")

    assert rules.with_skip(rule, skip) == replace(rule, skip=skip)
