"""Each verb changes a task, counts one version and tells one event; a refusal does none of it."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from django.db import transaction

from apps.events.errors import EventTooLarge
from apps.events.models import OutboxEntry
from apps.tasks import selectors, services
from apps.tasks.exceptions import (
    AlreadyCompleted,
    InvalidTask,
    NotCompleted,
    NotDeleted,
    StatusNeedsVerb,
    TaskDeleted,
    TaskNotFound,
    TaskRefused,
)
from apps.tasks.models import Task
from tests.events.concurrency import at_once, in_background, waits_for_a_lock
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)
DUE = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)


@pytest.fixture
def owner():
    return person("ada")


@pytest.fixture
def task(owner):
    return task_of(owner)


def do(verb, task, *, now=LATER, **arguments):
    return getattr(services, f"{verb}_task")(task_id=task.pk, actor=task.owner, now=now, **arguments)


def state(task):
    """Everything a refusal must leave as it was."""
    return Task.objects.filter(pk=task.pk).values().get(), facts().count(), OutboxEntry.objects.count()


def last_event():
    return facts().reverse()[0]


def test_creating_a_task_tells_how_it_is(owner):
    task = services.create_task(
        owner=owner,
        actor=owner,
        title="  Buy milk ",
        description="Oat",
        priority="high",
        status="in_progress",
        due_at=DUE,
        now=NOW,
    )

    event = facts().get()
    assert (task.title, task.version, task.created_at, task.updated_at) == ("Buy milk", 1, NOW, NOW)
    assert task.pk.version == 7
    assert (event.type, event.subject_type, event.subject_id, event.subject_version) == (
        "task.created.v1",
        "task",
        task.pk,
        1,
    )
    assert (event.topic, event.key, event.owner_id, event.actor_id) == (
        "task-events",
        str(task.pk),
        owner.pk,
        owner.pk,
    )
    assert event.occurred_at == NOW
    assert event.data == {
        "task": {
            "title": "Buy milk",
            "description": "Oat",
            "status": "in_progress",
            "priority": "high",
            "due_at": "2026-12-24T18:00:00Z",
            "due_on": None,
            "due_time_zone": None,
            "tags": [],
            "list": None,
            "parent": None,
            "position": str(int(NOW.timestamp())),
            "recurrence": None,
            "reminders": None,
            "series_id": None,
            "recurrence_id": None,
            "completed_at": None,
            "deleted_at": None,
        }
    }


def test_updating_a_task_tells_before_and_after_of_what_changed(task):
    elsewhere = DUE.astimezone(timezone(timedelta(hours=2)))

    updated = do("update", task, changes={"title": "Buy oat milk", "due_at": elsewhere, "priority": "none"})

    event = last_event()
    assert (updated.title, updated.version, updated.updated_at) == ("Buy oat milk", 2, LATER)
    assert (event.type, event.subject_version) == ("task.updated.v1", 2)
    assert event.data["changes"] == {
        "title": {"before": "Buy milk", "after": "Buy oat milk"},
        "due_at": {"before": None, "after": "2026-12-24T18:00:00Z"},
    }
    assert event.data["task"]["title"] == "Buy oat milk"


def test_an_update_that_changes_nothing_is_no_event(task):
    before = state(task)

    same = do("update", task, changes={"title": " Buy milk ", "priority": "none", "due_at": None})

    assert same.version == 1
    assert state(task) == before


def test_the_same_instant_in_another_zone_is_no_change(owner):
    task = task_of(owner, due_at=DUE)
    before = state(task)

    do("update", task, changes={"due_at": DUE.astimezone(timezone(timedelta(hours=5)))})

    assert state(task) == before


VERBS = [
    ("complete", [], "task.completed.v1", ("pending", "completed")),
    ("reopen", ["complete"], "task.reopened.v1", ("completed", "pending")),
    ("delete", [], "task.deleted.v1", ("pending", "deleted")),
    ("restore", ["delete"], "task.restored.v1", ("deleted", "pending")),
    ("restore", ["complete", "delete"], "task.restored.v1", ("deleted", "completed")),
]


@pytest.mark.parametrize(("verb", "before", "event_type", "change"), VERBS)
def test_a_verb_moves_the_status_and_tells_it(task, verb, before, event_type, change):
    for earlier in before:
        do(earlier, task, now=NOW)

    moved = do(verb, task)

    kept, event, status = Task.objects.get(), last_event(), change[1]
    assert (moved.status, kept.status, kept.version, kept.updated_at) == (status, status, len(before) + 2, LATER)
    assert (event.type, event.subject_version, event.occurred_at) == (event_type, len(before) + 2, LATER)
    assert event.data["changes"] == {"status": {"before": change[0], "after": status}}
    assert event.data["task"]["status"] == status


def test_completing_notes_when_and_reopening_forgets_it(task):
    completed = do("complete", task)
    reopened = do("reopen", task)

    assert (completed.completed_at, reopened.completed_at) == (LATER, None)


def test_a_completed_task_that_was_deleted_and_restored_still_knows_when(task):
    do("complete", task, now=NOW)
    do("delete", task)

    assert do("restore", task).completed_at == NOW


REFUSALS = [
    ("complete", ["complete"], AlreadyCompleted, "reopen it to complete it again"),
    ("complete", ["delete"], TaskDeleted, "restore it first"),
    ("reopen", [], NotCompleted, "nothing to reopen"),
    ("reopen", ["delete"], TaskDeleted, "restore it first"),
    ("delete", ["delete"], TaskDeleted, "restore it first"),
    ("restore", [], NotDeleted, "nothing to restore"),
    ("restore", ["complete"], NotDeleted, "nothing to restore"),
]


@pytest.mark.parametrize(("verb", "before", "refusal", "words"), REFUSALS)
def test_a_verb_that_the_task_does_not_allow_changes_nothing(task, verb, before, refusal, words):
    for earlier in before:
        do(earlier, task, now=NOW)
    was = state(task)

    with pytest.raises(refusal, match=words):
        do(verb, task)

    assert state(task) == was


UPDATES: list[tuple[dict[str, object], type[TaskRefused], str]] = [
    ({"title": "   "}, InvalidTask, "at least one character that can be seen"),
    ({"title": "x" * 501}, InvalidTask, "at most 500 characters"),
    ({"description": "ä" * 16_385}, InvalidTask, "at most 32,768 bytes"),
    ({"version": 7}, InvalidTask, "cannot be changed"),
    ({"status": "completed"}, StatusNeedsVerb, "use complete"),
    ({"status": "deleted"}, StatusNeedsVerb, "use delete"),
    ({"title": "Better", "status": "completed"}, StatusNeedsVerb, "use complete"),
]


@pytest.mark.parametrize(("changes", "refusal", "words"), UPDATES)
def test_an_update_that_is_not_allowed_changes_nothing(task, changes, refusal, words):
    was = state(task)

    with pytest.raises(refusal, match=words):
        do("update", task, changes=changes)

    assert state(task) == was


def test_a_completed_task_is_reopened_by_its_verb_only(task):
    do("complete", task, now=NOW)
    was = state(task)

    with pytest.raises(StatusNeedsVerb, match="use reopen"):
        do("update", task, changes={"status": "pending"})

    assert state(task) == was


def test_a_deleted_task_cannot_be_changed(task):
    do("delete", task, now=NOW)
    was = state(task)

    with pytest.raises(TaskDeleted):
        do("update", task, changes={"title": "Better"})

    assert state(task) == was


@pytest.mark.parametrize("status", ["completed", "deleted"])
def test_a_task_cannot_begin_at_its_end(owner, status):
    with pytest.raises(StatusNeedsVerb):
        task_of(owner, status=status)

    assert (Task.objects.count(), facts().count()) == (0, 0)


@pytest.mark.parametrize("verb", ["complete", "reopen", "delete", "restore"])
def test_a_task_that_is_not_there_is_said_so(owner, verb):
    with pytest.raises(TaskNotFound, match=str(UUID(int=7))):
        getattr(services, f"{verb}_task")(task_id=UUID(int=7), actor=owner, now=NOW)

    assert facts().count() == 0


def test_a_change_too_big_for_an_event_changes_nothing(owner):
    task = task_of(owner, description="\1" * 16_000)
    was = state(task)

    with pytest.raises(EventTooLarge):
        do("update", task, changes={"description": "\2" * 32_000})

    assert state(task) == was


def test_a_description_may_have_32_kib_to_the_byte(owner):
    assert len(task_of(owner, description="ä" * 16_384).description.encode()) == 32_768


def test_a_person_sees_their_own_tasks_only(owner):
    mine = task_of(owner)
    task_of(person("eve"))

    assert list(selectors.tasks_of(owner=owner)) == [mine]


def test_open_tasks_are_those_to_be_done_the_next_due_first(owner):
    undated, later, sooner = task_of(owner), task_of(owner, due_at=DUE), task_of(owner, due_at=NOW)
    do("complete", task_of(owner))
    do("delete", task_of(owner))

    assert list(selectors.open_tasks(owner=owner)) == [sooner, later, undated]


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_wait_for_each_other_and_none_is_lost(task):
    changed, may_commit = threading.Event(), threading.Event()

    @transaction.atomic
    def rename_slowly():
        do("update", task, changes={"title": "Buy oat milk"})
        changed.set()
        may_commit.wait(10)

    with in_background(rename_slowly) as renaming:
        changed.wait(10)
        with in_background(lambda: do("complete", task)) as completing:
            waited = waits_for_a_lock()
            may_commit.set()
            renaming.result(10)
            completing.result(10)

    kept = Task.objects.get()
    assert waited
    assert (kept.title, kept.status, kept.version) == ("Buy oat milk", "completed", 3)
    assert list(facts().values_list("type", "subject_version")) == [
        ("task.created.v1", 1),
        ("task.updated.v1", 2),
        ("task.completed.v1", 3),
    ]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_complete_a_task_at_once_one_is_refused(task):
    def complete():
        try:
            return do("complete", task).status
        except AlreadyCompleted:
            return "refused"

    assert sorted(at_once(complete, complete)) == ["completed", "refused"]
    assert facts().filter(type="task.completed.v1").count() == 1


@pytest.mark.parametrize("year", [1969, 9000])
def test_a_due_that_some_time_zone_cannot_show_is_refused(year):
    owner = person()

    with pytest.raises(InvalidTask, match="between the years 1970 and 9000"):
        services.create_task(owner=owner, actor=owner, title="x", due_at=datetime(year, 6, 1, tzinfo=UTC), now=NOW)

    assert not Task.objects.exists()


@pytest.mark.parametrize(("field", "value"), [("status", "bogus"), ("priority", "bogus")])
def test_a_value_that_is_no_choice_is_refused_by_the_service_itself(field, value):
    owner = person()

    with pytest.raises(InvalidTask, match="bogus is none of"):
        services.create_task(owner=owner, actor=owner, title="x", now=NOW, **{field: value})

    assert not Task.objects.exists()
