"""Webhooks as their owners have them: made, changed, switched on and off, tested, told again."""

from datetime import timedelta
from uuid import uuid4

import pytest
from standardwebhooks import Webhook as Receiver
from structlog.testing import capture_logs

from apps.notifications import sealing
from apps.notifications.exceptions import (
    DeliveryNotFound,
    InvalidDestination,
    TooManyWebhooks,
    WebhookNotFound,
    WebhookOff,
)
from apps.notifications.models import Delivery, WebhookEndpoint
from apps.notifications.services import webhook_books, webhooks
from apps.notifications.transports.base import Receipt, Refused, TryAgain
from apps.tasks.exceptions import StaleVersion
from tests.notifications.destinations import delivery_to, notification_of, webhook_of
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)
OK = Receipt({}, {})
NO = TryAgain("The receiver answered 500.")


def statuses(**where):
    return list(Delivery.objects.filter(**where).order_by("pk").values_list("status", flat=True))


class TestMaking:
    def test_a_webhook_is_made_enabled_with_a_secret_of_its_own(self):
        owner = person()

        made = webhook_of(owner, url="https://Hooks.example.com", description="Display")

        row = WebhookEndpoint.objects.get()
        assert (row.url, row.description, row.status) == ("https://hooks.example.com/", "Display", "enabled")
        assert (row.version, row.created_at, row.failures) == (1, NOW, 0)
        assert made.secret.startswith("whsec_")
        assert len(Receiver(made.secret)._whsecret) == 32

    def test_its_secret_is_kept_sealed_and_shown_by_nothing(self):
        with capture_logs() as logs:
            made = webhook_of(person())

        sealed = bytes(WebhookEndpoint.objects.get().secret)
        assert made.secret.encode() not in sealed
        assert sealing.unseal(sealed) == made.secret
        assert made.secret not in f"{made!r} {made.endpoint!r} {made.endpoint} {logs}"

    @pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://10.0.0.1/", "https://a:b@c.org/", "x"])
    def test_a_url_that_is_never_called_is_refused(self, url):
        with pytest.raises(InvalidDestination) as told:
            webhook_of(person(), url=url)

        assert told.value.field == "url"
        assert not WebhookEndpoint.objects.exists()

    @pytest.mark.parametrize("description", ["x" * 201, "a\0b"])
    def test_a_description_that_cannot_be_kept_is_refused(self, description):
        with pytest.raises(InvalidDestination) as told:
            webhook_of(person(), description=description)

        assert told.value.field == "description"
        assert not WebhookEndpoint.objects.exists()

    def test_a_person_has_at_most_twenty(self):
        owner = person()
        for _ in range(20):
            webhook_of(owner)

        with pytest.raises(TooManyWebhooks, match="20 webhooks"):
            webhook_of(owner)
        assert WebhookEndpoint.objects.count() == 20
        assert webhook_of(person()).endpoint.pk


class TestChanging:
    def test_its_url_and_description_are_changed_and_counted(self):
        made = webhook_of(person())
        changes = {"url": "https://other.example.com/x", "description": "Hall"}

        row = webhooks.change(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, changes=changes, now=LATER)

        row.refresh_from_db()
        assert (row.url, row.description, row.version) == ("https://other.example.com/x", "Hall", 2)
        assert row.updated_at == LATER

    def test_the_same_again_is_no_change(self):
        made = webhook_of(person())

        webhooks.change(
            endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, changes={"url": made.endpoint.url}, now=LATER
        )

        assert WebhookEndpoint.objects.values_list("version", "updated_at").get() == (1, NOW)

    @pytest.mark.parametrize(("name", "value"), [("status", "failing"), ("url", "https://127.0.0.1/"), ("secret", "x")])
    def test_what_cannot_be_is_refused_and_nothing_is_changed(self, name, value):
        made = webhook_of(person())
        before = WebhookEndpoint.objects.values().get()

        with pytest.raises(InvalidDestination) as told:
            webhooks.change(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, changes={name: value}, now=LATER)

        assert told.value.field == name
        assert WebhookEndpoint.objects.values().get() == before


