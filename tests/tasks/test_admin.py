"""Tasks in the admin: whatever is done there is done by the services, and so is told."""

import pytest
from django.urls import reverse

from apps.tasks import services
from apps.tasks.models import Task
from tests.support.admin_forms import errors, save
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

LIST = "/admin/tasks/task/"
ADD = f"{LIST}add/"


@pytest.fixture
def boss():
    return person("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def admin(client, boss):
    client.force_login(boss)
    return client


@pytest.fixture
def task():
    return task_of(person("ada"))


def types():
    return list(facts().values_list("type", flat=True))


def change(task):
    return reverse("admin:tasks_task_change", args=[task.pk])


def test_creating_a_task_is_an_event_of_the_admin(admin, boss):
    ada = person("ada")

    response = save(admin, ADD, owner=str(ada.pk), title="By hand", priority="high")

    event = facts().get()
    assert response.status_code == 302
    assert (event.type, event.owner_id, event.actor_id) == ("task.created.v1", ada.pk, boss.pk)
    assert event.data["task"]["priority"] == "high"
    assert Task.objects.get().title == "By hand"


def test_changing_a_task_is_an_event_with_before_and_after(admin, boss, task):
    response = save(admin, change(task), title="By hand", due_at_0="2026-12-24", due_at_1="18:00")

    event = facts().reverse()[0]
    assert response.status_code == 302
    assert (event.type, event.actor_id, event.subject_version) == ("task.updated.v1", boss.pk, 2)
    assert event.data["changes"] == {
        "title": {"before": "Buy milk", "after": "By hand"},
        "due_at": {"before": None, "after": "2026-12-24T18:00:00Z"},
    }


def test_saving_without_a_change_is_no_event(admin, task):
    assert save(admin, change(task)).status_code == 302

    assert (types(), Task.objects.get().version) == (["task.created.v1"], 1)


def test_the_owner_and_the_version_cannot_be_changed(admin, task):
    save(admin, change(task), owner=str(person("eve").pk), version="9", title="By hand")

    kept = Task.objects.get()
    assert (kept.owner_id, kept.version, kept.title) == (task.owner_id, 2, "By hand")


def test_deleting_a_task_puts_it_away(admin, task):
    response = admin.post(reverse("admin:tasks_task_delete", args=[task.pk]), {"post": "yes"})

    assert response.status_code == 302
    assert (Task.objects.get().status, types()) == ("deleted", ["task.created.v1", "task.deleted.v1"])


def act(admin, action, *tasks):
    ids = [str(task.pk) for task in tasks]
    response = admin.post(LIST, {"action": action, "_selected_action": ids, "confirmed": "yes"}, follow=True)
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize(
    ("action", "before", "done"),
    [
        ("complete", [], "completed"),
        ("reopen", ["complete"], "reopened"),
        ("put_away", [], "deleted"),
        ("restore", ["delete"], "restored"),
    ],
)
def test_an_action_does_its_verb(admin, task, action, before, done):
    for earlier in before:
        getattr(services, f"{earlier}_task")(task_id=task.pk, actor=task.owner, now=NOW)

    assert act(admin, action, task) == [f"1 {done}."]

    assert types()[-1] == f"task.{done}.v1"


def test_an_action_does_what_it_can_and_says_what_it_cannot(admin, task):
    other = task_of(task.owner, title="Other")
    services.complete_task(task_id=task.pk, actor=task.owner, now=NOW)

    told = act(admin, "complete", task, other)

    assert told == ["Buy milk: The task is completed already; reopen it to complete it again.", "1 completed."]
    assert set(Task.objects.values_list("status", flat=True)) == {"completed"}
    assert len(types()) == 4


def test_the_action_that_deletes_rows_is_not_offered(admin, task):
    response = admin.get(LIST)

    offered = [name for name, _ in response.context["action_form"].fields["action"].choices]
    assert offered == ["", "complete", "reopen", "restore", "put_away"]


def test_the_action_that_deletes_rows_does_nothing_when_asked_for_anyway(admin, task):
    act(admin, "delete_selected", task)

    assert (Task.objects.count(), types()) == (1, ["task.created.v1"])


def test_a_completed_task_offers_only_its_status(admin, task):
    services.complete_task(task_id=task.pk, actor=task.owner, now=NOW)

    response = save(admin, change(task), status="pending")

    assert response.status_code == 200
    assert "status" in response.context["adminform"].form.errors
    assert Task.objects.get().status == "completed"


def test_a_completed_task_can_still_be_renamed(admin, task):
    services.complete_task(task_id=task.pk, actor=task.owner, now=NOW)

    assert save(admin, change(task), status="completed", title="By hand").status_code == 302

    assert (Task.objects.get().title, types()[-1]) == ("By hand", "task.updated.v1")


def test_a_task_cannot_be_created_completed(admin):
    response = save(admin, ADD, owner=str(person("ada").pk), title="Done?", status="completed")

    assert "status" in response.context["adminform"].form.errors
    assert Task.objects.count() == 0


def test_a_description_that_is_too_long_is_told_by_its_field(admin, task):
    response = save(admin, change(task), description="ä" * 16_385)

    assert response.status_code == 200
    assert response.context["adminform"].form.errors["description"] == ["A description has at most 32,768 bytes."]
    assert types() == ["task.created.v1"]


def test_a_change_too_big_for_an_event_is_told_and_changes_nothing(admin):
    task = task_of(person("ada"), description="\1" * 16_000)

    response = save(admin, change(task), description="\2" * 32_000)

    [told] = errors(response)["__all__"]
    assert told.partition("; ")[2] == "an event may have 262,144."
    assert Task.objects.get().description == "\1" * 16_000


def test_a_task_deleted_meanwhile_is_told_and_not_changed(admin, task, monkeypatch):
    """Between the form's check and the save another person was faster."""
    real = services.update_task

    def too_late(**arguments):
        services.delete_task(task_id=task.pk, actor=task.owner, now=NOW)
        return real(**arguments)

    monkeypatch.setattr(services, "update_task", too_late)

    response = save(admin, change(task), title="By hand", seen_version="")

    assert errors(response) == {"__all__": ["The task is deleted; restore it first."]}
    assert 'value="By hand"' in response.content.decode()
    assert (Task.objects.get().title, types()) == ("Buy milk", ["task.created.v1"])


def test_a_deleted_task_is_for_looking_only(admin, task):
    services.delete_task(task_id=task.pk, actor=task.owner, now=NOW)

    assert admin.get(change(task)).status_code == 200
    assert save(admin, change(task), title="By hand").status_code == 403
    assert admin.post(reverse("admin:tasks_task_delete", args=[task.pk]), {"post": "yes"}).status_code == 403
    assert len(types()) == 2


@pytest.mark.parametrize("path", [LIST, f"{LIST}add/", f"{LIST}?q=milk", f"{LIST}?status__exact=pending"])
def test_the_pages_open(admin, task, path):
    assert admin.get(path).status_code == 200


def test_a_person_who_is_no_staff_does_not_get_in(client, task):
    client.force_login(task.owner)

    assert client.get(LIST).status_code == 302
