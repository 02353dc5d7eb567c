"""Which dates a rule names: RFC 5545 section 3.3.10, part by part, and SKIP of RFC 7529."""

# ruff: noqa: DTZ001 - walls have no zone.

from datetime import date, datetime
from itertools import islice

import pytest

from apps.calendar import expansion, rules, steps
from apps.calendar.recurrences import wall_text
from tests.support.work import LINES, executed


def named(text, *, start, after=None, most=6):
    walls = expansion.expand(rules.parse(text), start=start, after=after)
    return " ".join(wall_text(wall) for wall in islice(walls, most))


DAY, WALL = date(2026, 1, 1), datetime(2026, 1, 1, 9)


class TestWhatAPartIs:
    """By FREQ: an expansion of the period, or a limit on it (the table of RFC 5545 section 3.3.10)."""

    @pytest.mark.parametrize(
        ("text", "start", "dates"),
        [
            ("FREQ=DAILY;COUNT=3", date(2026, 1, 30), "20260130 20260131 20260201"),
            ("FREQ=DAILY;INTERVAL=2;UNTIL=20260104", DAY, "20260101 20260103"),
            ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=-1,1;BYDAY=SA,SU;COUNT=4", DAY, "20260201 20260228 20270228 20310201"),
            ("FREQ=DAILY;INTERVAL=3;BYDAY=TH;COUNT=5", DAY, "20260101 20260122 20260212 20260305 20260326"),
            ("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3", date(2026, 11, 24), "20261126 20261130 20261203"),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;COUNT=4", DAY, "20260104 20260112 20260118 20260126"),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU;COUNT=4", DAY, "20260111 20260112 20260125 20260126"),
            ("FREQ=WEEKLY;BYMONTH=2;BYDAY=SU;COUNT=5", DAY, "20260201 20260208 20260215 20260222 20270207"),
            ("FREQ=MONTHLY;COUNT=3", date(2026, 1, 31), "20260131 20260331 20260531"),
            ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", DAY, "20260130 20260227"),
            ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3", DAY, "20260213 20260313 20261113"),
            ("FREQ=MONTHLY;BYDAY=5MO,-5MO;COUNT=3", DAY, "20260302 20260330 20260601"),
            ("FREQ=MONTHLY;BYMONTH=3;BYMONTHDAY=1,-31;COUNT=2", DAY, "20260301 20270301"),
            ("FREQ=YEARLY;COUNT=3", date(2024, 2, 29), "20240229 20280229 20320229"),
            ("FREQ=YEARLY;BYMONTH=1,6;COUNT=3", date(2026, 1, 15), "20260115 20260615 20270115"),
            ("FREQ=YEARLY;BYMONTHDAY=1,15;COUNT=3", date(2026, 3, 1), "20260301 20260315 20270301"),
            ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", date(1997, 5, 19), "19970519 19980518 19990517"),
            ("FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=2", DAY, "20260525 20270531"),
            ("FREQ=YEARLY;BYDAY=53TH;COUNT=2", DAY, "20261231 20321230"),
            ("FREQ=YEARLY;BYYEARDAY=366,-366;COUNT=3", DAY, "20280101 20281231 20320101"),
            ("FREQ=YEARLY;BYYEARDAY=60;BYDAY=SU;COUNT=2", DAY, "20260301 20320229"),
        ],
    )
    def test_for_days(self, text, start, dates):
        assert named(text, start=start) == dates

    @pytest.mark.parametrize(
        ("text", "dates"),
        [
            ("FREQ=DAILY;BYHOUR=9,17;COUNT=3", "20260101T090000 20260101T170000 20260102T090000"),
            ("FREQ=WEEKLY;BYHOUR=8,10;COUNT=3", "20260101T100000 20260108T080000 20260108T100000"),
            ("FREQ=HOURLY;INTERVAL=12;COUNT=3", "20260101T090000 20260101T210000 20260102T090000"),
            ("FREQ=HOURLY;INTERVAL=5;BYHOUR=9,19;COUNT=3", "20260101T090000 20260101T190000 20260106T090000"),
            ("FREQ=HOURLY;BYMONTHDAY=2;BYMINUTE=0,30;COUNT=3", "20260102T000000 20260102T003000 20260102T010000"),
            ("FREQ=MINUTELY;INTERVAL=90;COUNT=3", "20260101T090000 20260101T103000 20260101T120000"),
            ("FREQ=MINUTELY;INTERVAL=7;BYMINUTE=3;COUNT=3", "20260101T100300 20260101T170300 20260102T000300"),
            (
                "FREQ=MINUTELY;BYHOUR=9;BYMINUTE=58,59;BYSECOND=1;COUNT=3",
                "20260101T095801 20260101T095901 20260102T095801",
            ),
            ("FREQ=SECONDLY;INTERVAL=50;BYSECOND=0;COUNT=3", "20260101T090000 20260101T090500 20260101T091000"),
            (
                "FREQ=SECONDLY;BYYEARDAY=-1;BYHOUR=23;BYMINUTE=59;BYSECOND=58,59;COUNT=3",
                "20261231T235958 20261231T235959 20271231T235958",
            ),
        ],
    )
    def test_for_times(self, text, dates):
        assert named(text, start=WALL) == dates

    def test_a_leap_second_is_the_last_of_its_minute(self):
        assert named("FREQ=DAILY;BYSECOND=59,60;COUNT=2", start=WALL) == "20260101T090059 20260102T090059"

    def test_a_date_has_no_times_whatever_the_rule_says(self):
        assert named("FREQ=DAILY;BYHOUR=9,17;COUNT=2", start=DAY) == "20260101 20260102"

    @pytest.mark.parametrize("frequency", ["HOURLY", "MINUTELY", "SECONDLY"])
    def test_a_date_does_not_repeat_within_the_day(self, frequency):
        with pytest.raises(rules.InvalidRule) as refusal:
            expansion.expand(rules.parse(f"FREQ={frequency}"), start=DAY)

        assert refusal.value.part == "FREQ"