@pytest.mark.parametrize(
    "command",
    [
        lambda **who: webhooks.change(changes={"description": "x"}, **who),
        webhooks.rotate_secret,
        webhooks.disable,
        webhooks.enable,
        webhooks.delete,
        webhooks.test,
        lambda **who: webhooks.redeliver(delivery_id=uuid4(), **who),
        lambda **who: webhooks.redeliver_range(since=NOW, **who),
    ],
)
def test_somebody_elses_webhook_is_not_found_and_not_touched(command):
    made = webhook_of(person())
    before = WebhookEndpoint.objects.values().get()

    with pytest.raises(WebhookNotFound):
        command(endpoint_id=made.endpoint.pk, actor=person(), now=LATER)

    assert WebhookEndpoint.objects.values().get() == before
    assert not Delivery.objects.exists()


class TestRotation:
    def test_the_secret_before_lives_for_a_day_and_none_before_that(self):
        first = webhook_of(person())
        who = {"endpoint_id": first.endpoint.pk, "actor": first.endpoint.owner}

        second = webhooks.rotate_secret(now=NOW, **who)
        third = webhooks.rotate_secret(now=LATER, **who)

        row = WebhookEndpoint.objects.get()
        assert len({first.secret, second.secret, third.secret}) == 3
        assert (sealing.unseal(row.secret), sealing.unseal(row.previous_secret)) == (third.secret, second.secret)
        assert row.previous_secret_until == LATER + timedelta(hours=24)
        assert row.version == 3


class TestSwitching:
    def test_what_is_to_come_for_one_that_is_off_is_held(self):
        made, other = webhook_of(person()), webhook_of(person())
        delivery_to(made.endpoint)
        delivery_to(made.endpoint, status="collecting")
        delivery_to(made.endpoint, status="delivered")
        delivery_to(made.endpoint, status="sending")
        delivery_to(made.endpoint, kind="test")
        delivery_to(other.endpoint)

        row = webhooks.disable(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=LATER)

        assert (row.status, row.disabled_at, row.disabled_because) == ("disabled", LATER, "You switched it off.")
        assert statuses(destination=str(row.pk)) == ["held", "held", "delivered", "sending", "waiting"]
        assert statuses(destination=str(other.endpoint.pk)) == ["waiting"]

    def test_by_staff_it_says_so(self):
        made, staff = webhook_of(person()), person(is_staff=True)

        row = webhooks.disable(endpoint_id=made.endpoint.pk, actor=staff, as_staff=True, now=LATER)

        assert (row.status, row.disabled_because) == ("disabled", "Staff switched it off.")

    def test_switched_off_again_is_no_change(self):
        made = webhook_of(person())
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner}
        webhooks.disable(now=NOW, **who)

        webhooks.disable(now=LATER, **who)

        assert WebhookEndpoint.objects.values_list("version", "disabled_at").get() == (2, NOW)

    def test_on_again_what_was_held_goes_out_in_its_order(self):
        made = webhook_of(person())
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner}
        webhooks.disable(now=NOW, **who)
        held = [delivery_to(made.endpoint, status="held") for _ in range(5)]

        row = webhooks.enable(now=LATER, **who)

        going = list(Delivery.objects.order_by("send_at").values_list("pk", "status"))
        assert going == [(one.pk, "waiting") for one in held]
        assert Delivery.objects.order_by("send_at").values_list("send_at", flat=True).first() == LATER
        assert (row.status, row.disabled_at, row.disabled_because, row.failures) == ("enabled", None, "", 0)

    def test_what_was_held_for_more_than_a_week_is_dropped(self):
        made = webhook_of(person())
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner}
        webhooks.disable(now=NOW, **who)
        delivery_to(made.endpoint, status="held", created_at=NOW)
        delivery_to(made.endpoint, status="held", created_at=NOW + timedelta(seconds=1))

        webhooks.enable(now=NOW + timedelta(days=7, seconds=1), **who)

        assert statuses() == ["dropped", "waiting"]
        assert Delivery.objects.get(status="dropped").because == "held_too_long"

    def test_one_that_is_on_is_left_as_it_is(self):
        made = webhook_of(person())

        webhooks.enable(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=LATER)

        assert WebhookEndpoint.objects.values_list("version", "updated_at").get() == (1, NOW)

    def test_taken_away_what_was_to_go_to_it_is_dropped(self):
        made = webhook_of(person())
        delivery_to(made.endpoint)
        delivery_to(made.endpoint, status="held")
        delivery_to(made.endpoint, status="delivered")

        webhooks.delete(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=LATER)

        assert not WebhookEndpoint.objects.exists()
        assert statuses() == ["dropped", "dropped", "delivered"]
        assert set(Delivery.objects.filter(status="dropped").values_list("because", "finished_at")) == {
            ("endpoint_removed", LATER)
        }


