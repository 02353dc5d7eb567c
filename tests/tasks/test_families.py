"""Subtasks: what is done to a whole is done to its parts, each with an event that names its cause."""

from datetime import timedelta

import pytest

from apps.tasks import services
from apps.tasks.exceptions import InvalidTask, ParentDeleted, ParentNotFound, TooMany
from apps.tasks.models import Task
from apps.tasks.services import family
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return person("ada")


@pytest.fixture
def tree(owner):
    """A trip, with packing, with socks."""
    trip = task_of(owner, title="Trip")
    packing = task_of(owner, title="Packing", parent=trip.pk)
    socks = task_of(owner, title="Socks", parent=packing.pk)
    return trip, packing, socks


def do(verb, task, **arguments):
    return getattr(services, f"{verb}_task")(task_id=task.pk, actor=task.owner, now=NOW, **arguments)


def statuses():
    return dict(Task.objects.values_list("title", "status"))


def test_completing_a_whole_completes_its_open_parts_for_that_reason(tree):
    trip, packing, socks = tree
    do("complete", socks)
    before = facts().count()

    do("complete", trip)

    done = list(facts()[before:])
    assert statuses() == {"Trip": "completed", "Packing": "completed", "Socks": "completed"}
    assert [(event.type, event.subject_id) for event in done] == [
        ("task.completed.v1", trip.pk),
        ("task.completed.v1", packing.pk),
    ]
    assert (done[0].causation_id, done[1].causation_id) == (None, done[0].event_id)


def test_reopening_a_whole_leaves_its_parts_completed(tree):
    trip, *_ = tree
    do("complete", trip)

    do("reopen", trip)

    assert statuses() == {"Trip": "pending", "Packing": "completed", "Socks": "completed"}


def test_deleting_and_restoring_a_whole_takes_along_what_was_deleted_with_it(tree):
    trip, _, socks = tree
    services.delete_task(task_id=socks.pk, actor=socks.owner, now=NOW - timedelta(hours=1))

    do("delete", trip)
    assert set(statuses().values()) == {"deleted"}
    do("restore", trip)

    assert statuses() == {"Trip": "pending", "Packing": "pending", "Socks": "deleted"}


def test_a_part_of_something_deleted_is_not_restored_alone(tree):
    trip, packing, _ = tree
    do("delete", trip)

    with pytest.raises(ParentDeleted):
        do("restore", packing)

    assert statuses()["Packing"] == "deleted"


def test_any_number_of_deleted_parts_hides_no_living_one(owner, monkeypatch):
    whole = task_of(owner, title="Whole")
    for number in range(3):
        do("delete", task_of(owner, title=f"Gone {number}", parent=whole.pk))
    task_of(owner, title="Living", parent=whole.pk)
    monkeypatch.setattr(family, "MOST_READ", 2)

    do("complete", whole)

    assert statuses()["Living"] == "completed"


def test_a_circle_is_refused(tree):
    trip, _, socks = tree

    with pytest.raises(InvalidTask, match="part of itself") as refusal:
        do("update", trip, changes={"parent": socks.pk})

    assert refusal.value.field == "parent"
    assert Task.objects.get(pk=trip.pk).parent_id is None


def test_a_task_is_not_its_own_parent(tree):
    trip, *_ = tree

    with pytest.raises(InvalidTask, match="part of itself"):
        do("update", trip, changes={"parent": trip.pk})


def test_a_tree_has_a_depth_and_a_size(tree, owner, monkeypatch):
    _, _, socks = tree
    fourth = task_of(owner, title="4", parent=socks.pk)
    fifth = task_of(owner, title="5", parent=fourth.pk)
    with pytest.raises(InvalidTask, match="5 levels"):
        task_of(owner, title="6", parent=fifth.pk)
    with pytest.raises(InvalidTask, match="5 levels"):
        do("update", tree[1], changes={"parent": task_of(owner, title="1", parent=task_of(owner).pk).pk})

    monkeypatch.setattr(family, "MAX_TREE", 5)
    with pytest.raises(TooMany, match="5 at most"):
        task_of(owner, title="one more", parent=tree[0].pk)


