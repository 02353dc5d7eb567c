"""Tasks over REST: one request, one change, one event; everything else is refused in words."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from apps.events.brokers import get_broker
from apps.events.models import OutboxEntry
from apps.tasks import services
from apps.tasks.models import Task
from apps.tasks.serializers import ListSerializer, TagSerializer, TaskSerializer
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"
DETAIL_REQUESTS = [
    ("get", ""),
    ("patch", ""),
    ("delete", ""),
    ("post", "complete/"),
    ("post", "reopen/"),
    ("post", "restore/"),
]


@pytest.fixture
def owner():
    return person("ada")


@pytest.fixture
def task(owner):
    return task_of(owner)


def at(task, verb=""):
    return f"{TASKS}{task.pk}/{verb}"


def types():
    return list(facts().values_list("type", flat=True))


def fields(response):
    return {error["field"]: error["detail"] for error in response.json()["errors"]}


def test_creating_a_task_answers_201_with_the_task(api, owner):
    response = api.post(TASKS, {"title": "Buy milk", "priority": "high", "due_at": "2026-12-24T20:00:00+02:00"})

    task = Task.objects.get()
    told = response.json()
    assert response.status_code == 201
    assert (told["id"], told["owner"], told["version"], told["status"], told["priority"]) == (
        str(task.pk),
        str(owner.pk),
        1,
        "pending",
        "high",
    )
    assert told["due_at"] == "2026-12-24T18:00:00Z"
    assert told["url"].endswith(at(task))
    assert types() == ["task.created.v1"]


def test_an_event_carries_the_correlation_of_the_request(api):
    response = api.post(TASKS, {"title": "Buy milk"}, headers={"X-Correlation-ID": "order-66"})

    assert response["X-Correlation-ID"] == "order-66"
    assert facts().get().correlation_id == "order-66"


def test_reading_a_task_tells_it_and_changes_nothing(api, task):
    response = api.get(at(task))

    assert (response.status_code, response.json()["title"]) == (200, "Buy milk")
    assert types() == ["task.created.v1"]


def test_a_patch_changes_what_it_names(api, task):
    response = api.patch(at(task), {"title": "Buy oat milk", "status": "in_progress"})

    assert (response.status_code, response.json()["version"]) == (200, 2)
    assert (response.json()["title"], response.json()["status"]) == ("Buy oat milk", "in_progress")
    assert types() == ["task.created.v1", "task.updated.v1"]


def test_a_patch_that_changes_nothing_is_no_event(api, task):
    response = api.patch(at(task), {"title": "Buy milk"})

    assert (response.status_code, response.json()["version"]) == (200, 1)
    assert types() == ["task.created.v1"]


def test_a_task_goes_through_its_life(api, task):
    answers = [
        api.post(at(task, "complete/")),
        api.post(at(task, "reopen/")),
        api.delete(at(task)),
        api.post(at(task, "restore/")),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 204, 200]
    assert [answers[number].json()["status"] for number in (0, 1, 3)] == ["completed", "pending", "pending"]
    assert types() == [
        "task.created.v1",
        "task.completed.v1",
        "task.reopened.v1",
        "task.deleted.v1",
        "task.restored.v1",
    ]


def test_addresses_answer_without_their_trailing_slash_too(api, task):
    assert api.get(at(task)[:-1]).status_code == 200
    assert api.post(at(task, "complete")).status_code == 200


@pytest.mark.parametrize(
    ("before", "verb", "words"),
    [
        (["complete"], "complete/", "completed already"),
        ([], "reopen/", "not completed"),
        ([], "restore/", "not deleted"),
        (["delete"], "complete/", "is deleted; restore it first"),
        (["delete"], "reopen/", "is deleted; restore it first"),
    ],
)
def test_a_verb_that_the_task_does_not_allow_answers_409(api, task, before, verb, words):
    for earlier in before:
        getattr(services, f"{earlier}_task")(task_id=task.pk, actor=task.owner, now=NOW)
    events = types()

    response = api.post(at(task, verb))

    assert response.status_code == 409
    assert words in response.json()["detail"]
    assert types() == events


def test_deleting_twice_answers_409(api, task):
    api.delete(at(task))

    assert api.delete(at(task)).status_code == 409
    assert types() == ["task.created.v1", "task.deleted.v1"]


def test_changing_a_deleted_task_answers_409(api, task):
    api.delete(at(task))

    response = api.patch(at(task), {"title": "Better"})

    assert (response.status_code, Task.objects.get().title) == (409, "Buy milk")


@pytest.mark.parametrize(("status", "verb"), [("completed", "complete"), ("deleted", "delete")])
def test_a_patch_to_a_status_with_a_verb_answers_422_naming_it(api, task, status, verb):
    response = api.patch(at(task), {"status": status})

    assert response.status_code == 422
    assert (response.json()["code"], response.json()["detail"]) == (
        "use_verb",
        f"A change of status to or from {status} has a verb of its own: use {verb}.",
    )
    assert (Task.objects.get().status, types()) == ("pending", ["task.created.v1"])


def test_a_patch_away_from_completed_answers_422_naming_reopen(api, task):
    api.post(at(task, "complete/"))

    response = api.patch(at(task), {"status": "in_progress"})

    assert response.status_code == 422
    assert response.json()["detail"].endswith("use reopen.")
    assert Task.objects.get().status == "completed"


def test_a_task_cannot_be_created_completed(api):
    response = api.post(TASKS, {"title": "Done", "status": "completed"})

    assert response.status_code == 422
    assert (Task.objects.count(), types()) == (0, [])


@pytest.mark.parametrize(("method", "rest"), DETAIL_REQUESTS)
def test_another_persons_task_is_not_there(api, method, rest):
    theirs = task_of(person("eve"))
    before = Task.objects.values().get()

    response = getattr(api, method)(f"{TASKS}{theirs.pk}/{rest}")

    assert response.status_code == 404
    assert Task.objects.values().get() == before
    assert types() == ["task.created.v1"]


@pytest.mark.parametrize(("method", "rest"), DETAIL_REQUESTS)
@pytest.mark.parametrize("task_id", ["-" * 36, "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_id_of_nothing_is_not_there(api, method, rest, task_id):
    assert getattr(api, method)(f"{TASKS}{task_id}/{rest}").status_code == 404


@pytest.mark.parametrize(("method", "rest"), [*DETAIL_REQUESTS, ("get", None), ("post", None)])
def test_a_stranger_is_refused_everywhere(task, method, rest):
    path = TASKS if rest is None else at(task, rest)

    response = getattr(APIClient(), method)(path)

    assert response.status_code in {401, 403}
    assert types() == ["task.created.v1"]


WRONG = [
    ({}, "title"),
    ({"title": ""}, "title"),
    ({"title": "   "}, "title"),
    ({"title": None}, "title"),
    ({"title": ["a"]}, "title"),
    ({"title": "x" * 501}, "title"),
    ({"title": "a\0b"}, "title"),
    ({"title": "a", "description": None}, "description"),
    ({"title": "a", "description": "ä" * 16_385}, "description"),
    ({"title": "a", "priority": "whenever"}, "priority"),
    ({"title": "a", "status": "open"}, "status"),
    ({"title": "a", "due_at": "tomorrow"}, "due_at"),
    ({"title": "a", "due_at": "9999-12-31T23:59:59-12:00"}, "due_at"),
    ({"title": "a", "due_at": "0001-01-01T00:00:00+12:00"}, "due_at"),
    ({"title": "a", "due_at": 17}, "due_at"),
    ({"title": "a", "colour": "red"}, "colour"),
    ({"title": "a", "version": 7}, "version"),
    ({"title": "a", "owner": "00000000-0000-0000-0000-000000000000"}, "owner"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_a_wrong_value_answers_400_naming_the_field(api, body, field):
    response = api.post(TASKS, body)

    assert response.status_code == 400
    assert list(fields(response)) == [field]
    assert (Task.objects.count(), types()) == (0, [])


@pytest.mark.parametrize(("body", "field"), [(body, field) for body, field in WRONG if body and field != "version"])
def test_a_wrong_value_in_a_patch_changes_nothing(api, task, body, field):
    before = Task.objects.values().get()

    response = api.patch(at(task), body)

    assert response.status_code == 400
    assert list(fields(response)) == [field]
    assert Task.objects.values().get() == before
    assert types() == ["task.created.v1"]


def test_an_unknown_field_is_answered_with_those_there_are(api):
    response = api.post(TASKS, {"title": "a", "colour": "red"})

    assert fields(response) == {
        "colour": "Not a field that can be set. Those are: description, due_at, due_on, due_time_zone, list, parent, "
        "position, priority, recurrence, reminders, status, tags, title."
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b'"title"',
        b"null",
        b"\xff",
        b'{"title": "a"',
        b'{"title": "\\ud800"}',
        b'{"title": NaN}',
        b"[" * 50_000,
    ],
    ids=["open", "empty", "list", "text", "null", "no UTF-8", "half", "lone surrogate", "NaN", "deep"],
)
def test_bad_json_answers_400(api, body):
    response = api.generic("POST", TASKS, body, content_type="application/json")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert (Task.objects.count(), types()) == (0, [])


def test_a_change_too_big_for_an_event_answers_413_and_changes_nothing(api, owner):
    task = task_of(owner, description="\1" * 16_000)

    response = api.patch(at(task), {"description": "\2" * 32_000})

    assert response.status_code == 413
    assert "an event may have 262,144" in response.json()["detail"]
    assert Task.objects.get().description == "\1" * 16_000


def test_the_longest_description_can_be_changed_in_any_script(api, owner):
    task = task_of(owner, description="ж" * 16_384)

    assert api.patch(at(task), {"description": "щ" * 16_384}).status_code == 200


def test_what_a_person_types_arrives_as_typed(api):
    title = "what does \\u0000 mean? 🥛 <b>ä</b>"

    told = api.post(TASKS, {"title": title}).json()["title"]

    assert (told, facts().get().data["task"]["title"]) == (title, title)


def listed(api, query=""):
    return [task["title"] for task in api.get(TASKS + query).json()["results"]]


def test_a_list_has_the_callers_tasks_newest_first_without_deleted_ones(api, owner):
    for title in ("first", "second", "third"):
        task_of(owner, title=title)
    gone = task_of(owner, title="gone")
    services.delete_task(task_id=gone.pk, actor=owner, now=NOW)
    task_of(person("eve"), title="theirs")

    assert listed(api) == ["third", "second", "first"]


def test_a_list_can_be_of_one_status(api, owner):
    done, gone = task_of(owner, title="done"), task_of(owner, title="gone")
    task_of(owner, title="open")
    services.complete_task(task_id=done.pk, actor=owner, now=NOW)
    services.delete_task(task_id=gone.pk, actor=owner, now=NOW)

    assert listed(api, "?status=completed") == ["done"]
    assert listed(api, "?status=deleted") == ["gone"]
    assert listed(api, "?status=pending") == ["open"]


def test_a_list_can_be_of_one_priority(api, owner):
    task_of(owner, title="urgent", priority="urgent")
    task_of(owner, title="low", priority="low")

    assert listed(api, "?priority=urgent") == ["urgent"]
    assert listed(api, "?priority=urgent&status=completed") == []


def test_a_filter_for_something_that_cannot_be_answers_400(api):
    response = api.get(f"{TASKS}?status=open")

    assert response.status_code == 400
    assert list(fields(response)) == ["status"]


def test_a_list_comes_in_pages(api, owner):
    for number in range(5):
        task_of(owner, title=str(number))

    first = api.get(f"{TASKS}?page_size=2").json()
    second = api.get(first["next"]).json()

    assert [task["title"] for task in first["results"]] == ["4", "3"]
    assert [task["title"] for task in second["results"]] == ["2", "1"]


@pytest.mark.django_db(transaction=True)
def test_rest_goes_on_with_kafka_and_redis_away(api, settings):
    """The event waits in the outbox: no request asks Kafka or Redis."""
    settings.EVENT_BROKER = "kafka"
    settings.KAFKA = {"bootstrap.servers": "127.0.0.1:1"}
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    get_broker.cache_clear()

    response = api.post(TASKS, {"title": "Buy milk"})

    get_broker.cache_clear()
    assert response.status_code == 201
    assert json.loads(response.content)["version"] == 1
    waiting = OutboxEntry.objects.order_by("event_id").values_list("event__type", flat=True)
    assert list(waiting) == ["task.created.v1", "task.snapshot.v1"]


@pytest.mark.parametrize(
    ("serializer", "thing"),
    [
        (TaskSerializer, task_of),
        (ListSerializer, lambda owner: services.create_list(owner=owner, actor=owner, name="Home", now=NOW)),
        (TagSerializer, lambda owner: services.create_tag(owner=owner, actor=owner, name="home", now=NOW)),
    ],
)
def test_an_answer_written_by_hand_has_the_fields_that_are_declared(owner, serializer, thing):
    assert list(serializer().to_representation(thing(owner))) == list(serializer().fields)


def test_a_body_of_countless_wrong_entries_gets_a_short_answer(api):
    entries = api.post(TASKS, {"title": "x", "tags": [[]] * 100_000})
    names = api.post(TASKS, {"title": "x"} | {f"unknown {number}": 1 for number in range(20_000)})

    assert fields(entries) == {"tags": "At most 50 entries."}
    assert (entries.status_code, names.status_code, len(names.json()["errors"])) == (400, 400, 100)


@pytest.mark.parametrize("name", ["title", "tags", "recurrence", "reminders", "due_at", "list"])
def test_a_file_where_words_belong_is_refused(api, name):
    upload = SimpleUploadedFile("notes.txt", b"words")

    response = api.post(TASKS, {"title": "x", name: upload}, format="multipart")

    assert (response.status_code, Task.objects.count()) == (400, 0)


def test_json_far_deeper_than_anything_asked_for_is_refused(api):
    deep = '{"title": "x", "recurrence": ' + "[" * 900 + "]" * 900 + "}"

    response = api.post(TASKS, deep, content_type="application/json", headers={"Idempotency-Key": "a-key"})

    assert (response.status_code, response.json()["detail"]) == (400, "The JSON is nested too deeply.")
