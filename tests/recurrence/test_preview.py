"""What a recurrence would do: its dates, its sentence, what a person may not expect, and what completing leads to."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from rest_framework.test import APIClient

from apps.events.models import Event
from apps.recurrence import preview
from apps.recurrence.models import Series
from apps.tasks import intents
from tests.support.factories import person
from tests.support.repeating import complete, open_tasks, repeating, tasks_of_series

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
PREVIEW = "/api/v1/recurrence/preview/"


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


# --- over REST --------------------------------------------------------------------------------------


@pytest.fixture
def api(db, time_machine):
    time_machine.move_to(NOW, tick=False)
    client = APIClient()
    client.force_login(person("ada", time_zone="Europe/Berlin"))
    return client


def test_a_preview_is_asked_for_by_a_body_or_by_an_address(api):
    asked = {"recurrence": "monthly", "due_on": "2027-01-31", "count": 2}

    by_body, by_address = api.post(PREVIEW, asked), api.get(PREVIEW, asked)

    assert (by_body.status_code, by_address.status_code) == (200, 200)
    assert by_body.json() == by_address.json()
    assert by_body.json() == {
        "recurrence": {"rule": "FREQ=MONTHLY", "from": "schedule", "month_end": "clamp", "catch_up": "latest"},
        "sentence": "every month",
        "in_full": "every month, in shorter months on their last day; missed ones are caught up with the latest",
        "time_zone": "Europe/Berlin",
        "dates": [
            {
                "recurrence_id": "20270131",
                "due_at": None,
                "due_on": "2027-01-31",
                "weekday": "Sunday",
                "local": "31 January 2027",
            },
            {
                "recurrence_id": "20270228",
                "due_at": None,
                "due_on": "2027-02-28",
                "weekday": "Sunday",
                "local": "28 February 2027",
            },
        ],
        "is_all": False,
        "warnings": [{"code": "month_end", "kind": "note", "detail": "In shorter months on their last day."}],
        "completion": None,
    }


def test_a_preview_keeps_nothing(api):
    before = Event.objects.count()

    api.post(PREVIEW, {"recurrence": "monthly", "due_on": "2027-01-31"})

    assert (Event.objects.count(), Series.objects.count()) == (before, 0)


def test_a_wall_clock_time_hangs_in_the_zone_that_is_named(api):
    asked = {"recurrence": "daily", "due_at": "2027-01-01T09:00", "due_time_zone": "Asia/Kathmandu", "count": 1}

    told = api.post(PREVIEW, asked).json()

    assert told["time_zone"] == "Asia/Kathmandu"
    assert [(one["due_at"], one["local"]) for one in told["dates"]] == [
        ("2027-01-01T03:15:00Z", "1 January 2027 at 09:00")
    ]


def test_a_start_that_clocks_leap_over_is_told_where_it_went(api):
    asked = {"recurrence": "daily", "due_at": "2027-03-28T02:30", "count": 2}

    told = api.post(PREVIEW, asked).json()

    assert [one["local"] for one in told["dates"]] == ["28 March 2027 at 03:30", "29 March 2027 at 03:30"]
    assert told["warnings"] == [
        {
            "code": "start_in_gap",
            "kind": "warning",
            "detail": "There is no 02:30 on 28 March 2027: it starts at 03:30, and that is its time from then on.",
        }
    ]


@pytest.mark.parametrize("due_at", ["2027-03-28T01:30", "2027-03-28T03:30:00.5", "2027-03-28T01:30:00Z"])
def test_a_start_that_there_is_is_not_warned_of(api, due_at):
    told = api.post(PREVIEW, {"recurrence": "daily", "due_at": due_at}).json()

    assert "start_in_gap" not in [warning["code"] for warning in told["warnings"]]


def test_a_completion_without_an_offset_is_the_persons_wall_clock(api):
    asked = {"recurrence": "daily", "due_on": "2027-01-01", "completed_at": "2027-01-03T13:00"}

    assert api.post(PREVIEW, asked).json()["completion"]["completed_at"] == "2027-01-03T12:00:00Z"


def test_without_a_due_it_starts_on_the_first_day_from_today_on(api):
    told = api.get(PREVIEW, {"recurrence": "FREQ=WEEKLY;BYDAY=WE", "count": 2}).json()

    assert [one["due_on"] for one in told["dates"]] == ["2026-11-25", "2026-12-02"]
    assert told["warnings"] == []


def test_hours_without_a_due_start_with_the_next(api):
    told = api.get(PREVIEW, {"recurrence": "FREQ=HOURLY", "count": 2}).json()

    assert [one["due_at"] for one in told["dates"]] == ["2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z"]


def test_ten_dates_are_told_when_no_number_is_said_and_fifty_at_most(api):
    assert len(api.get(PREVIEW, {"recurrence": "daily"}).json()["dates"]) == 10
    assert len(api.get(PREVIEW, {"recurrence": "daily", "count": 50}).json()["dates"]) == 50


def test_completing_is_simulated_over_rest(api):
    asked = {"recurrence": "daily", "due_on": "2027-01-01", "completed_at": "2027-01-03T13:00:00+01:00"}

    told = api.post(PREVIEW, asked).json()["completion"]

    assert (told["completed_at"], told["skipped_count"]) == ("2027-01-03T12:00:00Z", 1)
    assert [one["due_on"] for one in told["made"]] == ["2027-01-03"]
    assert [one["due_on"] for one in told["skipped"]] == ["2027-01-02"]


@pytest.mark.parametrize(
    ("asked", "field", "place"),
    [
        ({}, "recurrence", {}),
        ({"recurrence": None}, "recurrence", {}),
        ({"recurrence": 7}, "recurrence", {}),
        ({"recurrence": {"rule": "daily", "month_end": "shrink"}}, "recurrence.month_end", {}),
        ({"recurrence": "every blue moon"}, "recurrence.rule", {"span": [6, 10]}),
        ({"recurrence": "FREQ=WEEKLY;BYMONTHDAY=3"}, "recurrence.rule", {"part": "BYMONTHDAY"}),
        ({"recurrence": "FREQ=MINUTELY"}, "recurrence.rule", {"part": "FREQ"}),
        ({"recurrence": "FREQ=HOURLY", "due_on": "2027-01-01"}, "recurrence.rule", {"part": "FREQ"}),
        ({"recurrence": "FREQ=DAILY;UNTIL=20260101", "due_on": "2027-01-01"}, "recurrence.rule", {"part": "UNTIL"}),
        ({"recurrence": "daily", "due_on": "2027-01-01", "due_at": "2027-01-01T09:00:00Z"}, "due_on", {}),
        ({"recurrence": "daily", "due_time_zone": "Europe/Berlin"}, "due_time_zone", {}),
        (
            {"recurrence": "daily", "due_at": "2027-01-01T09:00", "due_time_zone": "Europe/Atlantis"},
            "due_time_zone",
            {},
        ),
        ({"recurrence": "daily", "due_on": "1066-10-14"}, "due_on", {}),
        ({"recurrence": "daily", "count": 51}, "count", {}),
        ({"recurrence": "daily", "count": 0}, "count", {}),
        ({"recurrence": "daily", "completed_at": "yesterday"}, "completed_at", {}),
        ({"recurrence": "daily", "completed_at": "0001-01-01T00:00:00"}, "completed_at", {}),
        ({"recurrence": "daily", "completed_at": "9999-12-31T23:59:59Z"}, "completed_at", {}),
        ({"recurrence": "daily", "dates": 3}, "dates", {}),
    ],
)
def test_what_cannot_be_previewed_is_named_with_its_place(api, asked, field, place):
    response = api.post(PREVIEW, asked)

    (error,) = response.json()["errors"]
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert error["field"] == field
    assert {name: error[name] for name in ("part", "span") if name in error} == place


def test_in_an_address_the_parameter_is_named(api):
    (error,) = api.get(PREVIEW, {"recurrence": "every blue moon"}).json()["errors"]

    assert (error["parameter"], error["field"], error["span"]) == ("recurrence", "recurrence.rule", [6, 10])


def test_an_unknown_parameter_is_refused(api):
    (error,) = api.get(PREVIEW, {"recurrence": "daily", "cuont": "3"}).json()["errors"]

    assert error["parameter"] == "cuont"


def test_a_rule_that_never_happens_is_previewed_with_a_warning_and_refused_for_a_task(api):
    asked = {"recurrence": {"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "month_end": "skip"}, "due_on": "2026-11-23"}

    told = api.post(PREVIEW, asked)
    refused = api.post("/api/v1/tasks/", {"title": "Never", **asked})

    assert (told.status_code, told.json()["warnings"][0]["code"]) == (200, "never_happens")
    assert refused.status_code == 400


def test_nobody_previews_without_signing_in(db):
    assert APIClient().get(PREVIEW, {"recurrence": "daily"}).status_code == 401


@pytest.mark.parametrize(
    ("rule", "dates", "code"),
    [
        ("FREQ=HOURLY;COUNT=100000", 50, "ends"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", 1, "never_happens"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 1, "never_happens"),
        ("FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", 1, "never_happens"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU;COUNT=100000", 1, "never_happens"),
        ("FREQ=HOURLY;INTERVAL=24;BYHOUR=5", 1, "never_happens"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=3", 4, "far_apart"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", 4, "far_apart"),
        ("FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=31;BYMONTH=2", 4, "far_apart"),
    ],
)
def test_a_hostile_rule_is_answered_in_words(api, rule, dates, code):
    told = api.post(PREVIEW, {"recurrence": rule, "due_at": "2026-11-21T02:30", "count": 50}).json()

    assert len(told["dates"]) == dates
    assert code in [warning["code"] for warning in told["warnings"]]
