"""The pages behind the links in mails: what they show, what they do, once, and what they do not tell."""

import re
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test import Client

from apps.accounts.models import User
from apps.events.models import Event
from apps.notifications.kinds import Kind
from apps.notifications.mail import letters, links
from apps.notifications.mail.links import Action
from apps.notifications.models import Delivery, Preferences, UsedLink
from apps.notifications.services import links as following
from apps.notifications.services.links import Outcome
from apps.tasks import services
from apps.tasks.models import Task
from tests.support import notified
from tests.support.factories import person, task_of

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/London")


@pytest.fixture
def task(ada):
    return task_of(ada, title="Buy <b>milk</b>")


@pytest.fixture
def browser():
    """Nobody's, and strict about where a form comes from."""
    return Client(enforce_csrf_checks=True)


def link_to(action, owner, *, now=None, **fields):
    made = links.make(action, owner_id=owner.pk, delivery_id=uuid4(), now=now or datetime.now(UTC), **fields)
    return made.removeprefix("http://127.0.0.1:8000")


def page(response):
    return response.content.decode()


def press(browser, address):
    """Open the page and press its one button."""
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page(browser.get(address)).split("<main")[1])
    return browser.post(address, {"csrfmiddlewaretoken": token})


def status_of(task):
    return Task.objects.get(pk=task.pk).status


# --- Looking --------------------------------------------------------------------------------------------


def test_looking_at_a_link_shows_one_button_and_changes_nothing(browser, ada, task):
    events = Event.objects.count()

    response = browser.get(link_to(Action.COMPLETE, ada, about=task.pk))

    shown = page(response).split("<main")[1]
    assert response.status_code == 200
    assert "Complete this task?" in shown
    assert "Buy &lt;b&gt;milk&lt;/b&gt;" in shown
    assert shown.count("<button") == 1
    assert (status_of(task), UsedLink.objects.count(), Event.objects.count()) == ("pending", 0, events)
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Robots-Tag"] == "noindex"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert "<script" not in page(response)


def test_the_question_to_snooze_says_when(browser, ada):
    told = told_of(task_of(ada, due_at=datetime.now(UTC) + timedelta(hours=2)))

    shown = page(browser.get(link_to(Action.SNOOZE_HOUR, ada, about=told.pk)))

    assert "Remind you again in 1 hour?" in shown
    assert "Buy milk" in shown


def test_the_question_to_unsubscribe_says_from_what(browser, ada):
    shown = page(browser.get(link_to(Action.UNSUBSCRIBE, ada, kinds=[Kind.OVERDUE, Kind.REMINDER])))

    assert "You get no more reminders and nudges about what is overdue by e-mail." in shown


def test_of_a_task_that_is_completed_already_nothing_is_asked(browser, ada, task):
    services.complete_task(task_id=task.pk, actor=ada, now=datetime.now(UTC))

    shown = page(browser.get(link_to(Action.COMPLETE, ada, about=task.pk))).split("<main")[1]

    assert "The task is completed already." in shown
    assert "<button" not in shown


# --- Acting ---------------------------------------------------------------------------------------------


def test_the_button_completes_the_task_as_its_owner_without_signing_in(browser, ada, task):
    response = press(browser, link_to(Action.COMPLETE, ada, about=task.pk))

    shown = page(response).split("<main")[1]
    assert response.status_code == 200
    assert "The task is completed." in shown
    assert "<button" not in shown
    assert "<a " not in shown
    assert status_of(task) == "completed"
    assert Event.objects.get(type="task.completed.v1").actor_id == ada.pk
    assert "sessionid" not in " ".join(browser.cookies)


def test_a_link_works_once_and_says_so_kindly(browser, ada, task, settings):
    address = link_to(Action.COMPLETE, ada, about=task.pk)
    press(browser, address)
    services.reopen_task(task_id=task.pk, actor=ada, now=datetime.now(UTC))

    looked = browser.get(address)
    again = browser.post(address, {"csrfmiddlewaretoken": browser.cookies[settings.CSRF_COOKIE_NAME].value})

    assert (looked.status_code, again.status_code) == (200, 200)
    assert "Already done" in page(looked)
    assert "Already done" in page(again)
    assert "milk" not in page(looked) + page(again)
    assert status_of(task) == "pending"


