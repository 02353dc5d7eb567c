"""Where a snooze moves what is due."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.calendar.errors import CalendarError
from apps.calendar.snoozes import InvalidSnooze, snooze

BERLIN = ZoneInfo("Europe/Berlin")
# A Wednesday, 11:07 in Berlin.
NOW = datetime(2026, 11, 25, 10, 7, tzinfo=UTC)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def snoozed(until, *, now=NOW, zone=BERLIN, due_at=None, due_on=None):
    return snooze(until, now=now, zone=zone, due_at=due_at, due_on=due_on)


@pytest.mark.parametrize(
    ("now", "later"),
    [
        (utc(2026, 11, 25, 10, 7), utc(2026, 11, 25, 13, 15)),
        (utc(2026, 11, 25, 10, 0), utc(2026, 11, 25, 13, 0)),
        (utc(2026, 11, 25, 10, 0, 1), utc(2026, 11, 25, 13, 15)),
        (utc(2026, 11, 25, 10, 0, 0, 1), utc(2026, 11, 25, 13, 15)),
        (utc(2026, 11, 25, 19, 45), utc(2026, 11, 25, 22, 45)),
    ],
)
def test_later_today_is_three_hours_on_at_the_next_quarter(now, later):
    assert snoozed("later_today", now=now) == later


@pytest.mark.parametrize("due", [{"due_on": date(2026, 11, 25)}, {"due_at": utc(2026, 11, 25, 8, 0)}, {}])
def test_later_today_is_an_instant_whatever_was_due(due):
    assert snoozed("later_today", **due) == utc(2026, 11, 25, 13, 15)


def test_quarters_are_those_of_the_clock_on_the_wall():
    # 15:52 in Kathmandu, at +05:45.
    assert snoozed("later_today", zone=ZoneInfo("Asia/Kathmandu")) == utc(2026, 11, 25, 13, 15)


@pytest.mark.parametrize("now", [utc(2026, 11, 25, 19, 46), utc(2026, 11, 25, 20, 0), utc(2026, 11, 25, 22, 59)])
def test_later_today_is_refused_when_that_is_tomorrow(now):
    with pytest.raises(InvalidSnooze) as refusal:
        snoozed("later_today", now=now)

    assert str(refusal.value) == "Three hours from now is no longer today; snooze to tomorrow."


@pytest.mark.parametrize("due", [{"due_on": date(2026, 11, 25)}, {"due_at": utc(2026, 11, 25, 8, 0)}, {}])
def test_a_duration_is_an_instant_from_now_whatever_was_due(due):
    assert snoozed("PT15M", now=utc(2026, 11, 25, 10, 7), **due) == utc(2026, 11, 25, 10, 22)


@pytest.mark.parametrize("until", ["PT", "P", "PT1.5H", "P1M", "P400D", "PT0S"])
def test_what_is_no_duration_still_to_come_is_refused(until):
    with pytest.raises(CalendarError):
        snoozed(until)


@pytest.mark.parametrize("due", [{"due_on": date(2026, 11, 20)}, {}])
def test_tomorrow_is_a_date_where_no_instant_was_due(due):
    assert snoozed("tomorrow", **due) == date(2026, 11, 26)


def test_tomorrow_is_the_zones_tomorrow():
    assert snoozed("tomorrow", now=utc(2026, 11, 25, 23, 30)) == date(2026, 11, 27)


def test_an_instant_keeps_its_time_of_day():
    assert snoozed("tomorrow", due_at=utc(2026, 11, 20, 8, 30)) == utc(2026, 11, 26, 8, 30)


def test_an_instant_keeps_its_time_of_day_on_the_wall_across_a_change_of_clocks():
    # 09:00 on Saturday, in summer, is 09:00 on Sunday, in winter.
    now, due_at = utc(2026, 10, 24, 6, 0), utc(2026, 10, 24, 7, 0)

    assert snoozed("tomorrow", now=now, due_at=due_at) == utc(2026, 10, 25, 8, 0)


def test_a_time_of_day_that_the_new_day_leaves_out_moves_forward():
    now, due_at = utc(2026, 3, 28, 0, 0), utc(2026, 3, 28, 1, 30)

    assert snoozed("tomorrow", now=now, due_at=due_at) == utc(2026, 3, 29, 1, 30)


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        (utc(2026, 11, 23, 10, 0), date(2026, 11, 30)),
        (utc(2026, 11, 25, 10, 0), date(2026, 11, 30)),
        (utc(2026, 11, 29, 10, 0), date(2026, 11, 30)),
        (utc(2026, 11, 29, 23, 30), date(2026, 12, 7)),
    ],
)
def test_next_week_is_the_next_monday(now, monday):
    assert snoozed("next_week", now=now) == monday


def test_next_week_keeps_the_time_of_day():
    assert snoozed("next_week", due_at=utc(2026, 11, 20, 8, 30)) == utc(2026, 11, 30, 8, 30)


def test_a_date_may_be_given():
    assert snoozed("2026-12-24") == date(2026, 12, 24)


def test_a_given_date_keeps_the_time_of_day_of_an_instant():
    assert snoozed("2026-12-24", due_at=utc(2026, 11, 20, 8, 30)) == utc(2026, 12, 24, 8, 30)


def test_today_is_not_past_for_a_date():
    assert snoozed("2026-11-25") == date(2026, 11, 25)


def test_today_is_past_for_an_instant_whose_time_of_day_has_gone_by():
    with pytest.raises(InvalidSnooze, match="That has passed"):
        snoozed("2026-11-25", due_at=utc(2026, 11, 20, 8, 30))


@pytest.mark.parametrize(
    ("until", "instant"),
    [
        ("2026-11-26T09:00:00Z", utc(2026, 11, 26, 9, 0)),
        ("2026-11-26T09:00:00+05:00", utc(2026, 11, 26, 4, 0)),
        ("2026-11-26T09:00", utc(2026, 11, 26, 8, 0)),
        (" 2026-11-26 09:00 ", utc(2026, 11, 26, 8, 0)),
    ],
)
def test_an_instant_may_be_given_and_is_the_walls_without_an_offset(until, instant):
    assert snoozed(until, due_at=utc(2026, 11, 20, 8, 30)) == instant


def test_an_instant_is_answered_in_utc():
    assert snoozed("2026-11-26T09:00:00+05:00").tzinfo is UTC


@pytest.mark.parametrize("until", ["2026-11-25T10:07:00Z", "2026-11-25T11:07", "2026-11-24", "0001-01-01"])
def test_what_is_not_still_to_come_is_refused(until):
    with pytest.raises(InvalidSnooze) as refusal:
        snoozed(until)

    assert str(refusal.value) == "That has passed; snooze to a time still to come."


@pytest.mark.parametrize("until", ["", "never", "Tomorrow!", "2026-13-01", "25.11.2026", "2026-11-26T25:00", "\0"])
def test_what_is_no_time_is_refused_with_what_may_be_said(until):
    with pytest.raises(InvalidSnooze) as refusal:
        snoozed(until)

    assert str(refusal.value) == (
        "That is no time to snooze to. Say PT15M, later_today, tomorrow or next_week, "
        "or give a date or an instant such as 2026-11-25T09:00:00Z."
    )


@pytest.mark.parametrize(
    ("until", "zone"),
    [
        ("9999-12-31T23:59:59-01:00", "UTC"),
        ("0001-01-01T00:00:00+01:00", "UTC"),
        ("9999-12-31T23:59:59", "America/New_York"),
    ],
)
def test_what_lies_outside_the_calendar_is_refused(until, zone):
    with pytest.raises(InvalidSnooze) as refusal:
        snoozed(until, zone=ZoneInfo(zone))

    assert str(refusal.value) == "That lies outside the years 1 to 9999."
