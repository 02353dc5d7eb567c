"""What is old is forgotten, in steps; what a person has not seen, or is still to go out, is not."""

from datetime import timedelta
from uuid import uuid4

import pytest

from apps.notifications.models import Delivery, DeliveryAttempt, DeliveryItem, Notification, UsedLink
from apps.notifications.services import retention
from tests.notifications.given import database_instant, delivery, notification
from tests.support.factories import person

CONTENT = {"titles": ["Buy milk"]}
NOTES = {"url": "https://example.org"}


@pytest.fixture
def ada(db):
    return person("ada")


def days_ago(days):
    return database_instant() - timedelta(days=days)


def sent(owner, *items, days, status="delivered", **fields):
    row = delivery(
        owner, *items, status=status, content=CONTENT, finished_at=days_ago(days), transport="email", **fields
    )
    DeliveryAttempt.objects.create(
        delivery=row, number=1, fence=1, started_at=days_ago(days), outcome="delivered", request=NOTES, response=NOTES
    )
    return row


def kept_of(row):
    row.refresh_from_db()
    attempt = row.tries.get()
    return row.content, attempt.request, attempt.response


def test_what_was_sent_and_answered_is_emptied_after_30_days(ada):
    young, old = sent(ada, days=29), sent(ada, days=31)

    assert retention.prune() == {"contents": 1, "notifications": 0, "deliveries": 0, "links": 0, "held": 0}

    assert kept_of(young) == (CONTENT, NOTES, NOTES)
    assert kept_of(old) == (None, {}, {})
    assert retention.prune()["contents"] == 0


def test_what_still_waits_is_never_emptied_however_old(ada):
    row = delivery(ada, content=CONTENT, status="waiting", send_at=days_ago(400), created_at=days_ago(400))

    assert set(retention.prune().values()) == {0}

    row.refresh_from_db()
    assert row.content == CONTENT


@pytest.mark.parametrize("status", ["read", "done"])
def test_what_was_seen_goes_after_180_days(ada, status):
    old = notification(ada, status=status, created_at=days_ago(181))
    young = notification(ada, status=status, created_at=days_ago(179))
    delivery(ada, old, young)

    assert retention.prune()["notifications"] == 1

    assert list(Notification.objects.all()) == [young]
    assert list(DeliveryItem.objects.values_list("notification_id", flat=True)) == [young.pk]


@pytest.mark.parametrize("status", ["unread", "snoozed"])
def test_what_was_not_seen_stays(ada, status):
    notification(ada, status=status, created_at=days_ago(1000))

    assert set(retention.prune().values()) == {0}
    assert Notification.objects.count() == 1


def test_deliveries_go_after_180_days_with_their_attempts(ada):
    sent(ada, days=181)
    young = sent(ada, days=179)

    assert retention.prune()["deliveries"] == 1

    assert list(Delivery.objects.all()) == [young]
    assert DeliveryAttempt.objects.get().delivery_id == young.pk
    assert Notification.objects.count() == 2


def test_one_that_was_sent_anew_stays_as_long_as_what_has_its_key(ada):
    first = sent(ada, days=200)
    again = sent(ada, days=10, redelivery_of=first)

    assert retention.prune()["deliveries"] == 0

    assert set(Delivery.objects.all()) == {first, again}


def test_links_go_when_they_would_open_nothing_any_more(ada):
    now = database_instant()
    UsedLink.objects.create(id=uuid4(), used_at=now, expires_at=now - timedelta(seconds=1))
    young = UsedLink.objects.create(id=uuid4(), used_at=now, expires_at=now + timedelta(days=1))

    assert retention.prune()["links"] == 1

    assert list(UsedLink.objects.all()) == [young]


def test_it_goes_in_steps_until_nothing_is_left(ada, monkeypatch):
    monkeypatch.setattr(retention, "STEP", 2)
    for _ in range(5):
        sent(ada, days=181)

    assert retention.prune() == {"contents": 5, "notifications": 0, "deliveries": 5, "links": 0, "held": 0}


def test_what_was_held_for_longer_than_a_week_is_let_go_and_says_why(ada):
    young, old, waits = (
        delivery(ada, status=status, transport="webhook", created_at=days_ago(days))
        for status, days in (("held", 6), ("held", 8), ("waiting", 8))
    )

    assert retention.prune()["held"] == 1

    old.refresh_from_db()
    assert (old.status, old.because, old.finished_at is None) == ("dropped", "held_too_long", False)
    assert sorted(Delivery.objects.exclude(pk=old.pk).values_list("pk", "status")) == sorted(
        [(young.pk, "held"), (waits.pk, "waiting")]
    )
