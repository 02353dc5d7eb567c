"""Owners hear of it when we switch their webhooks off."""

from datetime import timedelta

import pytest

from apps.notifications.models import Delivery, Notification
from apps.notifications.services import webhook_books, webhook_notices, webhooks
from apps.notifications.transports.base import Refused
from tests.notifications.destinations import delivery_to, webhook_of
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)
GONE = Refused("The receiver answered 410: it wants nothing more.", gone=True)


def switched_off(owner, *, now=NOW):
    row = webhook_of(owner).endpoint
    webhook_books.keep(delivery_to(row), outcome=GONE, now=now)
    row.refresh_from_db()
    return row


def test_its_owner_is_told_why_and_what_to_do():
    owner = person()
    row = switched_off(owner)

    assert webhook_notices.tell_of_failing(now=LATER) == 1

    told = Notification.objects.get()
    assert (told.owner, told.kind, told.status, told.in_inbox) == (owner, "notice", "unread", True)
    assert told.title == "Your webhook to hooks.example.com was switched off"
    assert told.text == (
        "The receiver answered 410: it wants nothing more. "
        "What is for it is held for a week. Repair it, then enable it again."
    )
    assert (told.about_at, told.data) == (NOW, {"webhook_id": str(row.pk)})


def test_it_is_told_once_for_each_time():
    owner = person()
    row = switched_off(owner)
    webhook_notices.tell_of_failing(now=LATER)
    assert webhook_notices.tell_of_failing(now=LATER) == 0
    webhooks.enable(endpoint_id=row.pk, actor=owner, now=LATER)
    webhook_books.keep(delivery_to(row), outcome=GONE, now=LATER)

    assert webhook_notices.tell_of_failing(now=LATER) == 1
    assert Notification.objects.count() == 2


def test_whoever_switched_it_off_themselves_is_told_nothing():
    owner = person()
    row = webhook_of(owner).endpoint
    webhooks.disable(endpoint_id=row.pk, actor=owner, now=NOW)

    assert webhook_notices.tell_of_failing(now=LATER) == 0
    assert not Notification.objects.exists()


def test_the_notice_does_not_go_to_the_webhook_it_is_about():
    switched_off(person())
    Delivery.objects.all().delete()

    webhook_notices.tell_of_failing(now=LATER)

    assert not Delivery.objects.filter(transport="webhook").exists()


def test_many_are_told_of_bit_by_bit(monkeypatch):
    monkeypatch.setattr(webhook_notices, "AT_ONCE", 2)
    for _ in range(3):
        switched_off(person())

    assert [webhook_notices.tell_of_failing(now=LATER) for _ in range(3)] == [2, 1, 0]


@pytest.mark.parametrize("change", ["description", "secret"])
def test_what_its_owner_changes_meanwhile_is_no_further_time(change):
    owner = person()
    row = switched_off(owner)
    webhook_notices.tell_of_failing(now=LATER)
    who = {"endpoint_id": row.pk, "actor": owner, "now": LATER}

    {
        "description": lambda: webhooks.change(changes={"description": "The new one"}, **who),
        "secret": lambda: webhooks.rotate_secret(**who),
    }[change]()

    assert webhook_notices.tell_of_failing(now=LATER) == 0
    assert Notification.objects.count() == 1
