"""What goes to a webhook: one shape, signed so that the official library believes it, and what its answers mean."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from standardwebhooks import Webhook as Receiver
from standardwebhooks.webhooks import WebhookVerificationError
from structlog.testing import capture_logs

from apps.accounts.models import User
from apps.events import event_types
from apps.notifications.models import Notification
from apps.notifications.services import webhooks
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import Destination, Receipt, Refused, TryAgain, Unreachable
from tests.notifications.destinations import delivery_to, ending, notification_of, webhook_of
from tests.notifications.raw_receivers import answering, receiving
from tests.support.factories import NOW, person

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(120)]

WEBHOOK = transport_named("webhook")


@pytest.fixture(autouse=True)
def loopback_allowed(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.1/32"]


def composed(delivery):
    items = list(Notification.objects.filter(items__delivery=delivery).order_by("about_at", "pk"))
    return WEBHOOK.compose(delivery, owner=delivery.owner, items=items, now=NOW)


def sent(delivery, *, attempt=1):
    """What its attempt gave; reached for anew, as each attempt does."""
    to = WEBHOOK.reach(delivery, owner=delivery.owner)
    return WEBHOOK.send(composed(delivery), to=to, key=delivery.pk, attempt=attempt)


def refused(delivery):
    to = WEBHOOK.reach(delivery, owner=delivery.owner)
    return ending(WEBHOOK, composed(delivery), to=to, delivery=delivery)


def received(request):
    """Headers and body."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body


class TestShape:
    def test_one_notification_is_told_as_the_event_of_it_and_with_its_id(self):
        owner = person()
        one = notification_of(owner, text="Due in 30 minutes.", due_at=NOW + timedelta(minutes=30))
        delivery = delivery_to(webhook_of(owner).endpoint, told=[one])

        content = composed(delivery)

        told = content["data"]["notification"]
        assert content | {"data": ...} == {
            "specversion": "1.0",
            "id": str(delivery.pk),
            "source": "/todo",
            "type": "notification.created.v1",
            "subject": f"notification/{one.pk}",
            "time": "2026-11-20T09:00:00Z",
            "datacontenttype": "application/json",
            "ownerid": str(owner.pk),
            "data": ...,
        }
        assert (told["id"], told["title"], told["text"]) == (str(one.pk), "Buy milk", "Due in 30 minutes.")
        assert (content["data"]["items"], content["data"]["count"]) == ([told], 1)
        event = {name: value for name, value in told.items() if name != "id"}
        event_types.check_data("notification.created.v1", {"notification": event}, exact=True)

    def test_several_are_summed_up_in_the_same_shape_and_stand_one_by_one(self):
        owner = person()
        later = notification_of(owner, title="Call Ada", urgent=True, about_at=NOW + timedelta(seconds=1))
        first = notification_of(owner, title="Buy milk", late_seconds=3.5)
        delivery = delivery_to(webhook_of(owner).endpoint, told=[later, first])

        content = composed(delivery)

        whole, items = content["data"]["notification"], content["data"]["items"]
        assert [one["title"] for one in items] == ["Buy milk", "Call Ada"]
        assert content["subject"] == f"notification/{delivery.pk}"
        assert (whole["id"], whole["kind"], whole["title"]) == (str(delivery.pk), "several", "2 notifications")
        assert (whole["text"], whole["urgent"], whole["late_seconds"]) == ("• Buy milk\n• Call Ada", True, 3.5)
        event = {name: value for name, value in whole.items() if name != "id"} | {"kind": "digest"}
        event_types.check_data("notification.created.v1", {"notification": event}, exact=True)

    def test_of_very_many_a_hundred_stand_one_by_one_and_how_many_there_are(self):
        owner = person()
        told = [notification_of(owner, title=f"Task {number}") for number in range(101)]
        delivery = delivery_to(webhook_of(owner).endpoint, told=told)

        data = composed(delivery)["data"]

        assert (len(data["items"]), data["count"]) == (100, 101)
        assert data["notification"]["title"] == "101 notifications"
        assert data["notification"]["text"].endswith("• Task 99\n…")

    def test_a_test_has_the_same_shape_and_a_type_of_its_own(self):
        made = webhook_of(person())
        delivery = webhooks.test(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=NOW)

        content = composed(delivery)

        assert (content["type"], content["id"]) == ("notification.test.v1", str(delivery.pk))
        assert content["data"]["notification"]["title"] == "A test of your webhook"
        assert content["data"]["items"] == [content["data"]["notification"]]

    def test_the_cloud_events_library_reads_it(self):
        owner = person()
        delivery = delivery_to(webhook_of(owner).endpoint, told=[notification_of(owner, title="Grüße 🎂")])
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            sent(delivery)

        headers, body = received(receiver.requests[0])
        event = from_structured_event(HTTPMessage(headers=headers, body=body))
        assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        assert (event.get_id(), event.get_type()) == (str(delivery.pk), "notification.created.v1")
        assert event.get_data()["notification"]["title"] == "Grüße 🎂"


