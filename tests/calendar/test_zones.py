"""Wall clocks and days, in every zone there is."""

# ruff: noqa: DTZ001 - walls have no zone.

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendar import zones
from apps.calendar.errors import CalendarError

ZONES = st.sampled_from(sorted(zones.time_zone_names())).map(ZoneInfo)
WALLS = st.datetimes(min_value=datetime(1850, 1, 1), max_value=datetime(2100, 1, 1)).map(
    lambda wall: wall.replace(microsecond=0)
)
DAYS = st.dates(min_value=date(1850, 1, 1), max_value=date(2100, 1, 1))
BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def shown(instant, zone):
    return instant.astimezone(zone).replace(tzinfo=None)


def test_the_names_are_places_not_the_machines_own_zone():
    assert {"Europe/London", "Asia/Kathmandu", "UTC"} <= zones.time_zone_names()
    assert zones.time_zone_names() & {"localtime", "Factory", "posixrules"} == set()


def test_a_zone_is_found_by_its_exact_name():
    assert zones.zone("Europe/Berlin") == BERLIN


def test_an_unknown_zone_is_refused_with_the_name_that_is_most_like_it():
    with pytest.raises(zones.UnknownTimeZone) as refusal:
        zones.zone("Europe/Lodnon")

    assert str(refusal.value) == "Europe/Lodnon is no time zone; give a name such as Europe/London."


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "europe/berlin", "localtime", "x" * 10_000, "a\0b"])
def test_what_is_no_name_of_a_zone_is_refused(name):
    with pytest.raises(CalendarError, match="is no time zone; give a name such as "):
        zones.zone(name)


def test_an_ordinary_wall_clock_time_has_its_offset():
    assert zones.attach(datetime(2026, 7, 1, 9, 0), BERLIN) == utc(2026, 7, 1, 7, 0)


def test_an_instant_is_told_in_utc():
    assert zones.attach(datetime(2026, 7, 1, 9, 0), BERLIN).tzinfo is UTC


def test_a_time_in_a_gap_moves_forward_by_the_gaps_length():
    # Clocks went from 02:00 to 03:00; 02:30 is read with the offset before and shows 03:30.
    instant = zones.attach(datetime(2026, 3, 29, 2, 30), BERLIN)

    assert instant == utc(2026, 3, 29, 1, 30)
    assert shown(instant, BERLIN) == datetime(2026, 3, 29, 3, 30)


def test_a_gap_of_half_an_hour_moves_by_half_an_hour():
    lord_howe = ZoneInfo("Australia/Lord_Howe")

    instant = zones.attach(datetime(2026, 10, 4, 2, 10), lord_howe)

    assert shown(instant, lord_howe) == datetime(2026, 10, 4, 2, 40)


def test_a_time_in_a_fold_is_the_first_of_both():
    assert zones.attach(datetime(2026, 10, 25, 2, 30), BERLIN) == utc(2026, 10, 25, 0, 30)
    assert zones.attach(datetime(2026, 10, 25, 2, 30, fold=1), BERLIN) == utc(2026, 10, 25, 0, 30)


def test_a_time_with_a_zone_of_its_own_is_a_mistake():
    with pytest.raises(TypeError):
        zones.attach(utc(2026, 1, 1), BERLIN)


def test_a_time_beyond_the_calendar_is_refused():
    with pytest.raises(zones.OutsideCalendar):
        zones.attach(datetime(9999, 12, 31, 23, 0), ZoneInfo("America/New_York"))


@settings(deadline=None, max_examples=500)
@given(wall=WALLS, zone=ZONES)
def test_a_time_is_shown_by_the_clocks_or_there_is_none_such_and_it_moves_forward(wall, zone):
    instant = zones.attach(wall, zone)

    offsets = {(instant + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-48, 49)}
    ever_shown = any(shown((wall - offset).replace(tzinfo=UTC), zone) == wall for offset in offsets)
    assert (shown(instant, zone) == wall) is ever_shown
    assert shown(instant, zone) >= wall