class TestWeeksOfTheYear:
    """A week belongs to the year that has four or more of its days."""

    @pytest.mark.parametrize(
        ("text", "start", "dates"),
        [
            ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", date(1997, 5, 12), "19970512 19980511 19990517"),
            ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;COUNT=3", date(2018, 1, 1), "20180101 20181231 20191230"),
            ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=FR;COUNT=3", DAY, "20270101 20321231 20380101"),
            ("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO;COUNT=3", DAY, "20261228 20271227 20281225"),
            ("FREQ=YEARLY;BYWEEKNO=20;COUNT=3", DAY, "20260514 20270520 20280518"),
            ("FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO;COUNT=3", date(2018, 12, 31), "20181231 20210104 20230102"),
            ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=SU;WKST=SU;COUNT=2", date(2025, 12, 1), "20260104 20270103"),
            ("FREQ=YEARLY;BYWEEKNO=1;BYMONTH=12;BYDAY=MO,TU;COUNT=3", DAY, "20291231 20301230 20301231"),
        ],
    )
    def test_are_counted_by_it(self, text, start, dates):
        assert named(text, start=start) == dates


class TestSetPositions:
    @pytest.mark.parametrize(
        ("text", "start", "dates"),
        [
            ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", DAY, "20260130 20260227 20260331"),
            ("FREQ=MONTHLY;BYDAY=TU,WE,TH;BYSETPOS=3;COUNT=2", DAY, "20260107 20260205"),
            ("FREQ=YEARLY;BYDAY=MO;BYSETPOS=1,-1,60;COUNT=3", DAY, "20260105 20261228 20270104"),
            ("FREQ=WEEKLY;BYMONTH=1;BYDAY=MO,FR;BYSETPOS=2;COUNT=3", DAY, "20260109 20260116 20260123"),
        ],
    )
    def test_choose_of_the_days_of_a_period(self, text, start, dates):
        assert named(text, start=start) == dates

    def test_count_the_whole_first_week_also_where_the_start_is_within_it(self):
        # The first of Monday, Wednesday and Friday was before this Wednesday.
        text = "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1;COUNT=2"

        assert named(text, start=date(2026, 11, 25)) == "20261130 20261207"

    @pytest.mark.parametrize(
        ("text", "dates"),
        [
            ("FREQ=DAILY;BYHOUR=6,12,18;BYSETPOS=-1;COUNT=2", "20260101T180000 20260102T180000"),
            ("FREQ=HOURLY;BYMINUTE=0,20,40;BYSETPOS=2;COUNT=2", "20260101T092000 20260101T102000"),
            (
                "FREQ=MONTHLY;BYMONTHDAY=1,2;BYHOUR=6,18;BYSETPOS=2,-1;COUNT=3",
                "20260101T180000 20260102T180000 20260201T180000",
            ),
            ("FREQ=DAILY;BYHOUR=6;BYSETPOS=2", ""),
        ],
    )
    def test_choose_of_times_too(self, text, dates):
        assert named(text, start=WALL) == dates


