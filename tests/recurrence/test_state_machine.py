"""Whatever people do to repeating tasks, and however late, dead or told twice the group is: one next each."""

from datetime import UTC, datetime

import pytest

from apps.recurrence import selectors
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import advancing
from apps.recurrence.services import changes as writing
from apps.tasks import services as tasks
from apps.tasks import steps
from apps.tasks.models import Task
from apps.tasks.services import occurrences
from tests.recurrence.machine import Repeating
from tests.support.state_machines import EXAMPLES, TIMEOUT_SECONDS, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_whatever_happens_each_occurrence_that_is_done_has_one_next():
    run(Repeating, examples=EXAMPLES or 15)


def live(*steps):
    machine = Repeating()
    try:
        for step in steps:
            step(machine)
            machine.promises_hold()
    finally:
        machine.teardown()


TIMED = {"timed": True, "whose": 0}
DAILY = {"rule": "FREQ=DAILY", "from": "schedule", "month_end": "clamp", "catch_up": "latest"}


def completed_again(machine):
    machine.create(DAILY, {"timed": False, "whose": 0})
    machine.pump.run()
    machine.complete(0)
    machine.pump.run()
    machine.reopen(1)
    machine.complete(1)
    machine.pump.run()


def test_completed_again_it_has_the_one_it_has():
    live(completed_again)

    assert Series.objects.get().last_number == 2


def test_without_the_look_at_the_last_one_the_machine_sees_two(monkeypatch):
    """The negative control."""

    def advance(*, series_id, task_id, completed_at, now):
        advancing.go_on(Series.objects.get(pk=series_id), completed_at=completed_at, now=now)

    monkeypatch.setattr("apps.recurrence.services.advance_series", advance)

    with pytest.raises(AssertionError, match="never done"):
        live(completed_again)


def done_late(machine):
    machine.create(DAILY, TIMED)
    machine.come_to_rest()
    machine.time_passes(100)
    machine.complete(0)
    machine.come_to_rest()


def test_each_date_of_a_series_is_made_or_told_as_skipped():
    live(done_late)

    assert list(Occurrence.objects.values_list("recurrence_id", flat=True)) == ["20270202T110000", "20270129T110000"]


def test_dates_passed_over_in_silence_are_lost(monkeypatch):
    """The negative control."""
    monkeypatch.setattr(writing, "skip", lambda *_, **__: None)

    with pytest.raises(AssertionError, match=r"lost: ..20270130T110000.*20270201T110000"):
        live(done_late)


def with_reminders_and_a_part(machine):
    machine.create(DAILY, TIMED | {"reminders": ["before_due", "trigger_at"], "parts": 1})
    machine.come_to_rest()
    machine.complete(1)
    machine.come_to_rest()


def moved_house_before_anything_is_heard(machine):
    machine.create(DAILY, TIMED | {"reminders": ["trigger_at"]})
    machine.delete(0, "continues")
    machine.move_house(0, "America/New_York")
    machine.come_to_rest()


def test_a_reminder_is_as_long_before_its_due_in_another_zone():
    live(moved_house_before_anything_is_heard)

    task = Task.objects.get(status="pending")
    assert task.due_at == datetime(2027, 1, 30, 16, 0, tzinfo=UTC)
    assert [one["trigger_at"] for one in task.reminders] == ["2027-01-30T15:00:00Z"]


def test_reminders_and_parts_come_along():
    live(with_reminders_and_a_part)

    assert (Series.objects.get().last_number, Task.objects.count()) == (2, 4)


@pytest.mark.parametrize(("lost", "told"), [("parts", "a part is lost"), ("reminders", "a reminder is lost")])
def test_what_does_not_come_along_is_missed(monkeypatch, lost, told):
    """The negative control."""
    nothing = {"parts": (occurrences, "_parts"), "reminders": (steps, "carried")}[lost]
    monkeypatch.setattr(*nothing, lambda *_, **__: [])

    with pytest.raises(AssertionError, match=told):
        live(with_reminders_and_a_part)


ALL = DAILY | {"catch_up": "all"}


def two_are_changed_before_either_is_heard(machine):
    machine.create(ALL, TIMED)
    machine.come_to_rest()
    machine.time_passes(20)
    machine.sweep()
    machine.promises_hold()
    machine.repeat_otherwise(0, {**ALL, "rule": "FREQ=WEEKLY"})
    machine.repeat_otherwise(1, {**ALL, "rule": "FREQ=MONTHLY"})


def test_two_changes_at_once_come_to_rest_with_one_of_them():
    """The one that is heard last: tasks of one series share no key, so their events are in no order."""
    live(two_are_changed_before_either_is_heard)

    rule = Series.objects.get().recurrence["rule"]
    assert rule in {"FREQ=WEEKLY", "FREQ=MONTHLY"}
    assert [task.recurrence["rule"] for task in Task.objects.all()] == [rule] * 2


def test_heard_as_a_persons_what_follows_them_would_never_end(monkeypatch):
    """The negative control."""
    update = tasks.update_task

    def in_the_owners_name(*, task_id, actor, **how):
        return update(task_id=task_id, actor=actor or Task.objects.get(pk=task_id).owner, **how)

    monkeypatch.setattr(tasks, "update_task", in_the_owners_name)

    with pytest.raises(AssertionError, match="do not come to rest"):
        live(two_are_changed_before_either_is_heard)


def stopped_and_begun_again_before_either_is_heard(machine):
    machine.create(DAILY, TIMED)
    machine.come_to_rest()
    machine.repeat_otherwise(0, None)
    machine.repeat_otherwise(0, {**DAILY, "rule": "FREQ=WEEKLY"})


def test_the_end_of_one_series_does_not_reach_into_the_next():
    live(stopped_and_begun_again_before_either_is_heard)

    task = Task.objects.get()
    assert (task.recurrence["rule"], task.series_id) == ("FREQ=WEEKLY", Series.objects.get(ended_at=None).pk)


def test_told_to_all_that_were_ever_of_it_the_end_does(monkeypatch):
    """The negative control."""

    def all_ever_made(series):
        return list(Task.objects.filter(pk__in=series.occurrences.values("task_id")))

    monkeypatch.setattr(selectors, "open_tasks_of", all_ever_made)

    with pytest.raises(AssertionError, match="carries None"):
        live(stopped_and_begun_again_before_either_is_heard)


def stopped_and_moved_before_either_is_heard(machine):
    machine.create(DAILY, TIMED)
    machine.come_to_rest()
    machine.repeat_otherwise(0, None)
    machine.change_occurrences(0, "following", 23)


def test_what_was_stopped_is_not_begun_again_by_its_series():
    live(stopped_and_moved_before_either_is_heard)

    assert (Task.objects.get().recurrence, Series.objects.get().ended_because) == (None, "stopped")