def delivery_to_receiver(delivery, receiver, *, path=""):
    """Let its endpoint be a receiver of the test."""
    webhooks.change(
        endpoint_id=delivery.destination, actor=delivery.owner, changes={"url": receiver.url + path}, now=NOW
    )


@pytest.fixture
def made():
    """A webhook and its secret."""
    return webhook_of(person())


@pytest.fixture
def delivery(made):
    return delivery_to(made.endpoint, told=[notification_of(made.endpoint.owner)])


class TestSignature:
    def test_the_official_library_believes_what_was_sent(self, made, delivery):
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            receipt = sent(delivery)

        headers, body = received(receiver.requests[0])
        assert Receiver(made.secret).verify(body, headers) == composed(delivery)
        assert isinstance(receipt, Receipt)

    def test_what_was_changed_on_the_way_or_signed_by_another_it_does_not(self, made, delivery):
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            sent(delivery)

        headers, body = received(receiver.requests[0])
        with pytest.raises(WebhookVerificationError):
            Receiver(made.secret).verify(body.replace(b"Buy", b"buy"), headers)
        with pytest.raises(WebhookVerificationError):
            Receiver(made.secret).verify(body, headers | {"webhook-id": "another"})
        with pytest.raises(WebhookVerificationError):
            Receiver(webhook_of(person()).secret).verify(body, headers)

    def test_every_attempt_has_the_same_id_and_body_and_a_time_of_its_own(self, made, delivery):
        at = datetime.now(UTC)
        with receiving(answering("500 No")) as receiver:
            delivery_to_receiver(delivery, receiver)
            for minutes in (0, 90):
                with time_machine.travel(at + timedelta(minutes=minutes), tick=False):
                    refused(delivery)

        (first, one), (second, other) = map(received, receiver.requests)
        assert one == other
        assert first["webhook-id"] == second["webhook-id"] == str(delivery.pk)
        assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 90 * 60
        assert first["webhook-signature"] != second["webhook-signature"]

    def test_after_a_rotation_both_secrets_sign_for_a_day_and_then_the_new_one(self, made, delivery):
        at = datetime.now(UTC)
        new = webhooks.rotate_secret(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=at)
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            sent(delivery)
            with time_machine.travel(at + timedelta(hours=24, seconds=1), tick=False):
                sent(delivery)
                headers, body = received(receiver.requests[1])
                assert Receiver(new.secret).verify(body, headers)
                with pytest.raises(WebhookVerificationError, match="No matching signature"):
                    Receiver(made.secret).verify(body, headers)

        headers, body = received(receiver.requests[0])
        assert len(headers["webhook-signature"].split(" ")) == 2
        assert Receiver(new.secret).verify(body, headers)
        assert Receiver(made.secret).verify(body, headers)

    def test_after_two_rotations_the_first_secret_signs_no_more(self, made, delivery):
        at = datetime.now(UTC)
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner, "now": at}
        webhooks.rotate_secret(**who)
        webhooks.rotate_secret(**who)
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            sent(delivery)

        headers, body = received(receiver.requests[0])
        with pytest.raises(WebhookVerificationError):
            Receiver(made.secret).verify(body, headers)

    def test_nothing_secret_is_kept_shown_or_logged(self, made, delivery):
        with receiving(answering()) as receiver, capture_logs() as logs:
            delivery_to_receiver(delivery, receiver, path="?token=hush")
            to = WEBHOOK.reach(delivery, owner=delivery.owner)
            receipt = WEBHOOK.send(composed(delivery), to=to, key=delivery.pk, attempt=1)

        headers, _ = received(receiver.requests[0])
        shown = f"{receipt!r} {to!r} {logs!r} {delivery!r} {json.dumps(composed(delivery))}"
        assert "hush" not in shown
        assert made.secret not in shown
        assert headers["webhook-signature"] not in shown
        assert receipt.request["headers"]["webhook-id"] == str(delivery.pk)
        assert receipt.response["status"] == 200


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_any_two_hundred_is_taken(self, delivery, status):
        with receiving(answering(f"{status} Fine", body=b"")) as receiver:
            delivery_to_receiver(delivery, receiver)
            assert sent(delivery).response["status"] == status

    @pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 408, 422, 500, 502, 504])
    def test_anything_else_is_tried_again(self, delivery, status):
        with receiving(answering(f"{status} No", "Retry-After: 90")) as receiver:
            delivery_to_receiver(delivery, receiver)
            reason = refused(delivery)

        assert isinstance(reason, TryAgain)
        assert f"answered {status}" in reason.reason
        assert (reason.response["status"], reason.response["body"], reason.after_seconds) == (status, "taken", None)

    @pytest.mark.parametrize("status", [429, 503])
    def test_who_is_busy_says_when_to_come_again(self, delivery, status):
        with receiving(answering(f"{status} Busy", "Retry-After: 90")) as receiver:
            delivery_to_receiver(delivery, receiver)
            reason = refused(delivery)

        assert isinstance(reason, TryAgain)
        assert reason.after_seconds == 90

    def test_who_is_gone_is_not_tried_again(self, delivery):
        with receiving(answering("410 Gone")) as receiver:
            delivery_to_receiver(delivery, receiver)
            reason = refused(delivery)

        assert isinstance(reason, Refused)
        assert reason.gone

    def test_what_was_taken_without_a_word_is_tried_again(self, delivery):
        with receiving(lambda *_: None) as receiver:
            delivery_to_receiver(delivery, receiver)
            reason = refused(delivery)

        assert isinstance(reason, TryAgain)
        assert reason.request["headers"]["webhook-id"] == str(delivery.pk)
        assert len(receiver.requests) == 1

    def test_a_test_that_fails_has_failed(self, made):
        delivery = webhooks.test(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=NOW)
        with receiving(answering("500 No")) as receiver:
            delivery_to_receiver(delivery, receiver)
            answered = refused(delivery)
        silent = refused(delivery)

        assert (type(answered), answered.reason) == (Refused, "The receiver answered 500.")
        assert answered.response["status"] == 500
        assert type(silent) is Refused
        assert "Connection refused" in silent.reason

    def test_an_address_that_is_private_by_now_is_refused_and_not_called(self, delivery, settings):
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            settings.WEBHOOK_ALLOWED_NETWORKS = []
            reason = refused(delivery)

        assert isinstance(reason, Refused)
        assert "127.0.0.1" in reason.reason
        assert not reason.gone
        assert receiver.connections == 0


