"""The admin's form of a task: every field is typed as people write it, and every refusal stands beside its field."""

from datetime import UTC, date, datetime

import pytest
from django.urls import reverse

from apps.tasks import services
from apps.tasks.admin import TaskAdmin
from apps.tasks.exceptions import TaskDeleted
from apps.tasks.models import Tag, Task
from tests.support.admin_forms import errors, save, typed
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

ADD = "/admin/tasks/task/add/"


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


def change(task):
    return reverse("admin:tasks_task_change", args=[task.pk])


def new_list(owner, name="Home"):
    return services.create_list(owner=owner, actor=owner, name=name, now=NOW)


def changes():
    return facts().reverse()[0].data["changes"]


def test_a_new_task_gets_every_field_that_was_typed(admin, ada):
    home, parent = new_list(ada), task_of(ada, title="The house")

    response = save(
        admin,
        ADD,
        owner=str(ada.pk),
        title="Paint the door",
        due_at_0="2027-07-01",
        due_at_1="09:00",
        list=str(home.pk),
        parent=str(parent.pk),
        tag_names='paint, "this, and that"',
        position="12.5",
        recurrence_text="monthly",
        reminders_text='[{"before_due": "PT30M"}]',
    )

    task = Task.objects.get(title="Paint the door")
    assert response.status_code == 302
    assert task.due_at == datetime(2027, 7, 1, 7, 0, tzinfo=UTC)
    assert (task.list_id, task.parent_id, task.position) == (home.pk, parent.pk, 12.5)
    assert set(Tag.objects.filter(pk__in=task.tag_ids).values_list("name", flat=True)) == {"paint", "this, and that"}
    assert task.recurrence["rule"] == "FREQ=MONTHLY"
    assert [reminder["before_due"] for reminder in task.reminders] == ["PT30M"]


def test_saving_a_full_task_as_it_is_shown_changes_nothing(admin, ada):
    task = task_of(
        ada,
        due_at=datetime(2027, 7, 1, 7, 0, 30, 123456, tzinfo=UTC),
        due_time_zone="Asia/Tokyo",
        tags=["b, c", "a", 'say "hi"'],
        list=new_list(ada).pk,
        parent=task_of(ada).pk,
        recurrence={"rule": "FREQ=MONTHLY", "month_end": "skip"},
        reminders=[{"before_due": "PT30M"}],
        description="Two\nlines.",
    )

    assert save(admin, change(task)).status_code == 302

    assert Task.objects.get(pk=task.pk).version == 1


def test_times_are_shown_and_typed_in_the_owners_time_zone(admin, ada):
    task = task_of(ada, due_at=datetime(2027, 1, 1, 8, 0, tzinfo=UTC))

    field = admin.get(change(task)).context["adminform"].form.fields["due_at"]

    assert typed(admin, change(task))["due_at_1"] == "09:00:00"
    assert field.help_text == "The wall clock's time in Europe/Berlin."


def test_another_time_zone_keeps_the_time_on_the_wall(admin, ada):
    task = task_of(ada, due_at=datetime(2027, 1, 1, 8, 0, tzinfo=UTC))

    save(admin, change(task), due_time_zone="Asia/Tokyo")

    assert Task.objects.get().due_at == datetime(2027, 1, 1, 0, 0, tzinfo=UTC)


def test_a_day_takes_the_place_of_an_instant(admin, ada):
    task = task_of(ada, due_at=datetime(2027, 1, 1, 8, 0, tzinfo=UTC), due_time_zone="Asia/Tokyo")

    response = save(admin, change(task), due_at_0="", due_at_1="", due_on="2027-01-02", due_time_zone="")

    kept = Task.objects.get()
    assert response.status_code == 302
    assert (kept.due_at, kept.due_on, kept.due_time_zone) == (None, date(2027, 1, 2), "")


@pytest.mark.parametrize(
    ("fields", "beside", "told"),
    [
        ({"title": "a\u2029b"}, "title", "A title is one line: it holds no line breaks or control characters."),
        (
            {"due_at_0": "2027-01-03", "due_on": "2027-01-02"},
            "due_on",
            "A task is due at an instant or on a day: give due_at or due_on.",
        ),
        ({"due_at_1": ""}, "due_at", "Enter a valid time."),
        ({"position": "1e30"}, "position", "Ensure that there are no more than 20 digits before the decimal point."),
        ({"position": ""}, "position", "This field is required."),
        (
            {"recurrence_text": '{"rule": '},
            "recurrence_text",
            "This is no JSON: Expecting value: line 1 column 9 (char 8).",
        ),
        (
            {"recurrence_text": '{"rule": "daily", "month_end": "never"}'},
            "recurrence_text",
            "never is none of: clamp, skip, roll.",
        ),
        (
            {"reminders_text": '[{"before_due": "-PT5M"}]'},
            "reminders_text",
            "A reminder comes before due or with it, not after: give a positive duration.",
        ),
        ({"tag_names": "a\u202eb"}, "tag_names", "A name holds no characters that turn the direction of text."),
    ],
)
def test_a_refusal_stands_beside_its_field_and_what_was_typed_is_kept(admin, ada, fields, beside, told):
    task = task_of(ada, due_at=datetime(2027, 1, 1, 8, 0, tzinfo=UTC))

    response = save(admin, change(task), **{"description": "Typed at length.", **fields})

    assert response.status_code == 200
    assert errors(response) == {beside: [told]}
    assert "Typed at length." in response.content.decode()
    assert (Task.objects.get().version, facts().count()) == (1, 1)


