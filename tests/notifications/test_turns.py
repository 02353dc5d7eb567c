"""Whoever changes reminders of several tasks takes all their turns at once: nobody waits in a circle."""

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import transaction

from apps.events import handling
from apps.events.errors import Transient
from apps.events.models import Event
from apps.events.outbox import envelope_of
from apps.notifications import jobs, subscribers
from apps.notifications.models import Notification, RemindedTask
from apps.notifications.services import plans, triggering
from apps.tasks import services as tasks
from tests.events.concurrency import in_background
from tests.support.factories import person
from tests.support.pump import fresh_pump

pytestmark = pytest.mark.django_db(transaction=True)


def due_soon(owner):
    now = datetime.now(UTC)
    return tasks.create_task(owner=owner, actor=owner, title="Buy milk", now=now, due_at=now + timedelta(minutes=10))


@pytest.fixture
def crossed():
    """Two batches: of one task a change and of the other that its reminder was triggered, and the other way round."""
    ada = person("ada")
    two = [due_soon(ada), due_soon(ada)]
    with fresh_pump() as pump:
        pump.run()
    triggering.trigger_due()
    for task in two:
        tasks.update_task(task_id=task.pk, actor=ada, changes={"title": "Buy bread"}, now=datetime.now(UTC))
    updated, triggered = (
        {str(row.key): envelope_of(row) for row in Event.objects.filter(type=name)}
        for name in ("task.updated.v1", "reminder.triggered.v1")
    )
    first, second = (str(task.pk) for task in two)
    return [updated[first], triggered[second]], [updated[second], triggered[first]]


def meeting(monkeypatch, *, seconds):
    """Both are in the middle of their tasks' events at once, where nothing keeps them from it."""
    both, follow = threading.Barrier(2), plans.follow_tasks

    def follow_and_meet(events, *, now):
        follow(events, now=now)
        with suppress(threading.BrokenBarrierError):
            both.wait(seconds)

    monkeypatch.setattr(plans, "follow_tasks", follow_and_meet)


def handled_at_once(batches):
    """What each batch ended with."""
    with (
        in_background(lambda: handling.handle(subscribers.group, batches[0])) as one,
        in_background(lambda: handling.handle(subscribers.group, batches[1])) as other,
    ):
        return [each.exception(60) for each in (one, other)]


def test_of_two_batches_that_cross_one_waits_for_the_other(crossed, monkeypatch):
    meeting(monkeypatch, seconds=1)

    assert handled_at_once(crossed) == [None, None]
    assert Notification.objects.count() == 2


def test_turn_by_turn_they_wait_for_each_other_until_one_is_ended(crossed, monkeypatch):
    """The negative control; the one that is ended is handled again."""
    monkeypatch.setattr(subscribers, "reminders", SimpleNamespace(take_turns=lambda task_ids: {}))
    meeting(monkeypatch, seconds=20)

    ends = handled_at_once(crossed)

    (ended,) = [end for end in ends if end]
    assert isinstance(ended, Transient)
    assert "deadlock detected" in str(ended)


def test_what_somebody_holds_just_as_it_is_due_is_looked_at_again_soon(monkeypatch):
    task = due_soon(person("ada"))
    with fresh_pump() as pump:
        pump.run()
    rung, inside, enough = [], threading.Event(), threading.Event()
    monkeypatch.setattr(jobs.doorbells, "ring", lambda job, *, seconds=0.0: rung.append((job, seconds)))

    def hold():
        with transaction.atomic():
            RemindedTask.objects.select_for_update().get(pk=task.pk)
            inside.set()
            enough.wait(30)

    with in_background(hold) as holding:
        assert inside.wait(30)
        jobs.trigger_due()
        enough.set()
        holding.result(30)

    assert rung == [("notifications.trigger_due", 0.5)]


def test_where_nothing_is_due_nobody_rings_again(monkeypatch):
    rung = []
    monkeypatch.setattr(jobs.doorbells, "ring", lambda job, *, seconds=0.0: rung.append((job, seconds)))

    jobs.trigger_due()

    assert rung == []
