"""How a task repeats over REST: told, changed and stopped; and what became of each time."""

import pytest
from rest_framework.test import APIClient

from apps.recurrence.models import Series
from apps.tasks import services as task_services
from apps.tasks.models import Task
from tests.recurrence.rest.monday import MONDAY, rows
from tests.support.factories import person, task_of
from tests.support.repeating import complete, open_tasks, the_series

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"


def of(task, what="recurrence"):
    return f"{TASKS}{task.pk}/{what}/"


def test_a_task_tells_how_it_repeats(api, task, series):
    response = api.get(of(task))

    told = response.json()
    assert (response.status_code, response["ETag"]) == (200, '"1"')
    assert told["recurrence"] == {
        "rule": "FREQ=WEEKLY",
        "from": "schedule",
        "month_end": "clamp",
        "catch_up": "latest",
    }
    assert (told["task"], told["number"], told["recurrence_id"]) == (str(task.pk), 1, "20260504")
    assert (told["series"]["id"], told["series"]["is_active"]) == (str(series.pk), True)
    assert [one["local"] for one in told["planned"]] == ["11 May", "18 May", "25 May", "1 June", "8 June"]


def test_a_task_whose_series_is_not_opened_yet_tells_what_it_will_be(api, ada):
    task = task_of(ada, due_on=MONDAY.date(), recurrence="weekly")

    told = api.get(of(task)).json()

    assert told["series"] is None
    assert [one["due_on"] for one in told["planned"]][:2] == ["2026-05-11", "2026-05-18"]


def test_a_task_leads_to_how_it_repeats(api, task):
    address = api.get(f"{TASKS}{task.pk}/").json()["links"]["recurrence"]

    assert address.endswith(of(task))
    assert api.get(address).status_code == 200


def test_a_task_that_does_not_repeat_says_so(api, ada):
    task = task_of(ada)

    told = api.get(of(task)).json()

    assert (told["recurrence"], told["sentence"], told["series"], told["planned"]) == (None, None, None, [])
    assert told["links"]["series"] is None


def test_a_task_is_told_to_repeat(api, ada, pump):
    task = task_of(ada, due_on=MONDAY.date())

    response = api.put(of(task), {"recurrence": "daily"})
    pump.run()

    assert (response.status_code, response["ETag"]) == (200, '"2"')
    assert response.json()["recurrence"]["rule"] == "FREQ=DAILY"
    assert (the_series().opened_by, the_series().recurrence["rule"]) == (task.pk, "FREQ=DAILY")


def test_another_rule_holds_from_this_one_on(api, task, pump):
    response = api.put(of(task), {"recurrence": {"rule": "daily", "catch_up": "wait"}})
    pump.run()

    assert response.status_code == 200
    assert (the_series().recurrence["rule"], the_series().recurrence["catch_up"]) == ("FREQ=DAILY", "wait")
    assert Series.objects.count() == 1


def test_a_rule_that_cannot_be_names_its_part_and_changes_nothing(api, task):
    before = rows()

    response = api.put(of(task), {"recurrence": "FREQ=WEEKLY;BYMONTHDAY=3"})

    (error,) = response.json()["errors"]
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert (error["field"], error["part"]) == ("recurrence.rule", "BYMONTHDAY")
    assert rows() == before


def test_a_field_is_changed_of_this_one_only(api, ada, task, pump):
    response = api.patch(of(task), {"scope": "this", "title": "Water the cactus"})
    complete(Task.objects.get(pk=task.pk), pump=pump, now=MONDAY)

    assert (response.status_code, response.json()["version"]) == (200, 2)
    assert [one.title for one in open_tasks()] == ["Water the plants"]
    assert Task.objects.get(pk=task.pk).title == "Water the cactus"


def test_a_field_is_changed_of_this_one_and_those_that_follow(api, task, pump):
    api.patch(of(task), {"title": "Water the cactus"})
    complete(Task.objects.get(pk=task.pk), pump=pump, now=MONDAY)

    assert [one.title for one in open_tasks()] == ["Water the cactus"]


