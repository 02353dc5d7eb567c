"""From news to what people are told: once, with what was decided about each transport."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.events.errors import PoisonEvent
from apps.events.models import Event
from apps.notifications.exceptions import NobodyToTell
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, DeliveryItem, Notification, RemindedTask, Reminder
from apps.notifications.services import preferences
from apps.notifications.services.reminders import Changes
from apps.notifications.services.telling import tell, tell_reminders
from apps.notifications.transports.base import Destination
from tests.notifications.told import NOON, Pigeon, claimed, decisions, news, only_in_app_and, triggered
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture(autouse=True)
def pigeon():
    pigeon = Pigeon()
    with only_in_app_and(pigeon):
        yield pigeon


def prefer(owner, **changes):
    preferences.change(owner=owner, changes=changes, now=NOW)


def facts(kind):
    return list(Event.objects.filter(type=kind).order_by("position"))


def sent_together():
    """The titles in each delivery, the first delivery first."""
    return [
        [item.notification.title for item in delivery.items.order_by("pk").select_related("notification")]
        for delivery in Delivery.objects.order_by("pk")
    ]


class TestAReminder:
    def test_becomes_one_notification_that_says_what_and_when(self, ada):
        event = triggered(ada.pk)

        (told,) = tell_reminders([event], now=NOON + SECOND)

        told.refresh_from_db()
        assert (told.kind, told.title, told.text) == ("reminder", "Buy milk", "Due today at 14:30.")
        assert (told.status, told.urgent, told.quiet, told.in_inbox) == ("unread", False, False, True)
        assert (told.reminder_id, told.event_id, told.about_at) == (event.subject_id, event.id, NOON)
        assert decisions(told) == {"in_app": "told", "pigeon": "batch"}

    def test_is_told_of_by_an_event_that_it_caused(self, ada):
        event = triggered(ada.pk)

        (told,) = tell_reminders([event], now=NOON)

        (fact,) = facts("notification.created.v1")
        assert (fact.subject_id, fact.subject_version, fact.owner_id, fact.key) == (told.pk, 1, ada.pk, str(ada.pk))
        assert (fact.causation_id, fact.data["notification"]["title"]) == (event.id, "Buy milk")

    @pytest.mark.parametrize(
        ("late_seconds", "told_after", "text"),
        [
            (60, 0, "Due today at 14:30."),
            (61, 0, "Due today at 14:30. This reminder comes 1 min late."),
            (60, 60, "Due today at 14:30. This reminder comes 2 min late."),
            (7200, 0, "Due today at 14:30. This reminder comes 2 h late."),
            (0, 7200, "Was due today at 14:30. This reminder comes 2 h late."),
            (3 * 86400, 0, "Due today at 14:30. This reminder comes 3 days late."),
        ],
    )
    def test_says_how_late_it_is_also_since_it_was_triggered(self, ada, late_seconds, told_after, text):
        event = triggered(ada.pk, late_seconds=late_seconds)

        (told,) = tell_reminders([event], now=NOON + told_after * SECOND)

        assert (told.text, told.late_seconds) == (text, late_seconds + told_after)

    @pytest.mark.parametrize(
        ("task", "text"),
        [
            ({"due_at": None, "due_on": "2026-05-04"}, "Due today."),
            ({"due_at": None, "due_on": "2026-05-05"}, "Due tomorrow."),
            ({"due_at": "2026-05-09T22:30:00Z"}, "Due on 10 May at 00:30."),
            ({"due_at": None}, "You asked to be reminded."),
        ],
    )
    def test_says_when_it_is_due_by_its_owners_clock(self, ada, task, text):
        (told,) = tell_reminders([triggered(ada.pk, task=task)], now=NOON)

        assert told.text == text

    def test_that_is_delivered_to_the_inbox_is_delivered(self, ada):
        task = RemindedTask.objects.create(task_id=uuid4(), owner=ada, version=1, status="pending", priority="none")
        reminder = Reminder(owner=ada, task=task, origin="asked", status="triggered", planned_for=NOON, trigger_at=NOON)
        made = Changes(now=NOON)
        made.make(reminder)
        made.keep()

        tell_reminders([triggered(ada.pk, reminder_id=reminder.pk, task_id=str(task.pk))], now=NOON)

        reminder.refresh_from_db()
        (fact,) = facts("reminder.delivered.v1")
        assert (reminder.status, reminder.version, fact.data["transport"]) == ("delivered", 2, "in_app")

    def test_of_nobody_is_poison_and_nothing_is_kept(self, ada):
        with pytest.raises(PoisonEvent, match="no person"):
            tell_reminders([triggered(ada.pk), triggered(uuid4())], now=NOON)

        assert not Notification.objects.exists()

    def test_of_somebody_erased_is_nothing(self, ada):
        bob = person("bob")
        accounts.deactivate(user_id=bob.pk, now=NOW)
        accounts.erase(user_id=bob.pk, actor=None, now=NOW)

        told = tell_reminders([triggered(bob.pk), triggered(ada.pk)], now=NOON)

        assert [one.owner_id for one in told] == [ada.pk]
        assert Notification.objects.count() == 1


class TestOnce:
    def test_what_is_heard_again_is_told_once_and_says_so(self, ada):
        event = triggered(ada.pk)
        (told,) = tell_reminders([event], now=NOON)

        again = tell_reminders([event, event], now=NOON + SECOND)

        told.refresh_from_db()
        assert (again, Notification.objects.count(), DeliveryItem.objects.count()) == ([], 1, 1)
        assert [choice["decision"] for choice in told.choices] == ["told", "batch", "heard_again"]
        assert len(facts("notification.created.v1")) == 1

    def test_what_is_heard_twice_at_once_is_told_once(self, ada):
        event = triggered(ada.pk)

        (told,) = tell_reminders([event, event], now=NOON)

        assert decisions(told) == {"in_app": "told", "pigeon": "batch", "": "heard_again"}
        assert DeliveryItem.objects.count() == 1

    def test_what_was_triggered_again_is_told_again(self, ada):
        reminder_id = uuid4()

        tell_reminders([triggered(ada.pk, reminder_id=reminder_id, number=number) for number in (1, 2)], now=NOON)

        assert Notification.objects.count() == 2

    def test_what_is_heard_again_and_again_does_not_grow_without_end(self, ada):
        one = news(ada)
        (told,) = tell([one], now=NOON)

        for _ in range(50):
            tell([one], now=NOON)

        told.refresh_from_db()
        assert len(told.choices) == 40

    def test_news_for_a_person_who_does_not_exist_is_refused(self):
        with pytest.raises(NobodyToTell):
            tell([news(User(pk=uuid4()))], now=NOON)

        assert not Notification.objects.exists()


class TestWhatIsDoneAlready:
    @pytest.mark.parametrize(("status", "because"), [("completed", "completed"), ("deleted", "deleted")])
    def test_is_told_to_nobody_and_says_why(self, ada, status, because):
        RemindedTask.objects.create(task_id=uuid4(), owner=ada, version=2, status=status, priority="none")
        task_id = RemindedTask.objects.get().pk

        (told,) = tell([news(ada, task_id=task_id)], now=NOON)

        assert (told.status, told.because, Delivery.objects.count()) == ("done", because, 0)
        (choice,) = told.choices
        assert choice["reason"] == f"The task was {because} before you were told, so nothing was sent."

    def test_open_tasks_are_told_of(self, ada):
        RemindedTask.objects.create(task_id=uuid4(), owner=ada, version=2, status="in_progress", priority="none")

        (told,) = tell([news(ada, task_id=RemindedTask.objects.get().pk)], now=NOON)

        assert (told.status, Delivery.objects.count()) == ("unread", 1)


class TestWhere:
    def test_what_is_switched_off_goes_nowhere(self, ada):
        prefer(ada, switches={"reminder": {"pigeon": False, "in_app": False}})

        (told,) = tell([news(ada)], now=NOON)

        assert decisions(told) == {"in_app": "off", "pigeon": "off"}
        assert (told.in_inbox, Delivery.objects.count()) == (False, 0)

    def test_who_is_reached_nowhere_reads_why(self, ada, pigeon):
        pigeon.places[ada.pk] = []

        (told,) = tell([news(ada)], now=NOON)

        assert [choice["reason"] for choice in told.choices][1] == "You have no dovecote."
        assert not Delivery.objects.exists()

    def test_what_is_not_meant_for_a_transport_does_not_take_it(self, ada):
        (told,) = tell([news(ada, only=frozenset({"in_app"}))], now=NOON)

        assert decisions(told) == {"in_app": "told", "pigeon": "not_meant"}
        assert not Delivery.objects.exists()

    def test_each_destination_gets_its_own(self, ada, pigeon):
        pigeon.places[ada.pk] = [Destination("roof"), Destination("barn")]

        tell([news(ada)], now=NOON)

        assert list(Delivery.objects.values_list("destination", flat=True).order_by("destination")) == ["barn", "roof"]

    def test_what_is_for_one_that_is_switched_off_is_kept_by_itself(self, ada, pigeon):
        pigeon.places[ada.pk] = [Destination("roof", held=True)]

        (first, _) = tell([news(ada), news(ada)], now=NOON)

        assert decisions(first)["pigeon"] == "held"
        assert list(Delivery.objects.values_list("status", flat=True)) == ["held", "held"]
        assert claimed(NOON + timedelta(days=1)) == []


class TestTogether:
    def test_what_falls_together_is_one_delivery_a_second_later(self, ada):
        tell([news(ada, title="Milk"), news(ada, title="Eggs")], now=NOON)
        tell([news(ada, title="Bread")], now=NOON + SECOND / 2)

        assert sent_together() == [["Milk", "Eggs", "Bread"]]
        assert claimed(NOON) == []
        assert [one.send_at for one in claimed(NOON + SECOND)] == [NOON + SECOND]

    def test_what_comes_less_than_a_minute_after_something_was_sent_waits_for_the_rest_of_it(self, ada):
        tell([news(ada, title="Milk")], now=NOON)
        claimed(NOON + SECOND)

        (eggs,) = tell([news(ada, title="Eggs")], now=NOON + 20 * SECOND)
        tell([news(ada, title="Bread")], now=NOON + 40 * SECOND)

        assert sent_together() == [["Milk"], ["Eggs", "Bread"]]
        assert Delivery.objects.latest("pk").send_at == NOON + 61 * SECOND
        assert [choice["send_at"] for choice in eggs.choices][1] == "2026-05-04T12:01:01Z"

    def test_what_comes_a_minute_later_is_sent_at_once(self, ada):
        tell([news(ada)], now=NOON)
        claimed(NOON + SECOND)

        tell([news(ada)], now=NOON + MINUTE)

        assert Delivery.objects.latest("pk").send_at == NOON + MINUTE + SECOND

    def test_what_waits_to_be_tried_again_much_later_keeps_nobody_waiting_for_more_than_a_minute(self, ada):
        tell([news(ada)], now=NOON)
        Delivery.objects.update(status=Delivery.Status.WAITING, send_at=NOON + timedelta(hours=2))

        tell([news(ada)], now=NOON + SECOND)

        assert Delivery.objects.latest("pk").send_at == NOON + SECOND + MINUTE

    def test_tests_and_what_was_held_count_for_nothing(self, ada):
        for kind, status in (("test", "delivered"), ("reminder", "held"), ("reminder", "dropped")):
            Delivery.objects.create(
                owner=ada, transport="pigeon", kind=kind, status=status, send_at=NOON, created_at=NOON
            )

        tell([news(ada)], now=NOON)

        assert Delivery.objects.latest("pk").send_at == NOON + SECOND

    def test_nothing_joins_what_was_claimed(self, ada):
        tell([news(ada, title="Milk")], now=NOON)
        Delivery.objects.update(status=Delivery.Status.SENDING)

        tell([news(ada, title="Eggs")], now=NOON)

        assert sent_together() == [["Milk"], ["Eggs"]]

    def test_what_is_urgent_is_sent_at_once_and_by_itself(self, ada):
        told = tell([news(ada, title="Milk"), news(ada, title="Fire", urgent=True)], now=NOON)

        assert [decisions(one)["pigeon"] for one in told] == ["batch", "at_once"]
        assert [(one.urgent, one.send_at) for one in claimed(NOON)] == [(True, NOON)]

    def test_who_wants_each_by_itself_gets_that(self, ada):
        prefer(ada, batches=False)

        tell([news(ada), news(ada)], now=NOON)

        assert [one.status for one in claimed(NOON)] == ["waiting", "waiting"]

    def test_other_people_get_their_own(self, ada):
        tell([news(ada, title="Milk"), news(person("bob"), title="Eggs")], now=NOON)

        assert sorted(sent_together()) == [["Eggs"], ["Milk"]]


class TestQuietHours:
    NIGHT = datetime(2026, 5, 4, 21, 0, tzinfo=UTC)  # 23:00 in Berlin
    SEVEN = datetime(2026, 5, 5, 5, 0, tzinfo=UTC)

    @pytest.fixture(autouse=True)
    def asleep(self, ada):
        prefer(ada, quiet_from=time(22), quiet_until=time(7))

    def test_hold_what_goes_out_and_send_it_as_one_when_they_end(self, ada):
        (milk,) = tell([news(ada, title="Milk")], now=self.NIGHT)
        tell([news(ada, title="Eggs", kind=Kind.OVERDUE)], now=self.NIGHT + timedelta(hours=5))

        assert decisions(milk) == {"in_app": "told", "pigeon": "quiet"}
        assert claimed(self.SEVEN - SECOND) == []
        (delivery,) = claimed(self.SEVEN)
        assert (delivery.kind, delivery.held_quiet, delivery.send_at) == ("several", True, self.SEVEN)
        assert sent_together() == [["Milk", "Eggs"]]

    def test_say_until_when_they_hold_it(self, ada):
        (milk,) = tell([news(ada)], now=self.NIGHT)

        reasons = [choice["reason"] for choice in milk.choices]
        assert reasons == [
            "It was put into your inbox at once. Quietly, because of your quiet hours: no screen pops up.",
            "Your quiet hours hold it until 5 May at 07:00; then all they held is sent as one.",
        ]

    def test_let_the_inbox_have_it_at_once_and_quietly(self, ada):
        (milk,) = tell([news(ada)], now=self.NIGHT)

        assert (milk.quiet, milk.in_inbox, milk.status) == (True, True, "unread")

    def test_let_what_is_urgent_pass(self, ada):
        (fire,) = tell([news(ada, urgent=True)], now=self.NIGHT)

        assert (fire.quiet, decisions(fire)["pigeon"]) == (False, "at_once")
        assert (
            fire.choices[1]["reason"] == "It is urgent: it is sent at once and by itself. It passes your quiet hours."
        )
        assert len(claimed(self.NIGHT)) == 1

    def test_hold_nothing_before_and_after(self, ada):
        told = [tell([news(ada)], now=at)[0] for at in (self.NIGHT - timedelta(hours=1, seconds=1), self.SEVEN)]

        assert [(one.quiet, decisions(one)["pigeon"]) for one in told] == [(False, "batch"), (False, "batch")]

    def test_that_are_over_close_what_they_held_though_nobody_sent_it_yet(self, ada):
        tell([news(ada, title="Milk")], now=self.NIGHT)

        tell([news(ada, title="Eggs")], now=self.NIGHT + timedelta(days=1))

        assert sent_together() == [["Milk"], ["Eggs"]]
        assert [(one.status, one.send_at) for one in Delivery.objects.order_by("pk")] == [
            ("waiting", self.SEVEN),
            ("collecting", self.SEVEN + timedelta(days=1)),
        ]


class TestMany:
    def test_any_number_of_owners_takes_the_same_few_statements(self):
        for number in range(60):
            person(f"many-{number}")
        people = list(User.objects.all())
        tell([news(people[0])], now=NOON)

        with CaptureQueriesContext(
            connection,
        ) as few:
            tell([news(one) for one in people[:5]], now=NOON)
        with CaptureQueriesContext(connection) as many:
            tell([news(one) for one in people[5:]], now=NOON)

        assert len(many) == len(few) <= 20

    def test_many_of_one_owner_are_one_delivery_and_in_order(self, ada):
        told = tell([news(ada, about_at=NOON - number * SECOND) for number in range(500)], now=NOON)

        assert sorted(told, key=lambda one: one.pk) == sorted(told, key=lambda one: one.about_at)

        assert (Notification.objects.count(), Delivery.objects.count(), DeliveryItem.objects.count()) == (500, 1, 500)


def test_what_is_due_on_a_day_keeps_it(ada):
    (told,) = tell_reminders([triggered(ada.pk, task={"due_at": None, "due_on": "2026-05-05"})], now=NOON)

    assert told.due_on == date(2026, 5, 5)