class TestSkip:
    """A day, or a week, that is not there (RFC 7529 section 4.1)."""

    @pytest.mark.parametrize(
        ("text", "start", "dates"),
        [
            ("FREQ=MONTHLY;SKIP=OMIT;COUNT=3", date(2026, 1, 31), "20260131 20260331 20260531"),
            ("FREQ=MONTHLY;SKIP=BACKWARD;COUNT=4", date(2026, 1, 31), "20260131 20260228 20260331 20260430"),
            ("FREQ=MONTHLY;SKIP=FORWARD;COUNT=4", date(2026, 1, 31), "20260131 20260301 20260331 20260501"),
            ("FREQ=YEARLY;SKIP=BACKWARD;COUNT=3", date(2024, 2, 29), "20240229 20250228 20260228"),
            ("FREQ=YEARLY;SKIP=FORWARD;COUNT=3", date(2024, 2, 29), "20240229 20250301 20260301"),
            ("FREQ=YEARLY;BYYEARDAY=366;SKIP=BACKWARD;COUNT=3", DAY, "20261231 20271231 20281231"),
            ("FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD;COUNT=3", DAY, "20270101 20280101 20281231"),
            ("FREQ=YEARLY;BYWEEKNO=53;SKIP=BACKWARD;COUNT=3", date(2015, 12, 29), "20151229 20161227 20171226"),
            ("FREQ=YEARLY;BYWEEKNO=53;SKIP=FORWARD;COUNT=3", date(2015, 12, 29), "20151229 20170103 20180102"),
            (
                "FREQ=YEARLY;BYWEEKNO=1,53;SKIP=FORWARD;COUNT=4",
                date(2015, 12, 29),
                "20151229 20160105 20170103 20180102",
            ),
            ("FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=BACKWARD;COUNT=3", date(2026, 3, 1), "20260301 20260331 20260501"),
            ("FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=FORWARD;COUNT=3", date(2026, 3, 1), "20260301 20260401 20260501"),
        ],
    )
    def test_moves_what_is_not_there(self, text, start, dates):
        assert named(f"{text};RSCALE=GREGORIAN", start=start) == dates

    def test_makes_one_date_of_two(self):
        text = "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;SKIP=BACKWARD;RSCALE=GREGORIAN"

        assert named(text, start=date(2026, 2, 1), most=3) == "20260228 20260328 20260329"
        text = "FREQ=MONTHLY;BYMONTHDAY=1,31;SKIP=FORWARD;RSCALE=GREGORIAN"
        assert named(text, start=date(2026, 2, 1), most=4) == "20260201 20260301 20260331 20260401"

    def test_comes_after_months_and_before_weekdays(self):
        # 30 February moves to 1 March, whatever BYMONTH says of March, and counts where that is a Monday.
        text = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYDAY=MO;SKIP=FORWARD;RSCALE=GREGORIAN"

        assert named(text, start=DAY, most=2) == "20270301 20320301"

    def test_keeps_order_where_two_months_choose_of_one_day(self):
        # February chooses the evening of 1 March, March its morning.
        text = "FREQ=MONTHLY;BYMONTHDAY=1,31;BYHOUR=9,17;BYSETPOS=1,-1;SKIP=FORWARD;RSCALE=GREGORIAN"

        assert named(text, start=datetime(2026, 2, 1, 9), most=4) == (
            "20260201T090000 20260301T090000 20260301T170000 20260331T170000"
        )

    def test_leaves_alone_what_only_limits(self):
        text = "FREQ=DAILY;BYMONTHDAY=31;SKIP=BACKWARD;RSCALE=GREGORIAN"

        assert named(text, start=DAY, most=3) == "20260131 20260331 20260531"


