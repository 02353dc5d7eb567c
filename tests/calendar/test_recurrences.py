"""What repeats from a start, in a zone, with dates left out and put in (RFC 5545 sections 3.8.5.1 to 3.8.5.3)."""

# ruff: noqa: DTZ001 - walls have no zone.

from datetime import UTC, date, datetime
from itertools import islice

import pytest

from apps.calendar import expansion, rules, zones
from apps.calendar.recurrences import InvalidWall, Recurrence, parse_wall, wall_text


def recurrence(text, start, *, zone="Europe/Berlin", exdates="", rdates=""):
    return Recurrence(
        rule=rules.parse(text),
        start=parse_wall(start),
        zone=zones.zone(zone),
        exdates=frozenset(parse_wall(wall) for wall in exdates.split()),
        rdates=tuple(parse_wall(wall) for wall in rdates.split()),
    )


def told(walls, *, most=10):
    return " ".join(wall_text(wall) for wall in islice(walls, most))


def instants(repeating, *, most):
    return [f"{zones.attach(wall, repeating.zone):%d %H:%M}" for wall in islice(repeating.dates(), most)]


class TestTheStart:
    def test_is_the_first_date_also_where_the_rule_does_not_name_it(self):
        fridays_from_a_monday = recurrence("FREQ=WEEKLY;BYDAY=FR", "20261123")

        assert told(fridays_from_a_monday.dates(), most=3) == "20261123 20261127 20261204"

    def test_counts_in_count_also_where_the_rule_does_not_name_it(self):
        assert told(recurrence("FREQ=WEEKLY;BYDAY=FR;COUNT=3", "20261123").dates()) == "20261123 20261127 20261204"
        assert told(recurrence("FREQ=WEEKLY;BYDAY=FR;COUNT=3", "20261127").dates()) == "20261127 20261204 20261211"
        assert told(recurrence("FREQ=WEEKLY;BYDAY=FR;COUNT=1", "20261123").dates()) == "20261123"

    def test_is_a_date_also_where_until_is_before_it(self):
        assert told(recurrence("FREQ=DAILY;UNTIL=20261101", "20261123").dates()) == "20261123"

    def test_is_the_only_date_where_the_rule_never_happens(self):
        dates = recurrence("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "20261123T090000").dates()

        assert told(dates) == "20261123T090000"


class TestAfter:
    @pytest.mark.parametrize(
        ("after", "dates"),
        [
            ("20261122", "20261123 20261127 20261204"),
            ("20261123", "20261127 20261204"),
            ("20261124", "20261127 20261204"),
            ("20261127", "20261204"),
            ("20261204", ""),
        ],
    )
    def test_drops_what_is_not_after_it_and_count_counts_it_still(self, after, dates):
        counted = recurrence("FREQ=WEEKLY;BYDAY=FR;COUNT=3", "20261123")

        assert told(counted.dates(after=parse_wall(after))) == dates

    def test_also_of_dates_put_in(self):
        counted = recurrence("FREQ=WEEKLY;COUNT=2", "20261123", rdates="20261124 20261125")

        assert told(counted.dates(after=date(2026, 11, 24))) == "20261125 20261130"


class TestUntil:
    def test_as_a_date_has_the_whole_day_in(self):
        assert told(recurrence("FREQ=HOURLY;INTERVAL=8;UNTIL=20261124", "20261123T230000").dates()) == (
            "20261123T230000 20261124T070000 20261124T150000 20261124T230000"
        )

    def test_as_a_wall_has_that_second_in(self):
        assert told(recurrence("FREQ=DAILY;UNTIL=20261124T090000", "20261123T090000").dates()) == (
            "20261123T090000 20261124T090000"
        )
        assert told(recurrence("FREQ=DAILY;UNTIL=20261124T085959", "20261123T090000").dates()) == "20261123T090000"

    @pytest.mark.parametrize(
        ("zone", "until", "dates"),
        [
            ("Europe/Berlin", "20261124T080000Z", "20261123T090000 20261124T090000"),
            ("Europe/Berlin", "20261124T075959Z", "20261123T090000"),
            ("Pacific/Kiritimati", "20261123T190000Z", "20261123T090000 20261124T090000"),
            ("Pacific/Kiritimati", "20261123T185959Z", "20261123T090000"),
            ("Pacific/Pago_Pago", "20261124T200000Z", "20261123T090000 20261124T090000"),
            ("Pacific/Pago_Pago", "20261124T195959Z", "20261123T090000"),
        ],
    )
    def test_in_utc_is_held_against_the_instant(self, zone, until, dates):
        assert told(recurrence(f"FREQ=DAILY;UNTIL={until}", "20261123T090000", zone=zone).dates()) == dates

    def test_in_utc_ends_with_the_offset_of_its_day(self):
        # 08:00 in UTC is 09:00 in Berlin until 29 March 2026 and 10:00 from then on.
        assert told(recurrence("FREQ=WEEKLY;UNTIL=20260404T080000Z", "20260321T093000").dates()) == (
            "20260321T093000 20260328T093000 20260404T093000"
        )
        assert told(recurrence("FREQ=WEEKLY;UNTIL=20260404T072959Z", "20260321T093000").dates()) == (
            "20260321T093000 20260328T093000"
        )

    def test_in_utc_lets_in_what_a_gap_moved_to_it(self):
        # 02:30 moves to 03:30, which is 01:30 in UTC.
        assert told(recurrence("FREQ=DAILY;UNTIL=20260329T013000Z", "20260328T023000").dates()) == (
            "20260328T023000 20260329T023000"
        )
        assert told(recurrence("FREQ=DAILY;UNTIL=20260329T012959Z", "20260328T023000").dates()) == "20260328T023000"

    def test_in_utc_of_dates_ends_with_the_day_in_the_zone(self):
        assert told(recurrence("FREQ=DAILY;UNTIL=20261124T230000Z", "20261123").dates()) == (
            "20261123 20261124 20261125"
        )
        assert told(recurrence("FREQ=DAILY;UNTIL=20261124T225959Z", "20261123").dates()) == "20261123 20261124"


class TestLeftOutAndPutIn:
    def test_what_is_left_out_counts(self):
        assert told(recurrence("FREQ=DAILY;COUNT=3", "20261123", exdates="20261124").dates()) == "20261123 20261125"

    def test_the_start_may_be_left_out(self):
        assert told(recurrence("FREQ=DAILY;COUNT=3", "20261123", exdates="20261123").dates()) == "20261124 20261125"

    def test_leaving_out_what_is_no_date_changes_nothing(self):
        assert told(recurrence("FREQ=DAILY;COUNT=2", "20261123", exdates="20261224").dates()) == "20261123 20261124"

    def test_what_is_put_in_comes_in_order_and_does_not_count(self):
        put_in = recurrence("FREQ=WEEKLY;COUNT=2", "20261123", rdates="20261224 20261125")

        assert told(put_in.dates()) == "20261123 20261125 20261130 20261224"

    def test_what_is_put_in_twice_or_is_a_date_anyway_is_one(self):
        put_in = recurrence("FREQ=WEEKLY;COUNT=2", "20261123", rdates="20261123 20261125 20261125 20261130")

        assert told(put_in.dates()) == "20261123 20261125 20261130"

    def test_what_is_left_out_is_not_put_in(self):
        both = recurrence("FREQ=WEEKLY;COUNT=2", "20261123", rdates="20261125", exdates="20261125")

        assert told(both.dates()) == "20261123 20261130"

    def test_nothing_is_put_in_before_the_start(self):
        assert told(recurrence("FREQ=WEEKLY;COUNT=2", "20261123", rdates="20261122").dates()) == "20261123 20261130"

    def test_what_is_put_in_may_come_after_until(self):
        put_in = recurrence("FREQ=DAILY;UNTIL=20261124", "20261123", rdates="20261224")

        assert told(put_in.dates()) == "20261123 20261124 20261224"


class TestClocksThatJump:
    def test_a_time_in_a_gap_moves_forward_that_day_only(self):
        daily = recurrence("FREQ=DAILY", "20260328T023000")

        assert instants(daily, most=3) == ["28 01:30", "29 01:30", "30 00:30"]

    def test_of_a_fold_the_first_is_taken(self):
        assert instants(recurrence("FREQ=DAILY", "20261024T023000"), most=3) == ["24 00:30", "25 00:30", "26 01:30"]

    def test_two_times_that_are_one_instant_are_one_date(self):
        hourly = recurrence("FREQ=HOURLY", "20260329T013000")

        assert told(hourly.dates(), most=3) == "20260329T013000 20260329T023000 20260329T043000"
        assert instants(hourly, most=3) == ["29 00:30", "29 01:30", "29 02:30"]

    @pytest.mark.parametrize(
        ("after", "following"),
        [
            ("20260329T013000", "20260329T023000"),
            ("20260329T023000", "20260329T043000"),
            ("20260329T024500", "20260329T043000"),
            ("20260329T033000", "20260329T043000"),
        ],
    )
    def test_also_when_asked_from_there_on(self, after, following):
        hourly = recurrence("FREQ=HOURLY", "20260301T003000")

        assert told(hourly.dates(after=parse_wall(after)), most=1) == following

    def test_a_time_in_a_gap_that_is_left_out_stands_for_nothing(self):
        hourly = recurrence("FREQ=HOURLY", "20260329T013000", exdates="20260329T023000")

        assert told(hourly.dates(), most=3) == "20260329T013000 20260329T033000 20260329T043000"

    def test_a_day_that_a_zone_left_out_is_the_day_after(self):
        # Samoa had no 30 December 2011.
        daily = recurrence("FREQ=DAILY", "20111229T090000", zone="Pacific/Apia")

        assert told(daily.dates(), most=3) == "20111229T090000 20111230T090000 20120101T090000"
        assert told(daily.dates(after=datetime(2011, 12, 30, 9)), most=1) == "20120101T090000"

    def test_an_hour_in_the_fold_happens_once(self):
        hourly = recurrence("FREQ=HOURLY", "20261025T013000")

        assert instants(hourly, most=4) == ["24 23:30", "25 00:30", "25 02:30", "25 03:30"]


class TestTheEndsOfTheCalendar:
    def test_what_has_no_instant_is_no_date(self):
        last = recurrence("FREQ=DAILY", "99991230T200000", zone="America/New_York")

        assert told(last.dates()) == "99991230T200000"

    def test_a_rule_may_end_with_the_calendar(self):
        last = recurrence("FREQ=DAILY;UNTIL=99991231T235959Z", "99991230T000000", zone="Asia/Tokyo")

        assert told(last.dates()) == "99991230T000000 99991231T000000"


class TestTextOfAWall:
    @pytest.mark.parametrize(
        ("wall", "text"),
        [
            (date(2026, 5, 4), "20260504"),
            (datetime(2026, 5, 4, 9), "20260504T090000"),
            (datetime(2026, 5, 4, 23, 59, 58), "20260504T235958"),
            (date(1, 1, 1), "00010101"),
        ],
    )
    def test_is_read_as_the_same_wall(self, wall, text):
        assert wall_text(wall) == text
        assert parse_wall(text) == wall
        assert type(parse_wall(text)) is type(wall)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2026-05-04",
            "20260230",
            "20260504T09",
            "20260504T250000",
            "20260504T090000Z",
            "20260504t090000",
            "٢٠٢٦٠٥٠٤",
        ],
    )
    def test_is_refused_where_it_is_none(self, text):
        with pytest.raises(InvalidWall):
            parse_wall(text)

    def test_the_instant_of_a_wall_is_in_utc(self):
        assert zones.attach(datetime(2026, 7, 1, 9), zones.zone("Europe/Berlin")) == datetime(2026, 7, 1, 7, tzinfo=UTC)


def test_too_many_times_that_clocks_left_out_are_refused():
    secondly = recurrence("FREQ=SECONDLY", "20111230T000000", zone="Pacific/Apia")

    with pytest.raises(expansion.TooCostly):
        next(secondly.dates(after=datetime(2011, 12, 30, 23, 59, 59)))
