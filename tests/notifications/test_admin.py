"""Reminders, notifications and where they go in the admin: for looking; what is done is done by services."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.notifications.models import Delivery, Notification, Preferences, PushSubscription, Reminder, WebhookEndpoint
from apps.notifications.services import preferences, push, webhooks
from apps.tasks import services
from tests.notifications.rest.made import MINUTE, MONDAY, attempt, delivery, notification, reminder
from tests.notifications.rest.very_many import TABLES, costs, fill
from tests.support.factories import person
from tests.support.plans import forget_statistics

pytestmark = pytest.mark.django_db

ROOM = "/admin/notifications/"
BROWSER = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


@pytest.fixture(autouse=True)
def on_monday(time_machine):
    time_machine.move_to(MONDAY, tick=False)


@pytest.fixture
def boss(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def looker(client):
    """May look at everything here, and no more."""
    one = person("looker", is_staff=True)
    looking = Permission.objects.filter(content_type__app_label="notifications", codename__startswith="view_")
    one.user_permissions.set(looking)
    client.force_login(one)
    return client


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def told(ada):
    """A notification that failed to go out by mail, with its reminder and task."""
    task = services.create_task(owner=ada, actor=ada, now=MONDAY, title="Water the plants", due_at=MONDAY + MINUTE)
    one = reminder(ada, task_id=task.pk)
    made = notification(ada, task_id=task.pk, reminder_id=one.pk)
    mail = delivery(made, status="failed", attempts=8, error="550 no such person", content={"subject": "Water"})
    attempt(mail, outcome="refused", error="550", request={"to": "ada"}, response={"code": 550}, seconds=0.25)
    return made


@pytest.fixture
def endpoint(ada):
    return webhooks.create(owner=ada, url="https://example.org/hook", now=MONDAY)


def page(client, thing):
    name = f"admin:notifications_{thing._meta.model_name}_change"
    return client.get(reverse(name, args=[thing.pk])).content.decode()


def act(client, model, action, *things):
    asked = {"action": action, "_selected_action": [str(one.pk) for one in things]}
    return client.post(f"{ROOM}{model}/", asked)


def messages(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


# --- looking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["reminder", "notification", "delivery", "webhookendpoint"])
@pytest.mark.parametrize("asked", [{}, {"owner": "ada"}, {"q": "ada"}])
def test_lists_show_what_a_person_has(looker, told, endpoint, model, asked):
    response = looker.get(f"{ROOM}{model}/", asked)

    assert response.status_code == 200
    assert response.context["cl"].result_count == 1


@pytest.mark.parametrize("model", ["reminder", "notification", "delivery"])
def test_lists_are_narrowed_by_status(looker, told, model):
    status = {"reminder": "planned", "notification": "unread", "delivery": "failed"}[model]
    other = {"reminder": "stale", "notification": "read", "delivery": "held"}[model]

    counts = [looker.get(f"{ROOM}{model}/", {"status": one}).context["cl"].result_count for one in (status, other)]

    assert counts == [1, 0]


def test_things_are_found_by_the_task_they_are_of(looker, told, ada):
    notification(ada, title="of another")

    found = looker.get(f"{ROOM}notification/", {"q": str(told.task_id)}).context["cl"].result_list

    assert [one.pk for one in found] == [told.pk]


def test_a_notification_tells_why_and_how_it_went_out(looker, told):
    shown = page(looker, told)

    assert "550 no such person" in shown
    assert "attempt refused" in shown
    assert reverse("admin:tasks_task_change", args=[told.task_id]) in shown
    assert f"?subject={told.pk}" in shown


def test_a_delivery_shows_what_was_sent_and_answered(looker, told):
    shown = page(looker, Delivery.objects.get())

    assert "1. " in shown
    assert "0.25 s, Refused: 550" in shown
    assert "&quot;to&quot;: &quot;ada&quot;" in shown
    assert "&quot;code&quot;: 550" in shown
    assert "&quot;subject&quot;: &quot;Water&quot;" in shown


def test_a_reminder_leads_to_its_task_and_what_came_of_it(looker, told):
    shown = page(looker, Reminder.objects.get(pk=told.reminder_id))

    assert "Water the plants" in shown
    assert f"?q={told.reminder_id}" in shown


def test_only_what_events_tell_of_leads_to_its_history(looker, told, ada, endpoint):
    with_one = {model: 'class="historylink"' in page(looker, model.objects.get()) for model in (Reminder, Notification)}
    push.subscribe(owner=ada, endpoint="https://updates.push.services.mozilla.com/wpush/v2/a", now=MONDAY, **BROWSER)
    preferences.change(owner=ada, changes={"batches": False}, now=MONDAY)
    others = (Delivery, WebhookEndpoint, PushSubscription, Preferences)
    without = {model: "istory" in page(looker, model.objects.get()) for model in others}

    assert set(with_one.values()) == {True}
    assert set(without.values()) == {False}
    assert looker.get(f"{ROOM}delivery/{Delivery.objects.get().pk}/history/").status_code != 200


def test_preferences_are_shown_with_what_differs(looker, ada):
    changes = {"switches": {"reminder": {"in_app": False}}, "batches": False}
    kept = preferences.change(owner=ada, changes=changes, now=MONDAY)

    assert "<td>reminders</td><td>in the inbox</td><td>off</td>" in page(looker, kept)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"origin": "asked"}, "an instant"),
        ({"origin": "asked", "before_due": "PT30M"}, "PT30M"),
        ({"origin": "default"}, "a time of its day"),
    ],
)
def test_a_reminder_says_what_it_counts_from(looker, ada, fields, said):
    reminder(ada, task_id=uuid4(), **fields)

    shown = looker.get(f"{ROOM}reminder/").content.decode()

    assert f'<td class="field-before">{said}</td>' in shown


def test_no_page_has_a_secret_or_a_key(looker, ada, endpoint):
    browser = push.subscribe(owner=ada, endpoint="https://push.example.org/secret-path", now=MONDAY, **BROWSER)

    shown = page(looker, endpoint.endpoint) + page(looker, browser)
    shown += looker.get(f"{ROOM}webhookendpoint/").content.decode()
    shown += looker.get(f"{ROOM}pushsubscription/").content.decode()

    assert "push.example.org" in shown
    hidden = [endpoint.secret, endpoint.secret.removeprefix("whsec_"), "secret-path", *BROWSER.values()]
    assert [one for one in hidden if one in shown] == []


@pytest.mark.parametrize("model", [Reminder, Notification, Delivery, WebhookEndpoint, PushSubscription])
def test_nobody_adds_or_deletes_here(boss, model):
    name = model._meta.model_name

    assert boss.get(f"{ROOM}{name}/add/").status_code == 403


# --- doing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["notification", "delivery"])
def test_what_failed_is_tried_again(boss, told, model):
    thing = told if model == "notification" else Delivery.objects.get()

    act(boss, model, "retry", thing)

    again = Delivery.objects.get()
    assert (again.status, again.attempts) == ("waiting", 0)


def test_what_has_not_failed_is_let_alone_and_said(boss, told):
    Delivery.objects.update(status="delivered")

    response = act(boss, "delivery", "retry", Delivery.objects.get())

    assert any("has not failed" in one for one in messages(response))
    assert Delivery.objects.get().status == "delivered"


@pytest.mark.parametrize(("model", "action"), [("notification", "retry"), ("delivery", "retry")])
def test_who_may_only_look_tries_nothing_again(looker, told, model, action):
    act(looker, model, action, told if model == "notification" else Delivery.objects.get())

    assert Delivery.objects.get().status == "failed"


def test_an_endpoint_is_disabled_and_enabled(boss, endpoint):
    act(boss, "webhookendpoint", "disable", endpoint.endpoint)
    off = WebhookEndpoint.objects.get().status
    act(boss, "webhookendpoint", "enable", endpoint.endpoint)

    assert (off, WebhookEndpoint.objects.get().status) == ("disabled", "enabled")


def test_who_may_only_look_switches_nothing_off(looker, endpoint):
    act(looker, "webhookendpoint", "disable", endpoint.endpoint)

    assert WebhookEndpoint.objects.get().status == "enabled"


# --- what it costs ----------------------------------------------------------------------------------

MANY = 5_000
NEWEST = 100
MOST_ROWS = 1_000


@pytest.fixture
def crowd(ada, monkeypatch):
    """Very many of everything, of which lists without an owner look at the newest."""
    monkeypatch.setattr("apps.notifications.admin.base.NEWEST", NEWEST)
    monkeypatch.setattr("apps.tasks.admin.base.MAX_COUNTED", NEWEST)
    fill(ada, many=MANY)
    with connection.cursor() as cursor:
        # Tables as small as these PostgreSQL would rather read whole.
        cursor.execute("SET LOCAL enable_seqscan = off")
    yield
    forget_statistics(*TABLES)


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("notification", {}),
        ("notification", {"status": "read"}),
        ("notification", {"kind": "digest"}),
        ("notification", {"went": "held"}),
        ("notification", {"owner": "ada"}),
        ("delivery", {}),
        ("delivery", {"status": "held"}),
        ("delivery", {"transport": "push"}),
        ("delivery", {"owner": "ada", "status": "failed"}),
        ("reminder", {}),
        ("reminder", {"status": "stale"}),
        ("reminder", {"origin": "snooze"}),
        ("reminder", {"owner": "ada", "status": "stale"}),
    ],
)
def test_a_list_touches_few_rows(looker, crowd, model, asked):
    with CaptureQueriesContext(connection) as queries:
        response = looker.get(f"{ROOM}{model}/", asked)

    assert response.status_code == 200
    assert {sql: rows for sql, rows in costs(queries.captured_queries).items() if rows > MOST_ROWS} == {}
