"""Webhooks and pushes by the sender itself: what is kept of them, and that nothing secret is."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Receiver
from structlog.testing import capture_logs

from apps.notifications import sealing
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, DeliveryAttempt, PushSubscription, VapidKey, WebhookEndpoint
from apps.notifications.sending.sender import Sender
from apps.notifications.services import webhooks
from apps.notifications.services.news import News
from apps.notifications.services.telling import tell
from tests.notifications.destinations import browser, delivery_to, notification_of, subscription_of, webhook_of
from tests.notifications.raw_receivers import answering, receiving
from tests.support import everywhere
from tests.support.factories import NOW, person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def loopback_allowed(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.1/32"]


def send():
    Sender(linger_seconds=0).run()


def received(request):
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body


def test_what_is_delivered_is_kept_with_its_answer_and_believed():
    with receiving(answering("202 Accepted")) as receiver:
        made = webhook_of(person(), url=receiver.url)
        delivery = delivery_to(made.endpoint, told=[notification_of(made.endpoint.owner)])
        send()

    delivery.refresh_from_db()
    headers, body = received(receiver.requests[0])
    attempt = DeliveryAttempt.objects.get()
    assert (delivery.status, delivery.attempts, attempt.outcome) == ("delivered", 1, "delivered")
    assert Receiver(made.secret).verify(body, headers) == delivery.content
    assert attempt.request["url"] == receiver.url
    assert (attempt.response["status"], attempt.response["body"]) == (202, "taken")
    assert WebhookEndpoint.objects.get().succeeded_at is not None


def test_who_answers_410_is_switched_off_and_what_comes_next_is_held():
    with receiving(answering("410 Gone")) as receiver:
        made = webhook_of(person(), url=receiver.url)
        first, second = (delivery_to(made.endpoint, told=[notification_of(made.endpoint.owner)]) for _ in range(2))
        send()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("failed", "held")
    assert WebhookEndpoint.objects.get().status == "failing"
    assert receiver.connections == 1


def test_what_is_sent_again_comes_by_the_same_id():
    with receiving(answering()) as receiver:
        made = webhook_of(person(), url=receiver.url)
        delivery = delivery_to(made.endpoint, told=[notification_of(made.endpoint.owner)])
        send()
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner, "now": NOW}
        webhooks.redeliver(delivery_id=delivery.pk, **who)
        send()

    (first, one), (second, other) = map(received, receiver.requests)
    assert first["webhook-id"] == second["webhook-id"] == str(delivery.pk)
    assert one == other


def test_what_is_told_while_it_is_off_is_held_and_goes_out_in_its_order_when_it_is_on():
    with receiving(answering()) as receiver:
        made = webhook_of(person(), url=receiver.url)
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner, "now": datetime.now(UTC)}
        webhooks.disable(**who)
        for title in ("Buy milk", "Call Ada", "Water plants"):
            tell([news_to(made.endpoint.owner, title=title)], now=datetime.now(UTC))
        send()
        assert receiver.connections == 0
        assert set(Delivery.objects.filter(transport="webhook").values_list("status", flat=True)) == {"held"}

        webhooks.enable(**who)
        send()

    titles = [json.loads(received(one)[1])["data"]["notification"]["title"] for one in receiver.requests]
    assert titles == ["Buy milk", "Call Ada", "Water plants"]


def news_to(owner, *, title):
    return News(
        owner_id=owner.pk, kind=Kind.REMINDER, once=f"test/{title}", title=title, text="", about_at=datetime.now(UTC)
    )


def test_a_test_is_sent_and_answered():
    with receiving(answering("500 No")) as receiver:
        made = webhook_of(person(), url=receiver.url)
        delivery = webhooks.test(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=NOW)
        send()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("failed", "The receiver answered 500.")
    assert json.loads(received(receiver.requests[0])[1])["type"] == "notification.test.v1"


def test_a_browser_that_is_gone_is_taken_away_and_its_attempt_says_so():
    with receiving(answering("410 Gone")) as receiver:
        row = subscription_of(person(), endpoint=receiver.url)
        delivery = delivery_to(row, told=[notification_of(row.owner)])
        send()

    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert "pushed to no more" in delivery.error
    assert not PushSubscription.objects.exists()


def test_nothing_secret_stands_anywhere_in_the_database_or_the_logs():
    by = browser()
    with receiving(answering("200 OK")) as receiver, capture_logs() as logs:
        made = webhook_of(person(), url=f"{receiver.url}?token=hush-hush")
        owner = made.endpoint.owner
        rotated = webhooks.rotate_secret(endpoint_id=made.endpoint.pk, actor=owner, now=NOW)
        row = subscription_of(owner, endpoint=receiver.url, by=by)
        for destination in (made.endpoint, row):
            delivery_to(destination, told=[notification_of(owner)])
        send()

    headers = [received(request)[0] for request in receiver.requests]
    private = sealing.unseal(VapidKey.objects.get().private)
    signatures = next(one["webhook-signature"] for one in headers if "webhook-signature" in one).split(" ")
    authorization = next(one["authorization"] for one in headers if "authorization" in one)
    secrets = [made.secret, rotated.secret, by.auth, private, *signatures, authorization]
    assert len(headers) == DeliveryAttempt.objects.filter(outcome="delivered").count() == 2
    assert everywhere.found(secrets) == set()
    assert everywhere.found(["hush-hush"]) == {"notifications_webhookendpoint.url"}
    assert [secret for secret in [*secrets, "hush-hush"] if secret in str(logs)] == []
