"""What is told of attempts: to the reminder they were of, in the log, and to who asks for another."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
import structlog
from django.db import transaction

from apps.events.models import Event
from apps.notifications import signals
from apps.notifications.events import ReminderEvent
from apps.notifications.exceptions import DeliveryForgotten, DeliveryNotFailed, DeliveryNotFound
from apps.notifications.models import Delivery, RemindedTask, Reminder
from apps.notifications.publishers import reminder_state
from apps.notifications.sending.fairness import Room
from apps.notifications.sending.sender import Sender
from apps.notifications.services import deliveries, reminders, sending, webhooks
from apps.notifications.services.sending import Finished
from apps.notifications.signals import Change
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import Refused, TryAgain
from tests.notifications.destinations import webhook_of
from tests.notifications.given import database_instant, delivery, notification
from tests.support.factories import person, task_of

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def ada(db):
    return person("ada")


def run():
    return Sender(linger_seconds=0).run()


def raising(reason):
    def act():
        raise reason

    return act


def reminder_of(owner):
    """One that was triggered just now, of an open task."""
    now = datetime.now(UTC)
    task = task_of(owner)
    RemindedTask.objects.create(
        task_id=task.pk, owner=owner, version=1, title=task.title, status="pending", priority="none"
    )
    row = Reminder.objects.create(
        owner=owner,
        task_id=task.pk,
        origin="asked",
        planned_for=now,
        trigger_at=now,
        status="triggered",
        triggers=1,
        created_at=now,
        updated_at=now,
    )
    fact = Change(fact=ReminderEvent.SCHEDULED, row=row, version=1, state=reminder_state(row))
    signals.reminders_changed.send(sender=Reminder, changes=[fact], occurred_at=now)
    return row


def told_of(reminder):
    """What the log has of it since, without the reminder itself."""
    facts = Event.objects.filter(subject_id=reminder.pk, subject_version__gt=1).order_by("subject_version")
    return [(fact.type, {key: fact.data[key] for key in fact.data if key != "reminder"}) for fact in facts]


class TestReminders:
    def test_a_delivery_that_got_through_is_told_of_its_reminder(self, ada, post):
        reminder = reminder_of(ada)
        item = notification(ada, task_id=reminder.task_id, reminder_id=reminder.pk)
        row = delivery(ada, item, attempts=1)

        run()

        reminder.refresh_from_db()
        assert (reminder.status, reminder.version) == ("delivered", 2)
        assert told_of(reminder) == [
            (
                "reminder.delivered.v1",
                {
                    "transport": "letters",
                    "notification_id": str(item.pk),
                    "delivery_id": str(row.pk),
                    "attempts": 2,
                },
            )
        ]

    def test_one_that_was_given_up_is_told_with_its_error(self, ada, post):
        post.doing[""] = raising(Refused("Moved away."))
        reminder = reminder_of(ada)
        row = delivery(ada, notification(ada, task_id=reminder.task_id, reminder_id=reminder.pk))

        run()

        reminder.refresh_from_db()
        assert reminder.status == "failed"
        ((fact, told),) = told_of(reminder)
        assert (fact, told["delivery_id"], told["error"]) == ("reminder.failed.v1", str(row.pk), "Moved away.")

    def test_nothing_is_told_of_an_attempt_that_is_tried_again(self, ada, post):
        post.doing[""] = raising(TryAgain("Later."))
        reminder = reminder_of(ada)
        delivery(ada, notification(ada, task_id=reminder.task_id, reminder_id=reminder.pk))

        run()

        reminder.refresh_from_db()
        assert (reminder.status, told_of(reminder)) == ("triggered", [])

    def test_what_is_told_and_the_delivery_are_kept_together_or_not_at_all(self, ada, post, monkeypatch):
        reminder = reminder_of(ada)
        row = delivery(ada, notification(ada, task_id=reminder.task_id, reminder_id=reminder.pk))
        bob = person("bob")
        other = delivery(bob)
        write = sending._write

        def fails_for_ada(ours, **more):
            write(ours, **more)
            assert ada not in [each.claimed.owner for each, _ in ours], "a row that cannot be kept"

        monkeypatch.setattr(sending, "_write", fails_for_ada)
        Sender(linger_seconds=0, budget_seconds=1).run()

        row.refresh_from_db()
        other.refresh_from_db()
        assert (row.status, other.status) == ("sending", "delivered")
        assert told_of(reminder) == []


class TestADestinationThatIsOff:
    def test_keeps_what_would_be_given_up(self, ada, post, monkeypatch):
        monkeypatch.setattr(transport_named("letters"), "is_off", lambda _: True)
        post.doing[""] = raising(TryAgain("Full."))
        reminder = reminder_of(ada)
        row = delivery(ada, notification(ada, task_id=reminder.task_id, reminder_id=reminder.pk), attempts=2)

        run()

        row.refresh_from_db()
        assert (row.status, row.attempts, row.finished_at, told_of(reminder)) == ("waiting", 3, None, [])

    def test_one_that_is_on_gives_up(self, ada, post):
        """The control."""
        post.doing[""] = raising(TryAgain("Full."))
        row = delivery(ada, attempts=2)

        run()

        row.refresh_from_db()
        assert row.status == "failed"

    def test_of_a_webhook_it_is_held_and_begins_anew_when_that_is_on_again(self, ada):
        endpoint = webhook_of(ada).endpoint
        row = delivery(ada, transport="webhook", destination=str(endpoint.pk), attempts=29, content={"type": "x"})
        (claimed,) = sending.claim(transport=transport_named("webhook"), room=Room(1, 1, 1))
        who = {"endpoint_id": endpoint.pk, "actor": ada, "now": database_instant()}
        webhooks.disable(**who)

        sending.finish([Finished(claimed, TryAgain("503"), 0.1)])

        row.refresh_from_db()
        assert (row.status, row.because, row.attempts) == ("held", "endpoint_off", 30)
        webhooks.enable(**who)
        row.refresh_from_db()
        assert (row.status, row.attempts) == ("waiting", 0)


class TestAnew:
    """What is delivered again by the id it had."""

    @pytest.mark.parametrize(
        ("before", "told"),
        [
            (partial(reminders.failed, error="No."), ["reminder.failed.v1", "reminder.delivered.v1"]),
            (reminders.delivered, ["reminder.delivered.v1"]),
        ],
    )
    def test_tells_of_a_reminder_only_where_it_had_failed(self, ada, post, before, told):
        reminder = reminder_of(ada)
        of = notification(ada, task_id=reminder.task_id, reminder_id=reminder.pk)
        with transaction.atomic():
            before([of], transport="letters", now=database_instant())
        first = delivery(ada, of, status="failed", content={"x": 1}, finished_at=database_instant())
        delivery(ada, of, redelivery_of=first, content={"x": 1})

        run()

        reminder.refresh_from_db()
        assert ([fact for fact, _ in told_of(reminder)], reminder.status) == (told, "delivered")


class TestLog:
    def test_there_is_a_line_for_each_attempt_and_each_end(self, ada, post):
        post.doing[""] = raising(TryAgain("Full."))
        row = delivery(ada, attempts=2)
        with structlog.testing.capture_logs() as lines:
            run()

        mine = [line for line in lines if line.get("delivery_id") == str(row.pk)]
        attempted, failed = mine
        assert (attempted["event"], attempted["outcome"], attempted["error"]) == (
            "delivery_attempted",
            "retry",
            "Full.",
        )
        assert (attempted["transport"], attempted["attempt"], attempted["seconds"] >= 0) == ("letters", 3, True)
        assert (failed["event"], failed["error"]) == ("delivery_failed", "Full.")

    def test_one_that_got_through_says_so(self, ada, post):
        delivery(ada)
        with structlog.testing.capture_logs() as lines:
            run()

        assert [line["event"] for line in lines if "delivery_id" in line] == [
            "delivery_attempted",
            "delivery_delivered",
        ]


class TestRetry:
    def failed(self, ada, post, **fields):
        post.doing[""] = raising(Refused("Moved away."))
        row = delivery(ada, **fields)
        run()
        post.doing.clear()
        return row

    def test_what_failed_is_tried_anew_with_the_same_key_and_counts_on(self, ada, post):
        row = self.failed(ada, post)

        deliveries.retry(delivery_id=row.pk, actor=ada, now=database_instant())
        run()

        row.refresh_from_db()
        assert (row.status, row.attempts, row.error) == ("delivered", 1, "")
        assert list(row.tries.order_by("number").values_list("number", "outcome")) == [(1, "refused"), (2, "delivered")]
        assert post.keys() == [row.pk, row.pk]

    def test_it_goes_out_although_it_was_read_meanwhile(self, ada, post):
        row = self.failed(ada, post)
        row.items.update(notification=notification(ada, status="read"))

        deliveries.retry(delivery_id=row.pk, actor=ada, now=database_instant())
        run()

        row.refresh_from_db()
        assert row.status == "delivered"

    def test_what_is_not_kept_any_more_is_not_composed_anew_under_its_key(self, ada, post):
        row = self.failed(ada, post)
        month_ago = database_instant() - timedelta(days=31)
        Delivery.objects.update(content=None, finished_at=month_ago)

        with pytest.raises(DeliveryForgotten, match="not kept any more"):
            deliveries.retry(delivery_id=row.pk, actor=ada, now=database_instant())

        row.refresh_from_db()
        assert (row.status, row.finished_at) == ("failed", month_ago)

    def test_what_was_never_composed_may_be(self, ada, post):
        """The control: of a young one nobody has anything."""
        row = self.failed(ada, post)
        Delivery.objects.update(content=None)

        assert deliveries.retry(delivery_id=row.pk, actor=ada, now=database_instant()).status == "waiting"

    @pytest.mark.parametrize("status", ["collecting", "waiting", "sending", "delivered", "held", "dropped"])
    def test_what_has_not_failed_is_not_tried_by_hand(self, ada, post, status):
        row = delivery(ada, status=status, ago=-timedelta(hours=1))
        before = Delivery.objects.filter(pk=row.pk).values().get()

        with pytest.raises(DeliveryNotFailed, match=status):
            deliveries.retry(delivery_id=row.pk, actor=ada, now=database_instant())

        assert Delivery.objects.filter(pk=row.pk).values().get() == before

    def test_somebody_elses_is_not_there(self, ada, post):
        row = self.failed(ada, post)

        for delivery_id, actor in ((row.pk, person("eve")), (uuid4(), ada)):
            with pytest.raises(DeliveryNotFound):
                deliveries.retry(delivery_id=delivery_id, actor=actor, now=database_instant())

        row.refresh_from_db()
        assert row.status == "failed"

    def test_staff_may(self, ada, post):
        row = self.failed(ada, post)

        deliveries.retry(delivery_id=row.pk, actor=person("root", is_staff=True), now=database_instant())

        row.refresh_from_db()
        assert row.status == "waiting"