class TestBooks:
    def fail(self, row, *, times, now, outcome=NO):
        for _ in range(times):
            webhook_books.keep(delivery_to(row), outcome=outcome, now=now)
        row.refresh_from_db()

    def test_failures_are_counted_in_a_row_and_forgotten_by_a_success(self):
        row = webhook_of(person()).endpoint
        self.fail(row, times=3, now=NOW)
        assert (row.failures, row.failing_since) == (3, NOW)

        webhook_books.keep(delivery_to(row), outcome=OK, now=LATER)

        row.refresh_from_db()
        assert (row.failures, row.failing_since, row.succeeded_at) == (0, None, LATER)

    def test_for_five_days_and_twenty_times_it_is_switched_off(self):
        row = webhook_of(person()).endpoint
        self.fail(row, times=19, now=NOW)
        waits = delivery_to(row)

        self.fail(row, times=1, now=NOW + timedelta(days=5))

        waits.refresh_from_db()
        assert (row.status, waits.status) == ("failing", "held")
        assert row.disabled_because == (
            "It has failed for 5 days, 20 times in a row. The last time: The receiver answered 500."
        )

    @pytest.mark.parametrize(
        ("times", "after"), [(18, timedelta(days=30)), (500, timedelta(days=5) - timedelta(seconds=1))]
    )
    def test_not_long_or_not_often_enough_it_stays_on(self, times, after):
        row = webhook_of(person()).endpoint
        self.fail(row, times=times, now=NOW)

        self.fail(row, times=1, now=NOW + after)

        assert (row.status, row.failures) == ("enabled", times + 1)

    def test_who_says_it_is_gone_is_switched_off_at_once(self):
        row = webhook_of(person()).endpoint
        waits = delivery_to(row)

        self.fail(row, times=1, now=NOW, outcome=Refused("The receiver answered 410.", gone=True))

        waits.refresh_from_db()
        assert (row.status, row.disabled_because, waits.status) == ("failing", "The receiver answered 410.", "held")

    def test_what_was_on_its_way_while_it_was_switched_off_is_held_afterwards(self):
        made = webhook_of(person())
        under_way = delivery_to(made.endpoint, status="sending")
        webhooks.disable(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=NOW)
        Delivery.objects.filter(pk=under_way.pk).update(status="waiting")

        webhook_books.keep(under_way, outcome=NO, now=LATER)

        under_way.refresh_from_db()
        made.endpoint.refresh_from_db()
        assert (under_way.status, made.endpoint.failures) == ("held", 0)

    def test_what_was_on_its_way_while_it_was_taken_away_is_dropped_afterwards(self):
        made = webhook_of(person())
        under_way = delivery_to(made.endpoint, status="sending")
        webhooks.delete(endpoint_id=made.endpoint.pk, actor=made.endpoint.owner, now=NOW)
        Delivery.objects.filter(pk=under_way.pk).update(status="waiting")

        webhook_books.keep(under_way, outcome=NO, now=LATER)

        under_way.refresh_from_db()
        assert under_way.status == "dropped"


class TestTestFire:
    def test_a_test_waits_to_go_at_once_also_to_one_that_is_off(self):
        made = webhook_of(person())
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner}
        webhooks.disable(now=NOW, **who)

        delivery = webhooks.test(now=LATER, **who)

        delivery.refresh_from_db()
        assert (delivery.kind, delivery.status, delivery.send_at) == ("test", "waiting", LATER)
        assert (delivery.transport, delivery.destination) == ("webhook", str(made.endpoint.pk))

    def test_one_that_is_still_to_go_is_enough(self):
        made = webhook_of(person())
        who = {"endpoint_id": made.endpoint.pk, "actor": made.endpoint.owner}

        first, second = webhooks.test(now=NOW, **who), webhooks.test(now=LATER, **who)

        assert first.pk == second.pk
        assert Delivery.objects.count() == 1