def test_what_is_completed_takes_no_room_in_a_tree_until_one_command_could_not_change_it(tree, owner, monkeypatch):
    trip, packing, _ = tree
    do("complete", packing)
    monkeypatch.setattr(family, "MAX_TREE", 2)

    assert task_of(owner, title="one more", parent=trip.pk).parent_id == trip.pk

    do("complete", trip)
    monkeypatch.setattr(family, "MAX_TASKS_AT_ONCE", 4)
    with pytest.raises(TooMany, match="completed ones too, are 4 at most"):
        task_of(owner, title="too many", parent=trip.pk)
    assert not Task.objects.filter(title="too many").exists()


def test_a_tree_that_only_changes_its_shape_is_not_too_large(tree, monkeypatch):
    trip, _, socks = tree
    gone = task_of(trip.owner, title="Gone", parent=trip.pk)
    do("delete", gone)
    monkeypatch.setattr(family, "MAX_TREE", 3)

    do("update", socks, changes={"parent": trip.pk})

    assert Task.objects.get(pk=socks.pk).parent_id == trip.pk


def test_a_parent_is_the_owners_and_not_deleted(tree):
    grace = person("grace")
    with pytest.raises(ParentNotFound):
        task_of(grace, parent=tree[0].pk)

    do("delete", tree[0])
    with pytest.raises(ParentDeleted):
        task_of(tree[0].owner, title="Late", parent=tree[0].pk)

    assert Task.objects.count() == 3


def test_a_part_stands_in_the_list_of_the_whole_and_moves_with_it(owner):
    home, work = (services.create_list(owner=owner, actor=owner, name=name, now=NOW) for name in ("Home", "Work"))
    whole = task_of(owner, title="Whole", list=home.pk)
    part = task_of(owner, title="Part", parent=whole.pk)
    elsewhere = task_of(owner, title="Elsewhere", parent=whole.pk, list=None)
    before = facts().count()

    do("update", whole, changes={"list": work.pk})

    assert dict(Task.objects.values_list("title", "list__name")) == {
        "Whole": "Work",
        "Part": "Work",
        "Elsewhere": None,
    }
    assert [event.subject_id for event in facts()[before:]] == [whole.pk, part.pk]
    assert elsewhere.list_id is None


def test_a_copy_has_the_same_content_and_parts_and_is_open(tree, owner):
    trip, _, socks = tree
    do("update", trip, changes={"description": "To Rome", "priority": "high", "tags": ["fun"]})
    do("complete", socks)

    copy = services.duplicate_task(task_id=trip.pk, actor=owner, now=NOW)

    below = list(Task.objects.filter(parent=copy))
    assert (copy.title, copy.description, copy.priority, copy.tag_ids) == (
        "Trip",
        "To Rome",
        "high",
        Task.objects.get(pk=trip.pk).tag_ids,
    )
    assert [(task.title, task.status) for task in below] == [("Packing", "pending")]
    assert [(task.title, task.status) for task in Task.objects.filter(parent=below[0])] == [("Socks", "pending")]


def test_a_copy_of_what_repeats_opens_its_own_series_and_leaves_past_reminders(owner):
    due = NOW + timedelta(days=3)
    reminders = [{"before_due": "P2D"}, {"before_due": "PT1H"}]
    task = task_of(owner, due_at=due, recurrence="weekly", reminders=reminders)

    copy = services.duplicate_task(task_id=task.pk, actor=owner, now=NOW + timedelta(days=2))

    assert copy.recurrence == task.recurrence
    assert copy.series_id not in {None, task.series_id}
    assert [one["before_due"] for one in copy.reminders] == ["PT1H"]
    assert copy.reminders[0]["id"] != task.reminders[1]["id"]
