"""How a person wants to be told, over REST."""

import pytest

from apps.notifications.models import Preferences
from apps.notifications.services import webhooks
from tests.notifications.rest.made import MONDAY

pytestmark = pytest.mark.django_db

PREFERENCES = "/api/v1/notification-preferences/"


def kept(ada):
    return Preferences.objects.filter(pk=ada.pk).values().first()


def problems(response):
    return {(one["field"], one["detail"]) for one in response.json()["errors"]}


def test_who_never_changed_anything_reads_the_defaults(api, ada):
    response = api.get(PREFERENCES)

    told = response.json()
    assert (response.status_code, response["ETag"]) == (200, '"0"')
    assert told["switches"]["reminder"]["in_app"] is True
    assert told["switches"]["digest"]["in_app"] is False
    assert (told["default_before_due"], told["default_on_day"]) == ("PT30M", "09:00")
    assert (told["quiet_from"], told["quiet_until"], told["digest_at"]) == (None, None, None)
    assert (told["batches"], told["stale_after_hours"], told["time_zone"]) == (True, 24, "Europe/Berlin")
    assert {"name": "in_app", "label": "in the app", "is_reached": True, "why_not": None} in told["transports"]
    assert (told["version"], told["updated_at"]) == (0, None)
    assert kept(ada) is None


def test_who_switched_their_webhook_off_is_not_told_that_they_have_none(api, ada):
    def why_not():
        (told,) = [one for one in api.get(PREFERENCES).json()["transports"] if one["name"] == "webhook"]
        return told["is_reached"], told["why_not"]

    without = why_not()
    made = webhooks.create(owner=ada, url="https://example.org/hook", now=MONDAY)
    there = why_not()
    webhooks.disable(endpoint_id=made.endpoint.pk, actor=ada, now=MONDAY)

    assert without == (False, "You have no webhook. Make one, and other systems are told, too.")
    assert there == (True, None)
    assert why_not() == (
        False,
        "Your webhook is switched off: what is for it is held for up to 7 days. Enable it, and it comes.",
    )


def test_a_change_of_some_leaves_the_rest(api, ada):
    api.patch(PREFERENCES, {"quiet_from": "22:00", "quiet_until": "07:00"})

    response = api.patch(PREFERENCES, {"digest_at": "08:00", "switches": {"reminder": {"in_app": False}}})

    told = response.json()
    assert (response.status_code, response["ETag"]) == (200, '"2"')
    assert (told["quiet_from"], told["quiet_until"], told["digest_at"]) == ("22:00", "07:00", "08:00")
    assert told["next_digest_at"] == "2026-05-05T06:00:00Z"
    assert told["switches"]["reminder"]["in_app"] is False
    assert told["switches"]["overdue"]["in_app"] is True
    assert told["updated_at"] == "2026-05-04T09:00:00Z"


def test_saying_all_puts_back_what_is_left_out(api, ada):
    api.patch(PREFERENCES, {"quiet_from": "22:00", "quiet_until": "07:00", "switches": {"reminder": {"in_app": False}}})

    told = api.put(PREFERENCES, {"stale_after_hours": None, "switches": {"overdue": {"in_app": False}}}).json()

    assert (told["quiet_from"], told["quiet_until"], told["stale_after_hours"]) == (None, None, None)
    assert (told["switches"]["reminder"]["in_app"], told["switches"]["overdue"]["in_app"]) == (True, False)
    assert kept(ada)["switches"] == {"overdue": {"in_app": False}}


def test_what_was_read_may_be_sent_back_whole(api, ada):
    api.patch(PREFERENCES, {"quiet_from": "22:00", "quiet_until": "07:00", "default_on_day": None})
    before = kept(ada)

    response = api.put(PREFERENCES, api.get(PREFERENCES).json())

    assert response.status_code == 200
    assert kept(ada) == before


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
        ({"quiet_from": "25:00", "quiet_until": "07:00"}, "quiet_from"),
        ({"default_before_due": "soon"}, "default_before_due"),
        ({"default_before_due": "-PT5M"}, "default_before_due"),
        ({"stale_after_hours": 0}, "stale_after_hours"),
        ({"batches": None}, "batches"),
        ({"switches": {"lost": {"in_app": True}}}, "switches.lost"),
        ({"switches": {"reminder": {"pigeon": True}}}, "switches.reminder.pigeon"),
        ({"switches": {"notice": {"in_app": False}}}, "switches.notice.in_app"),
        ({"switches": ["reminder"]}, "switches"),
        ({"time_zone": "Europe/London"}, "time_zone"),
        ({"snooze": True}, "snooze"),
    ],
)
@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_wish_that_cannot_be_kept_is_refused_by_its_field(api, ada, method, asked, field):
    api.patch(PREFERENCES, {"digest_at": "08:00"})
    before = kept(ada)

    response = getattr(api, method)(PREFERENCES, asked)

    assert response.status_code == 400
    assert {one["field"] for one in response.json()["errors"]} == {field}
    assert kept(ada) == before


def test_who_has_seen_an_older_version_is_refused_with_the_current_one(api, ada):
    api.patch(PREFERENCES, {"batches": False})
    before = kept(ada)

    response = api.patch(PREFERENCES, {"batches": True}, headers={"If-Match": '"0"'})

    assert response.status_code == 412
    assert (response.json()["current"]["version"], response.json()["current"]["batches"]) == (1, False)
    assert kept(ada) == before


def test_trying_a_change_keeps_nothing(api, ada):
    response = api.patch(f"{PREFERENCES}?dry_run=true", {"batches": False})

    assert response.json() == {"dry_run": True, "events": []}
    assert kept(ada) is None


def test_the_page_of_preferences_has_a_form_with_what_there_is(client, ada):
    client.force_login(ada)

    page = client.get(PREFERENCES, headers={"Accept": "text/html"}).content.decode()

    assert "Notification preferences" in page
    assert 'value="PT30M"' in page
    assert "22:00" not in page


def test_a_form_that_was_sent_as_it_was_changes_what_was_typed(client, ada):
    client.force_login(ada)
    typed = {
        "switches": "",
        "default_before_due": "PT30M",
        "default_on_day": "09:00",
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "digest_at": "",
        "batches": "true",
        "stale_after_hours": "",
    }

    response = client.put(
        PREFERENCES,
        "&".join(f"{name}={value}" for name, value in typed.items()),
        "application/x-www-form-urlencoded",
        headers={"Accept": "text/html"},
    )

    assert response.status_code == 200
    changed = kept(ada)
    assert (f"{changed['quiet_from']:%H:%M}", changed["batches"], changed["stale_after_hours"]) == ("22:00", True, None)
    assert (changed["switches"], changed["updated_at"]) == ({}, MONDAY)
