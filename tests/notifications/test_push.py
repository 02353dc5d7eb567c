"""Web Push: browsers that are pushed to, what they read, and what their services answer."""

import base64
import json
from datetime import timedelta

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from py_vapid import Vapid02
from structlog.testing import capture_logs

from apps.accounts.models import User
from apps.notifications import sealing
from apps.notifications.exceptions import InvalidDestination, SubscriptionNotFound, TooManySubscriptions
from apps.notifications.models import Delivery, PushSubscription, VapidKey
from apps.notifications.services import push
from apps.notifications.services.push import decoded
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import Destination, Receipt, Refused, TryAgain, Unreachable
from apps.notifications.transports.push import MAX_CONTENT_BYTES
from tests.notifications.destinations import browser, delivery_to, ending, notification_of, subscription_of
from tests.notifications.raw_receivers import answering, receiving
from tests.support.factories import NOW, person

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(120)]

PUSH = transport_named("push")
LATER = NOW + timedelta(hours=1)
CREATED = answering("201 Created", body=b"")


@pytest.fixture(autouse=True)
def here(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    settings.PUBLIC_URL = "https://tasks.example.org"
    settings.VAPID_SUBJECT = "mailto:ops@example.org"


class TestSubscribing:
    def test_a_browser_is_kept_with_its_secret_sealed(self):
        owner, by = person(), browser()

        row = subscription_of(owner, by=by, label="Laptop")

        row.refresh_from_db()
        assert (row.owner, row.endpoint, row.label) == (owner, "https://push.example.com/send/abc", "Laptop")
        assert (row.p256dh, sealing.unseal(row.auth), row.created_at) == (by.p256dh, by.auth, NOW)
        assert by.auth.encode() not in bytes(row.auth)

    def test_the_same_browser_again_is_the_same_with_its_new_keys(self):
        owner, renewed = person(), browser(auth_bytes=b"fedcba9876543210")
        first = subscription_of(owner, label="Laptop")

        again = subscription_of(owner, by=renewed)

        row = PushSubscription.objects.get()
        assert row.pk == first.pk == again.pk
        assert (row.p256dh, sealing.unseal(row.auth), row.label) == (renewed.p256dh, renewed.auth, "Laptop")

    def test_a_browser_that_somebody_else_came_in_with_is_theirs(self):
        one, other = person(), person()
        first = subscription_of(one)
        waits = delivery_to(first)

        second = subscription_of(other)

        waits.refresh_from_db()
        assert PushSubscription.objects.get().owner == other
        assert second.pk != first.pk
        assert (waits.status, waits.because) == ("dropped", "browser_gone")

    def test_a_person_has_at_most_ten(self):
        owner = person()
        for number in range(10):
            subscription_of(owner, endpoint=f"https://push.example.com/{number}")

        with pytest.raises(TooManySubscriptions, match="10 browsers"):
            subscription_of(owner, endpoint="https://push.example.com/another")
        assert PushSubscription.objects.count() == 10
        assert subscription_of(owner, endpoint="https://push.example.com/3").pk

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("endpoint", {"endpoint": "https://10.0.0.1/send"}),
            ("endpoint", {"endpoint": "ftp://push.example.com/send"}),
            ("keys.auth", {"auth": ""}),
            ("keys.auth", {"auth": "AAAA"}),
            ("keys.auth", {"auth": "not base64!"}),
            ("keys.p256dh", {"p256dh": ""}),
            ("keys.p256dh", {"p256dh": "BAAA"}),
            ("keys.p256dh", {"p256dh": "B" + "A" * 86}),
            ("keys.p256dh", {"p256dh": "grüße"}),
            ("label", {"label": "x" * 201}),
        ],
    )
    def test_what_is_no_browser_is_refused(self, field, wrong):
        by = browser()
        right = {"endpoint": "https://push.example.com/a", "p256dh": by.p256dh, "auth": by.auth}

        with pytest.raises(InvalidDestination) as told:
            push.subscribe(owner=person(), now=NOW, **{**right, **wrong})

        assert told.value.field == field
        assert not PushSubscription.objects.exists()

    def test_one_that_is_taken_away_gets_nothing_more(self):
        row = subscription_of(person())
        waits = delivery_to(row)

        push.unsubscribe(subscription_id=row.pk, actor=row.owner, now=LATER)

        waits.refresh_from_db()
        assert not PushSubscription.objects.exists()
        assert (waits.status, waits.finished_at) == ("dropped", LATER)

    def test_somebody_elses_is_not_found_and_stays(self):
        row = subscription_of(person())

        with pytest.raises(SubscriptionNotFound):
            push.unsubscribe(subscription_id=row.pk, actor=person(), now=LATER)
        assert PushSubscription.objects.exists()


