# ruff: noqa: DTZ001 - walls have no zone
"""Which date comes next, by each policy: the edges that a series meets once in years."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.recurrence.catching_up import MOST_COUNTED, MOST_NAMED, advance
from apps.recurrence.schedule import alike, has_come, has_passed, schedule_of, wall_of

LONDON = ZoneInfo("Europe/London")
UTC_ZONE = ZoneInfo("UTC")


def schedule(rule, *, start, zone=UTC_ZONE, **policies):
    intent = {"rule": rule, "from": "schedule", "month_end": "clamp", "catch_up": "latest"} | policies
    return schedule_of(intent, start=start, zone=zone)


def after(plan, wall, *, now):
    return advance(plan, after=wall, completed_at=now, now=now)


class TestComeAndPassed:
    def test_a_day_comes_with_its_first_moment_and_has_passed_when_it_is_over(self):
        day = date(2026, 7, 1)
        first, last = datetime(2026, 6, 30, 23, 0, tzinfo=UTC), datetime(2026, 7, 1, 22, 59, 59, tzinfo=UTC)

        assert [has_come(day, zone=LONDON, now=now) for now in (first - timedelta(seconds=1), first)] == [False, True]
        assert [has_passed(day, zone=LONDON, now=now) for now in (last, last + timedelta(seconds=1))] == [False, True]

    def test_a_time_comes_and_passes_in_one_moment(self):
        wall = datetime(2026, 7, 1, 9, 0)
        now = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)

        assert has_come(wall, zone=LONDON, now=now)
        assert has_passed(wall, zone=LONDON, now=now)


class TestLongAway:
    """An hourly series that nobody looked at for two years."""

    START = datetime(2026, 1, 1, 9, 0)
    NOW = datetime(2028, 1, 1, 12, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("catch_up", "made"), [("latest", datetime(2028, 1, 1, 12, 0)), ("skip", datetime(2028, 1, 1, 13, 0))]
    )
    def test_the_right_date_is_found_and_as_many_counted_as_are_counted(self, catch_up, made):
        plan = schedule("FREQ=HOURLY", start=self.START, catch_up=catch_up)

        found = after(plan, self.START, now=self.NOW)

        assert found.made == [made]
        assert found.skipped[:2] == [self.START + timedelta(hours=1), self.START + timedelta(hours=2)]
        assert len(found.skipped) == MOST_NAMED
        assert MOST_COUNTED <= found.skipped_count <= MOST_COUNTED + 48

    def test_one_that_ended_meanwhile_has_its_last_date(self):
        plan = schedule("FREQ=HOURLY;UNTIL=20260102", start=self.START)

        found = after(plan, self.START, now=self.NOW)

        assert found.made == [datetime(2026, 1, 2, 23, 0)]

    def test_one_that_ended_long_ago_after_more_than_are_counted_has_its_last_date_too(self):
        plan = schedule("FREQ=HOURLY;UNTIL=20271001", start=self.START)

        found = after(plan, self.START, now=self.NOW)

        assert found.made == [datetime(2027, 10, 1, 23, 0)]

    def test_passed_over_it_is_at_its_end(self):
        plan = schedule("FREQ=HOURLY;UNTIL=20271001", start=self.START, catch_up="skip")

        assert after(plan, self.START, now=self.NOW).made == []


class TestFromCompletion:
    def test_hours_count_from_the_minute(self):
        start = datetime(2026, 5, 4, 9, 0)
        plan = schedule("FREQ=HOURLY;INTERVAL=8", start=start, **{"from": "completion"})

        done = datetime(2026, 5, 4, 10, 17, 42, tzinfo=UTC)

        assert after(plan, start, now=done).made == [datetime(2026, 5, 4, 18, 17)]

    def test_days_count_from_the_day_in_the_owners_zone(self):
        start = datetime(2026, 5, 4, 9, 0)
        plan = schedule("FREQ=DAILY;INTERVAL=3", start=start, zone=ZoneInfo("Asia/Tokyo"), **{"from": "completion"})

        done = datetime(2026, 5, 4, 16, 0, tzinfo=UTC)  # the fifth, in Tokyo

        assert after(plan, start, now=done).made == [datetime(2026, 5, 8, 9, 0)]

    def test_a_rule_of_weekdays_finds_the_next_one(self):
        start = date(2026, 5, 4)
        plan = schedule("FREQ=WEEKLY;BYDAY=MO", start=start, **{"from": "completion"})

        done = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)

        assert after(plan, start, now=done).made == [date(2026, 5, 11)]


def test_dates_are_left_out_and_put_in_of_either_kind():
    start = datetime(2026, 5, 4, 9, 0)
    plan = schedule("FREQ=DAILY", start=start, exdates=["20260505"], rdates=["20260506T120000"], catch_up="wait")
    now = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)

    walls = [start]
    for _ in range(3):
        walls += after(plan, walls[-1], now=now).made

    assert walls[1:] == [datetime(2026, 5, 6, 9, 0), datetime(2026, 5, 6, 12, 0), datetime(2026, 5, 7, 9, 0)]


def test_a_wall_is_of_the_kind_that_the_due_is():
    at = datetime(2026, 7, 1, 8, 0, 0, 999, tzinfo=UTC)

    assert wall_of(at, None, zone=LONDON, now=at) == datetime(2026, 7, 1, 9, 0)
    assert wall_of(None, date(2026, 7, 2), zone=LONDON, now=at) == date(2026, 7, 2)
    assert wall_of(None, None, zone=LONDON, now=datetime(2026, 6, 30, 23, 30, tzinfo=UTC)) == date(2026, 7, 1)
    assert alike(date(2026, 7, 1), datetime(2026, 1, 1, 9, 0)) == datetime(2026, 7, 1, 9, 0)
    assert alike(datetime(2026, 7, 1, 9, 0), date(2026, 1, 1)) == date(2026, 7, 1)
