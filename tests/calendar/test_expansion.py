"""Which dates a rule names: RFC 5545 section 3.3.10, part by part, and SKIP of RFC 7529."""

# ruff: noqa: DTZ001 - walls have no zone.

from datetime import date, datetime
from itertools import islice

import pytest

from apps.calendar import expansion, rules
from apps.calendar.recurrences import wall_text


def named(text, *, start, after=None, most=6):
    walls = expansion.expand(rules.parse(text), start=start, after=after)
    return " ".join(wall_text(wall) for wall in islice(walls, most))


@pytest.mark.parametrize(
    ("text", "start", "dates"),
    [
        ("FREQ=DAILY;COUNT=3", date(2026, 1, 30), "20260130 20260131 20260201"),
        ("FREQ=DAILY;INTERVAL=2;UNTIL=20260104", date(2026, 1, 1), "20260101 20260103"),
        ("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3", date(2026, 11, 24), "20261126 20261130 20261203"),
        ("FREQ=MONTHLY;COUNT=3", date(2026, 1, 31), "20260131 20260331 20260531"),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", date(2026, 1, 1), "20260130 20260227"),
        ("FREQ=MONTHLY;SKIP=BACKWARD;RSCALE=GREGORIAN;COUNT=3", date(2026, 1, 31), "20260131 20260228 20260331"),
        ("FREQ=MONTHLY;SKIP=FORWARD;RSCALE=GREGORIAN;COUNT=3", date(2026, 1, 31), "20260131 20260301 20260331"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;COUNT=3", date(2018, 1, 1), "20180101 20181231 20191230"),
        (
            "FREQ=HOURLY;INTERVAL=12;COUNT=3",
            datetime(2026, 1, 1, 20),
            "20260101T200000 20260102T080000 20260102T200000",
        ),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", date(2026, 1, 1), ""),
    ],
)
def test_a_rule_names_dates(text, start, dates):
    assert named(text, start=start) == dates


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