def test_without_the_book_of_used_links_a_link_works_twice(browser, ada, task):
    """The negative control of the one before."""
    address = link_to(Action.COMPLETE, ada, about=task.pk)
    press(browser, address)
    services.reopen_task(task_id=task.pk, actor=ada, now=datetime.now(UTC))
    UsedLink.objects.all().delete()

    press(browser, address)

    assert status_of(task) == "completed"


def test_a_form_from_elsewhere_does_nothing(browser, ada, task):
    response = browser.post(link_to(Action.COMPLETE, ada, about=task.pk))

    assert response.status_code == 403
    assert (status_of(task), UsedLink.objects.count()) == ("pending", 0)


def test_one_click_is_for_unsubscribing_only(browser, ada, task):
    response = browser.post(link_to(Action.COMPLETE, ada, about=task.pk), ONE_CLICK)

    assert response.status_code == 403
    assert (status_of(task), UsedLink.objects.count()) == ("pending", 0)


def test_one_click_of_a_mail_program_unsubscribes_from_the_kinds_of_the_mail(browser, ada):
    address = link_to(Action.UNSUBSCRIBE, ada, kinds=[Kind.OVERDUE, Kind.REMINDER])

    first, again = browser.post(address, ONE_CLICK), browser.post(address, ONE_CLICK)

    switches = Preferences.objects.get(pk=ada.pk).switches
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert switches["reminder"] == {"email": False}
    assert "email" not in switches.get("digest", {})
    assert Preferences.objects.get(pk=ada.pk).version == 1


def test_one_click_as_a_form_of_several_parts_or_as_a_plain_one(browser, ada):
    several = link_to(Action.UNSUBSCRIBE, ada, kinds=[Kind.REMINDER])
    plain = link_to(Action.UNSUBSCRIBE, ada, kinds=[Kind.DIGEST])

    browser.post(several, ONE_CLICK)
    browser.post(plain, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")

    assert Preferences.objects.get(pk=ada.pk).switches == {"reminder": {"email": False}, "digest": {"email": False}}


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "Two-Clicks"}])
def test_another_body_is_no_click(browser, ada, body):
    response = browser.post(link_to(Action.UNSUBSCRIBE, ada, kinds=[Kind.REMINDER]), body)

    assert response.status_code == 403
    assert not Preferences.objects.exists()
    assert not UsedLink.objects.exists()


def test_the_button_unsubscribes_and_the_person_may_come_back(browser, ada):
    shown = page(press(browser, link_to(Action.UNSUBSCRIBE, ada, kinds=[Kind.REMINDER])))

    assert "You get no more reminders by e-mail." in shown
    assert Preferences.objects.get(pk=ada.pk).switches == {"reminder": {"email": False}}


def test_a_task_that_went_meanwhile_is_told_of(browser, ada, task):
    address = link_to(Action.COMPLETE, ada, about=task.pk)
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page(browser.get(address)))[0]
    services.delete_task(task_id=task.pk, actor=ada, now=datetime.now(UTC))

    response = browser.post(address, {"csrfmiddlewaretoken": token})

    assert "The task was deleted." in page(response)
    assert status_of(task) == "deleted"


# --- Snoozing -------------------------------------------------------------------------------------------


def told_of(task):
    return notified.told(task.owner, title=task.title, task_id=task.pk)


@pytest.mark.parametrize(
    ("action", "until"),
    [
        (Action.SNOOZE_QUARTER, datetime(2026, 11, 22, 9, 15, tzinfo=UTC)),
        (Action.SNOOZE_HOUR, datetime(2026, 11, 22, 10, 0, tzinfo=UTC)),
        (Action.SNOOZE_TOMORROW, datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),
    ],
)
def test_the_button_snoozes_what_was_told(browser, ada, action, until):
    told = told_of(task_of(ada, due_at=datetime(2026, 12, 1, tzinfo=UTC)))

    with time_machine.travel(datetime(2026, 11, 22, 9, 0, tzinfo=UTC), tick=False):
        response = press(browser, link_to(action, ada, about=told.pk))

    told.refresh_from_db()
    assert (told.status, told.snoozed_until) == ("snoozed", until)
    assert f"On {until.day} November at {until:%H:%M}." in page(response)


