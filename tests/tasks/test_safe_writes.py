"""Writes that a caller can repeat, guard and try: Idempotency-Key, If-Match and dry_run."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from rest_framework.test import APIClient

from apps.events.models import Event, OutboxEntry
from apps.tasks import idempotency, services
from apps.tasks.models import IdempotentAnswer, Tag, Task, TaskList
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"


@pytest.fixture
def owner():
    return person("ada")


@pytest.fixture
def task(owner):
    return task_of(owner)


def at(task, verb=""):
    return f"{TASKS}{task.pk}/{verb}"


def rows():
    return [
        *(list(model.objects.order_by("pk").values()) for model in (Task, TaskList, Tag, Event)),
        OutboxEntry.objects.count(),
        IdempotentAnswer.objects.count(),
    ]


# --- If-Match ---------------------------------------------------------------------------------------


def test_an_answer_carries_the_version_as_etag(api, task):
    assert api.get(at(task))["ETag"] == '"1"'
    assert api.patch(at(task), {"title": "Buy oats"})["ETag"] == '"2"'
    assert api.post(at(task, "complete/"))["ETag"] == '"3"'


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [
        ("patch", "", {"title": "Late"}),
        ("put", "", {"title": "Late"}),
        ("delete", "", None),
        ("post", "complete/", None),
        ("post", "snooze/", {"until": "tomorrow"}),
        ("post", "tags/", {"add": ["late"]}),
    ],
)
@pytest.mark.parametrize("etag", ['"1"', '"7"', 'W/"1"', '"abc"'])
def test_a_stale_write_is_refused_with_the_current_state(api, task, method, verb, body, etag):
    api.patch(at(task), {"title": "Buy oats"})
    before = rows()

    response = getattr(api, method)(at(task, verb), body, headers={"If-Match": etag})

    told = response.json()
    assert (response.status_code, told["code"]) == (412, "stale")
    assert (told["current"]["title"], told["current"]["version"]) == ("Buy oats", 2)
    assert rows() == before


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', "*"])
def test_a_write_that_has_seen_the_current_state_goes_through(api, task, etag):
    assert api.patch(at(task), {"title": "New"}, headers={"If-Match": etag}).status_code == 200


@pytest.mark.parametrize("etag", ["1", "", '"1', "1, 2"])
def test_an_if_match_that_is_no_etag_is_refused(api, task, etag):
    response = api.patch(at(task), {"title": "New"}, headers={"If-Match": etag})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "If-Match"


# --- Idempotency-Key --------------------------------------------------------------------------------


def once(api, path, body, key="a-key"):
    return api.post(path, body, headers={"Idempotency-Key": key})


def test_the_same_request_again_gets_the_same_answer_and_changes_nothing(api):
    first = once(api, TASKS, {"title": "Buy milk"})
    before = rows()

    again = once(api, TASKS, {"title": "Buy milk"})

    assert (again.status_code, again.json(), again["ETag"], again["Location"]) == (
        201,
        first.json(),
        first["ETag"],
        first["Location"],
    )
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert rows() == before


def test_without_a_key_the_same_request_again_is_another_change(api):
    """The negative control."""
    api.post(TASKS, {"title": "Buy milk"})
    api.post(TASKS, {"title": "Buy milk"})

    assert Task.objects.count() == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [("complete/", None), ("duplicate/", None), ("snooze/", {"until": "tomorrow"}), ("tags/", {"add": ["a"]})],
)
def test_verbs_answer_twice_alike(api, task, path, body):
    first = once(api, at(task, path), body)
    before = rows()

    again = once(api, at(task, path), body)

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert rows() == before


@pytest.mark.parametrize(("path", "body"), [(TASKS, {"title": "Other"}), ("/api/v1/lists/", {"name": "Buy milk"})])
def test_a_key_with_another_request_is_refused(api, path, body):
    once(api, TASKS, {"title": "Buy milk"})
    before = rows()

    response = once(api, path, body)

    assert (response.status_code, response.json()["code"]) == (422, "key_reused")
    assert rows() == before


def test_keys_of_two_people_are_two_keys(api):
    other = APIClient()
    other.force_login(person("grace"))

    once(api, TASKS, {"title": "Hers"})
    once(other, TASKS, {"title": "His"})

    assert Task.objects.count() == 2


def test_what_was_refused_may_be_corrected_under_the_same_key(api):
    assert once(api, TASKS, {"title": ""}).status_code == 400

    assert once(api, TASKS, {"title": "Buy milk"}).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "two words", "ä"])
def test_a_key_that_is_none_is_refused(api, key):
    response = once(api, TASKS, {"title": "Buy milk"}, key=key)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert Task.objects.count() == 0


def test_a_key_is_forgotten_after_a_day(api):
    once(api, TASKS, {"title": "Buy milk"})
    IdempotentAnswer.objects.update(created_at=datetime.now(UTC) - timedelta(hours=24, seconds=1))

    assert once(api, TASKS, {"title": "Buy milk"}).status_code == 201
    assert Task.objects.count() == 2


def test_old_answers_are_swept(api):
    once(api, TASKS, {"title": "Buy milk"})

    assert idempotency.forget_old(now=datetime.now(UTC) + timedelta(hours=23)) == 0
    assert idempotency.forget_old(now=datetime.now(UTC) + timedelta(hours=25)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_key_in_flight_is_refused_at_once(api, owner):
    held, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            idempotency.claim(owner_id=owner.pk, key="a-key", fingerprint="f", now=NOW)
            held.set()
            release.wait(10)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    response = once(api, TASKS, {"title": "Buy milk"})
    release.set()
    other.join()

    assert (response.status_code, response.json()["code"]) == (409, "in_flight")
    assert Task.objects.count() == 0
    assert once(api, TASKS, {"title": "Buy milk"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_under_one_key_one_changes_something(owner):
    statuses = []

    def ask():
        client = APIClient()
        client.force_login(owner)
        statuses.append(once(client, TASKS, {"title": "Buy milk"}).status_code)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Task.objects.count() == 1
    assert set(statuses) <= {201, 409}
    assert 201 in statuses


# --- dry_run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "types"),
    [
        ("post", "", {"title": "New", "tags": ["fresh"]}, ["tag.created.v1", "task.created.v1"]),
        ("patch", "{task}/", {"title": "New"}, ["task.updated.v1"]),
        ("patch", "{task}/", {"title": "Buy milk"}, []),
        ("put", "{task}/", {"title": "New"}, ["task.updated.v1"]),
        ("delete", "{task}/", None, ["task.deleted.v1"]),
        ("post", "{task}/complete/", None, ["task.completed.v1"]),
        ("post", "bulk/", {"action": "complete", "tasks": ["{task}"]}, ["task.completed.v1"]),
    ],
)
def test_a_trial_answers_the_events_that_would_be_and_changes_nothing(api, task, method, path, body, types):
    before = rows()
    body = body and {name: [str(task.pk)] if value == ["{task}"] else value for name, value in body.items()}

    response = getattr(api, method)(TASKS + path.format(task=task.pk) + "?dry_run=true", body)

    told = response.json()
    assert response.status_code == 200
    assert (told["dry_run"], [event["type"] for event in told["events"]]) == (True, types)
    assert rows() == before


def test_a_trial_is_refused_as_the_write_would_be(api, task):
    assert api.post(at(task, "reopen/?dry_run=true")).status_code == 409
    assert api.patch(at(task, "?dry_run=true"), {"title": ""}).status_code == 400
    assert api.patch(at(task, "?dry_run=perhaps"), {"title": "New"}).status_code == 400
    assert [event.type for event in facts()] == ["task.created.v1"]


def test_a_trial_does_not_use_the_key_up(api):
    once(api, f"{TASKS}?dry_run=true", {"title": "Buy milk"})

    assert once(api, TASKS, {"title": "Another"}).status_code == 201


# --- PUT, and what comes back as it was read --------------------------------------------------------


def test_a_put_empties_what_it_leaves_out(api, owner):
    task = task_of(owner, description="Oat", priority="high", status="in_progress", tags=["home"], due_at=NOW)

    told = api.put(at(task), {"title": "Buy oats"}).json()

    assert {name: told[name] for name in ("title", "description", "priority", "status", "tags", "due_at")} == {
        "title": "Buy oats",
        "description": "",
        "priority": "none",
        "status": "in_progress",
        "tags": [],
        "due_at": None,
    }
    assert told["version"] == 2


@pytest.mark.parametrize("method", ["put", "patch"])
def test_what_was_read_can_be_sent_back_changed(api, owner, method):
    task = task_of(owner, due_at=NOW + timedelta(days=3), recurrence="weekly", reminders=[{"before_due": "PT5M"}])
    read = api.get(at(task)).json()

    told = getattr(api, method)(at(task), {**read, "title": "Changed"}).json()

    assert (told["title"], told["version"]) == ("Changed", 2)
    assert facts().last().data["changes"] == {"title": {"before": "Buy milk", "after": "Changed"}}


@pytest.mark.parametrize("method", ["put", "patch"])
def test_what_only_the_service_sets_cannot_be_sent_changed(api, task, method):
    read = api.get(at(task)).json()

    response = getattr(api, method)(at(task), {**read, "series_id": str(uuid4()), "owner": str(person("grace").pk)})

    assert response.status_code == 400
    assert sorted(error["field"] for error in response.json()["errors"]) == ["owner", "series_id"]


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("headers", [{}, {"If-Match": '"1"'}])
def test_what_was_read_before_somebody_elses_change_is_stale(api, task, method, headers):
    read = api.get(at(task)).json()
    api.patch(at(task), {"title": "Meanwhile"})
    before = rows()

    response = getattr(api, method)(at(task), {**read, "title": "Late"}, headers=headers)

    assert (response.status_code, response.json()["current"]["title"]) == (412, "Meanwhile")
    assert rows() == before


def test_renaming_a_tag_makes_what_was_read_of_its_tasks_stale(api, owner):
    task = task_of(owner, tags=["home"])
    read = api.get(at(task))
    services.update_tag(tag_id=Tag.objects.get().pk, actor=owner, changes={"name": "house"}, now=NOW)

    response = api.put(at(task), read.json(), headers={"If-Match": read["ETag"]})

    assert (response.status_code, response.json()["current"]["tags"]) == (412, ["house"])
    assert [tag.name for tag in Tag.objects.all()] == ["house"]


def test_one_of_several_etags_is_enough(api, task):
    assert api.patch(at(task), {"title": "New"}, headers={"If-Match": '"7", "1"'}).status_code == 200


def test_a_duplicate_is_made_of_what_was_seen(api, task):
    assert api.post(at(task, "duplicate/"), headers={"If-Match": '"9"'}).status_code == 412
    assert Task.objects.count() == 1


def test_a_file_in_a_form_is_no_trouble_for_a_key(api):
    upload = SimpleUploadedFile("notes.txt", b"words")

    response = api.post(TASKS, {"title": upload}, format="multipart", headers={"Idempotency-Key": "a-key"})

    assert response.status_code == 400


def test_a_trial_of_many_tells_nothing_of_those_it_refuses(api, owner):
    full = task_of(owner, tags=[f"tag {number}" for number in range(50)])

    told = api.post(f"{TASKS}bulk/?dry_run=true", {"action": "tag", "tasks": [str(full.pk)], "add": ["one more"]})

    assert told.json()["events"] == []


def test_all_that_is_wrong_is_told_at_once(api):
    response = api.post(TASKS, {"title": "", "colour": "red", "priority": "soon"})

    assert sorted(error["field"] for error in response.json()["errors"]) == ["colour", "priority", "title"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "/api/v1/tasks/?stauts=deleted", None),
        ("get", "/api/v1/tasks/?limit=2", None),
        ("post", "/api/v1/tasks/?dryrun=true", {"title": "Really?"}),
        ("patch", "/api/v1/me/?dry_run=true", {"time_zone": "Europe/Paris"}),
        ("post", "/api/v1/tokens/?dry_run=true", {"name": "laptop"}),
    ],
)
def test_a_parameter_that_an_address_does_not_know_is_refused(api, owner, method, path, body):
    response = getattr(api, method)(path, body)

    owner.refresh_from_db()
    assert (response.status_code, response.json()["code"]) == (400, "unknown_parameter")
    assert (Task.objects.count(), owner.time_zone, owner.personal_tokens.count()) == (0, "UTC", 0)
