"""E-mail by the sender itself: what arrives at a mail server, what is kept of it, and what is not sent twice."""

import pytest

from apps.notifications.models import DeliveryAttempt
from apps.notifications.sending.sender import Sender
from apps.notifications.transports import transport_named
from tests.notifications import given
from tests.support.factories import person
from tests.support.sinks import smtp_sink

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.fixture
def server(tmp_path, settings):
    with smtp_sink(tmp_path) as sink:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", sink.port, False
        yield sink


@pytest.fixture
def ada():
    return person("ada")


def send():
    Sender(linger_seconds=0).run()


def test_two_reminders_of_one_delivery_arrive_as_one_mail_and_its_answer_is_kept(server, ada):
    told = [given.notification(ada, title=title) for title in ("Buy milk", "Call Ben")]
    delivery = given.delivery(ada, *told, transport="email")

    send()

    (mail,) = server.given()
    attempt = DeliveryAttempt.objects.get()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)
    assert (mail.key, mail.place) == (str(delivery.pk), "ada@example.org")
    assert mail.headers["subject"].strip() == "2 reminders: Buy milk and Call Ben"
    assert attempt.response == {"code": 250, "answer": "OK"}
    assert attempt.request["to"] == "ada@example.org"


def test_an_address_that_is_refused_fails_at_once_with_the_servers_words(server, ada):
    server.mode = "status:550"
    delivery = given.delivery(ada, given.notification(ada), transport="email")

    send()
    send()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("failed", 1)
    assert delivery.error == "The mail server does not take this mail: 550 not now"
    assert [mail.key for mail in server.given()] == [str(delivery.pk)]


def test_a_server_that_is_busy_is_asked_again_with_the_same_key(server, ada, settings):
    settings.DELIVERY_BACKOFF_SECONDS = 0
    server.mode = "fails:1"
    delivery = given.delivery(ada, given.notification(ada), transport="email")

    send()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 2)
    assert [(mail.key, mail.answered) for mail in server.given()] == [(str(delivery.pk), 451), (str(delivery.pk), 250)]
    assert [each.outcome for each in DeliveryAttempt.objects.order_by("number")] == ["retry", "delivered"]


def test_who_has_no_address_by_then_is_told_why_nothing_was_sent(server, ada):
    delivery = given.delivery(ada, given.notification(ada), transport="email")
    ada.email = ""
    ada.save(update_fields=["email"])

    send()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("failed", transport_named("email").nowhere())
    assert server.given() == []
