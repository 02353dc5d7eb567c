"""What holds of every rule, held against dates found by looking, against another engine, and against every zone.

`RULE_EXAMPLES=2000` looks at so many rules each, others at every run.
"""

# ruff: noqa: DTZ001 - walls have no zone.

import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile

import pytest
from dateutil import rrule
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apps.calendar import expansion, rules, zones
from apps.calendar.recurrences import Recurrence
from tests.calendar import looking
from tests.calendar.strategies import DATES, SHORT, TIMES, any_rule_text, hostile_rules, rule_texts
from tests.support.work import LINES, executed

EXAMPLES = int(os.environ.get("RULE_EXAMPLES", "0"))


def examples(number):
    return settings(deadline=None, max_examples=EXAMPLES or number, derandomize=not EXAMPLES)


def before(limit, walls):
    return list(takewhile(lambda wall: wall < limit, walls))


@pytest.mark.parametrize("frequency", ["YEARLY", "MONTHLY", "WEEKLY", "DAILY"])
class TestTheDatesAreThoseFoundByLooking:
    @examples(60)
    @given(st.data())
    def test_day_by_day(self, frequency, data):
        rule = rules.parse(data.draw(rule_texts(frequency, timed=False, skips=True)))
        start = data.draw(DATES)
        limit = date(start.year + 5, 12, 1)

        assert before(limit, expansion.expand(rule, start=start)) == looking.dates(rule, start=start, limit=limit)

    @examples(40)
    @given(st.data())
    def test_with_times_of_the_day(self, frequency, data):
        rule = rules.parse(data.draw(rule_texts(frequency, skips=True)))
        start = data.draw(TIMES)
        limit = datetime(start.year + 2, 12, 1)

        assert before(limit, expansion.expand(rule, start=start)) == looking.dates(rule, start=start, limit=limit)


@pytest.mark.parametrize(
    ("frequency", "window"),
    [("HOURLY", timedelta(days=60)), ("MINUTELY", timedelta(days=3)), ("SECONDLY", timedelta(hours=4))],
)
@examples(40)
@given(st.data())
def test_the_times_are_those_found_by_looking(frequency, window, data):
    rule = rules.parse(data.draw(rule_texts(frequency)))
    start = data.draw(TIMES)
    limit = (start + window).replace(minute=0, second=0)

    assert before(limit, expansion.expand(rule, start=start)) == looking.dates(rule, start=start, limit=limit)


class TestWhateverTheRule:
    @examples(150)
    @given(any_rule_text(), TIMES)
    def test_dates_come_in_order_and_each_once(self, text, start):
        dates = list(islice(expansion.expand(rules.parse(text), start=start), 100))

        assert all(earlier < later for earlier, later in pairwise(dates))
        assert all(start <= wall for wall in dates)

    @examples(100)
    @given(any_rule_text(), TIMES, st.integers(1, 60))
    def test_count_is_the_first_so_many(self, text, start, count):
        rule = rules.parse(text)

        counted = list(expansion.expand(replace(rule, count=count), start=start))

        assert counted == list(islice(expansion.expand(rule, start=start), count))

    @examples(100)
    @given(any_rule_text(), TIMES, st.integers(0, 60), st.sampled_from([-1, 0, 1]))
    def test_until_is_the_last(self, text, start, place, seconds):
        rule = rules.parse(text)
        dates = list(islice(expansion.expand(rule, start=start), 70))
        assume(len(dates) == 70)
        until = dates[place] + timedelta(seconds=seconds)

        until_then = list(expansion.expand(replace(rule, until=until), start=start))

        assert until_then == [wall for wall in dates if wall <= until]

    @examples(150)
    @given(any_rule_text(), TIMES, st.integers(0, 60), st.sampled_from([-1, 0, 1]), st.booleans())
    def test_after_is_dropping_from_all_of_them(self, text, start, place, seconds, counted):
        rule = replace(rules.parse(text), count=65 if counted else None)
        dates = list(islice(expansion.expand(rule, start=start), 70))
        assume(len(dates) > place)
        after = dates[place] + timedelta(seconds=seconds)

        found = list(islice(expansion.expand(rule, start=start, after=after), 5))

        dropped = [wall for wall in dates if wall > after]
        assert found[: len(dropped)] == dropped[:5]

    @examples(100)
    @given(any_rule_text())
    def test_its_text_is_read_as_the_same_rule(self, text):
        rule = rules.parse(text)

        assert rules.parse(rule.text) == rule