def test_what_is_done_meanwhile_cannot_be_snoozed(browser, ada):
    task = task_of(ada, due_at=datetime(2026, 12, 1, tzinfo=UTC))
    told = told_of(task)
    address = link_to(Action.SNOOZE_HOUR, ada, about=told.pk)
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page(browser.get(address)))[0]
    services.complete_task(task_id=task.pk, actor=ada, now=datetime.now(UTC))

    shown = page(browser.post(address, {"csrfmiddlewaretoken": token}))

    told.refresh_from_db()
    assert "Its task is not open any more" in shown
    assert told.snoozed_until is None


# --- From the mail --------------------------------------------------------------------------------------


def test_every_address_in_a_mail_leads_to_a_page_of_ours(ada, client):
    told = told_of(task_of(ada, due_at=datetime(2026, 12, 1, tzinfo=UTC)))
    content = letters.compose(
        Delivery(owner=ada, transport="email", kind="reminder"),
        zone=ZoneInfo(ada.time_zone),
        items=[told],
        now=datetime.now(UTC),
    )
    client.force_login(ada)

    addresses = set(re.findall(r'href="http://127\.0\.0\.1:8000([^"]+)"', content["html"]))

    assert len(addresses) == 7
    assert {client.get(address).status_code for address in addresses} == {200}
    assert addresses == set(re.findall(r"http://127\.0\.0\.1:8000(\S+)", content["text"]))


# --- Links that are none --------------------------------------------------------------------------------


def test_who_has_no_valid_link_learns_nothing(browser, ada, task):
    address = link_to(Action.COMPLETE, ada, about=task.pk)
    tampered = address[:-3] + ("AA/" if not address.endswith("AA/") else "BB/")

    looked, pressed = browser.get(tampered), browser.post(tampered, ONE_CLICK)

    assert (looked.status_code, pressed.status_code) == (400, 400)
    assert "This is no link of ours" in page(looked)
    assert "milk" not in page(looked) + page(pressed)
    assert status_of(task) == "pending"


def test_a_link_that_is_too_old_is_gone_and_tells_nothing(browser, ada, task):
    old = datetime.now(UTC) - timedelta(days=7, seconds=1)
    address = link_to(Action.COMPLETE, ada, about=task.pk, now=old)

    looked, pressed = browser.get(address), browser.post(address)

    assert (looked.status_code, pressed.status_code) == (410, 410)
    assert "milk" not in page(looked) + page(pressed)
    assert status_of(task) == "pending"


def test_a_link_of_somebody_elses_task_does_nothing(browser, ada, task):
    response = browser.get(link_to(Action.COMPLETE, person("eve"), about=task.pk))

    assert "milk" not in page(response)
    assert "The task was deleted." in page(response)


def test_links_of_a_person_who_was_put_out_are_none(browser, ada, task):
    address = link_to(Action.COMPLETE, ada, about=task.pk)
    User.objects.filter(pk=ada.pk).update(is_active=False)

    assert browser.get(address).status_code == 400
    assert (status_of(task), UsedLink.objects.count()) == ("pending", 0)


def test_a_flood_of_clicks_is_held_back(browser, ada, settings):
    settings.THROTTLE_ADDRESS_PER_MINUTE = 2
    address = link_to(Action.UNSUBSCRIBE, ada, kinds=[Kind.REMINDER])
    elsewhere = {"REMOTE_ADDR": "203.0.113.77"}

    answers = [browser.post(address, ONE_CLICK, **elsewhere).status_code for _ in range(3)]

    assert answers == [200, 200, 429]


# --- At the same time -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_many_clicks_at_once_one_acts(ada, task):
    token = link_to(Action.COMPLETE, ada, about=task.pk).split("/")[2]
    now = datetime.now(UTC)
    together = threading.Barrier(6)
    outcomes = []

    def click():
        together.wait(30)
        try:
            outcomes.append(following.use(links.read(token, now=now), now=now).outcome)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(outcomes) == [Outcome.DONE, *[Outcome.USED] * 5]
    assert Event.objects.filter(type="task.completed.v1").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_action_that_fails_leaves_the_link_good(ada, task, monkeypatch):
    link = links.read(link_to(Action.COMPLETE, ada, about=task.pk).split("/")[2], now=datetime.now(UTC))
    monkeypatch.setitem(following._ACTS, Action.COMPLETE, lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        following.use(link, now=datetime.now(UTC))

    assert not UsedLink.objects.exists()