@settings(deadline=None, max_examples=500)
@given(wall=WALLS, zone=ZONES)
def test_no_earlier_instant_shows_the_same_time(wall, zone):
    instant = zones.attach(wall, zone)

    earlier = [instant - timedelta(minutes=15 * quarters) for quarters in range(1, 100)]
    assert [one for one in earlier if shown(one, zone) == shown(instant, zone)] == []


def test_a_day_starts_at_midnight():
    assert zones.start_of_day(date(2026, 7, 1), BERLIN) == utc(2026, 6, 30, 22, 0)


def test_a_day_whose_midnight_was_left_out_starts_where_clocks_went_on():
    # 00:00 became 01:00.
    sao_paulo = ZoneInfo("America/Sao_Paulo")

    assert zones.start_of_day(date(2018, 11, 4), sao_paulo) == utc(2018, 11, 4, 3, 0)


def test_a_day_whose_midnight_lies_inside_a_gap_starts_at_the_end_of_the_gap():
    # 23:30 became 00:30.
    toronto = ZoneInfo("America/Toronto")

    start = zones.start_of_day(date(1919, 3, 31), toronto)

    assert start == utc(1919, 3, 31, 4, 30)
    assert shown(start, toronto) == datetime(1919, 3, 31, 0, 30)


def test_a_day_with_two_midnights_starts_at_the_first():
    # 00:01 became 23:01 of the day before.
    st_johns = ZoneInfo("America/St_Johns")

    assert zones.start_of_day(date(2010, 11, 7), st_johns) == utc(2010, 11, 7, 2, 30)


def test_a_day_that_was_left_out_starts_and_ends_when_clocks_leapt_over_it():
    apia = ZoneInfo("Pacific/Apia")

    assert zones.start_of_day(date(2011, 12, 30), apia) == utc(2011, 12, 30, 10, 0)
    assert zones.end_of_day(date(2011, 12, 30), apia) == utc(2011, 12, 30, 10, 0)


def test_a_day_of_summer_time_has_23_hours_and_one_of_winter_time_25():
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)

    assert zones.end_of_day(spring, BERLIN) - zones.start_of_day(spring, BERLIN) == timedelta(hours=23)
    assert zones.end_of_day(autumn, BERLIN) - zones.start_of_day(autumn, BERLIN) == timedelta(hours=25)


def test_the_last_day_of_the_calendar_has_no_end():
    with pytest.raises(zones.OutsideCalendar):
        zones.end_of_day(date.max, BERLIN)


@settings(deadline=None, max_examples=500)
@given(day=DAYS, zone=ZONES)
def test_the_start_of_a_day_is_its_first_instant(day, zone):
    start = zones.start_of_day(day, zone)

    assert shown(start, zone).date() >= day
    assert shown(start - timedelta(seconds=1), zone).date() < day


@settings(deadline=None, max_examples=500)
@given(day=DAYS, zone=ZONES)
def test_days_follow_each_other_without_overlap(day, zone):
    assert (
        zones.start_of_day(day, zone)
        <= zones.end_of_day(day, zone)
        <= zones.start_of_day(day, zone) + timedelta(hours=48)
    )


def test_the_date_is_that_of_the_zone():
    instant = utc(2026, 6, 30, 22, 30)

    assert zones.local_date(instant, BERLIN) == date(2026, 7, 1)
    assert zones.local_date(instant, ZoneInfo("America/New_York")) == date(2026, 6, 30)


def test_a_date_is_asked_of_an_instant_only():
    with pytest.raises(TypeError):
        zones.local_date(datetime(2026, 1, 1), BERLIN)


def test_an_instant_that_has_no_date_in_the_zone_is_refused():
    with pytest.raises(zones.OutsideCalendar):
        zones.local_date(utc(9999, 12, 31, 23), BERLIN)
