"""What a person had here goes with them, in steps, and nothing of it comes back."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import InternalError

from apps.accounts import services as accounts
from apps.notifications.models import (
    Delivery,
    DeliveryAttempt,
    DeliveryItem,
    Notification,
    Preferences,
    PushSubscription,
    RemindedTask,
    Reminder,
    WebhookEndpoint,
)
from apps.notifications.selectors import owners as selectors
from apps.notifications.services import owners
from tests.support.factories import NOW, facts, person
from tests.support.notified import heard_of, planned, sent, told

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = [Reminder, RemindedTask, DeliveryAttempt, DeliveryItem, Delivery, Notification]
OF_ONES_OWN = [Preferences, WebhookEndpoint, PushSubscription]


def endpoint_of(owner, **fields):
    times = {"created_at": NOW, "updated_at": NOW}
    return WebhookEndpoint.objects.create(owner=owner, url="https://example.org/hook", secret=b"s", **times | fields)


def subscription_of(owner):
    return PushSubscription.objects.create(
        owner=owner, endpoint="https://push.example.org/1", digest=owner.pk.hex, p256dh="k", auth=b"a", created_at=NOW
    )


def a_life(owner):
    """Two reminders that wait, one that was told by mail at the second attempt and sent again, and who they are."""
    task = heard_of(owner)
    waiting = [planned(task, at=NOW + timedelta(hours=1)), planned(task, at=NOW, status="snoozed")]
    done = planned(heard_of(owner), at=NOW, status="delivered")
    notification = told(owner, reminder_id=done.pk)
    first = sent(notification, attempts=2)
    sent(notification, redelivery_of=first)
    Preferences.objects.create(owner=owner, updated_at=NOW)
    endpoint_of(owner)
    subscription_of(owner)
    return waiting


def forgotten(owner, **more):
    steps = []
    while gone := owners.forget_owner(owner_id=owner.pk, now=NOW, **more):
        steps.append(gone)
    return steps


def test_everything_of_a_person_is_counted():
    ada = person("ada")
    a_life(ada)

    assert selectors.counts_of(ada.pk) == {
        "reminded_tasks": 2,
        "reminders": 3,
        "notifications": 1,
        "deliveries": 2,
        "notification_preferences": 1,
        "webhooks": 1,
        "push_subscriptions": 1,
    }


@pytest.mark.parametrize(("most", "steps"), [(100, [5, 2, 1, 3]), (1, [3, 2, 1, 1, 1, 3])])
def test_everything_of_a_person_goes_step_by_step_and_of_nobody_else(most, steps):
    ada, grace = person("ada"), person("grace")
    a_life(ada)
    a_life(grace)
    before = selectors.counts_of(grace.pk)

    taken = forgotten(ada, most=most)

    assert sorted(taken) == sorted(steps)
    assert set(selectors.counts_of(ada.pk).values()) == {0}
    assert selectors.counts_of(grace.pk) == before
    assert (DeliveryAttempt.objects.count(), DeliveryItem.objects.count()) == (3, 2)
    assert [model.objects.count() for model in OF_ONES_OWN] == [1, 1, 1]


def test_reminders_that_waited_tell_that_they_are_cancelled_and_others_tell_nothing():
    ada = person("ada")
    waiting = a_life(ada)
    before = facts().count()

    forgotten(ada)

    told_of = list(facts().order_by("position"))[before:]
    assert {one.subject_id for one in told_of} == {reminder.pk for reminder in waiting}
    assert {one.type for one in told_of} == {"reminder.cancelled.v1"}
    assert {one.data["because"] for one in told_of} == {"erased"}
    assert {(one.subject_version, one.data["reminder"]["status"]) for one in told_of} == {(2, "cancelled")}


def test_of_somebody_who_has_nothing_nothing_goes():
    before = facts().count()

    assert owners.forget_owner(owner_id=person("ada").pk, now=NOW) == 0
    assert facts().count() == before


@pytest.mark.parametrize("make", [heard_of, told, endpoint_of, subscription_of])
def test_nothing_new_is_taken_in_for_a_person_who_was_erased(make):
    ada = person("ada")
    accounts.deactivate(user_id=ada.pk, now=NOW)
    accounts.erase(user_id=ada.pk, actor=None, now=NOW)
    ada.refresh_from_db()

    with pytest.raises((IntegrityError, InternalError), match="erased"), transaction.atomic():
        make(ada)

    assert set(selectors.counts_of(ada.pk).values()) == {0}
