"""What a recurrence would do: its dates, its sentence, what a person may not expect, and what completing leads to."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.recurrence import preview
from apps.recurrence.models import Series
from apps.tasks import intents
from tests.support.factories import person
from tests.support.repeating import complete, open_tasks, repeating, tasks_of_series

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def wall(*parts):
    """What a calendar and a clock on the wall show."""
    return datetime(*parts)  # noqa: DTZ001 - a wall has no zone


def told_of(given, start, *, zone=BERLIN, count=5, completed_at=None):
    intent = intents.checked_recurrence(given, today=NOW.date())
    return preview.preview(intent, start=start, zone=zone, count=count, now=NOW, completed_at=completed_at)


def ids(dates):
    return [one.recurrence_id for one in dates]


def details(told):
    return {one.code: one.detail for one in told.cautions}


# --- dates ------------------------------------------------------------------------------------------


def test_days_are_told_as_the_task_will_be_due():
    told = told_of("weekly", date(2026, 11, 23), count=2)

    assert [(one.due_on, one.due_at, one.weekday, one.local) for one in told.dates] == [
        (date(2026, 11, 23), None, "Monday", "23 November"),
        (date(2026, 11, 30), None, "Monday", "30 November"),
    ]
    assert (told.sentence, told.is_all) == ("every week", False)


def test_instants_keep_their_hour_on_the_wall_when_clocks_change():
    told = told_of("daily", wall(2027, 3, 27, 9, 0), count=3)

    assert [(one.due_at, one.local) for one in told.dates] == [
        (datetime(2027, 3, 27, 8, 0, tzinfo=UTC), "27 March 2027 at 09:00"),
        (datetime(2027, 3, 28, 7, 0, tzinfo=UTC), "28 March 2027 at 09:00"),
        (datetime(2027, 3, 29, 7, 0, tzinfo=UTC), "29 March 2027 at 09:00"),
    ]


def test_a_date_in_a_gap_is_shown_as_clocks_will_show_it():
    told = told_of("daily", wall(2027, 3, 27, 2, 30), count=2)

    assert (told.dates[1].recurrence_id, told.dates[1].local) == ("20270328T023000", "28 March 2027 at 03:30")


def test_all_there_are_is_said_to_be_all():
    told = told_of("FREQ=WEEKLY;COUNT=3", date(2026, 11, 23), count=3)

    assert (ids(told.dates), told.is_all) == (["20261123", "20261130", "20261207"], True)


def test_one_fewer_than_there_are_is_not_all():
    assert told_of("FREQ=WEEKLY;COUNT=4", date(2026, 11, 23), count=3).is_all is False


def test_what_lies_more_than_a_hundred_years_ahead_is_not_looked_for():
    told = told_of({"rule": "FREQ=YEARLY;INTERVAL=60", "month_end": "clamp"}, date(2026, 11, 23), count=50)

    assert (ids(told.dates), told.is_all) == (["20261123", "20861123"], False)


def test_the_second_date_is_looked_for_wherever_it_lies():
    assert ids(told_of("FREQ=YEARLY;INTERVAL=500", date(2026, 11, 23), count=50).dates) == ["20261123", "25261123"]


def test_from_completion_each_is_taken_as_done_on_its_due():
    told = told_of({"rule": "FREQ=DAILY;INTERVAL=3;COUNT=3", "from": "completion"}, date(2026, 11, 23), count=9)

    assert (ids(told.dates), told.is_all) == (["20261123", "20261126", "20261129"], True)
    assert "from_completion" in details(told)


# --- what a person may not expect -------------------------------------------------------------------


def test_an_ordinary_recurrence_has_nothing_to_warn_of():
    assert told_of("weekly", date(2026, 11, 23)).cautions == []


@pytest.mark.parametrize(
    ("given", "start", "code", "detail"),
    [
        (
            {"rule": "monthly", "month_end": "skip"},
            date(2027, 1, 31),
            "skips_months",
            "Skips February, April, June, September and November.",
        ),
        ({"rule": "monthly", "month_end": "skip"}, date(2027, 1, 30), "skips_months", "Skips February."),
        (
            {"rule": "monthly", "month_end": "skip"},
            date(2027, 1, 29),
            "skips_months",
            "Skips February except in leap years.",
        ),
        ("monthly", date(2027, 1, 31), "month_end", "In shorter months on their last day."),
        (
            {"rule": "monthly", "month_end": "roll"},
            date(2027, 1, 31),
            "month_end",
            "In shorter months on the 1st of the next.",
        ),
        (
            "daily",
            wall(2027, 1, 1, 2, 30),
            "dst_gap",
            "Falls in a DST gap on 28 March 2027: 02:30 becomes 03:30.",
        ),
        (
            "daily",
            wall(2027, 1, 1, 2, 30),
            "dst_fold",
            "Clocks show 02:30 twice on 31 October 2027: the first is taken.",
        ),
        (
            "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;COUNT=4",
            wall(2027, 3, 28, 1, 30),
            "ends",
            "Happens 4 times: the last is on Sunday 31 March 2030 at 01:30.",
        ),
        (
            {"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "month_end": "skip"},
            date(2026, 11, 23),
            "never_happens",
            "Never happens after Monday 23 November: a task that is to repeat so is refused.",
        ),
        (
            "FREQ=DAILY;UNTIL=20261123",
            date(2026, 11, 23),
            "happens_once",
            "Happens once, on Monday 23 November: it ends before there is a second date.",
        ),
        ("FREQ=DAILY;COUNT=30", date(2026, 11, 23), "ends", "Ends after 30 times."),
        ("FREQ=DAILY;COUNT=1", date(2026, 11, 23), "ends", "Happens once: the last is on Monday 23 November."),
        ("FREQ=DAILY;UNTIL=20261231", date(2026, 11, 23), "ends", "Ends with 31 December."),
        (
            "FREQ=WEEKLY;BYDAY=WE",
            date(2026, 11, 23),
            "unnamed_start",
            (
                "Starts on Monday 23 November, which the rule does not name; it counts as the first all the same. "
                "The first that the rule names is Wednesday 25 November."
            ),
        ),
        (
            {"rule": "yearly", "month_end": "skip"},
            date(2028, 2, 29),
            "far_apart",
            "After Tuesday 29 February 2028, the next is 4 years away: Sunday 29 February 2032.",
        ),
    ],
)
def test_what_may_not_be_expected_is_told(given, start, code, detail):
    assert details(told_of(given, start))[code] == detail


@pytest.mark.parametrize(
    ("given", "start", "code"),
    [
        ({"rule": "monthly", "month_end": "skip"}, date(2027, 1, 28), "skips_months"),
        ("monthly", date(2027, 1, 28), "month_end"),
        ({"rule": "FREQ=MONTHLY;BYMONTHDAY=-1", "month_end": "skip"}, date(2027, 1, 31), "skips_months"),
        ("daily", wall(2027, 1, 1, 9, 0), "dst_gap"),
        ("daily", wall(2027, 1, 1, 9, 0), "dst_fold"),
        ("FREQ=WEEKLY;BYDAY=MO", wall(2027, 1, 4, 2, 30), "dst_gap"),
        ("FREQ=WEEKLY;BYDAY=MO", date(2026, 11, 23), "unnamed_start"),
        ("FREQ=YEARLY;INTERVAL=5", date(2026, 11, 23), "far_apart"),
        ("daily", date(2026, 11, 23), "ends"),
    ],
)
def test_what_is_not_so_is_not_told(given, start, code):
    assert code not in details(told_of(given, start))


def test_where_clocks_never_change_none_is_warned_of():
    told = told_of("daily", wall(2027, 1, 1, 2, 30), zone=ZoneInfo("Asia/Kathmandu"))

    assert told.cautions == []


def test_a_gap_within_a_rule_of_count_is_told_too():
    told = told_of("FREQ=DAILY;COUNT=100", wall(2027, 1, 1, 2, 30))

    assert details(told)["dst_gap"] == "Falls in a DST gap on 28 March 2027: 02:30 becomes 03:30."


def test_warnings_come_before_notes():
    told = told_of({"rule": "FREQ=MONTHLY;COUNT=30", "month_end": "skip"}, date(2027, 1, 31))

    assert [(one.kind, one.code) for one in told.cautions] == [("warning", "skips_months"), ("note", "ends")]


# --- completing -------------------------------------------------------------------------------------

LATE = datetime(2027, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("catch_up", "made", "skipped"),
    [
        ("latest", ["20270105"], ["20270102", "20270103", "20270104"]),
        ("wait", ["20270102"], []),
        ("skip", ["20270105"], ["20270102", "20270103", "20270104"]),
        ("all", ["20270102", "20270103", "20270104", "20270105", "20270106"], []),
    ],
)
def test_completing_late_is_simulated_under_each_policy(catch_up, made, skipped):
    told = told_of({"rule": "daily", "catch_up": catch_up}, date(2027, 1, 1), completed_at=LATE)

    assert (ids(told.completion.made), ids(told.completion.skipped)) == (made, skipped)
    assert told.completion.skipped_count == len(skipped)


def test_from_completion_the_next_counts_from_then():
    told = told_of({"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion"}, date(2027, 1, 1), completed_at=LATE)

    assert ids(told.completion.made) == ["20270108"]


@pytest.mark.parametrize("given", ["FREQ=DAILY;COUNT=1", {"rule": "FREQ=DAILY;COUNT=1", "from": "completion"}])
def test_completing_the_last_makes_nothing(given):
    told = told_of(given, date(2027, 1, 1), completed_at=LATE)

    assert (told.completion.made, told.completion.skipped) == ([], [])


@pytest.mark.django_db
@pytest.mark.parametrize("catch_up", ["latest", "wait", "skip"])
@pytest.mark.parametrize("origin", ["schedule", "completion"])
def test_what_is_simulated_is_what_happens(pump, time_machine, catch_up, origin):
    given = {"rule": "daily", "catch_up": catch_up, "from": origin}
    start = datetime(2027, 1, 1, 8, 0, tzinfo=UTC)
    simulated = told_of(given, wall(2027, 1, 1, 9, 0), completed_at=LATE)
    time_machine.move_to(start, tick=False)
    ada = person("ada", time_zone="Europe/Berlin")
    task = repeating(ada, given, pump=pump, now=start, due_at=start)

    time_machine.move_to(LATE, tick=False)
    complete(task, pump=pump, now=LATE)

    assert [one.due_at for one in simulated.completion.made] == [task.due_at for task in open_tasks()]
    assert ids(simulated.completion.made) == [task.recurrence_id for task in open_tasks()]


@pytest.mark.django_db
def test_the_dates_are_those_that_a_series_makes(pump, time_machine):
    start = datetime(2027, 1, 31, 1, 30, tzinfo=UTC)
    shown = told_of("FREQ=MONTHLY;COUNT=4", wall(2027, 1, 31, 2, 30), count=9)
    ada = person("ada", time_zone="Europe/Berlin")
    time_machine.move_to(start, tick=False)
    repeating(ada, "FREQ=MONTHLY;COUNT=4", pump=pump, now=start, due_at=start)

    for _ in range(4):
        (one,) = open_tasks()
        time_machine.move_to(one.due_at, tick=False)
        complete(one, pump=pump, now=one.due_at)

    assert [one.due_at for one in shown.dates] == [task.due_at for task in tasks_of_series()]
    assert Series.objects.get().ended_because == "count"