@pytest.mark.parametrize("day", ["0001-01-01", "1960-01-01", "9999-12-31"])
def test_a_due_beyond_the_calendar_is_told_beside_its_field(admin, ada, day):
    task = task_of(ada)

    response = save(admin, change(task), due_at_0=day, due_at_1="00:00")

    assert list(errors(response)) == ["due_at"]
    assert Task.objects.get().version == 1


def test_an_unknown_time_zone_is_told_beside_its_field(admin, ada):
    task = task_of(ada, due_at=datetime(2027, 1, 1, 8, 0, tzinfo=UTC))

    response = save(admin, change(task), due_time_zone="Middle/Earth")

    assert list(errors(response)) == ["due_time_zone"]
    assert Task.objects.get().version == 1


def test_a_refused_new_task_comes_back_with_what_was_typed(admin, ada):
    response = save(admin, ADD, owner=str(ada.pk), title="Repeats", recurrence_text="daily", tag_names="new")

    assert list(errors(response)) == ["recurrence_text"]
    assert 'value="Repeats"' in response.content.decode()
    assert (Task.objects.count(), Tag.objects.count(), facts().count()) == (0, 0, 0)


@pytest.mark.parametrize("field", ["list", "parent"])
def test_what_is_another_persons_is_refused_beside_its_field(admin, ada, field):
    eve = person("eve")
    theirs = {"list": new_list(eve).pk, "parent": task_of(eve, title="Theirs").pk}
    task = task_of(ada)

    for response in [
        save(admin, change(task), **{field: str(theirs[field])}),
        save(admin, ADD, owner=str(ada.pk), title="New", **{field: str(theirs[field])}),
    ]:
        assert errors(response) == {
            field: [f"The owner has no {({'list': 'list', 'parent': 'task'})[field]} of this id."]
        }

    assert (Task.objects.get(pk=task.pk).version, Task.objects.filter(title="New").count()) == (1, 0)


def test_only_the_owners_lists_are_offered(admin, ada):
    new_list(ada, "Mine")
    new_list(person("eve"), "Theirs")

    offered = admin.get(change(task_of(ada))).context["adminform"].form.fields["list"].queryset

    assert [one.name for one in offered] == ["Mine"]


def test_a_circle_of_parents_is_told_beside_the_parent(admin, ada):
    top = task_of(ada, title="Top")
    below = task_of(ada, title="Below", parent=top.pk)

    response = save(admin, change(top), parent=str(below.pk))

    assert errors(response) == {"parent": ["A task cannot be a part of itself, nor of what is part of it."]}
    assert Task.objects.get(pk=top.pk).version == 1


def test_who_saves_what_changed_meanwhile_is_told_and_may_write_over_it(admin, ada):
    task = task_of(ada)
    sent = typed(admin, change(task), description="Mine.")
    services.update_task(task_id=task.pk, actor=ada, changes={"title": "Buy oat milk"}, now=NOW)

    refused = admin.post(change(task), sent)
    untouched = Task.objects.get()
    again = admin.post(change(task), sent | {"seen_version": "2"})

    told = "It has changed since you read it: it is at version 2 now. Save again to write over it what differs here."
    assert errors(refused) == {"__all__": [told]}
    assert refused.context["adminform"].form["seen_version"].value() == 2
    assert (untouched.title, untouched.description, untouched.version) == ("Buy oat milk", "", 2)
    assert again.status_code == 302
    assert changes().keys() == {"title", "description"}


def test_a_task_that_was_deleted_while_it_was_saved_leads_back_to_its_page(admin, ada, monkeypatch):
    """Another person's deletion is committed between the check and the save."""
    task = task_of(ada)

    def deleted_meanwhile(**arguments):
        monkeypatch.setattr(TaskAdmin, "has_change_permission", lambda *_, **__: False)
        raise TaskDeleted

    monkeypatch.setattr(services, "update_task", deleted_meanwhile)

    response = admin.post(change(task), {"title": "By hand", "status": "pending", "priority": "none", "position": "1"})

    assert (response.status_code, response.headers["Location"]) == (302, change(task))
    assert facts().count() == 1


def test_the_page_of_a_task_leads_to_its_trail_and_its_subtasks(admin, ada):
    task = task_of(ada)
    below = task_of(ada, title="Find the shop", parent=task.pk)

    page = admin.get(change(task)).content.decode()

    assert f'href="/admin/audit/auditrecord/?subject={task.pk}"' in page
    assert f'<a href="{change(below)}">Find the shop</a> (pending)' in page
    assert f'href="/admin/tasks/task/?parent__id__exact={task.pk}"' in page


def test_a_deleted_task_shows_all_it_had(admin, ada):
    task = task_of(ada, tags=["home"], due_on=date(2027, 1, 2), recurrence="weekly", reminders=[{"before_due": "PT5M"}])
    services.delete_task(task_id=task.pk, actor=ada, now=NOW)

    page = admin.get(change(task)).content.decode()

    assert "home" in page
    assert "FREQ=WEEKLY" in page
    assert "PT5M" in page
