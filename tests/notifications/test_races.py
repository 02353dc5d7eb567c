"""What happens at the same instant: nobody is told of what was done first, nobody is told twice, and nobody waits."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from apps.events.models import Event, HandledEvent
from apps.notifications.models import Delivery, DeliveryAttempt, Notification, Reminder
from apps.notifications.services import sending, telling, triggering
from apps.notifications.services.sending import Finished
from apps.notifications.transports.base import Receipt
from apps.tasks import services
from tests.events.concurrency import at_once, in_background, waits_for_a_lock, with_own_connection
from tests.support import told_once
from tests.support.factories import person
from tests.support.pump import fresh_pump
from tests.support.reminding import claim, standing_clock
from tests.support.told_once import Told

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

NOON = datetime(2027, 5, 3, 12, 0, tzinfo=UTC)
WAIT_SECONDS = 30


@pytest.fixture
def clock(transactional_db):
    with standing_clock(NOON) as clock:
        yield clock


@pytest.fixture
def pump(clock):
    with fresh_pump() as pump:
        yield pump


@pytest.fixture
def ada(clock):
    return person("ada", time_zone="UTC")


@pytest.fixture
def due(ada, clock, pump):
    """Makes tasks whose reminders are due now."""

    def make(count=1):
        at = clock.now + timedelta(minutes=1)
        made = [
            services.create_task(
                owner=ada,
                actor=ada,
                title=f"Number {number}",
                due_at=at + timedelta(hours=1),
                reminders=[{"trigger_at": at}],
                now=clock.now,
            )
            for number in range(count)
        ]
        pump.run()
        clock.advance(minutes=1)
        return made

    return make


def complete(task, clock):
    services.complete_task(task_id=task.pk, actor=task.owner, now=clock.now)


def findings():
    told = Told(clock="occurred_at")
    return [*told.early(), *told.twice(), *told.versions(), *told.too_late_to_hold()]


def triggered():
    return Event.objects.filter(type="reminder.triggered.v1").count()


def test_a_task_that_is_just_being_completed_is_left_alone_and_nobody_waits(due, clock):
    (task,) = due()
    with in_background_transaction(lambda: complete(task, clock)) as may_commit:
        found = triggering.trigger_due()
        may_commit.set()

    assert (found.triggered, found.left, triggered()) == (0, {Reminder.objects.get().pk}, 0)
    assert triggering.trigger_due().triggered == 0
    assert (Reminder.objects.get().status, findings()) == ("cancelled", [])


class in_background_transaction:  # noqa: N801  reads as what it does
    """Does it in another session and holds its transaction open until the block's event is set."""

    def __init__(self, do):
        self._do, self._done, self._may_commit = do, threading.Event(), threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=with_own_connection(self._run))
        self._thread.start()
        assert self._done.wait(WAIT_SECONDS)
        return self._may_commit

    def _run(self):
        with transaction.atomic():
            self._do()
            self._done.set()
            self._may_commit.wait(WAIT_SECONDS)

    def __exit__(self, *_):
        self._may_commit.set()
        self._thread.join(WAIT_SECONDS)


def test_a_completion_waits_for_a_trigger_and_comes_after_it(due, clock):
    (task,) = due()
    with (
        in_background_transaction(triggering.trigger_due) as may_commit,
        in_background(lambda: complete(task, clock)) as completion,
    ):
        waited = waits_for_a_lock()
        may_commit.set()
        completion.result(WAIT_SECONDS)

    types = Event.objects.filter(type__in=["reminder.triggered.v1", "task.completed.v1"]).order_by("position")
    assert (waited, [event.type for event in types]) == (True, ["reminder.triggered.v1", "task.completed.v1"])
    assert findings() == []


