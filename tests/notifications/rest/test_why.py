"""Why a person did, or did not, get something, over REST; read by whoever it is about alone."""

from uuid import uuid4

import pytest

from apps.tasks import services
from tests.notifications.rest.made import MINUTE, MONDAY, attempt, delivery, notification
from tests.support.pump import fresh_pump

pytestmark = pytest.mark.django_db


def test_a_notification_tells_each_decision_attempt_and_change_in_order(api, ada):
    choice = {"transport": "push", "decision": "nowhere", "reason": "No browser.", "at": "2026-05-04T09:00:00Z"}
    one = notification(ada, choices=[choice])
    mail = delivery(one, status="failed", attempts=1, finished_at=MONDAY + MINUTE, error="550 no such person")
    attempt(mail, outcome="refused", error="550 no such person", finished_at=MONDAY + MINUTE)

    response = api.get(f"/api/v1/notifications/{one.pk}/why/")

    told = response.json()
    assert (response.status_code, told["notification"]) == (200, str(one.pk))
    assert [(each["what"], each["transport"]) for each in told["reasons"]] == [
        ("made", None),
        ("nowhere", "push"),
        ("attempt_refused", "email"),
        ("delivery_failed", "email"),
    ]
    assert told["reasons"][1]["reason"] == "No browser."
    assert [each["at"] for each in told["reasons"]] == sorted(each["at"] for each in told["reasons"])


def test_a_reminder_tells_what_became_of_it(api, ada):
    task = services.create_task(owner=ada, actor=ada, now=MONDAY, title="Water", due_at=MONDAY + 60 * MINUTE)
    (asked,) = api.get(f"/api/v1/tasks/{task.pk}/reminders/").json()["results"]
    before = api.get(asked["links"]["why"]).json()
    with fresh_pump() as pump:
        pump.run()

    after = api.get(asked["links"]["why"]).json()

    assert before == {"reminder": asked["id"], "reasons": []}
    assert after["reasons"][0]["what"] == "scheduled"


def test_attempts_of_one_instant_are_told_as_they_were_made(api, ada):
    one = notification(ada)
    mail = delivery(one, status="failed", attempts=3, finished_at=MONDAY, error="No.")
    for number in (1, 2, 3):
        attempt(mail, number, finished_at=MONDAY, error="No.")

    told = api.get(f"/api/v1/notifications/{one.pk}/why/").json()["reasons"]

    assert [each["detail"]["number"] for each in told if each["what"] == "attempt_retry"] == [1, 2, 3]


@pytest.mark.parametrize("things", ["notifications", "reminders"])
def test_of_what_is_not_there_nothing_is_told(api, things):
    assert api.get(f"/api/v1/{things}/{uuid4()}/why/").status_code == 404