@pytest.mark.parametrize(
    ("text", "first"),
    [("FREQ=YEARLY;BYYEARDAY=-366", "00011231T090000"), ("FREQ=YEARLY;BYWEEKNO=-53;BYDAY=MO", "00011224T090000")],
)
def test_what_moves_out_of_the_calendar_is_no_date(text, first):
    backward = f"{text};SKIP=BACKWARD;RSCALE=GREGORIAN"

    assert named(backward, start=datetime(1, 1, 1, 9), most=1) == first


class TestAfter:
    def test_finds_what_comes_after_a_wall(self):
        assert named("FREQ=DAILY", start=DAY, after=date(2026, 5, 1), most=2) == "20260502 20260503"
        assert named("FREQ=DAILY", start=WALL, after=datetime(2026, 5, 1, 8, 59, 59), most=1) == "20260501T090000"
        assert named("FREQ=DAILY", start=WALL, after=datetime(2026, 5, 1, 9), most=1) == "20260502T090000"

    def test_keeps_the_distance_from_the_start(self):
        assert named("FREQ=YEARLY;INTERVAL=3", start=DAY, after=date(9000, 1, 1), most=1) == "90010101"
        assert named("FREQ=MONTHLY;INTERVAL=7", start=DAY, after=date(9000, 1, 1), most=1) == "90000501"
        assert named("FREQ=WEEKLY;INTERVAL=5", start=DAY, after=date(9000, 1, 1), most=1) == "90000130"
        assert named("FREQ=SECONDLY;INTERVAL=7000", start=WALL, after=datetime(9000, 1, 1), most=1) == "90000101T010640"

    def test_before_the_start_is_all_of_it(self):
        assert named("FREQ=DAILY", start=DAY, after=date(2020, 1, 1), most=1) == "20260101"

    def test_counts_from_the_start(self):
        assert named("FREQ=DAILY;COUNT=5", start=DAY, after=date(2026, 1, 3)) == "20260104 20260105"
        assert named("FREQ=DAILY;BYHOUR=9,17;COUNT=5", start=WALL, after=datetime(2026, 1, 2, 9)) == (
            "20260102T170000 20260103T090000"
        )

    def test_the_last_there_is_nothing(self):
        assert named("FREQ=DAILY;COUNT=5", start=DAY, after=date(2026, 1, 5)) == ""
        assert named("FREQ=DAILY;UNTIL=20260105", start=DAY, after=date(2026, 1, 5)) == ""


@pytest.mark.parametrize(
    ("text", "start", "dates"),
    [
        ("FREQ=WEEKLY;INTERVAL=9973", datetime(9800, 11, 21, 9), "98001121T090000 99920110T090000"),
        ("FREQ=WEEKLY;INTERVAL=400;BYDAY=SA,SU", datetime(9995, 1, 2, 9), "99950107T090000 99950108T090000"),
        ("FREQ=YEARLY;BYYEARDAY=146", datetime(9999, 12, 31, 23, 59, 59), ""),
        ("FREQ=YEARLY;BYMONTH=11,12", date(9999, 12, 30), "99991230"),
        ("FREQ=MONTHLY;SKIP=FORWARD;RSCALE=GREGORIAN", date(9999, 11, 30), "99991130 99991230"),
        ("FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD;RSCALE=GREGORIAN", date(9997, 1, 2), "99980101 99990101"),
        ("FREQ=YEARLY;BYWEEKNO=52;BYDAY=MO,SU", date(9999, 12, 1), "99991227"),
        ("FREQ=DAILY", date(9999, 12, 30), "99991230 99991231"),
        ("FREQ=SECONDLY;INTERVAL=7000", datetime(9999, 12, 31, 22), "99991231T220000 99991231T235640"),
    ],
)
def test_a_rule_ends_with_the_calendar(text, start, dates):
    assert named(text, start=start) == dates