class TestAgain:
    def sent(self, row, **fields):
        content = {"id": str(uuid4()), "type": "notification.created.v1"}
        return delivery_to(row, **{"status": "delivered", "content": content, **fields})

    def test_one_goes_out_again_with_what_it_told_by_the_id_it_had(self):
        owner = person()
        row = webhook_of(owner).endpoint
        told = [notification_of(owner), notification_of(owner)]
        first = self.sent(row, told=told, urgent=True)

        again = webhooks.redeliver(endpoint_id=row.pk, actor=owner, delivery_id=first.pk, now=LATER)

        (made,) = again.deliveries
        made.refresh_from_db()
        assert again.is_all
        assert (made.status, made.send_at, made.kind, made.urgent) == ("waiting", LATER, "reminder", True)
        assert (made.content, made.redelivery_of_id) == (first.content, first.pk)
        assert set(made.items.values_list("notification_id", flat=True)) == {one.pk for one in told}
        first.refresh_from_db()
        assert first.status == "delivered"

    def test_what_is_a_repetition_is_repeated_as_the_first(self):
        owner = person()
        row = webhook_of(owner).endpoint
        first = self.sent(row, status="failed")
        second = self.sent(row, content=first.content, redelivery_of=first)

        again = webhooks.redeliver(endpoint_id=row.pk, actor=owner, delivery_id=second.pk, now=LATER)

        assert again.deliveries[0].redelivery_of_id == first.pk

    def test_what_was_not_sent_yet_or_not_to_it_is_not_found(self):
        owner = person()
        row, other = webhook_of(owner).endpoint, webhook_of(owner).endpoint
        wrong = [self.sent(row, status="waiting"), self.sent(other), delivery_to(row, status="delivered")]

        for one in wrong:
            with pytest.raises(DeliveryNotFound):
                webhooks.redeliver(endpoint_id=row.pk, actor=owner, delivery_id=one.pk, now=LATER)
        assert Delivery.objects.count() == 3

    def test_a_range_goes_out_again_the_oldest_first(self):
        owner = person()
        row = webhook_of(owner).endpoint
        made = [self.sent(row, created_at=NOW + timedelta(minutes=minute)) for minute in (3, 1, 2, 0, 4)]
        self.sent(row, created_at=NOW + timedelta(minutes=2), redelivery_of=made[0])
        self.sent(row, created_at=NOW + timedelta(minutes=2), kind="test")

        again = webhooks.redeliver_range(
            endpoint_id=row.pk,
            actor=owner,
            since=NOW + timedelta(minutes=1),
            until=NOW + timedelta(minutes=4),
            now=LATER,
        )

        assert again.is_all
        going = Delivery.objects.filter(status="waiting").order_by("send_at").values_list("redelivery_of_id", flat=True)
        assert list(going) == [made[1].pk, made[2].pk, made[0].pk]

    def test_of_a_long_range_a_hundred_go_and_that_there_are_more_is_told(self):
        owner = person()
        row = webhook_of(owner).endpoint
        for second in range(101):
            self.sent(row, created_at=NOW + timedelta(seconds=second))
        who = {"endpoint_id": row.pk, "actor": owner, "now": LATER}

        some = webhooks.redeliver_range(since=NOW, **who)
        rest = webhooks.redeliver_range(since=NOW + timedelta(seconds=100), **who)

        assert (len(some.deliveries), some.is_all) == (100, False)
        assert (len(rest.deliveries), rest.is_all) == (1, True)

    def test_nothing_goes_again_to_one_that_is_off(self):
        owner = person()
        row = webhook_of(owner).endpoint
        one = self.sent(row)
        who = {"endpoint_id": row.pk, "actor": owner, "now": LATER}
        webhooks.disable(**who)

        with pytest.raises(WebhookOff):
            webhooks.redeliver(delivery_id=one.pk, **who)
        with pytest.raises(WebhookOff):
            webhooks.redeliver_range(since=NOW, **who)
        assert Delivery.objects.count() == 1


class TestSeenVersions:
    @pytest.mark.parametrize(
        ("service", "more"),
        [
            (webhooks.change, {"changes": {"description": "Hall"}}),
            (webhooks.rotate_secret, {}),
            (webhooks.disable, {}),
            (webhooks.enable, {}),
            (webhooks.delete, {}),
        ],
    )
    def test_who_has_seen_another_version_changes_nothing(self, service, more):
        row = webhook_of(person()).endpoint
        webhooks.change(endpoint_id=row.pk, actor=row.owner, changes={"description": "Display"}, now=NOW)
        before = list(WebhookEndpoint.objects.values())

        with pytest.raises(StaleVersion) as told:
            service(endpoint_id=row.pk, actor=row.owner, now=LATER, expected_version=1, **more)

        assert told.value.current.version == 2
        assert list(WebhookEndpoint.objects.values()) == before

    def test_who_has_seen_what_there_is_changes_it(self):
        row = webhook_of(person()).endpoint

        off = webhooks.disable(endpoint_id=row.pk, actor=row.owner, now=LATER, expected_version=1)

        assert (off.status, off.version) == ("disabled", 2)