def test_how_it_repeats_is_not_of_one_occurrence(api, task):
    before = rows()

    response = api.patch(of(task), {"scope": "this", "recurrence": "daily"})

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["recurrence"]
    assert rows() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"scope": "this"}, ""),
        ({"scope": "some", "title": "x"}, "scope"),
        ({"status": "in_progress"}, "status"),
    ],
)
def test_a_change_of_occurrences_that_is_none_is_refused(api, task, body, field):
    before = rows()

    response = api.patch(of(task), body)

    assert response.status_code == 400
    assert field in [error["field"] for error in response.json()["errors"]]
    assert rows() == before


def test_occurrences_of_a_task_without_a_series_cannot_be_changed(api, ada):
    task = task_of(ada)

    response = api.patch(of(task), {"title": "Changed"})

    assert response.status_code == 409
    assert Task.objects.get().title == "Buy milk"


def test_a_stale_change_of_occurrences_is_refused(api, ada, task):
    task_services.update_task(task_id=task.pk, actor=ada, changes={"priority": "high"}, now=MONDAY)
    before = rows()

    answers = [
        api.put(of(task), {"recurrence": "daily"}, headers={"If-Match": '"1"'}),
        api.patch(of(task), {"title": "Late"}, headers={"If-Match": '"1"'}),
        api.delete(of(task), headers={"If-Match": '"1"'}),
    ]

    assert [(one.status_code, one.json()["current"]["version"]) for one in answers] == [(412, 2)] * 3
    assert rows() == before


def test_a_task_stops_repeating(api, task, pump):
    response = api.delete(of(task))
    pump.run()

    assert response.status_code == 204
    assert (the_series().is_active, Task.objects.get().recurrence) == (False, None)


def test_a_task_whose_series_is_not_opened_yet_stops_repeating(api, ada, pump):
    task = task_of(ada, due_on=MONDAY.date(), recurrence="weekly")

    response = api.delete(of(task))
    pump.run()

    assert response.status_code == 204
    assert Task.objects.get().recurrence is None
    assert list(Series.objects.filter(ended_at=None)) == []


def test_what_does_not_repeat_cannot_stop(api, ada):
    assert api.delete(of(task_of(ada))).status_code == 409


def test_stopping_can_be_tried(api, task):
    before = rows()

    response = api.delete(of(task) + "?dry_run=true")

    assert "recurrence.ended.v1" in [event["type"] for event in response.json()["events"]]
    assert rows() == before


# --- history ----------------------------------------------------------------------------------------


def test_the_occurrences_of_a_task_tell_what_became_of_each_time(api, task, pump):
    complete(task, pump=pump, now=MONDAY)
    (following,) = open_tasks()

    told = api.get(of(following, "occurrences")).json()["results"]

    assert [(one["number"], one["recurrence_id"], one["due_on"]) for one in told] == [
        (2, "20260511", "2026-05-11"),
        (1, "20260504", "2026-05-04"),
    ]
    assert [(one["task"]["id"], one["task"]["status"], one["task"]["completed_at"]) for one in told] == [
        (str(following.pk), "pending", None),
        (str(task.pk), "completed", "2026-05-04T09:00:00Z"),
    ]
    assert told == api.get(of(task, "occurrences")).json()["results"]


def test_the_occurrences_have_pages(api, task, pump):
    for _ in range(3):
        complete(open_tasks()[0], pump=pump, now=MONDAY)

    first = api.get(of(task, "occurrences"), {"page_size": 3}).json()
    second = api.get(first["next"]).json()

    assert [one["number"] for one in [*first["results"], *second["results"]]] == [4, 3, 2, 1]


def test_a_task_that_never_repeated_has_no_occurrences(api, ada):
    assert api.get(of(task_of(ada), "occurrences")).json()["results"] == []


@pytest.mark.parametrize(
    ("method", "what", "body"),
    [
        ("get", "occurrences", None),
        ("get", "recurrence", None),
        ("put", "recurrence", {"recurrence": "daily"}),
        ("patch", "recurrence", {"title": "Mine"}),
        ("delete", "recurrence", None),
    ],
)
def test_another_persons_task_is_not_there(task, method, what, body):
    eve = APIClient()
    eve.force_login(person("eve"))
    before = rows()

    assert getattr(eve, method)(of(task, what), body).status_code == 404
    assert rows() == before
