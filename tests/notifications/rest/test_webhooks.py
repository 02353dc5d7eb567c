"""Webhooks over REST: made, changed, switched off and on, tested, sent again; and secrets, which are told once."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from apps.notifications import sealing
from apps.notifications.models import Delivery, WebhookEndpoint
from tests.notifications.rest.made import MINUTE, MONDAY, attempt, delivery, notification

pytestmark = pytest.mark.django_db

WEBHOOKS = "/api/v1/webhooks/"
ADDRESS = "https://example.org/hooks/todo"


@pytest.fixture
def told(api):
    """As its making was answered."""
    return api.post(WEBHOOKS, {"url": ADDRESS, "description": "The hall's display"}).json()


@pytest.fixture
def endpoint(told):
    return WebhookEndpoint.objects.get(pk=told["id"])


def at(endpoint, verb=""):
    return f"{WEBHOOKS}{endpoint.pk}/{verb}"


def sent(ada, endpoint, **fields):
    given = {"status": "delivered", "content": {"title": "Water"}, "destination": str(endpoint.pk)}
    return delivery(notification(ada), transport="webhook", **{**given, **fields})


def rows():
    return [list(model.objects.order_by("pk").values()) for model in (WebhookEndpoint, Delivery)]


# --- making and reading -----------------------------------------------------------------------------


def test_a_webhook_is_made_with_a_secret_that_is_told_once(api, ada):
    response = api.post(WEBHOOKS, {"url": ADDRESS, "description": "The hall's display"})

    told = response.json()
    kept = WebhookEndpoint.objects.get()
    here = f"http://testserver/api/v1/webhooks/{kept.pk}/"
    assert (response.status_code, response["Location"], response["ETag"]) == (201, here, '"1"')
    assert told["secret"] == sealing.unseal(kept.secret)
    assert told["secret"].startswith("whsec_")
    assert "no-store" in response["Cache-Control"]
    del told["secret"]
    assert told == {
        "id": str(kept.pk),
        "url": ADDRESS,
        "description": "The hall's display",
        "status": "enabled",
        "disabled_at": None,
        "disabled_because": None,
        "failures": 0,
        "failing_since": None,
        "succeeded_at": None,
        "previous_secret_until": None,
        "version": 1,
        "created_at": "2026-05-04T09:00:00Z",
        "updated_at": "2026-05-04T09:00:00Z",
        "links": {"self": here, "deliveries": f"{here}deliveries/", "test": f"{here}test/"},
    }
    assert api.get(here).json() == told


def test_no_answer_but_that_of_making_and_rotating_has_a_secret(api, ada, told, endpoint):
    secrets = [told["secret"], api.post(at(endpoint, "rotate-secret/")).json()["secret"]]
    one = sent(ada, endpoint)
    answers = [
        api.get(WEBHOOKS),
        api.get(at(endpoint)),
        api.get(at(endpoint, "deliveries/")),
        api.get(at(endpoint, f"deliveries/{one.pk}/")),
        api.patch(at(endpoint), {"description": "x"}),
        api.post(at(endpoint, "disable/")),
        api.post(at(endpoint, "enable/")),
        api.post(at(endpoint, "test/")),
    ]

    text = json.dumps([answer.json() for answer in answers])
    assert {answer.status_code for answer in answers} == {200, 202}
    assert secrets[0] != secrets[1]
    assert [secret for secret in secrets if secret in text] == []
    assert "whsec_" not in text
    assert '"secret"' not in text


def test_a_key_for_repeating_is_not_for_secrets(api):
    key = {"Idempotency-Key": str(uuid4())}

    first, second = (api.post(WEBHOOKS, {"url": ADDRESS}, headers=key).json() for _ in range(2))

    assert first["id"] != second["id"]
    assert first["secret"] != second["secret"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": ADDRESS, "description": "x" * 201}, "description"),
        ({"url": ADDRESS, "secret": "whsec_mine"}, "secret"),
        ({"url": ADDRESS, "status": "disabled"}, "status"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused_by_its_field(api, asked, field):
    response = api.post(WEBHOOKS, asked)

    assert response.status_code == 400
    assert {one["field"] for one in response.json()["errors"]} == {field}
    assert not WebhookEndpoint.objects.exists()


def test_nobody_has_more_than_so_many(api, monkeypatch):
    monkeypatch.setattr("apps.notifications.services.webhooks.MAX_ENDPOINTS", 1)
    api.post(WEBHOOKS, {"url": ADDRESS})

    response = api.post(WEBHOOKS, {"url": ADDRESS})

    assert response.status_code == 409
    assert WebhookEndpoint.objects.count() == 1


# --- changing ---------------------------------------------------------------------------------------


def test_fields_of_a_webhook_are_changed_and_replaced(api, endpoint):
    changed = api.patch(at(endpoint), {"description": "The kitchen's"})
    replaced = api.put(at(endpoint), {"url": "https://example.org/other"})

    assert (changed.json()["description"], changed.json()["url"], changed["ETag"]) == ("The kitchen's", ADDRESS, '"2"')
    assert (replaced.json()["description"], replaced.json()["url"]) == ("", "https://example.org/other")


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [
        ("patch", "", {"description": "x"}),
        ("put", "", {"url": ADDRESS}),
        ("delete", "", None),
        ("post", "rotate-secret/", None),
        ("post", "disable/", None),
        ("post", "enable/", None),
    ],
)
def test_who_has_seen_an_older_version_changes_nothing(api, endpoint, method, verb, body):
    api.patch(at(endpoint), {"description": "newer"})
    before = rows()

    response = getattr(api, method)(at(endpoint, verb), body, headers={"If-Match": '"1"'})

    assert response.status_code == 412
    assert response.json()["current"]["description"] == "newer"
    assert "secret" not in response.json()["current"]
    assert rows() == before


def test_a_webhook_is_switched_off_and_on(api, endpoint):
    off = api.post(at(endpoint, "disable/")).json()
    on = api.post(at(endpoint, "enable/")).json()

    assert (off["status"], off["disabled_at"]) == ("disabled", "2026-05-04T09:00:00Z")
    assert off["disabled_because"] == "You switched it off."
    assert (on["status"], on["disabled_at"], on["disabled_because"]) == ("enabled", None, None)


def test_a_secret_is_rotated_and_the_one_before_signs_for_a_day(api, told, endpoint):
    answer = api.post(at(endpoint, "rotate-secret/")).json()

    assert answer["secret"] != told["secret"]
    assert answer["previous_secret_until"] == "2026-05-05T09:00:00Z"


def test_a_webhook_is_taken_away(api, endpoint):
    assert api.delete(at(endpoint)).status_code == 204
    assert api.get(at(endpoint)).status_code == 404
    assert not WebhookEndpoint.objects.exists()


# --- what went there --------------------------------------------------------------------------------


def test_a_delivery_tells_each_attempt_with_what_was_sent_and_answered(api, ada, endpoint):
    one = sent(ada, endpoint, status="failed", attempts=2, error="500 from the receiver", finished_at=MONDAY + MINUTE)
    attempt(one, 1, finished_at=MONDAY, error="timed out", seconds=10.0, request={"url": ADDRESS})
    attempt(one, 2, outcome="refused", response={"status": 500, "body": "oh"})

    told = api.get(at(endpoint, f"deliveries/{one.pk}/")).json()

    assert (told["id"], told["status"], told["attempts"], told["kind"]) == (str(one.pk), "failed", 2, "reminder")
    assert told["notifications"] == [str(one.notifications.get().pk)]
    assert told["content"] == {"title": "Water"}
    assert [(each["number"], each["outcome"], each["error"], each["seconds"]) for each in told["tries"]] == [
        (1, "retry", "timed out", 10.0),
        (2, "refused", None, None),
    ]
    assert told["tries"][0]["request"] == {"url": ADDRESS}
    assert told["tries"][1]["response"] == {"status": 500, "body": "oh"}


def test_deliveries_of_a_webhook_are_the_newest_first_and_narrowed(api, ada, endpoint):
    other = WebhookEndpoint.objects.create(owner=ada, url=ADDRESS, secret=b"", created_at=MONDAY, updated_at=MONDAY)
    done, failed = sent(ada, endpoint), sent(ada, endpoint, status="failed")
    elsewhere = sent(ada, other)

    def ids(**asked):
        return [one["id"] for one in api.get(at(endpoint, "deliveries/"), asked).json()["results"]]

    assert ids() == [str(failed.pk), str(done.pk)]
    assert ids(status="failed") == [str(failed.pk)]
    assert ids(status=["failed", "delivered"]) == [str(failed.pk), str(done.pk)]
    assert api.get(at(endpoint, "deliveries/"), {"status": "lost"}).status_code == 400
    assert api.get(at(endpoint, f"deliveries/{elsewhere.pk}/")).status_code == 404


def test_a_test_is_a_delivery_to_look_at(api, endpoint):
    response = api.post(at(endpoint, "test/"))

    told = response.json()
    assert (response.status_code, told["kind"], told["status"]) == (202, "test", "waiting")
    assert api.get(response["Location"]).json()["id"] == told["id"]


def test_one_delivery_is_sent_again(api, ada, endpoint):
    one = sent(ada, endpoint, status="failed")

    response = api.post(at(endpoint, "redeliver/"), {"delivery": str(one.pk)})

    (again,) = Delivery.objects.filter(redelivery_of=one)
    assert response.status_code == 202
    assert response.json() == {"deliveries": [str(again.pk)], "is_all": True}
    assert (again.content, again.status) == (one.content, "waiting")
    told = api.get(at(endpoint, f"deliveries/{again.pk}/")).json()
    assert told["redelivery_of"] == str(one.pk)


def test_what_was_made_between_two_instants_is_sent_again_once_for_a_key(api, ada, endpoint):
    made = [sent(ada, endpoint, created_at=MONDAY - timedelta(hours=hours)) for hours in (4, 3, 2)]
    asked = {"from": "2026-05-04T08:00:00", "to": "2026-05-04T09:00:00+02:00"}  # both of Berlin
    key = {"Idempotency-Key": str(uuid4())}

    first = api.post(at(endpoint, "redeliver/"), asked, headers=key)
    second = api.post(at(endpoint, "redeliver/"), asked, headers=key)

    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    again = Delivery.objects.exclude(redelivery_of=None)
    assert [one.redelivery_of_id for one in again] == [made[1].pk]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"delivery": str(uuid4()), "from": "2026-05-04T08:00:00Z"}, 400),
        ({"to": "2026-05-04T08:00:00Z"}, 400),
        ({"delivery": str(uuid4())}, 404),
        ({"since": "2026-05-04T08:00:00Z"}, 400),
    ],
)
def test_what_does_not_say_what_to_send_again_sends_nothing(api, ada, endpoint, asked, status):
    sent(ada, endpoint)
    before = rows()

    assert api.post(at(endpoint, "redeliver/"), asked).status_code == status
    assert rows() == before


def test_nothing_is_sent_again_to_one_that_is_off(api, ada, endpoint):
    one = sent(ada, endpoint)
    api.post(at(endpoint, "disable/"))
    before = rows()

    response = api.post(at(endpoint, "redeliver/"), {"delivery": str(one.pk)})

    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert rows() == before


def test_nothing_here_can_be_tried(api, endpoint):
    before = rows()

    response = api.post(f"{at(endpoint, 'test/')}?dry_run=true")

    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "unknown_parameter")
    assert rows() == before


@pytest.mark.parametrize("address", [WEBHOOKS, "/api/v1/push/", "/api/v1/push/subscriptions/"])
def test_each_has_a_page_to_look_at(client, ada, address):
    client.force_login(ada)

    page = client.get(address, headers={"Accept": "text/html"})

    assert page.status_code == 200
    assert 'class="page-header"' in page.content.decode()