class TestTheWorkIsBounded:
    @examples(60)
    @given(hostile_rules(), TIMES, st.none() | st.datetimes(datetime(2105, 1, 1), datetime(9000, 1, 1)))
    def test_whatever_an_enemy_asks_for(self, rule, start, after):
        found = []

        def ask():
            with suppress(expansion.TooCostly):
                found.extend(islice(expansion.expand(rule, start=start, after=after), 1))

        lines = executed(ask)

        assert all(wall >= start for wall in found)
        assert lines < LINES


class TestBesideAnotherEngine:
    """python-dateutil, in the part of the rules in which it is right."""

    @pytest.mark.parametrize("frequency", ["DAILY", "WEEKLY", "MONTHLY"])
    @examples(60)
    @given(st.data())
    def test_the_dates_are_the_same(self, frequency, data):
        text = data.draw(rule_texts(frequency))
        assume(frequency != "WEEKLY" or "BYSETPOS" not in text)
        start = data.draw(TIMES)
        rule = rules.parse(text)
        # A fifth weekday, which a month may not have, it gets wrong; and it breaks at a sixth.
        assume(all(abs(day.ordinal) < 5 for day in rule.by_day))
        ours = list(islice(expansion.expand(replace(rule, until=datetime(start.year + 6, 1, 1)), start=start), 200))

        # So many and no further: it looks for what never comes until the end of the calendar.
        theirs = islice(rrule.rrulestr(text, dtstart=start), len(ours))

        assert list(theirs) == ours


class TestTheWallClock:
    @pytest.mark.parametrize("clock", [(9, 0), (2, 30), (0, 0)])
    def test_a_daily_time_shows_in_every_zone_all_year(self, clock):
        start = datetime(2026, 1, 1, *clock)
        rule = rules.parse("FREQ=DAILY;COUNT=365")

        wrong = [
            (name, wall)
            for name in sorted(zones.time_zone_names())
            for wall in Recurrence(rule=rule, start=start, zone=zones.zone(name)).dates()
            if not _shows(wall, zones.zone(name))
        ]

        assert wrong == []

    @examples(100)
    @given(
        st.sampled_from(sorted(zones.time_zone_names())),
        st.datetimes(datetime(1900, 1, 1), datetime(2037, 1, 1)).map(lambda wall: wall.replace(microsecond=0, fold=0)),
    )
    def test_a_daily_time_shows_in_any_year(self, name, start):
        zone = zones.zone(name)
        dates = list(islice(Recurrence(rule=rules.parse("FREQ=DAILY"), start=start, zone=zone).dates(), 400))

        assert [wall for wall in dates if not _shows(wall, zone)] == []
        assert len({zones.attach(wall, zone) for wall in dates}) == len(dates)


def _shows(wall, zone):
    """Whether clocks show the time, or it is in a gap and they show it moved forward by that gap."""
    instant = zones.attach(wall, zone)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    if shown == wall:
        return True
    before_gap, after_gap = ((instant + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in (-25, 0))
    never_shown = not any(
        (datetime.combine(wall, wall.time(), UTC) - offset).astimezone(zone).replace(tzinfo=None) == wall
        for offset in (before_gap, after_gap)
    )
    return never_shown and shown - wall == after_gap - before_gap


class TestLeavingOutAndPuttingIn:
    @examples(80)
    @given(any_rule_text(), TIMES, st.data())
    def test_is_set_algebra(self, text, start, data):
        rule = replace(rules.parse(text), count=20)
        zone = zones.zone("UTC")
        plain = list(Recurrence(rule=rule, start=start, zone=zone).dates())
        near = st.integers(0, 400).map(lambda days: start + timedelta(days=days))
        rdates = data.draw(st.lists(near | st.sampled_from(plain), max_size=6))
        exdates = data.draw(st.sets(near | st.sampled_from(plain) | st.sampled_from(rdates or plain), max_size=6))

        changed = Recurrence(rule=rule, start=start, zone=zone, rdates=tuple(rdates), exdates=frozenset(exdates))

        assert list(changed.dates()) == sorted({*plain, *rdates} - exdates)

    @examples(80)
    @given(any_rule_text(), TIMES, st.integers(1, 20))
    def test_the_start_is_the_first_of_count(self, text, start, count):
        rule = rules.parse(text)
        zone = zones.zone("UTC")

        dates = list(Recurrence(rule=replace(rule, count=count), start=start, zone=zone).dates())

        assert dates == [start, *islice(expansion.expand(rule, start=start, after=start), count - 1)]


def test_short_frequencies_are_all_looked_at():
    assert set(SHORT) == {frequency.value for frequency in looking.SHORT}
