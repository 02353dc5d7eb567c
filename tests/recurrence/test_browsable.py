"""The browsable API of recurrence: forms that send what was typed, and keep it when it is refused."""

from datetime import UTC, datetime

import pytest
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from apps.recurrence.models import Series
from apps.tasks.models import Task
from tests.support.factories import person, task_of
from tests.support.repeating import repeating, the_series

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
PREVIEW = "/api/v1/recurrence/preview/"
EMPTY = dict.fromkeys(("due_on", "due_at", "due_time_zone", "count", "completed_at"), "")


@pytest.fixture
def ada(time_machine):
    time_machine.move_to(MONDAY, tick=False)
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def browser(client, ada):
    client.force_login(ada)
    return client


@pytest.fixture
def task(ada, pump):
    return repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())


def page(browser, address, typed=None, method="POST"):
    """What a browser shows; a form's own method travels as a header, as the page's script sends it."""
    if typed is None:
        return browser.get(address, headers={"Accept": "text/html"})
    return browser.generic(
        method, address, encode_multipart(BOUNDARY, typed), MULTIPART_CONTENT, headers={"Accept": "text/html"}
    )


def shown(response):
    return response.content.decode()


def test_the_root_of_the_api_leads_to_series_and_previews(browser):
    told = shown(page(browser, "/api/v1/"))

    assert "/api/v1/series/" in told
    assert PREVIEW in told


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/api/v1/series/", "Series"),
        ("/api/v1/series/{series}/", "One series"),
        ("/api/v1/series/{series}/skip/", "Skip"),
        ("/api/v1/tasks/{task}/recurrence/", "Recurrence of a task"),
        ("/api/v1/tasks/{task}/occurrences/", "Occurrences"),
        (PREVIEW, "Preview of a recurrence"),
    ],
)
def test_pages_are_called_what_they_show(browser, task, address, name):
    response = page(browser, address.format(series=task.series_id, task=task.pk))

    assert f"<h1>{name}</h1>" in shown(response)


def test_a_form_previews_words(browser):
    response = page(browser, PREVIEW, {**EMPTY, "recurrence": "every 2 weeks on mon, thu", "due_on": "2026-05-04"})

    assert response.status_code == 200
    assert "every 2 weeks on Monday and Thursday" in shown(response)


def test_a_form_of_a_preview_keeps_what_was_typed(browser):
    response = page(browser, PREVIEW, {**EMPTY, "recurrence": "every 2 weeks", "due_on": "2026-05-04", "count": "3"})

    told = shown(response)
    assert ">every 2 weeks</textarea>" in told
    assert 'value="2026-05-04"' in told
    assert 'value="3"' in told


def test_a_form_of_a_preview_that_is_refused_keeps_what_was_typed_with_the_reason_beside_it(browser):
    response = page(browser, PREVIEW, {**EMPTY, "recurrence": "every blue moon", "count": "3"})

    told = shown(response)
    assert response.status_code == 400
    assert ">every blue moon</textarea>" in told
    assert 'class="help-block">rule: “blue”' in told


def test_a_form_of_a_preview_starts_with_what_the_address_asks(browser):
    told = shown(page(browser, f"{PREVIEW}?recurrence=daily&due_on=2026-05-04"))

    assert ">daily</textarea>" in told
    assert 'value="2026-05-04"' in told


def test_a_form_of_a_preview_starts_empty(browser):
    response = page(browser, PREVIEW)

    assert response.status_code == 400
    assert ">null</textarea>" not in shown(response)


def test_a_form_takes_an_object_too(browser):
    typed = '{"rule": "monthly", "month_end": "skip"}'

    response = page(browser, PREVIEW, {**EMPTY, "recurrence": typed, "due_on": "2026-05-31"})

    assert "Skips February, April, June, September and November." in shown(response)


def test_a_form_says_how_a_task_repeats(browser, ada):
    task = task_of(ada, due_on=MONDAY.date())

    response = page(browser, f"/api/v1/tasks/{task.pk}/recurrence/", {"recurrence": "every 3 days"}, method="PUT")

    assert response.status_code == 200
    assert Task.objects.get().recurrence["rule"] == "FREQ=DAILY;INTERVAL=3"


def test_a_form_starts_with_how_the_task_repeats(browser, task):
    told = shown(page(browser, f"/api/v1/tasks/{task.pk}/recurrence/"))

    assert "&quot;rule&quot;: &quot;FREQ=WEEKLY&quot;" in told


@pytest.mark.parametrize("verb", ["pause", "end"])
def test_a_verb_without_a_body_is_a_button(browser, task, verb):
    address = f"/api/v1/series/{task.series_id}/{verb}/"

    assert '<form class="well bare"' in shown(page(browser, address))
    assert page(browser, address, {}).status_code == 200
    assert the_series().version == 2


def test_a_form_skips_the_next_date(browser, task):
    response = page(browser, f"/api/v1/series/{task.series_id}/skip/", {"recurrence_id": ""})

    assert response.status_code == 200
    assert Series.objects.get().passed_over == "20260511"
