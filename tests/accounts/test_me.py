"""What a person reads and changes of themselves; a new time zone is an event."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connections

from apps.accounts import services
from apps.accounts.exceptions import InvalidAccountField
from apps.accounts.models import User
from apps.events.models import Event, OutboxEntry
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db

ME = "/api/v1/me/"


def test_one_reads_oneself(browser, ada):
    assert browser.get(ME).json() == {
        "id": str(ada.pk),
        "username": "ada",
        "email": "ada@example.org",
        "first_name": "",
        "last_name": "",
        "time_zone": "UTC",
    }


def test_one_changes_oneself_and_nobody_else(browser, ada, grace):
    response = browser.patch(ME, {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@london.example"})

    assert response.status_code == 200
    assert User.objects.filter(first_name="Ada", last_name="Lovelace", email="ada@london.example").get() == ada
    assert User.objects.get(pk=grace.pk).email == "grace@example.org"
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": "boss"}, "username"),
        ({"id": "019a9f3c-7b1e-7c43-9d0a-6f1f3c0f6a11"}, "id"),
        ({"is_staff": True}, "is_staff"),
        ({"password": "x"}, "password"),
        ({"email": "nowhere"}, "email"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
    ],
)
def test_what_cannot_be_changed_is_refused_by_name(browser, ada, change, field):
    before = User.objects.filter(pk=ada.pk).values().get()

    response = browser.patch(ME, change)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert User.objects.filter(pk=ada.pk).values().get() == before


@pytest.mark.parametrize("method", ["put", "post", "delete"])
def test_one_is_neither_made_nor_replaced_nor_deleted_here(browser, method):
    assert getattr(browser, method)(ME, {}).status_code == 405


def test_a_stranger_is_nobody(stranger):
    response = stranger.get(ME)

    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_another_time_zone_is_one_event_with_before_and_after(browser, ada):
    browser.patch(ME, {"time_zone": "Europe/London", "first_name": "Ada"})

    event = Event.objects.get()
    assert (event.type, event.topic, event.key) == ("account.time_zone_changed.v1", "account-events", str(ada.pk))
    assert (event.subject_type, event.subject_id, event.subject_version) == ("account", ada.pk, None)
    assert (event.owner_id, event.actor_id) == (ada.pk, ada.pk)
    assert event.data == {"time_zone": {"before": "UTC", "after": "Europe/London"}}
    assert OutboxEntry.objects.count() == 1
    assert User.objects.get(pk=ada.pk).time_zone == "Europe/London"


def test_the_same_time_zone_again_is_no_event(browser):
    browser.patch(ME, {"time_zone": "UTC"})

    assert not Event.objects.exists()


def test_a_time_zone_that_is_none_is_refused_by_the_service_too(ada):
    with pytest.raises(InvalidAccountField, match="Mars/Olympus is no time zone"):
        services.change_time_zone(user_id=ada.pk, actor=ada, time_zone="Mars/Olympus", now=NOW)

    assert not Event.objects.exists()
    assert User.objects.get(pk=ada.pk).time_zone == "UTC"


def test_if_the_event_cannot_be_kept_nothing_is_changed(ada, monkeypatch):
    def fails(*_):
        raise RuntimeError("no room")

    monkeypatch.setattr("apps.events.outbox.append", fails)

    with pytest.raises(RuntimeError, match="no room"):
        services.change_time_zone(user_id=ada.pk, actor=ada, time_zone="Europe/London", now=NOW)

    assert User.objects.get(pk=ada.pk).time_zone == "UTC"


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_the_second_begins_where_the_first_ended():
    ada = person("ada")
    start = threading.Barrier(2)

    def move(zone):
        start.wait()
        services.change_time_zone(user_id=ada.pk, actor=ada, time_zone=zone, now=datetime.now(UTC))
        connections.close_all()

    threads = [threading.Thread(target=move, args=[zone]) for zone in ("Europe/London", "Asia/Tokyo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    first, second = (event.data["time_zone"] for event in Event.objects.order_by("position"))
    assert (first["before"], first["after"]) == ("UTC", second["before"])
    assert User.objects.get(pk=ada.pk).time_zone == second["after"]


def test_a_browser_changes_itself_only_with_its_csrf_token(ada):
    from rest_framework.test import APIClient

    client = APIClient(enforce_csrf_checks=True)
    client.force_login(ada)

    assert client.patch(ME, {"first_name": "Eve"}).status_code == 403
    assert User.objects.get(pk=ada.pk).first_name == ""


def test_a_token_in_the_header_needs_no_csrf_token(ada, personal):
    from rest_framework.test import APIClient

    client = APIClient(enforce_csrf_checks=True)

    response = client.patch(ME, {"first_name": "Ada"}, HTTP_AUTHORIZATION=f"Bearer {personal(ada)}")

    assert response.status_code == 200


def test_the_doors_of_the_api_lead_to_oneself_and_ones_tokens(browser):
    doors = browser.get("/api/v1/").json()

    assert doors["me"] == "http://testserver/api/v1/me/"
    assert doors["tokens"] == "http://testserver/api/v1/tokens/"


def test_the_browsable_form_offers_only_what_can_be_changed(browser):
    shown = browser.get(ME, headers={"Accept": "text/html"}).content.decode()

    form = shown[shown.index("<textarea") : shown.index("</textarea>")]
    assert "time_zone" in form
    assert "username" not in form
