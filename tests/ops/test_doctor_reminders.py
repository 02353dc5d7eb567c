"""The doctor on reminders: somebody looks, nothing waits that is due, endpoints work, our key can be opened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from apps.notifications.models import VapidKey, WebhookEndpoint
from apps.notifications.sealing import seal
from apps.notifications.services import watermarks
from apps.ops.doctor import reminders as doctor
from apps.ops.doctor.examination import Level, well
from tests.support.factories import person
from tests.support.notified import heard_of, planned, sent, told

pytestmark = pytest.mark.django_db(transaction=True)


def looked(*, seconds_ago: float) -> None:
    watermarks.note(watermarks.REMINDERS)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_watermark SET swept_at = swept_at - make_interval(secs => %s::double precision)",
            [seconds_ago],
        )


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


def test_reminders_that_wait_for_their_time_are_well() -> None:
    planned(heard_of(person()), at=ago(hours=-1))
    looked(seconds_ago=0)

    verdict = doctor.reminders()

    assert verdict.level is Level.WELL
    assert verdict.told.startswith("1 wait, looked for ")


def test_that_nobody_ever_looked_is_wrong() -> None:
    assert doctor.reminders().told == "nobody has looked for reminders that are due yet"
    assert doctor.reminders().level is Level.WRONG


def test_that_nobody_has_looked_for_long_is_wrong() -> None:
    looked(seconds_ago=300)

    verdict = doctor.reminders()

    assert verdict.level is Level.WRONG
    assert verdict.told.startswith("0 are due and not triggered, the oldest for 0 s; looked for 30")
    assert "worker-notifications" in verdict.fix


def test_a_reminder_that_is_due_and_not_triggered_is_wrong_beyond_its_limit() -> None:
    looked(seconds_ago=0)
    planned(heard_of(person()), at=ago(seconds=2))
    soon = doctor.reminders()
    planned(heard_of(person("grace")), at=ago(hours=1))
    late = doctor.reminders()

    assert (soon.level, late.level) == (Level.WELL, Level.WRONG)
    assert late.told.startswith("2 are due and not triggered, the oldest for 36")


def test_a_reminder_of_somebody_who_may_not_sign_in_is_not_due() -> None:
    looked(seconds_ago=0)
    planned(heard_of(person(is_active=False)), at=ago(hours=1))

    assert doctor.reminders().level is Level.WELL


def test_deliveries_that_wait_for_their_next_attempt_are_well_and_those_nobody_sends_are_wrong() -> None:
    notification = told(person())
    sent(notification, transport="webhook", status="waiting", send_at=ago(hours=-1))
    sent(notification, transport="webhook", status="held", send_at=ago(hours=1))
    assert doctor.deliveries() == well("1 wait, 0 under way, 1 held")

    sent(notification, transport="webhook", status="waiting", send_at=ago(hours=1))

    assert doctor.deliveries().level is Level.WRONG
    assert doctor.deliveries().told.startswith("2 wait, the oldest could have gone 36")


def test_deliveries_that_failed_are_a_warning() -> None:
    sent(told(person()), status="failed")

    assert (doctor.deliveries().level, doctor.deliveries().told) == (Level.WARNING, "1 failed for good")


def test_a_test_that_failed_is_none() -> None:
    sent(told(person()), transport="webhook", kind="test", status="failed")

    assert doctor.deliveries() == well("0 wait, 0 under way, 0 held")


def test_endpoints_that_we_switched_off_are_named_and_others_are_not() -> None:
    times = {"created_at": ago(days=1), "updated_at": ago(days=1), "url": "https://example.org/", "secret": b""}
    WebhookEndpoint.objects.create(owner=person("ada"), status="disabled", **times)
    none = doctor.webhooks()
    failing = WebhookEndpoint.objects.create(owner=person("grace"), status="failing", **times)

    assert none == well("none was switched off for failing")
    assert doctor.webhooks().level is Level.WARNING
    assert doctor.webhooks().told == f"switched off after failing for long: {failing.pk}"


def test_a_key_that_can_be_opened_is_well_and_one_that_cannot_is_wrong(settings: Any) -> None:
    settings.SEALING_KEYS = [Fernet.generate_key().decode()]
    none = doctor.web_push()
    VapidKey.objects.create(private=seal("the key"), public="BPublicKeyOfOurs", created_at=ago(days=1))
    ours = doctor.web_push()
    settings.SEALING_KEYS = [Fernet.generate_key().decode()]

    assert (none.level, ours) == (Level.WELL, well("our key is BPublicKeyOf…"))
    assert doctor.web_push().level is Level.WRONG
    assert "SEALING_KEYS" in doctor.web_push().fix


def test_keys_that_are_none_are_wrong_and_not_told(settings: Any) -> None:
    VapidKey.objects.create(private=b"x", public="BPublicKeyOfOurs", created_at=ago(days=1))
    settings.SEALING_KEYS = ["my-secret-words"]

    verdict = doctor.web_push()

    assert verdict.level is Level.WRONG
    assert "my-secret-words" not in verdict.told + verdict.fix
