"""What is due at an hour stays at that hour on the wall, whatever clocks do there."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from apps.calendar import zones
from apps.recurrence import schedule as scheduling
from apps.recurrence.schedule import schedule_of
from tests.support.factories import person
from tests.support.repeating import complete, open_tasks, repeating, tasks_of_series

NINE = time(9, 0)
DAY = timedelta(days=1)
DAILY = {"rule": "FREQ=DAILY", "from": "schedule", "month_end": "clamp", "catch_up": "latest"}

# By how much clocks are moved in 2026, and on which days.
CHANGES = [
    ("America/New_York", date(2026, 3, 8), timedelta(hours=1)),
    ("America/New_York", date(2026, 11, 1), timedelta(hours=-1)),
    ("Australia/Lord_Howe", date(2026, 4, 5), timedelta(minutes=-30)),
    ("Australia/Lord_Howe", date(2026, 10, 4), timedelta(minutes=30)),
    ("America/Santiago", date(2026, 4, 5), timedelta(hours=-1)),
    ("America/Santiago", date(2026, 9, 6), timedelta(hours=1)),
]
# In Kathmandu they stand as they stand.
WEEKS = [*CHANGES, ("Asia/Kathmandu", date(2026, 6, 8), timedelta(0))]


def days(first, *, number):
    return [first + n * DAY for n in range(number)]


def live_daily(start, *, zone, most, pump, time_machine):
    """Complete each occurrence when it is due; all dues as the wall shows them."""
    time_machine.move_to(start, tick=False)
    repeating(person("far", time_zone=zone), DAILY, pump=pump, now=start, due_at=start)
    for _ in range(most - 1):
        (task,) = open_tasks()
        time_machine.move_to(task.due_at, tick=False)
        complete(task, pump=pump, now=task.due_at)
    return [task.due_at.astimezone(start.tzinfo) for task in tasks_of_series()]


@pytest.mark.django_db
@pytest.mark.parametrize(("zone", "changes_on", "by"), WEEKS)
def test_nine_in_the_morning_stays_nine_while_clocks_change(pump, time_machine, zone, changes_on, by):
    place, first = ZoneInfo(zone), changes_on - 7 * DAY
    start = datetime.combine(first, NINE, tzinfo=place)

    shown = live_daily(start, zone=zone, most=15, pump=pump, time_machine=time_machine)

    assert [due.replace(tzinfo=None) for due in shown] == [
        datetime.combine(day, NINE) for day in days(first, number=15)
    ]
    moved = [after.utcoffset() - before.utcoffset() for before, after in pairwise(shown)]
    assert moved == [timedelta(0)] * 6 + [by] + [timedelta(0)] * 7


def shown_for_a_year(zone):
    """The dues of every day of a year at nine, as the wall of the zone shows them."""
    place, start = ZoneInfo(zone), datetime.combine(date(2026, 1, 1), NINE)
    schedule = schedule_of(DAILY, start=start, zone=place)
    walls = [start, *islice(scheduling.planned(schedule, after=start), 364)]
    return [scheduling.dates_as_due(wall, zone=place)[0].astimezone(place) for wall in walls]


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"])
def test_nine_in_the_morning_stays_nine_on_every_day_of_a_year(zone):
    shown = shown_for_a_year(zone)

    assert [due.replace(tzinfo=None) for due in shown] == [
        datetime.combine(day, NINE) for day in days(date(2026, 1, 1), number=365)
    ]
    changed_on = [
        (after.date(), after.utcoffset() - before.utcoffset())
        for before, after in pairwise(shown)
        if after.utcoffset() != before.utcoffset()
    ]
    assert changed_on == [(day, by) for there, day, by in CHANGES if there == zone]


def test_counted_by_the_offset_of_january_nine_would_be_eight(monkeypatch):
    """The negative control."""

    def by_the_offset_of_january(wall, zone):
        return (wall - datetime(2026, 1, 1, tzinfo=zone).utcoffset()).replace(tzinfo=UTC)

    monkeypatch.setattr(zones, "attach", by_the_offset_of_january)

    shown = shown_for_a_year("America/Santiago")

    assert {due.time() for due in shown} == {NINE, time(8, 0)}


# Three days in UTC; clocks leap over the hour of the second that night, or show it twice: then the first of both.
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "changes_on", "hour", "expected"),
    [
        ("America/New_York", date(2026, 3, 8), time(2, 30), ["07 07:30", "08 07:30", "09 06:30"]),
        ("America/New_York", date(2026, 11, 1), time(1, 30), ["31 05:30", "01 05:30", "02 06:30"]),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), ["02 15:45", "03 15:45", "04 15:15"]),
        ("Australia/Lord_Howe", date(2026, 4, 5), time(1, 45), ["03 14:45", "04 14:45", "05 15:15"]),
        ("America/Santiago", date(2026, 9, 6), time(0, 30), ["05 04:30", "06 04:30", "07 03:30"]),
        ("America/Santiago", date(2026, 4, 4), time(23, 30), ["04 02:30", "05 02:30", "06 03:30"]),
    ],
)
def test_an_hour_that_a_night_lacks_or_has_twice_is_itself_again_the_next_day(
    pump, time_machine, zone, changes_on, hour, expected
):
    start = datetime.combine(changes_on - DAY, hour, tzinfo=ZoneInfo(zone))

    shown = live_daily(start, zone=zone, most=3, pump=pump, time_machine=time_machine)

    assert [f"{due.astimezone(UTC):%d %H:%M}" for due in shown] == expected
    assert [task.recurrence_id for task in tasks_of_series()[1:]] == [
        f"{day:%Y%m%d}T{hour:%H%M%S}" for day in days(changes_on, number=2)
    ]
