"""From a task with a reminder to what its owner is told: in time, once, and not of what is done."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core import mail

from apps.audit.models import AuditRecord
from apps.events import envelope as envelopes
from apps.events import event_types
from apps.events.models import Event
from apps.notifications.models import Delivery, DeliveryAttempt, Notification, Reminder
from apps.notifications.services import preferences, snoozing
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import TryAgain
from apps.tasks import services
from apps.tasks.models import Task
from tests.support.factories import outgoing, person
from tests.support.reminding import rows, send_due, standing_clock, sweep_and_run

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 5, 3, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    with standing_clock(NOON) as clock:
        yield clock


@pytest.fixture
def ada(clock):
    return person("ada", time_zone="UTC")


@pytest.fixture(autouse=True)
def told_again(clock, pump):
    """Whatever the test did: everything comes again, and changes no row."""
    yield
    pump.run()
    before = rows()
    pump.redeliver_everything()
    assert rows() == before


def task_due_in(minutes, ada, clock, **asked):
    due_at = clock.now + timedelta(minutes=minutes)
    fields = {"title": "Buy milk", "due_at": due_at} | asked
    return services.create_task(owner=ada, actor=ada, now=clock.now, **fields)


def told():
    """What stands in the inbox, as when it was told and about when."""
    found = Notification.objects.filter(kind="reminder").order_by("pk")
    return [(one.title, one.created_at - NOON, one.status) for one in found]


def statuses():
    return sorted(Reminder.objects.values_list("status", "because"))


def minutes(number):
    return timedelta(minutes=number)


def pass_each_minute(clock, pump, number):
    for _ in range(number):
        clock.advance(minutes=1)
        sweep_and_run(pump)


def test_what_is_due_in_35_minutes_is_told_30_minutes_before(ada, clock, pump):
    task_due_in(35, ada, clock)
    pump.run()

    pass_each_minute(clock, pump, 34)

    assert told() == [("Buy milk", minutes(5), "unread")]
    assert statuses() == [("delivered", "")]


def test_what_is_due_in_5_minutes_is_told_at_once(ada, clock, pump):
    task_due_in(5, ada, clock)
    pump.run()

    sweep_and_run(pump)

    assert told() == [("Buy milk", minutes(0), "unread")]


def test_when_due_moves_the_reminder_moves_with_it(ada, clock, pump):
    task = task_due_in(35, ada, clock)
    pump.run()
    moved = {"due_at": clock.now + minutes(90)}
    services.update_task(task_id=task.pk, actor=ada, changes=moved, now=clock.now)
    pump.run()

    pass_each_minute(clock, pump, 89)

    assert told() == [("Buy milk", minutes(60), "unread")]


@pytest.mark.parametrize("verb", ["complete", "delete"])
def test_of_what_is_done_nobody_is_told(ada, clock, pump, verb):
    task = task_due_in(35, ada, clock)
    pump.run()
    getattr(services, f"{verb}_task")(task_id=task.pk, actor=ada, now=clock.now)
    pump.run()

    pass_each_minute(clock, pump, 40)

    assert told() == []
    assert statuses() == [("cancelled", f"{verb}d")]


@pytest.mark.parametrize("verb", ["complete", "delete"])
def test_of_what_is_done_while_kafka_is_down_nobody_is_told(ada, clock, pump, verb):
    task = task_due_in(35, ada, clock)
    pump.run()
    getattr(services, f"{verb}_task")(task_id=task.pk, actor=ada, now=clock.now)
    clock.advance(minutes=6)

    triggered = sweep_and_run(_Down())

    assert (triggered, Event.objects.filter(type="reminder.triggered.v1").count(), told()) == (0, 0, [])
    pump.run()
    assert statuses() == [("cancelled", f"{verb}d")]


class _Down:
    """In place of the pipeline: nothing moves."""

    def run(self):
        pass


def test_what_moves_while_kafka_is_down_is_told_when_it_now_should_be(ada, clock, pump):
    task = task_due_in(35, ada, clock)
    pump.run()
    moved = {"due_at": clock.now + minutes(90)}
    services.update_task(task_id=task.pk, actor=ada, changes=moved, now=clock.now)
    clock.advance(minutes=6)
    assert sweep_and_run(_Down()) == 0

    pass_each_minute(clock, pump, 80)

    assert told() == [("Buy milk", minutes(60), "unread")]


def test_a_valid_event_put_on_the_topic_by_hand_is_told_and_sent_once(ada, clock, pump):
    task = task_due_in(600, ada, clock, reminders=[])
    pump.run()
    by_hand = outgoing(_triggered(task, ada, clock))

    for _ in range(2):
        pump.broker.producer().send([by_hand], give_up=lambda: False)
        pump.run()
        clock.advance(seconds=2)
        send_due()

    assert told() == [("Buy milk", minutes(0), "unread")]
    assert [one.to for one in mail.outbox] == [["ada@example.org"]]


def _triggered(task, ada, clock):
    kind = event_types.find("reminder.triggered.v1")
    at = clock.now.isoformat().replace("+00:00", "Z")
    reminder = {
        "task_id": str(task.pk),
        "origin": "asked",
        "before_due": None,
        "planned_for": at,
        "trigger_at": at,
        "status": "triggered",
    }
    picture = {
        "title": task.title,
        "priority": task.priority,
        "due_at": task.due_at.isoformat().replace("+00:00", "Z"),
        "due_on": None,
        "due_time_zone": None,
    }
    return envelopes.new(
        kind,
        subject_type="reminder",
        subject_id=uuid4(),
        version=2,
        owner_id=ada.pk,
        actor_id=None,
        occurred_at=clock.now,
        data={"reminder": reminder, "task": picture, "number": 1, "late_seconds": 0},
        key=str(task.pk),
    )


@pytest.fixture
def failing_mail(monkeypatch):
    def fail(*_, **__):
        raise TryAgain("the mail server answered 451")

    monkeypatch.setattr(transport_named("email"), "send", fail)
    monkeypatch.setattr(transport_named("email"), "most_attempts", 8)


def test_what_cannot_be_sent_fails_visibly_and_stands_in_the_trail(ada, clock, pump, failing_mail):
    task_due_in(30, ada, clock)
    pump.run()
    sweep_and_run(pump)

    for _ in range(transport_named("email").most_attempts):
        clock.advance(hours=2)
        send_due()
    pump.run()

    delivery = Delivery.objects.get(transport="email")
    tries = DeliveryAttempt.objects.filter(delivery=delivery)
    assert (delivery.status, delivery.error) == ("failed", "the mail server answered 451")
    assert tries.count() == delivery.attempts == transport_named("email").most_attempts
    record = AuditRecord.objects.get(type="reminder.failed.v1")
    assert record.subject_id == Reminder.objects.get().pk
    assert Event.objects.get(type="reminder.failed.v1").data["error"] == "the mail server answered 451"
    assert statuses() == [("delivered", "")]


def test_quiet_hours_hold_mails_and_send_one_when_they_end(ada, clock, pump):
    quiet = {"quiet_from": (NOON - timedelta(hours=1)).time(), "quiet_until": (NOON + timedelta(hours=2)).time()}
    preferences.change(owner=ada, changes=quiet, now=clock.now)
    for number in (40, 35, 50):
        task_due_in(number, ada, clock, title=f"At {number}")
    pump.run()
    pass_each_minute(clock, pump, 25)
    send_due()
    assert ([at for _, at, _ in told()], len(mail.outbox)) == ([minutes(5), minutes(10), minutes(20)], 0)

    clock.advance(minutes=95)
    send_due()

    (sent,) = mail.outbox
    places = [sent.body.index(title) for title in ("At 35", "At 40", "At 50")]
    assert places == sorted(places)
    assert all(Notification.objects.values_list("quiet", flat=True))


def test_what_is_urgent_passes_quiet_hours(ada, clock, pump):
    quiet = {"quiet_from": (NOON - timedelta(hours=1)).time(), "quiet_until": (NOON + timedelta(hours=2)).time()}
    preferences.change(owner=ada, changes=quiet, now=clock.now)
    task_due_in(30, ada, clock, title="Fire", priority="urgent")
    pump.run()
    sweep_and_run(pump)

    send_due()

    assert ["Fire" in one.body for one in mail.outbox] == [True]


def test_simultaneous_ones_arrive_as_one(ada, clock, pump):
    for number in range(3):
        task_due_in(35, ada, clock, title=f"Number {number}")
    pump.run()
    clock.advance(minutes=5)
    sweep_and_run(pump)

    clock.advance(seconds=2)
    send_due()

    (sent,) = mail.outbox
    assert [f"Number {number}" in sent.body for number in range(3)] == [True] * 3
    assert len(told()) == 3


def test_an_occurrence_that_is_done_is_not_told_of_and_the_next_one_is(ada, clock, pump):
    task = task_due_in(35, ada, clock, recurrence="daily")
    pump.run()
    services.complete_task(task_id=task.pk, actor=ada, now=clock.now)
    pump.run()

    clock.advance(minutes=6)
    assert sweep_and_run(pump) == 0
    clock.advance(hours=24)
    sweep_and_run(pump)

    following = Task.objects.exclude(pk=task.pk).get()
    assert [one.task_id for one in Notification.objects.filter(kind="reminder")] == [following.pk]
    assert statuses() == [("cancelled", "completed"), ("delivered", "")]


def test_after_a_downtime_the_oldest_is_told_first_and_how_late_and_the_too_old_not_at_all(ada, clock, pump):
    for number in (60 * 30, 60 * 3, 60 * 2):
        task_due_in(60 * 40, ada, clock, title=f"In {number}", reminders=[{"trigger_at": clock.now + minutes(number)}])
    task_due_in(60 * 40, ada, clock, title="In 1", reminders=[{"trigger_at": clock.now + minutes(1)}])
    pump.run()

    clock.advance(hours=31)
    sweep_and_run(pump)

    found = Notification.objects.filter(kind="reminder").order_by("pk")
    assert [one.title for one in found] == ["In 1800"]
    assert [one.late_seconds for one in found] == [3600]
    assert found[0].text.endswith("This reminder comes 1 h late.")
    assert statuses() == [("delivered", ""), *[("stale", "too_late")] * 3]


def test_of_several_that_are_late_the_oldest_comes_first(ada, clock, pump):
    for number in (90, 30, 60):
        task_due_in(600, ada, clock, title=f"In {number}", reminders=[{"trigger_at": clock.now + minutes(number)}])
    pump.run()

    clock.advance(hours=3)
    sweep_and_run(pump)

    triggered = Event.objects.filter(type="reminder.triggered.v1").order_by("position")
    assert [event.data["task"]["title"] for event in triggered] == ["In 30", "In 60", "In 90"]
    assert [event.data["late_seconds"] for event in triggered] == [9000, 7200, 5400]
    clock.advance(seconds=2)
    send_due()
    (sent,) = mail.outbox
    places = [sent.body.index(f"In {number}") for number in (30, 60, 90)]
    assert places == sorted(places)


def test_what_is_snoozed_in_one_place_is_gone_in_the_others_and_comes_again(ada, clock, pump):
    task_due_in(30, ada, clock)
    pump.run()
    sweep_and_run(pump)
    one = Notification.objects.get()
    snoozing.snooze_notification(notification_id=one.pk, actor=ada, until="PT15M", now=clock.now)
    pump.run()

    clock.advance(minutes=14)
    sweep_and_run(pump)
    send_due()
    assert ([status for _, _, status in told()], mail.outbox) == (["snoozed"], [])
    assert Delivery.objects.get().status == "dropped"

    clock.advance(minutes=1)
    sweep_and_run(pump)
    clock.advance(seconds=2)
    send_due()

    assert [(at, status) for _, at, status in told()][-1] == (minutes(15), "unread")
    assert len(mail.outbox) == 1


def test_what_is_done_before_its_mail_goes_out_is_not_sent(ada, clock, pump):
    task = task_due_in(30, ada, clock)
    pump.run()
    sweep_and_run(pump)
    services.complete_task(task_id=task.pk, actor=ada, now=clock.now)

    clock.advance(minutes=1)
    send_due()
    pump.run()

    assert (mail.outbox, Delivery.objects.get().status) == ([], "dropped")
    assert [status for _, _, status in told()] == ["done"]
