"""Lists and tags are things of their own: versions, events, and tasks that notice when they go."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection

from apps.events.models import Event
from apps.tasks import services
from apps.tasks.exceptions import InvalidTask, NameTaken, StaleVersion, TooMany
from apps.tasks.models import Tag, Task, TaskList
from apps.tasks.services import purge
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return person("ada")


@pytest.fixture
def home(owner):
    return services.create_list(owner=owner, actor=owner, name="Home", now=NOW)


@pytest.fixture
def tag(owner):
    return services.create_tag(owner=owner, actor=owner, name="errand", now=NOW)


def told():
    return [(event.type, event.subject_version) for event in facts()]


def test_a_list_lives_by_its_events(owner, home):
    services.update_list(list_id=home.pk, actor=owner, changes={"name": "House"}, now=NOW)
    services.update_list(list_id=home.pk, actor=owner, changes={"name": "House"}, now=NOW)
    services.delete_list(list_id=home.pk, actor=owner, now=NOW)

    assert told() == [("list.created.v1", 1), ("list.updated.v1", 2), ("list.deleted.v1", 3)]
    assert facts()[1].data["changes"] == {"name": {"before": "Home", "after": "House"}}
    assert TaskList.objects.count() == 0


def test_the_tasks_of_a_deleted_list_stay_without_one(owner, home):
    task = task_of(owner, list=home.pk)

    services.delete_list(list_id=home.pk, actor=owner, now=NOW)

    assert (Task.objects.get().list_id, Task.objects.get().status) == (None, "pending")
    assert told()[-2:] == [("list.deleted.v1", 2), ("task.updated.v1", 2)]
    assert facts().get(subject_id=task.pk, subject_version=2).data["changes"] == {
        "list": {"before": {"id": str(home.pk), "name": "Home"}, "after": None}
    }


def test_the_tasks_of_a_deleted_list_go_with_it_when_asked(owner, home):
    whole = task_of(owner, title="Whole", list=home.pk)
    task_of(owner, title="Part", parent=whole.pk)

    services.delete_list(list_id=home.pk, actor=owner, now=NOW, tasks="delete")

    assert list(Task.objects.values_list("status", "list")) == [("deleted", None)] * 2
    assert [event_type for event_type, _ in told()][-3:] == ["list.deleted.v1", "task.deleted.v1", "task.deleted.v1"]
    assert facts().last().data["changes"]["list"]["before"] == {"id": str(home.pk), "name": "Home"}


def test_a_list_too_full_to_change_in_one_go_stays(owner, home, monkeypatch):
    monkeypatch.setattr("apps.tasks.services.lists.MAX_TASKS_AT_ONCE", 1)
    for _ in range(2):
        task_of(owner, list=home.pk)

    with pytest.raises(TooMany, match="too many to change in one go"):
        services.delete_list(list_id=home.pk, actor=owner, now=NOW)

    assert TaskList.objects.count() == 1


def test_a_deleted_task_may_leave_a_list_that_is_too_full(owner, home):
    task = task_of(owner, list=home.pk, tags=["errand"])
    services.delete_task(task_id=task.pk, actor=owner, now=NOW)

    services.update_task(task_id=task.pk, actor=owner, changes={"list": None}, now=NOW)
    services.tag_task(task_id=task.pk, actor=owner, remove=["errand"], now=NOW)

    assert Task.objects.values_list("list", "tag_ids", "status").get() == (None, [], "deleted")


def test_the_longest_name_of_characters_that_grow_is_kept(owner):
    assert services.create_tag(owner=owner, actor=owner, name="ﷺ" * 100, now=NOW).version == 1
    assert services.create_tag(owner=owner, actor=owner, name="ΐ" * 100, now=NOW).version == 1


def test_a_tag_is_renamed_without_a_change_of_its_tasks(owner, tag):
    task_of(owner, tags=["errand"])

    services.update_tag(tag_id=tag.pk, actor=owner, changes={"name": "Errands"}, now=NOW)

    assert told() == [("tag.created.v1", 1), ("task.created.v1", 1), ("tag.updated.v1", 2)]
    assert Task.objects.get().tag_ids == [tag.pk]


def test_deleting_a_tag_takes_it_from_its_tasks_each_with_an_event(owner, tag):
    task_of(owner, title="Here", tags=["errand", "other"])
    gone = task_of(owner, title="Gone", tags=["errand"])
    services.delete_task(task_id=gone.pk, actor=owner, now=NOW)
    before = facts().count()

    services.delete_tag(tag_id=tag.pk, actor=owner, now=NOW)

    assert [event.type for event in facts()[before:]] == ["tag.deleted.v1", "task.updated.v1", "task.updated.v1"]
    assert facts()[before + 1].data["changes"] == {"tags": {"before": ["errand", "other"], "after": ["other"]}}
    assert {event.causation_id for event in facts()[before + 1 :]} == {facts()[before].event_id}
    assert not Task.objects.filter(tag_ids__contains=[tag.pk]).exists()
    assert [tag.name for tag in Tag.objects.all()] == ["other"]


def test_two_tags_of_one_name_are_one_too_many(owner, tag):
    with pytest.raises(NameTaken):
        services.create_tag(owner=owner, actor=owner, name="ERRAND", now=NOW)
    other = services.create_tag(owner=owner, actor=owner, name="other", now=NOW)
    with pytest.raises(NameTaken):
        services.update_tag(tag_id=other.pk, actor=owner, changes={"name": "Errand"}, now=NOW)

    assert sorted(Tag.objects.values_list("name", flat=True)) == ["errand", "other"]


def test_a_tag_may_change_the_case_of_its_own_name(owner, tag):
    assert services.update_tag(tag_id=tag.pk, actor=owner, changes={"name": "Errand"}, now=NOW).name == "Errand"


def test_people_may_have_tags_of_the_same_name(tag):
    grace = person("grace")

    services.create_tag(owner=grace, actor=grace, name="errand", now=NOW)

    assert Tag.objects.filter(folded_name="errand").count() == 2


@pytest.mark.parametrize("name", ["", " ", "\u200b", "two\nlines", "x" * 101])
def test_a_name_that_nobody_could_read_is_refused(owner, name):
    with pytest.raises(InvalidTask):
        services.create_list(owner=owner, actor=owner, name=name, now=NOW)
    with pytest.raises(InvalidTask):
        services.create_tag(owner=owner, actor=owner, name=name, now=NOW)

    assert (TaskList.objects.count(), Tag.objects.count(), Event.objects.count()) == (0, 0, 0)


def test_a_stale_writer_changes_nothing(owner, home, tag):
    services.update_list(list_id=home.pk, actor=owner, changes={"name": "House"}, now=NOW)
    with pytest.raises(StaleVersion) as stale:
        services.update_list(list_id=home.pk, actor=owner, changes={"name": "Flat"}, now=NOW, expected_version=1)
    with pytest.raises(StaleVersion):
        services.delete_list(list_id=home.pk, actor=owner, now=NOW, expected_version=1)
    with pytest.raises(StaleVersion):
        services.delete_tag(tag_id=tag.pk, actor=owner, now=NOW, expected_version=2)

    assert stale.value.current.name == "House"
    assert (TaskList.objects.get().name, Tag.objects.count()) == ("House", 1)


def test_a_person_has_at_most_so_many_lists(owner, home, monkeypatch):
    monkeypatch.setattr("apps.tasks.services.lists.MAX_LISTS", 1)

    with pytest.raises(TooMany):
        services.create_list(owner=owner, actor=owner, name="One more", now=NOW)

    assert TaskList.objects.count() == 1


@pytest.mark.parametrize("table", ["tasks_tasklist", "tasks_tag"])
@pytest.mark.parametrize("write", ["UPDATE {} SET name = 'Raw'", "DELETE FROM {}"])
def test_a_raw_write_is_refused_at_commit(home, tag, table, write):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(write.format(table))
        with pytest.raises(IntegrityError, match="refused"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_each_fact_is_followed_by_a_snapshot_it_caused(owner, home):
    task = task_of(owner, list=home.pk)
    services.delete_task(task_id=task.pk, actor=owner, now=NOW)

    for fact in facts():
        snapshot = Event.objects.get(causation_id=fact.event_id)
        assert (snapshot.topic, snapshot.key, snapshot.subject_version) == ("task-updates", str(owner.pk), None)
        assert snapshot.subject_id == fact.subject_id
        assert snapshot.data["version"] == fact.subject_version
        assert snapshot.correlation_id == fact.correlation_id


def test_the_last_snapshot_of_what_is_gone_is_empty(owner, home):
    services.delete_list(list_id=home.pk, actor=owner, now=NOW)

    last = Event.objects.filter(type="list.snapshot.v1").latest("position")
    assert last.data == {"id": str(home.pk), "version": 2, "list": None}


def test_a_deleted_task_is_purged_after_thirty_days_with_its_parts(owner):
    whole = task_of(owner, title="Whole")
    task_of(owner, title="Part", parent=whole.pk)
    recent = task_of(owner, title="Recent")
    services.delete_task(task_id=whole.pk, actor=owner, now=NOW)
    services.delete_task(task_id=recent.pk, actor=owner, now=NOW + timedelta(days=5))

    early = services.purge_deleted_tasks(now=NOW + timedelta(days=30))
    purged = services.purge_deleted_tasks(now=NOW + timedelta(days=30, seconds=1))
    again = services.purge_deleted_tasks(now=NOW + timedelta(days=30, seconds=1))

    assert (early, purged, again) == (0, 2, 0)
    assert list(Task.objects.all()) == [recent]
    gone = list(facts().filter(type="task.purged.v1"))
    assert [(event.data["task"]["title"], event.subject_version, event.actor_id) for event in gone] == [
        ("Part", 3, None),
        ("Whole", 3, None),
    ]


def test_a_task_that_cannot_be_purged_keeps_no_other(owner, monkeypatch):
    tasks = [task_of(owner, title=title) for title in ("Stuck", "Free")]
    for task in tasks:
        services.delete_task(task_id=task.pk, actor=owner, now=NOW)
    purge_one = purge._purge
    monkeypatch.setattr(purge, "_purge", lambda pk, *, now: 1 // (pk != tasks[0].pk) and purge_one(pk, now=now))

    assert services.purge_deleted_tasks(now=NOW + timedelta(days=31)) == 1
    assert [task.title for task in Task.objects.all()] == ["Stuck"]


def test_a_restored_task_is_not_purged(owner):
    task = task_of(owner)
    services.delete_task(task_id=task.pk, actor=owner, now=NOW)
    services.restore_task(task_id=task.pk, actor=owner, now=NOW)

    assert services.purge_deleted_tasks(now=NOW + timedelta(days=60)) == 0
    assert Task.objects.get().deleted_at is None
