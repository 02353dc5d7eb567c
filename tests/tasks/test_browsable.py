"""The browsable API's forms: they offer what can be set, send what was typed and keep it when it is refused."""

import pytest
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils.html import escape

from apps.tasks import services
from apps.tasks.models import Task
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"


@pytest.fixture
def owner():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def browser(client, owner):
    client.force_login(owner)
    return client


def page(browser, address, typed=None, method="POST"):
    """What a browser shows; a form's own method travels as a header, as the page's script sends it."""
    if typed is None:
        return browser.get(address, headers={"Accept": "text/html"})
    return browser.generic(
        method, address, encode_multipart(BOUNDARY, typed), MULTIPART_CONTENT, headers={"Accept": "text/html"}
    )


EMPTY = dict.fromkeys(("description", "due_at", "due_on", "due_time_zone", "tags", "list", "parent", "position"), "")


def test_a_form_with_only_a_title_makes_a_task(browser):
    response = page(browser, TASKS, {**EMPTY, "title": "Typed", "recurrence": "null", "reminders": "null"})

    assert response.status_code == 201
    assert Task.objects.get().title == "Typed"


def test_a_form_takes_words_for_tags_and_recurrence_and_the_persons_wall_clock(browser):
    page(
        browser,
        TASKS,
        {
            **EMPTY,
            "title": "Typed",
            "due_at": "2030-05-03T09:00",
            "tags": "home, garden",
            "recurrence": "weekly",
            "reminders": '[{"before_due": "PT5M"}]',
        },
    )

    told = facts().last().data["task"]
    assert (told["due_at"], told["recurrence"]["rule"], told["reminders"][0]["before_due"]) == (
        "2030-05-03T07:00:00Z",
        "FREQ=WEEKLY",
        "PT5M",
    )
    assert [tag["name"] for tag in told["tags"]] == ["garden", "home"]


def test_a_form_offers_only_the_statuses_that_can_be_set(browser, owner):
    shown = page(browser, f"{TASKS}{task_of(owner).pk}/").content.decode()

    assert '<option value="in_progress"' in shown
    assert '<option value="completed"' not in shown
    assert '<option value="deleted"' not in shown


def test_the_form_of_a_task_can_be_sent_as_it_is_shown(browser, owner):
    task = task_of(owner, due_at=NOW, tags=["home", "garden"])

    shown = page(browser, f"{TASKS}{task.pk}/").content.decode()

    assert 'value="2026-11-20T09:00:00Z"' in shown
    assert 'value="garden, home"' in shown
    fields = {**EMPTY, "title": "Buy milk", "status": "pending", "priority": "none"}
    fields |= {"due_at": "2026-11-20T09:00:00Z", "tags": "garden, home", "position": "1795165200"}
    assert page(browser, f"{TASKS}{task.pk}/", fields, method="PUT").status_code == 200
    assert [event.type for event in facts()][-1] == "task.created.v1"


def test_what_a_service_refuses_is_kept_in_the_form_with_the_reason(browser, owner):
    task = task_of(owner)
    services.complete_task(task_id=task.pk, actor=owner, now=NOW)

    fields = {**EMPTY, "title": "Typed with care", "status": "pending", "priority": "none"}
    response = page(browser, f"{TASKS}{task.pk}/", fields, method="PUT")

    shown = response.content.decode()
    assert response.status_code == 422
    assert 'value="Typed with care"' in shown
    assert escape("has a verb of its own") in shown


def test_a_refused_field_has_its_reason_beside_it(browser):
    response = page(browser, TASKS, {**EMPTY, "title": "Typed", "recurrence": "when it rains"})

    shown = response.content.decode()
    assert response.status_code == 400
    assert 'value="Typed"' in shown
    assert "when it rains" in shown


@pytest.mark.parametrize(
    ("address", "name"), [(TASKS, "Tasks"), ("/api/v1/lists/", "Lists"), ("/api/v1/tags/", "Tags")]
)
def test_pages_are_called_what_they_show(browser, address, name):
    assert f"<h1>{name}</h1>" in page(browser, address).content.decode()


def test_a_tag_with_a_comma_stays_one_tag(browser, owner):
    task = task_of(owner, tags=["a,b", "c"])

    shown = page(browser, f"{TASKS}{task.pk}/").content.decode()
    assert 'value="&quot;a,b&quot;,c"' in shown
    fields = {**EMPTY, "title": "Buy milk", "tags": '"a,b", c', "position": "1795165200"}
    page(browser, f"{TASKS}{task.pk}/", fields, method="PUT")

    assert [event.type for event in facts()][-1] == "task.created.v1"


def test_a_bulk_can_be_sent_from_a_form(browser, owner):
    tasks = [task_of(owner) for _ in range(2)]

    ids = ", ".join(str(task.pk) for task in tasks)
    response = page(browser, f"{TASKS}bulk/", {"action": "complete", "tasks": ids, "list": "", "add": "", "remove": ""})

    assert response.status_code == 200
    assert set(Task.objects.values_list("status", flat=True)) == {"completed"}


def test_a_body_that_cannot_be_read_signs_nobody_out(browser):
    response = browser.post(
        TASKS, '{"title": "abc",}', content_type="application/json", headers={"Accept": "text/html"}
    )

    shown = response.content.decode()
    assert (response.status_code, "Sign out" in shown, 'name="title"' in shown) == (400, True, True)
