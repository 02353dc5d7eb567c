"""Snooze, duplicate, tags and bulk over REST."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
import time_machine

from apps.tasks import services
from apps.tasks.models import Tag, Task
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"


@pytest.fixture
def owner():
    return person("ada", time_zone="Europe/Berlin")


def at(task, verb=""):
    return f"{TASKS}{task.pk}/{verb}"


def bulk(api, action, tasks, **arguments):
    response = api.post(f"{TASKS}bulk/", {"action": action, "tasks": [str(task.pk) for task in tasks], **arguments})
    return response.status_code, response.json().get("results")


@pytest.mark.parametrize(
    ("until", "due"),
    [
        ("later_today", ("2026-11-20T12:00:00Z", None)),
        ("tomorrow", ("2026-11-21T17:00:00Z", None)),
        ("next_week", ("2026-11-23T17:00:00Z", None)),
        ("2026-12-24T18:00:00", ("2026-12-24T17:00:00Z", None)),
        ("2026-12-24T18:00:00+00:00", ("2026-12-24T18:00:00Z", None)),
    ],
)
def test_snoozing_moves_the_due_by_the_owners_clock(api, owner, until, due):
    task = task_of(owner, due_at=datetime(2026, 11, 20, 17, tzinfo=UTC))

    with time_machine.travel(NOW, tick=False):
        told = api.post(at(task, "snooze/"), {"until": until}).json()

    assert (told["due_at"], told["due_on"]) == due
    assert facts().last().type == "task.updated.v1"


def test_a_task_without_an_hour_is_snoozed_to_a_day(api, owner):
    task = task_of(owner)

    with time_machine.travel(NOW, tick=False):
        assert api.post(at(task, "snooze/"), {"until": "tomorrow"}).json()["due_on"] == "2026-11-21"


@pytest.mark.parametrize("until", ["yesterday", "2020-01-01", "2020-01-01T00:00:00Z", "", "99999999999"])
def test_snoozing_to_nowhere_is_refused(api, owner, until):
    task = task_of(owner)

    response = api.post(at(task, "snooze/"), {"until": until})

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "until")
    assert facts().count() == 1


def test_a_completed_task_is_not_snoozed(api, owner):
    task = task_of(owner)
    services.complete_task(task_id=task.pk, actor=owner, now=NOW)

    assert api.post(at(task, "snooze/"), {"until": "tomorrow"}).status_code == 409


def test_a_duplicate_is_a_new_task_at_its_own_address(api, owner):
    task = task_of(owner, tags=["home"])

    response = api.post(at(task, "duplicate/"))

    told = response.json()
    assert (response.status_code, told["title"], told["tags"], told["version"]) == (201, "Buy milk", ["home"], 1)
    assert response["Location"] == told["url"]
    assert told["id"] != str(task.pk)


def test_tags_are_added_and_removed_by_name(api, owner):
    task = task_of(owner, tags=["home", "old"])

    told = api.post(at(task, "tags/"), {"add": ["new"], "remove": ["OLD"]}).json()

    assert told["tags"] == ["home", "new"]


@pytest.mark.parametrize("body", [{}, {"add": []}, {"add": "home"}, {"add": [""]}, {"add": ["a"], "replace": ["b"]}])
def test_a_change_of_tags_that_names_none_is_refused(api, owner, body):
    task = task_of(owner)

    assert api.post(at(task, "tags/"), body).status_code == 400
    assert (facts().count(), Tag.objects.count()) == (1, 0)


def test_a_bulk_has_one_result_per_task_in_the_order_asked(api, owner):
    done, open_one, hers = task_of(owner), task_of(owner), task_of(person("grace"))
    services.complete_task(task_id=done.pk, actor=owner, now=NOW)

    status, results = bulk(api, "complete", [open_one, hers, done])

    assert status == 200
    assert [(one["id"], one["status"], one.get("version")) for one in results] == [
        (str(open_one.pk), 200, 2),
        (str(hers.pk), 404, None),
        (str(done.pk), 409, None),
    ]
    assert "completed already" in results[2]["detail"]
    assert Task.objects.get(pk=hers.pk).status == "pending"


def test_a_part_named_after_its_whole_was_done_with_it(api, owner):
    whole = task_of(owner)
    part = task_of(owner, parent=whole.pk)

    _, results = bulk(api, "delete", [whole, part])

    assert [(one["status"], one["version"]) for one in results] == [(200, 2), (200, 2)]
    assert [event.type for event in facts()][2:] == ["task.deleted.v1", "task.deleted.v1"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_part_is_restored_with_its_whole_whichever_is_named_first(api, owner, order):
    whole = task_of(owner)
    part = task_of(owner, parent=whole.pk)
    services.delete_task(task_id=whole.pk, actor=owner, now=NOW)

    _, results = bulk(api, "restore", [whole, part][::order])

    assert [one["status"] for one in results] == [200, 200]
    assert set(Task.objects.values_list("status", flat=True)) == {"pending"}


def test_a_bulk_that_would_change_too_many_subtasks_changes_nothing(api, owner, monkeypatch):
    monkeypatch.setattr("apps.tasks.services.bulk.MAX_TASKS_AT_ONCE", 2)
    whole = task_of(owner)
    for _ in range(2):
        task_of(owner, parent=whole.pk)

    response = api.post(f"{TASKS}bulk/", {"action": "complete", "tasks": [str(whole.pk)]})

    assert response.status_code == 409
    assert set(Task.objects.values_list("status", flat=True)) == {"pending"}


@pytest.mark.parametrize(
    ("action", "arguments", "before", "types"),
    [
        ("complete", {}, [], ["task.completed.v1"]),
        ("reopen", {}, ["complete"], ["task.reopened.v1"]),
        ("delete", {}, [], ["task.deleted.v1"]),
        ("restore", {}, ["delete"], ["task.restored.v1"]),
        ("tag", {"add": ["a"], "remove": ["b"]}, [], ["tag.created.v1", "task.updated.v1"]),
        ("move", {"list": None}, [], []),
    ],
)
def test_every_bulk_action_does_its_verb(api, owner, action, arguments, before, types):
    task = task_of(owner)
    for earlier in before:
        getattr(services, f"{earlier}_task")(task_id=task.pk, actor=owner, now=NOW)
    seen = facts().count()

    status, results = bulk(api, action, [task], **arguments)

    assert (status, results[0]["status"]) == (200, 200)
    assert [event.type for event in facts()[seen:]] == types


def test_many_tasks_move_to_a_list(api, owner):
    home = services.create_list(owner=owner, actor=owner, name="Home", now=NOW)
    tasks = [task_of(owner) for _ in range(3)]

    bulk(api, "move", tasks, list=str(home.pk))

    assert set(Task.objects.values_list("list__name", flat=True)) == {"Home"}


def test_a_move_to_somebody_elses_list_moves_nothing(api, owner):
    grace = person("grace")
    hers = services.create_list(owner=grace, actor=grace, name="Hers", now=NOW)
    task = task_of(owner)

    _, results = bulk(api, "move", [task], list=str(hers.pk))

    assert results[0]["status"] == 404
    assert Task.objects.get(pk=task.pk).list_id is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "explode", "tasks": [str(uuid4())]}, "action"),
        ({"action": "complete", "tasks": []}, "tasks"),
        ({"action": "complete"}, "tasks"),
        ({"action": "complete", "tasks": ["x"]}, "tasks.0"),
        ({"action": "complete", "tasks": ["018f0000-0000-7000-8000-000000000001"] * 2}, "tasks"),
        ({"action": "complete", "tasks": [str(uuid4()) for _ in range(101)]}, "tasks"),
        ({"action": "complete", "tasks": [str(uuid4())], "list": None}, "list"),
        ({"action": "move", "tasks": [str(uuid4())]}, "list"),
        ({"action": "tag", "tasks": [str(uuid4())]}, "add"),
    ],
)
def test_a_bulk_that_makes_no_sense_is_refused(api, body, field):
    response = api.post(f"{TASKS}bulk/", body)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)


def test_one_refusal_does_not_undo_the_others(api, owner):
    tasks = [task_of(owner) for _ in range(3)]
    services.delete_task(task_id=tasks[1].pk, actor=owner, now=NOW)

    bulk(api, "complete", tasks)

    assert [Task.objects.get(pk=task.pk).status for task in tasks] == ["completed", "deleted", "completed"]