@pytest.mark.parametrize("change", ["complete", "delete", "move"])
def test_without_the_look_at_the_task_under_its_lock_it_is_told_after_it_was_done(due, clock, monkeypatch, change):
    """The negative control."""
    (task,) = due()
    look = triggering.pictures
    do = {
        "complete": lambda: complete(task, clock),
        "delete": lambda: services.delete_task(task_id=task.pk, actor=task.owner, now=clock.now),
        "move": lambda: services.update_task(
            task_id=task.pk, actor=task.owner, changes={"reminders": []}, now=clock.now
        ),
    }[change]

    def look_before_it_is_done(task_ids, *, lock):
        seen = look(task_ids, lock=False)
        with in_background(do) as doing:
            doing.result(WAIT_SECONDS)
        return seen

    monkeypatch.setattr(triggering, "pictures", look_before_it_is_done)

    assert triggering.trigger_due().triggered == 1
    assert len(findings()) == 1


def test_two_sweeps_at_once_trigger_each_once(due):
    due(40)

    found = at_once(*[lambda: [triggering.trigger_due(most=7).triggered for _ in range(8)]] * 2)

    assert sum(map(sum, found)) == 40
    assert (triggered(), findings()) == (40, [])


def test_without_the_lock_both_sweeps_try(due, monkeypatch):
    """The negative control; that a version is told once still holds."""
    due(3)
    both_have_read = threading.Barrier(2, timeout=WAIT_SECONDS)
    here, tried_again = threading.local(), []
    look, alone = triggering.pictures, triggering._trigger_alone

    def read(*, but=()):
        return Reminder.objects.filter(status__in=triggering.WAITING).select_related("task").order_by("trigger_at")

    def look_after_both_have_read(task_ids, *, lock):
        if not hasattr(here, "read"):
            here.read = True
            both_have_read.wait()
        return look(task_ids, lock=lock)

    def try_again(reminder_id):
        tried_again.append(reminder_id)
        return alone(reminder_id)

    monkeypatch.setattr(triggering, "_due", read)
    monkeypatch.setattr(triggering, "pictures", look_after_both_have_read)
    monkeypatch.setattr(triggering, "_trigger_alone", try_again)

    at_once(triggering.trigger_due, triggering.trigger_due)

    assert (len(tried_again), triggered()) == (3, 3)


def tell_twice(pump):
    """As a group does whose memory of what it handled is lost."""
    HandledEvent.objects.filter(group="notifications").delete()
    pump.redeliver_everything()


def test_a_trigger_that_is_heard_of_twice_is_told_once(due, pump):
    due()
    triggering.trigger_due()
    pump.run()

    tell_twice(pump)

    assert Notification.objects.count() == 1
    assert findings() == []


def test_without_once_it_is_told_twice(due, pump, monkeypatch):
    """The negative control."""
    from dataclasses import replace
    from uuid import uuid4

    tell = telling.tell

    def tell_anew(news, **how):
        return tell([replace(one, once=f"{one.once}/{uuid4()}") for one in news], **how)

    monkeypatch.setattr(telling, "tell", tell_anew)
    due()
    triggering.trigger_due()
    pump.run()

    tell_twice(pump)

    assert Notification.objects.count() == 2


@pytest.fixture
def taken_twice(due, pump, clock):
    """A mail that was claimed, and claimed again when the first sender's lease had run out."""
    due()
    triggering.trigger_due()
    pump.run()
    clock.advance(minutes=2)
    (first,) = claim("email")
    sending.prepare([first])
    clock.advance(hours=2)
    claim("email")
    clock.advance(hours=2)
    (second,) = claim("email")
    sending.prepare([second])
    return first, second


def outcomes():
    return list(DeliveryAttempt.objects.order_by("number").values_list("outcome", flat=True))


def test_who_is_no_longer_waited_for_changes_nothing(taken_twice):
    first, second = taken_twice

    late = sending.finish([Finished(first, Receipt())])

    assert (late, outcomes(), Delivery.objects.get().status) == ([], ["died", "started"], "sending")
    assert sending.finish([Finished(second, Receipt())]) == [second.delivery.pk]
    assert (outcomes(), told_once.deliveries()) == (["died", "delivered"], [])
    assert (first.key, first.delivery.content) == (second.key, second.delivery.content)


def test_without_the_fence_it_decides_for_the_other(taken_twice, monkeypatch):
    """The negative control."""
    first, second = taken_twice
    first.delivery.fence = second.delivery.fence

    assert sending.finish([Finished(first, Receipt())]) == [first.delivery.pk]
    assert sending.finish([Finished(second, Receipt())]) == []