class TestKey:
    def test_it_is_made_once_and_kept_sealed(self):
        first, second = push.public_key(), push.public_key()

        row = VapidKey.objects.get()
        private = decoded(sealing.unseal(row.private))
        assert first == second == row.public
        assert private not in bytes(row.private)
        assert len(decoded(first)) == 65
        assert load_der_private_key(private, None).public_key().public_numbers() == (
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(first)).public_numbers()
        )


def pushed(row, *, told=(), **fields):
    """What the service of a browser got, as head and body, and the receipt."""
    delivery = delivery_to(row, **fields)
    with receiving(CREATED) as receiver:
        PushSubscription.objects.filter(pk=row.pk).update(endpoint=f"{receiver.url}/secret-place")
        content = PUSH.compose(delivery, owner=row.owner, items=list(told), now=NOW)
        to = PUSH.reach(delivery, owner=row.owner)
        receipt = PUSH.send(content, to=to, key=delivery.pk, attempt=1)
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = [line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body, receipt, receiver, delivery


def read(by, body):
    """What the browser reads."""
    return json.loads(http_ece.decrypt(body, private_key=by.key, auth_secret=by.auth_bytes, version="aes128gcm"))


class TestContent:
    def test_only_the_browser_reads_what_is_told(self):
        by = browser()
        row = subscription_of(person(), by=by)
        one = notification_of(row.owner, title="Grüße", text="Due in 30 minutes.", task_id=row.pk)

        _, body, _, _, delivery = pushed(row, told=[one])

        assert read(by, body) == {
            "kind": "reminder",
            "title": "Grüße",
            "body": "Due in 30 minutes.",
            "urgent": False,
            "tag": str(row.pk),
            "url": f"https://tasks.example.org/api/v1/tasks/{row.pk}/",
            "delivery_id": str(delivery.pk),
            "task_id": str(row.pk),
            "notification_ids": [str(one.pk)],
        }
        assert "Grüße".encode() not in body
        with pytest.raises(http_ece.ECEException):
            read(browser(), body)

    def test_several_are_told_as_one(self):
        by = browser()
        row = subscription_of(person(), by=by)
        told = [notification_of(row.owner, title=title) for title in ("Buy milk", "Call Ada")]

        _, body, _, _, delivery = pushed(row, told=told)

        content = read(by, body)
        assert (content["title"], content["body"]) == ("2 notifications", "Buy milk\nCall Ada")
        assert (content["tag"], content["task_id"]) == (str(delivery.pk), None)
        assert content["url"] == "https://tasks.example.org/api/v1/notifications/"
        assert content["notification_ids"] == [str(one.pk) for one in told]

    @pytest.mark.parametrize(
        ("title", "text", "count"),
        [
            ("a" * 500, "b" * 100_000, 1),
            ("🎂" * 500, "🎂" * 5000, 1),
            ('"' * 500, "\\" * 9000, 1),
            ("🎂" * 500, "", 200),
        ],
    )
    def test_what_is_too_long_is_cut_to_what_services_take(self, title, text, count):
        by = browser()
        row = subscription_of(person(), by=by)
        told = [notification_of(row.owner, title=title, text=text, about_at=NOW) for _ in range(count)]

        _, body, _, _, _ = pushed(row, told=told)

        content = read(by, body)
        assert len(body) <= 4096
        assert len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_CONTENT_BYTES - 600
        assert content["body"].endswith("…")
        assert len(content["notification_ids"]) == min(count, 20)

    @pytest.mark.parametrize(("urgent", "urgency"), [(True, "high"), (False, "normal")])
    def test_its_service_learns_how_urgent_it_is_and_how_long_it_is_worth_keeping(self, urgent, urgency):
        row = subscription_of(person())

        headers, _, _, _, delivery = pushed(row, urgent=urgent)

        assert (headers["urgency"], headers["ttl"], headers["content-encoding"]) == (urgency, "86400", "aes128gcm")
        assert base64.urlsafe_b64decode(headers["topic"] + "==") == delivery.pk.bytes
        assert len(headers["topic"]) <= 32

    def test_its_service_believes_that_it_is_us(self):
        headers, _, _, receiver, _ = pushed(subscription_of(person()))

        parts = dict(one.split("=", 1) for one in headers["authorization"].removeprefix("vapid ").split(","))
        claims = json.loads(decoded(parts["t"].split(".")[1]))
        assert Vapid02.verify(headers["authorization"])
        assert parts["k"] == push.public_key()
        assert (claims["aud"], claims["sub"]) == (f"http://127.0.0.1:{receiver.port}", "mailto:ops@example.org")
        forged = headers["authorization"].replace("t=ey", "t=eY")
        assert not Vapid02.verify(forged)

    def test_nothing_secret_is_kept_shown_or_logged(self):
        by = browser()
        row = subscription_of(person(), by=by)

        with capture_logs() as logs:
            headers, _, receipt, _, delivery = pushed(row)

        to = PUSH.reach(delivery, owner=row.owner)
        shown = f"{receipt!r} {to!r} {logs!r} {row!r}"
        private = sealing.unseal(VapidKey.objects.get().private)
        for secret in ("secret-place", by.auth, by.p256dh, private, headers["authorization"]):
            assert secret not in shown
        assert receipt.request["host"] == "127.0.0.1"
        assert receipt.response["status"] == 201


class TestAnswers:
    def answered(self, row, status, *headers):
        delivery = delivery_to(row)
        content = PUSH.compose(delivery, owner=row.owner, items=[], now=NOW)
        with receiving(answering(status, *headers)) as receiver:
            PushSubscription.objects.filter(pk=row.pk).update(endpoint=receiver.url)
            to = PUSH.reach(delivery, owner=row.owner)
            reason = ending(PUSH, content, to=to, delivery=delivery)
        PUSH.settled(delivery, outcome=reason, now=LATER)
        return reason

    @pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
    def test_a_browser_that_is_gone_is_taken_away(self, status):
        row = subscription_of(person())
        waits = delivery_to(row)

        reason = self.answered(row, status)

        waits.refresh_from_db()
        assert (type(reason), reason.gone) == (Refused, True)
        assert "pushed to no more" in reason.reason
        assert not PushSubscription.objects.exists()
        assert (waits.status, waits.because) == ("dropped", "browser_gone")

    @pytest.mark.parametrize("status", ["429 Busy", "500 No", "503 Busy", "408 Slow"])
    def test_what_may_work_later_is_tried_again(self, status):
        row = subscription_of(person())

        reason = self.answered(row, status, "Retry-After: 90")

        row.refresh_from_db()
        assert (type(reason), reason.after_seconds, row.failures) == (TryAgain, 90, 1)

    @pytest.mark.parametrize("status", ["400 Bad", "401 Who", "403 No", "413 Big", "301 There"])
    def test_what_never_works_is_refused_and_the_browser_stays(self, status):
        row = subscription_of(person())

        reason = self.answered(row, status)

        row.refresh_from_db()
        assert (type(reason), reason.gone, row.failures) == (Refused, False, 1)
        assert f"answered {status[:3]}" in reason.reason

    def test_a_success_is_remembered(self):
        row = subscription_of(person())
        PushSubscription.objects.filter(pk=row.pk).update(failures=7)

        PUSH.settled(delivery_to(row), outcome=Receipt(), now=LATER)

        row.refresh_from_db()
        assert (row.failures, row.succeeded_at) == (0, LATER)

    def test_a_place_that_is_private_is_refused_and_not_called(self, settings):
        row = subscription_of(person())
        delivery = delivery_to(row)
        content = PUSH.compose(delivery, owner=row.owner, items=[], now=NOW)
        with receiving(CREATED) as receiver:
            PushSubscription.objects.filter(pk=row.pk).update(endpoint=receiver.url)
            settings.WEBHOOK_ALLOWED_NETWORKS = []
            to = PUSH.reach(delivery, owner=row.owner)
            reason = ending(PUSH, content, to=to, delivery=delivery)

        assert isinstance(reason, Refused)
        assert receiver.connections == 0

    def test_a_silent_service_is_tried_again(self):
        row = subscription_of(person())
        delivery = delivery_to(row)
        content = PUSH.compose(delivery, owner=row.owner, items=[], now=NOW)
        with receiving(lambda *_: None) as receiver:
            PushSubscription.objects.filter(pk=row.pk).update(endpoint=receiver.url)
            to = PUSH.reach(delivery, owner=row.owner)
            reason = ending(PUSH, content, to=to, delivery=delivery)

        assert isinstance(reason, TryAgain)


class TestReaching:
    def test_one_that_is_gone_or_somebody_elses_is_not_reached(self):
        row = subscription_of(person())
        delivery = delivery_to(row)

        with pytest.raises(Unreachable):
            PUSH.reach(delivery, owner=person())
        push.unsubscribe(subscription_id=row.pk, actor=row.owner, now=NOW)
        with pytest.raises(Unreachable):
            PUSH.reach(delivery, owner=row.owner)

    def test_destinations_of_all_come_in_one_query(self, django_assert_num_queries):
        one, other = person(), person()
        rows = [subscription_of(one, endpoint=f"https://push.example.com/{number}") for number in range(2)]
        people = list(User.objects.filter(pk__in=[one.pk, other.pk]))

        with django_assert_num_queries(1):
            found = PUSH.destinations(people)

        assert found == {one.pk: [Destination(str(row.pk)) for row in rows]}
        assert not Delivery.objects.exists()
