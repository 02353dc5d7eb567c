"""Quiet hours and the digest's hour on the wall, also where clocks jump."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.notifications.choices.quiet import QuietHours, digest_of, next_digest

NIGHT = QuietHours(time(22), time(7))
NOON = QuietHours(time(12), time(13, 30))
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
# Leaps of half an hour, at midnight, of a whole day; and a place where nothing leaps.
PLACES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "Asia/Kolkata"]
walls = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45, 59]))
instants = st.datetimes(datetime(2011, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
# Within two days of a leap of Berlin, New York, Havana or Apia.
near_leaps = st.builds(
    lambda leap, away: leap + away,
    st.sampled_from(
        [
            datetime(2026, 3, 29, 1, tzinfo=UTC),
            datetime(2026, 10, 25, 1, tzinfo=UTC),
            datetime(2026, 3, 8, 7, tzinfo=UTC),
            datetime(2026, 11, 1, 6, tzinfo=UTC),
            datetime(2026, 3, 8, 5, tzinfo=UTC),
            datetime(2026, 11, 1, 5, tzinfo=UTC),
            datetime(2011, 12, 30, 10, tzinfo=UTC),
        ]
    ),
    st.timedeltas(timedelta(days=-2), timedelta(days=2)),
)


def berlin(*wall):
    return datetime(*wall, tzinfo=BERLIN)


def new_york(*wall, fold=0):
    """In UTC: Python holds an instant that clocks show twice to be equal to none."""
    return datetime(*wall, tzinfo=NEW_YORK, fold=fold).astimezone(UTC)


class TestQuietHours:
    @pytest.mark.parametrize(
        ("hours", "at", "until"),
        [
            (NIGHT, berlin(2026, 5, 4, 21, 59, 59), None),
            (NIGHT, berlin(2026, 5, 4, 22), berlin(2026, 5, 5, 7)),
            (NIGHT, berlin(2026, 5, 5, 0), berlin(2026, 5, 5, 7)),
            (NIGHT, berlin(2026, 5, 5, 6, 59, 59), berlin(2026, 5, 5, 7)),
            (NIGHT, berlin(2026, 5, 5, 7), None),
            (NOON, berlin(2026, 5, 4, 11, 59), None),
            (NOON, berlin(2026, 5, 4, 12), berlin(2026, 5, 4, 13, 30)),
            (NOON, berlin(2026, 5, 4, 13, 30), None),
        ],
    )
    def test_they_hold_from_their_beginning_until_before_their_end(self, hours, at, until):
        assert hours.end(at, zone=BERLIN) == until

    def test_hours_that_begin_when_they_end_are_refused(self):
        with pytest.raises(ValueError, match="begin when they end"):
            QuietHours(time(7), time(7))

    def test_a_night_in_which_clocks_leap_is_an_hour_shorter(self):
        evening = new_york(2026, 3, 7, 22)

        assert NIGHT.end(evening, zone=NEW_YORK) - evening == timedelta(hours=8)

    def test_a_night_in_which_clocks_fall_back_is_an_hour_longer(self):
        evening = new_york(2026, 10, 31, 22)

        assert NIGHT.end(evening, zone=NEW_YORK) - evening == timedelta(hours=10)

    def test_an_end_that_no_clock_shows_is_when_clocks_leap(self):
        until_half_past_two = QuietHours(time(22), time(2, 30))

        held_until = until_half_past_two.end(new_york(2026, 3, 8, 1, 59), zone=NEW_YORK)

        assert held_until == datetime(2026, 3, 8, 7, tzinfo=UTC)

    def test_clocks_that_leap_from_quiet_hours_into_the_next_end_nothing(self):
        all_but_a_while = QuietHours(time(2, 45), time(2, 15))

        held_until = all_but_a_while.end(new_york(2026, 3, 8, 1, 59), zone=NEW_YORK)

        assert held_until == new_york(2026, 3, 9, 2, 15)

    def test_of_an_end_that_clocks_show_twice_it_is_the_first_to_come(self):
        until_half_past_one = QuietHours(time(22), time(1, 30))

        in_the_evening = until_half_past_one.end(new_york(2026, 10, 31, 23), zone=NEW_YORK)
        in_the_second_hour = until_half_past_one.end(new_york(2026, 11, 1, 1, 10, fold=1), zone=NEW_YORK)

        assert in_the_evening == new_york(2026, 11, 1, 1, 30, fold=0)
        assert in_the_second_hour == new_york(2026, 11, 1, 1, 30, fold=1)

    @given(begins=walls, ends=walls, at=instants | near_leaps, place=st.sampled_from(PLACES))
    def test_what_is_held_is_held_to_a_later_instant_that_is_no_longer_quiet(self, begins, ends, at, place):
        ends = ends if begins != ends else time((ends.hour + 1) % 24)
        hours, zone = QuietHours(begins, ends), ZoneInfo(place)

        until = hours.end(at, zone=zone)

        assert (until is not None) == hours.hold(at, zone=zone)
        assert until is None or (at < until <= at + timedelta(days=2, hours=1) and not hours.hold(until, zone=zone))


class TestDigest:
    def test_it_comes_at_the_same_hour_of_every_day_also_when_clocks_leap(self):
        saturday = next_digest(time(8), after=new_york(2026, 3, 6, 8), zone=NEW_YORK)
        sunday = next_digest(time(8), after=saturday, zone=NEW_YORK)

        assert (saturday, sunday) == (new_york(2026, 3, 7, 8), new_york(2026, 3, 8, 8))

    def test_an_hour_that_no_clock_shows_comes_an_hour_later_and_one_shown_twice_once(self):
        in_the_gap = next_digest(time(2, 30), after=new_york(2026, 3, 8, 1), zone=NEW_YORK)
        in_the_fold = next_digest(time(1, 30), after=new_york(2026, 11, 1, 0), zone=NEW_YORK)
        after_that = next_digest(time(1, 30), after=in_the_fold, zone=NEW_YORK)

        assert in_the_gap == new_york(2026, 3, 8, 3, 30)
        assert in_the_fold == new_york(2026, 11, 1, 1, 30, fold=0)
        assert after_that == new_york(2026, 11, 2, 1, 30)

    def test_a_day_that_was_left_out_has_none(self):
        apia = ZoneInfo("Pacific/Apia")
        thursday = digest_of(date(2011, 12, 29), time(8), zone=apia)

        following = next_digest(time(8), after=thursday, zone=apia)

        assert following == digest_of(date(2011, 12, 31), time(8), zone=apia)
        assert next_digest(time(8), after=following, zone=apia) == digest_of(date(2012, 1, 1), time(8), zone=apia)

    @given(at=walls, after=instants | near_leaps, place=st.sampled_from(PLACES))
    def test_there_is_always_a_next_one_within_two_days(self, at, after, place):
        following = next_digest(at, after=after, zone=ZoneInfo(place))

        assert after < following <= after + timedelta(days=2, hours=1)
