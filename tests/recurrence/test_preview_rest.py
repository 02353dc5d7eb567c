"""A preview over REST: how it is asked for, what it answers with, and what is refused."""

from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from apps.events.models import Event
from apps.recurrence.models import Series
from tests.support.factories import person

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
PREVIEW = "/api/v1/recurrence/preview/"


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
        "in_full": "every month, in shorter months on their last day; passed ones are caught up with the latest",
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
        ({"recurrence": "daily", "due_on": "2027-01-01", "completed_at": "2128-01-01T00:00:00Z"}, "completed_at", {}),
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
        ("FREQ=HOURLY;COUNT=10000", 50, "ends"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", 1, "never_happens"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 1, "never_happens"),
        ("FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", 1, "never_happens"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU;COUNT=10000", 1, "never_happens"),
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


LEFT_OUT = {
    "code": "no_dates",
    "kind": "warning",
    "detail": "Has no dates: all that there would be are left out.",
}


@pytest.mark.parametrize(
    ("rule", "exdate", "due"),
    [
        ("FREQ=DAILY;COUNT=1", "20260504", {"due_on": "2026-05-04"}),
        ("FREQ=DAILY;UNTIL=20260504", "20260504", {"due_on": "2026-05-04"}),
        ("FREQ=DAILY;COUNT=1", "20260504T090000", {"due_at": "2026-05-04T09:00"}),
        ("FREQ=DAILY;UNTIL=20260504", "20260504T090000", {"due_at": "2026-05-04T09:00"}),
        ("FREQ=DAILY;UNTIL=20260504T070000Z", "20260504T090000", {"due_at": "2026-05-04T09:00"}),
    ],
)
def test_a_recurrence_whose_every_date_is_left_out_is_told_to_have_none(api, rule, exdate, due):
    response = api.post(PREVIEW, {"recurrence": {"rule": rule, "exdates": [exdate]}, **due})

    told = response.json()
    assert (response.status_code, told["dates"], told["is_all"]) == (200, [], True)
    assert told["warnings"] == [LEFT_OUT]


@pytest.mark.parametrize(
    ("rule", "exdates", "dates", "detail"),
    [
        ("FREQ=DAILY;COUNT=2", ["20260504"], ["20260505"], "Happens once, on Tuesday 5 May"),
        ("FREQ=DAILY;COUNT=2", ["20260505"], ["20260504"], "Happens once, on Monday 4 May"),
    ],
)
def test_the_one_date_that_is_not_left_out_is_the_one_that_is_told(api, rule, exdates, dates, detail):
    told = api.post(PREVIEW, {"recurrence": {"rule": rule, "exdates": exdates}, "due_on": "2026-05-04"}).json()

    assert [one["recurrence_id"] for one in told["dates"]] == dates
    assert [(one["code"], one["detail"].split(":")[0]) for one in told["warnings"]] == [("happens_once", detail)]