class TestReaching:
    def test_one_that_was_taken_away_is_reached_no_more(self, made, delivery):
        webhooks.delete(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=NOW)

        with pytest.raises(Unreachable, match="taken away"):
            WEBHOOK.reach(delivery, owner=delivery.owner)

    def test_somebody_elses_is_not_reached(self, delivery):
        with pytest.raises(Unreachable):
            WEBHOOK.reach(delivery, owner=person())

    def test_one_that_was_switched_off_since_is_not_called_and_tried_again(self, made, delivery):
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            webhooks.disable(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=NOW)
            reason = refused(delivery)

        assert isinstance(reason, TryAgain)
        assert "switched off" in reason.reason
        assert receiver.connections == 0

    def test_a_test_reaches_one_that_is_off(self, made):
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner, "now": NOW}
        delivery = webhooks.test(**who)
        with receiving(answering()) as receiver:
            delivery_to_receiver(delivery, receiver)
            webhooks.disable(**who)
            assert sent(delivery).response["status"] == 200

    def test_destinations_of_all_come_in_one_query(self, django_assert_num_queries):
        one, both, none = person(), person(), person()
        first = webhook_of(one).endpoint
        second, third = webhook_of(both).endpoint, webhook_of(both).endpoint
        webhooks.disable(endpoint_id=third.pk, actor=both, now=NOW)
        people = list(User.objects.filter(pk__in=[one.pk, both.pk, none.pk]))

        with django_assert_num_queries(1):
            found = WEBHOOK.destinations(people)

        assert found == {
            one.pk: [Destination(str(first.pk))],
            both.pk: [Destination(str(second.pk)), Destination(str(third.pk), held=True)],
        }
