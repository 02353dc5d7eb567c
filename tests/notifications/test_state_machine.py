"""Whatever people do, and however late, dead or told twice the group, the sweeps and the senders are: told once, in
time, and of nothing that is done.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from apps.events.models import HandledEvent
from apps.notifications.models import Delivery, DeliveryAttempt, Notification, Reminder
from apps.notifications.services import overdue, plans, sending, telling, triggering, worth_sending
from apps.notifications.wanted import Fate
from tests.notifications.machine import START, Reminding
from tests.support.state_machines import EXAMPLES, TIMEOUT_SECONDS, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_whatever_happens_each_reminder_is_told_once_and_in_time():
    run(Reminding, examples=EXAMPLES or 15)


def live(*steps):
    machine = Reminding()
    try:
        for step in steps:
            step(machine)
            machine.promises_hold()
    except BaseException:
        machine.ended.close()
        raise
    machine.teardown()


def told_in_an_hour(machine):
    machine.create(90, None, 0, "none")
    machine.come_to_rest()


def done_before_anybody_hears_of_it(machine):
    told_in_an_hour(machine)
    machine.time_passes(120)
    machine.do(0, "complete")
    machine.sweep()


def test_what_was_done_first_is_not_told_of():
    live(done_before_anybody_hears_of_it)

    assert (Reminder.objects.get().status, Notification.objects.count()) == ("cancelled", 0)


def test_without_the_look_at_the_task_the_machine_sees_it_told(monkeypatch):
    """The negative control."""
    monkeypatch.setattr(triggering, "fate", lambda *_, **__: None)

    with pytest.raises(AssertionError, match="triggered, its task was completed"):
        live(done_before_anybody_hears_of_it)


def swept_twice(machine):
    told_in_an_hour(machine)
    machine.time_passes(120)
    machine.sweep()
    machine.sweep()


def test_a_second_sweep_finds_nothing():
    live(swept_twice)

    assert [one.triggers for one in Reminder.objects.all()] == [1]


def test_what_is_not_marked_is_told_again_and_the_machine_sees_it(monkeypatch):
    """The negative control."""
    monkeypatch.setattr(triggering, "WAITING", (*triggering.WAITING, "triggered", "delivered"))

    with pytest.raises(AssertionError, match="triggered twice for one plan"):
        live(swept_twice)


def test_what_is_triggered_ahead_of_its_time_is_seen(monkeypatch):
    """The negative control; that an event is never early by its own word still holds, and is passed by."""
    now, tell = triggering.Now, triggering._Round._tell
    monkeypatch.setattr(triggering, "Now", lambda: now() + timedelta(hours=3))
    monkeypatch.setattr(triggering._Round, "_tell", lambda *args, **how: tell(*args, **how | {"late": 0}))

    with pytest.raises(AssertionError, match="s early"):
        live(swept_twice)


def moved_and_heard_late(machine):
    told_in_an_hour(machine)
    machine.move(0, 600)
    machine.come_to_rest()


def test_what_moves_is_planned_anew():
    live(moved_and_heard_late)

    assert Reminder.objects.get().trigger_at == Reminder.objects.get().planned_for


def test_a_group_that_does_not_follow_is_seen(monkeypatch):
    """The negative control."""
    follow = plans.follow
    monkeypatch.setattr(plans, "follow", lambda heard, **how: follow(heard[:0], **how))

    with pytest.raises(AssertionError, match=r"wanted for .*, is None"):
        live(told_in_an_hour)


def told_and_heard_of_again_with_no_memory(machine):
    swept_twice(machine)
    machine.come_to_rest()
    HandledEvent.objects.filter(group="notifications").delete()
    machine.be_told_everything_again()
    machine.come_to_rest()


def test_heard_of_again_it_is_told_once():
    live(told_and_heard_of_again_with_no_memory)

    assert Notification.objects.filter(kind="reminder").count() == 1


def test_without_once_the_machine_sees_two(monkeypatch):
    """The negative control."""
    tell = telling.tell

    def tell_anew(news, **how):
        return tell([replace(one, once=f"{one.once}/again/{uuid4()}") for one in news], **how)

    monkeypatch.setattr(telling, "tell", tell_anew)

    with pytest.raises(AssertionError, match=r"trigger 1 of reminder .*: 2 notifications"):
        live(told_and_heard_of_again_with_no_memory)


def claimed_twice(machine):
    """The first sender is away for so long that it is given up, and another begins; then the first has word."""
    swept_twice(machine)
    machine.come_to_rest()
    machine.time_passes(5)
    machine.claim()
    machine.time_passes(120)
    machine.claim()
    machine.time_passes(120)
    machine.claim()
    machine.settle(0, "refused")
    machine.promises_hold()
    machine.settle(0, "taken")


def test_of_two_senders_the_later_decides():
    live(claimed_twice)

    outcomes = DeliveryAttempt.objects.order_by("number").values_list("outcome", flat=True)
    assert (list(outcomes), Delivery.objects.get().status) == (["died", "delivered"], "delivered")


def test_without_the_fence_the_machine_sees_the_earlier_decide(monkeypatch):
    """The negative control."""

    def whoever_comes(done):
        judged = [(each, sending._judged(each)) for each in done]
        sending._write(judged, now=datetime.now(UTC))
        return {each.claimed.delivery.pk: verdict for each, verdict in judged}

    fenced = " AND d.fence = v.fence AND d.status = 'sending'"
    assert fenced in sending._WRITE
    monkeypatch.setattr(sending, "_WRITE", sending._WRITE.replace(fenced, ""))
    monkeypatch.setattr(sending, "_keep", whoever_comes)

    with pytest.raises(AssertionError, match="failed with 1 attempts under way"):
        live(claimed_twice)


def snoozed_and_then_the_default_changes(machine):
    """Told half an hour before due, put off for a quarter; then it should have been told an hour before due."""
    machine.create(35, None, 0, "none")
    machine.come_to_rest()
    machine.time_passes(5)
    machine.come_to_rest()
    machine.snooze(0, "PT15M")
    machine.change_defaults(0, "PT2H", 9)
    machine.come_to_rest()


def snoozed_and_then_due_sooner(machine):
    machine.create(35, None, 0, "none")
    machine.come_to_rest()
    machine.time_passes(5)
    machine.come_to_rest()
    machine.snooze(0, "PT15M")
    machine.time_passes(1)
    machine.move(0, 20)
    machine.come_to_rest()


@pytest.mark.parametrize("story", [snoozed_and_then_the_default_changes, snoozed_and_then_due_sooner])
def test_what_was_put_off_is_told_at_that_time(story):
    live(story, lambda machine: machine.time_passes(10), lambda machine: machine.come_to_rest())

    assert [one.triggers for one in Reminder.objects.all()] == [2]


def test_a_snooze_that_does_not_stay_is_seen(monkeypatch):
    """The negative control."""
    fate = plans.fate

    def cancelled(*args, **how):
        end = fate(*args, **how)
        return Fate(because=Reminder.Because.PASSED) if end is not None and end.stays else end

    monkeypatch.setattr(plans, "fate", cancelled)

    with pytest.raises(AssertionError, match=r"snoozed until .*, reminder.cancelled.v1"):
        live(snoozed_and_then_the_default_changes)


def triggered_and_then_moved(machine):
    """Everything is heard of the task before its reminder is told."""
    machine.create(35, None, 0, "none")
    machine.come_to_rest()
    machine.time_passes(5)
    machine.sweep()
    machine.move(0, 600)
    machine.come_to_rest()


def test_what_moved_before_it_was_told_is_not_told():
    live(triggered_and_then_moved)

    assert {one.status for one in Notification.objects.filter(due_at__lt=START + timedelta(hours=2))} <= {"done"}


def test_without_the_look_at_the_task_what_is_told_in_vain_is_seen(monkeypatch):
    """The negative control."""
    monkeypatch.setattr(telling._Telling, "_done_because", lambda *_: "")

    with pytest.raises(AssertionError, match=r"unread, it says due .*, and that moved"):
        live(triggered_and_then_moved)


def done_while_a_mail_waits(machine):
    swept_twice(machine)
    machine.come_to_rest()
    machine.do(0, "complete")
    machine.time_passes(5)
    machine.claim()


def test_what_is_done_meanwhile_is_not_sent():
    live(done_while_a_mail_waits)

    assert DeliveryAttempt.objects.count() == 0


def test_without_the_look_at_the_task_what_is_sent_in_vain_is_seen(monkeypatch):
    """The negative control."""
    monkeypatch.setattr(worth_sending, "_settled_because", lambda *_: "")

    with pytest.raises(AssertionError, match=r"attempt 1 at .*, and all that it tells of was done"):
        live(done_while_a_mail_waits)


def overdue_and_done(machine):
    machine.create(5, [], 0, "none")
    machine.come_to_rest()
    machine.time_passes(10)
    machine.do(0, "complete")
    machine.nudge()


def test_nobody_is_nudged_about_what_is_done():
    live(overdue_and_done)

    assert Notification.objects.count() == 0


def test_nudges_about_what_is_done_are_seen(monkeypatch):
    """The negative control."""

    def looked_at_before_it_was_done(machine):
        machine.create(5, [], 0, "none")
        machine.come_to_rest()
        machine.time_passes(10)
        seen = overdue.overdue_between(after=START, until=machine.now(), most=10)
        machine.do(0, "complete")
        monkeypatch.setattr(overdue, "overdue_between", lambda **_: seen)
        monkeypatch.setattr(overdue, "_still_overdue", lambda *_: True)
        machine.nudge()

    with pytest.raises(AssertionError, match="a nudge about"):
        live(looked_at_before_it_was_done)
