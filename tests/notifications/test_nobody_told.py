"""Of what was triggered and nobody was told of, the reminder says so, and why."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.notifications.models import Reminder
from apps.notifications.services import preferences, triggering
from apps.tasks import services as tasks
from tests.support.database_clock import database_clock, set_to
from tests.support.factories import person
from tests.support.pump import fresh_pump

REMINDED = datetime(2030, 5, 6, 9, 30, tzinfo=UTC)


@pytest.fixture
def task(db):
    ada = person("ada", time_zone="Europe/Berlin")
    with database_clock(REMINDED - timedelta(hours=1)), fresh_pump() as pump:
        now = REMINDED - timedelta(hours=1)
        task = tasks.create_task(
            owner=ada, actor=ada, title="Buy milk", now=now, due_at=REMINDED + timedelta(minutes=30)
        )
        pump.run()
        set_to(REMINDED)
        triggering.trigger_due()
        yield task, pump


def became():
    reminder = Reminder.objects.get()
    return reminder.status, reminder.because


def test_with_everything_switched_off_it_is_cancelled_as_unwanted(task):
    task, pump = task
    off = {"reminder": dict.fromkeys(["in_app", "email", "push", "webhook"], False)}
    preferences.change(owner=task.owner, changes={"switches": off}, now=REMINDED)

    pump.run()

    assert became() == ("cancelled", "unwanted")


def test_completed_before_it_was_told_it_is_cancelled_as_completed(task):
    task, pump = task
    tasks.complete_task(task_id=task.pk, actor=task.owner, now=REMINDED)

    pump.run()

    assert became() == ("cancelled", "completed")


def test_moved_before_it_was_told_it_waits_again(task):
    task, pump = task
    later = {"due_at": REMINDED + timedelta(hours=9)}
    tasks.update_task(task_id=task.pk, actor=task.owner, changes=later, now=REMINDED)

    pump.run()

    assert became() == ("planned", "")


def test_told_in_the_app_it_is_delivered(task):
    _, pump = task

    pump.run()

    assert became() == ("delivered", "")