EVERY_MINUTE = ",".join(map(str, range(60)))
ALL_DAY = f"BYHOUR={','.join(map(str, range(24)))};BYMINUTE={EVERY_MINUTE};BYSECOND={EVERY_MINUTE}"
SIXTH_AND_MORE = ",".join(f"{ordinal}{day}" for ordinal in range(6, 33) for day in ("MO", "TU", "WE", "TH", "FR", "SA"))


class TestHostileRules:
    @pytest.mark.parametrize(
        "text",
        [
            "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
            "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2,4,6,9,11;" + ALL_DAY,
            "FREQ=MONTHLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=31",
            "FREQ=MINUTELY;INTERVAL=60;BYMINUTE=3",
            "FREQ=HOURLY;INTERVAL=24;BYHOUR=3",
            "FREQ=DAILY;INTERVAL=7;BYDAY=FR",
            "FREQ=DAILY;INTERVAL=10000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
            "FREQ=DAILY;BYHOUR=9;BYSETPOS=366",
            "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=366",
            "FREQ=WEEKLY;INTERVAL=773;BYMONTH=2;BYDAY=MO,TU;BYSETPOS=-3",
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=366",
            "FREQ=YEARLY;BYDAY=MO;BYSETPOS=366",
            "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
            "FREQ=YEARLY;BYWEEKNO=-1;BYYEARDAY=200",
            "FREQ=YEARLY;INTERVAL=100;BYYEARDAY=366;BYMONTH=1",
            "FREQ=MONTHLY;BYDAY=" + SIXTH_AND_MORE,
            "FREQ=YEARLY;BYMONTH=1,2;BYDAY=" + SIXTH_AND_MORE,
            "FREQ=SECONDLY;INTERVAL=9996;BYDAY=MO;BYHOUR=3;BYMINUTE=4;BYSECOND=5",
            "FREQ=SECONDLY;INTERVAL=9973;BYYEARDAY=366;BYHOUR=3;BYMINUTE=4;BYSECOND=5;BYDAY=MO",
        ],
    )
    def test_what_never_happens_is_found_out(self, text):
        found = []

        lines = executed(lambda: found.extend(expansion.expand(rules.parse(text), start=WALL)))

        assert found == []
        assert lines < LINES

    @pytest.mark.parametrize(
        ("text", "second"),
        [
            ("FREQ=SECONDLY;" + ALL_DAY, "20260101T090001"),
            ("FREQ=DAILY;" + ALL_DAY, "20260101T090001"),
            ("FREQ=HOURLY;BYMINUTE=0;BYSECOND=" + EVERY_MINUTE, "20260101T090001"),
            ("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=366,-366;" + ALL_DAY, "20270101T000605"),
            ("FREQ=SECONDLY;INTERVAL=10000;COUNT=100000", "20260101T114640"),
            ("FREQ=YEARLY;INTERVAL=8000", ""),
            ("FREQ=WEEKLY;INTERVAL=10000;BYMONTH=2", "52840210T090000"),
        ],
    )
    def test_what_names_much_or_hardly_anything_is_found_at_once(self, text, second):
        found = []

        lines = executed(lambda: found.extend(islice(expansion.expand(rules.parse(text), start=WALL), 2)))

        assert [wall_text(wall) for wall in found[1:]] == second.split()
        assert lines < LINES

    def test_counting_through_ages_is_refused(self):
        counted = expansion.expand(rules.parse("FREQ=DAILY;COUNT=100000"), start=WALL, after=datetime(2290, 1, 1))
        refused = []

        def ask():
            try:
                next(counted)
            except expansion.TooCostly as refusal:
                refused.append(str(refusal))

        lines = executed(ask)

        assert refused == ["This rule names no further date within what may be looked through."]
        assert lines < LINES

    def test_without_the_limit_it_would_take_more(self, monkeypatch):
        monkeypatch.setattr(steps, "MOST", 10**9)
        counted = expansion.expand(rules.parse("FREQ=DAILY;COUNT=100000"), start=WALL, after=datetime(2290, 1, 1))

        assert executed(lambda: next(counted)) > LINES

    def test_after_a_refusal_nothing_more_comes(self):
        counted = expansion.expand(rules.parse("FREQ=DAILY;COUNT=100000"), start=WALL, after=datetime(2290, 1, 1))
        with pytest.raises(expansion.TooCostly):
            next(counted)

        assert list(counted) == []
