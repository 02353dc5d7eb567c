"""Browsers that are pushed to, over REST."""

import json

import pytest

from apps.notifications.models import PushSubscription, VapidKey
from apps.notifications.serializers.examples import SUBSCRIPTIONS as EXAMPLES

pytestmark = pytest.mark.django_db

PUSH = "/api/v1/push/"
SUBSCRIPTIONS = "/api/v1/push/subscriptions/"
BROWSER = EXAMPLES[0].value


def test_the_key_that_browsers_subscribe_with_is_the_same_each_time(api):
    told = [api.get(PUSH).json() for _ in range(2)]

    assert told == [{"public_key": VapidKey.objects.get().public}] * 2


def test_a_browser_introduces_itself(api, ada):
    response = api.post(SUBSCRIPTIONS, {**BROWSER, "expirationTime": None})

    kept = PushSubscription.objects.get()
    here = f"http://testserver{SUBSCRIPTIONS}{kept.pk}/"
    assert (response.status_code, response["Location"], kept.owner) == (201, here, ada)
    assert response.json() == {
        "id": str(kept.pk),
        "url": here,
        "label": "Firefox on the laptop",
        "service": "updates.push.services.mozilla.com",
        "digest": kept.digest,
        "failures": 0,
        "created_at": "2026-05-04T09:00:00Z",
        "succeeded_at": None,
    }
    assert api.get(here).json() == response.json()
    assert api.get(SUBSCRIPTIONS).json()["results"] == [response.json()]


def test_neither_keys_nor_address_of_a_browser_are_told(api):
    made = api.post(SUBSCRIPTIONS, BROWSER).json()
    text = json.dumps([made, api.get(SUBSCRIPTIONS).json()])

    assert [one for one in (BROWSER["endpoint"], *BROWSER["keys"].values()) if one in text] == []


def test_the_same_browser_is_one(api):
    first, second = (api.post(SUBSCRIPTIONS, BROWSER).json()["id"] for _ in range(2))

    assert first == second


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"endpoint": "http://example.org/x"}, "endpoint"),
        ({"endpoint": "nowhere"}, "endpoint"),
        ({"keys": {**BROWSER["keys"], "auth": "AA"}}, "keys.auth"),
        ({"keys": {**BROWSER["keys"], "p256dh": "AA"}}, "keys.p256dh"),
        ({"keys": {"auth": BROWSER["keys"]["auth"]}}, "keys.p256dh"),
        ({"token": "x"}, "token"),
    ],
)
def test_what_is_no_browser_is_refused_by_its_field(api, change, field):
    response = api.post(SUBSCRIPTIONS, {**BROWSER, **change})

    assert response.status_code == 400
    assert {one["field"] for one in response.json()["errors"]} == {field}
    assert not PushSubscription.objects.exists()


def test_a_browser_is_taken_away_once(api):
    here = api.post(SUBSCRIPTIONS, BROWSER).json()["url"]

    assert [api.delete(here).status_code for _ in range(2)] == [204, 404]
    assert not PushSubscription.objects.exists()
