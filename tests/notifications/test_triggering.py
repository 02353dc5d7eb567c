"""What is due is triggered once, never early, and only while the task asks for it as it is now."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.events.models import Event
from apps.notifications import jobs
from apps.notifications.models import Preferences, RemindedTask, Reminder, Watermark
from apps.notifications.selectors import reminders as selectors
from apps.notifications.services import triggering
from apps.tasks import services as tasks
from apps.tasks.models import Task
from tests.events.concurrency import in_background, waits_for_a_lock
from tests.support.database_clock import database_clock, set_to
from tests.support.factories import person
from tests.support.pump import fresh_pump

NOW = datetime(2030, 5, 6, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DUE = NOW + 2 * HOUR
TIME = DUE - 30 * MINUTE


@pytest.fixture
def pump(db):
    with database_clock(NOW), fresh_pump() as pump:
        yield pump


@pytest.fixture
def ada(db):
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def task(ada, pump):
    task = tasks.create_task(owner=ada, actor=ada, title="Buy milk", now=NOW, due_at=DUE, priority="high")
    pump.run()
    return task


def told(kind):
    return [event.data for event in Event.objects.filter(type=f"reminder.{kind}.v1").order_by("position")]


def state():
    reminder = Reminder.objects.get()
    return reminder.status, reminder.trigger_at, reminder.triggers


def test_a_second_before_its_time_nothing_happens(task):
    set_to(TIME - SECOND)

    done = triggering.trigger_due()

    assert len(done) == 0
    assert state() == ("planned", TIME, 0)


def test_at_its_time_it_is_triggered_and_told_with_its_task(task, ada):
    set_to(TIME + SECOND)

    triggering.trigger_due()

    assert state() == ("triggered", TIME, 1)
    event = Event.objects.get(type="reminder.triggered.v1")
    assert (event.key, event.owner_id, event.actor_id) == (str(task.pk), ada.pk, None)
    assert event.data["task"] == {
        "title": "Buy milk",
        "priority": "high",
        "due_at": "2030-05-06T10:00:00Z",
        "due_on": None,
        "due_time_zone": None,
    }
    assert (event.data["number"], event.data["late_seconds"]) == (1, 1.0)


def test_again_nothing_more_happens(task):
    set_to(TIME)
    triggering.trigger_due()

    done = triggering.trigger_due()

    assert len(done) == 0
    assert len(told("triggered")) == 1


@pytest.mark.parametrize(
    ("command", "because"),
    [(tasks.complete_task, "completed"), (tasks.delete_task, "deleted")],
)
def test_what_was_done_and_is_not_heard_of_yet_is_not_triggered(task, ada, command, because):
    command(task_id=task.pk, actor=ada, now=NOW)
    set_to(TIME)

    triggering.trigger_due()

    assert told("triggered") == []
    assert [event["because"] for event in told("cancelled")] == [because]


def test_without_the_look_at_the_task_it_would_be(task, ada, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(triggering, "fate", lambda *_, **__: None)
    tasks.complete_task(task_id=task.pk, actor=ada, now=NOW)
    set_to(TIME)

    triggering.trigger_due()

    assert len(told("triggered")) == 1


def test_what_was_moved_and_is_not_heard_of_yet_moves_there_and_then(task, ada, pump):
    tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + HOUR}, now=NOW)
    set_to(TIME)

    triggering.trigger_due()

    assert state() == ("planned", TIME + HOUR, 0)
    set_to(TIME + HOUR)
    pump.run()
    triggering.trigger_due()
    assert len(told("triggered")) == 1
    assert len(told("rescheduled")) == 1


def test_the_oldest_goes_first_and_only_so_many_at_once(ada, pump):
    several = [
        tasks.create_task(owner=ada, actor=ada, title=f"{number}", now=NOW, due_at=DUE - number * MINUTE)
        for number in range(3)
    ]
    pump.run()
    set_to(DUE)

    triggering.trigger_due(most=2)

    found = dict(Reminder.objects.values_list("task_id", "status"))
    assert found == {several[0].pk: "planned", several[1].pk: "triggered", several[2].pk: "triggered"}
    assert [event["task"]["title"] for event in told("triggered")] == ["2", "1"]


def test_one_later_than_its_owner_wants_to_be_told_is_let_go(task, ada, pump):
    Preferences.objects.create(owner=ada, stale_after_hours=1, updated_at=NOW)
    set_to(TIME + HOUR + SECOND)

    triggering.trigger_due()

    assert (Reminder.objects.get().status, Reminder.objects.get().because) == ("stale", "too_late")
    assert [(event["late_seconds"], event["limit_seconds"]) for event in told("stale")] == [(3601.0, 3600.0)]


def test_who_wants_to_be_told_however_late_is(task, ada, pump):
    Preferences.objects.create(owner=ada, stale_after_hours=None, updated_at=NOW)
    set_to(TIME + timedelta(days=400))

    triggering.trigger_due()

    assert [event["late_seconds"] for event in told("triggered")] == [400 * 86400.0]


def test_who_is_put_out_is_told_nothing_until_let_in_again(task, ada):
    User.objects.filter(pk=ada.pk).update(is_active=False)
    set_to(TIME)
    assert len(triggering.trigger_due()) == 0

    User.objects.filter(pk=ada.pk).update(is_active=True)

    assert triggering.trigger_due().triggered == 1


def test_a_due_that_moves_after_it_was_triggered_reminds_again(task, ada, pump):
    set_to(TIME)
    triggering.trigger_due()
    pump.run()

    tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + HOUR}, now=TIME)
    pump.run()
    set_to(TIME + HOUR)
    triggering.trigger_due()

    assert [event["number"] for event in told("triggered")] == [1, 2]


def test_one_that_dies_on_the_way_is_triggered_by_the_next(task, monkeypatch):
    set_to(TIME)
    monkeypatch.setattr(triggering.crash, "at", lambda point: point == "reminders.triggering" and 1 / 0)
    assert len(triggering.trigger_due().failed) == 1
    monkeypatch.undo()
    assert state() == ("planned", TIME, 0)

    triggering.trigger_due()

    assert len(told("triggered")) == 1


def test_one_that_cannot_be_triggered_holds_up_no_other(task, pump):
    bob = person("bob", time_zone="Europe/Berlin")
    tasks.create_task(owner=bob, actor=bob, title="Sing", now=NOW, due_at=DUE - MINUTE)
    pump.run()
    User.objects.filter(pk=bob.pk).update(time_zone="Nowhere/Land")
    set_to(TIME)

    done = triggering.trigger_due()

    assert (done.triggered, len(done.failed)) == (1, 1)
    assert [event["task"]["title"] for event in told("triggered")] == ["Buy milk"]


def test_what_stays_stuck_is_set_aside_and_others_go_on(task, ada, pump, monkeypatch):
    """As where a row of what was heard says it is newer than the task is."""
    monkeypatch.setattr(triggering, "AT_ONCE", 1)
    other = tasks.create_task(owner=ada, actor=ada, title="Later", now=NOW, due_at=DUE + MINUTE)
    pump.run()
    RemindedTask.objects.filter(pk=task.pk).update(version=1_000_000)
    tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + HOUR}, now=NOW)
    set_to(TIME + MINUTE)

    jobs.trigger_due()

    assert [event["reminder"]["task_id"] for event in told("triggered")] == [str(other.pk)]


def test_of_one_person_only_so_many_go_before_others_who_wait(task, pump, monkeypatch):
    monkeypatch.setattr(triggering, "SHARE", 2)
    bob = person("bob")
    for number in range(5):
        tasks.create_task(owner=bob, actor=bob, title=f"{number}", now=NOW, due_at=DUE - (9 - number) * SECOND)
    pump.run()
    set_to(TIME)

    triggering.trigger_due(most=3)

    assert sorted(event["task"]["title"] for event in told("triggered")) == ["0", "1", "Buy milk"]
    assert triggering.trigger_due(most=5).triggered == 3


def test_of_a_task_that_is_gone_for_good_it_is_cancelled_there_and_then(task, ada):
    tasks.delete_task(task_id=task.pk, actor=ada, now=NOW)
    tasks.purge_deleted_tasks(now=NOW + timedelta(days=31))
    set_to(TIME)

    done = triggering.trigger_due()

    assert (len(done.settled), done.left) == (1, set())
    assert [event["because"] for event in told("cancelled")] == ["purged"]


def test_what_was_moved_unheard_of_and_passed_meanwhile_is_told_late(task, ada, pump):
    tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + HOUR}, now=NOW)
    set_to(DUE + 2 * HOUR)

    triggering.trigger_due()
    triggering.trigger_due()
    pump.run()

    assert [event["late_seconds"] for event in told("triggered")] == [5400.0]


def test_who_was_put_out_for_long_is_not_told_what_they_missed(task, ada):
    User.objects.filter(pk=ada.pk).update(is_active=False)
    set_to(TIME + timedelta(hours=24, seconds=1))

    triggering.trigger_due()

    assert state()[0] == "stale"


def test_the_job_goes_on_until_nothing_is_due_and_notes_that_it_looked(ada, pump, monkeypatch):
    monkeypatch.setattr(triggering, "AT_ONCE", 2)
    for _ in range(5):
        tasks.create_task(owner=ada, actor=ada, title="x", now=NOW, due_at=DUE)
    pump.run()
    set_to(TIME)

    jobs.trigger_due()

    assert len(told("triggered")) == 5
    assert Watermark.objects.get(name="reminders").swept_at == TIME


def test_it_rings_for_each_second_in_which_something_is_due_soon(task, ada, pump):
    tasks.create_task(owner=ada, actor=ada, title="x", now=NOW, due_at=DUE + SECOND)
    tasks.create_task(owner=ada, actor=ada, title="x", now=NOW, due_at=DUE + HOUR)
    pump.run()
    set_to(TIME - 4 * SECOND)

    assert sorted(selectors.seconds_ahead(within=10)) == [4.0, 5.0]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """On connections of their own."""

    @pytest.fixture
    def due(self):
        """A reminder whose time has come, by the clock on the wall."""
        ada = person("ada")
        soon = datetime.now(UTC) + timedelta(minutes=10)
        task = tasks.create_task(owner=ada, actor=ada, title="Buy milk", now=datetime.now(UTC), due_at=soon)
        with fresh_pump() as pump:
            pump.run()
        return task

    def test_of_two_one_triggers_and_neither_waits(self, due):
        inside, enough = threading.Event(), threading.Event()

        def hold():
            with transaction.atomic():
                assert triggering.trigger_due().triggered == 1
                inside.set()
                enough.wait(30)

        with in_background(hold) as holding:
            assert inside.wait(30)
            second = triggering.trigger_due()
            enough.set()
            holding.result(30)

        assert len(second) == 0
        assert len(told("triggered")) == 1

    def test_a_task_that_somebody_is_changing_is_left_to_the_next_round(self, due):
        inside, enough = threading.Event(), threading.Event()

        def hold():
            with transaction.atomic():
                Task.objects.select_for_update().get(pk=due.pk)
                inside.set()
                enough.wait(30)

        with in_background(hold) as holding:
            assert inside.wait(30)
            done = triggering.trigger_due()
            enough.set()
            holding.result(30)

        assert (done.triggered, len(done.left)) == (0, 1)
        assert triggering.trigger_due().triggered == 1

    def test_a_completion_waits_for_a_trigger_that_came_first(self, due):
        inside, enough = threading.Event(), threading.Event()

        def hold():
            with transaction.atomic():
                triggering.trigger_due()
                inside.set()
                enough.wait(30)

        def complete():
            tasks.complete_task(task_id=due.pk, actor=due.owner, now=datetime.now(UTC))

        with in_background(hold) as holding:
            assert inside.wait(30)
            with in_background(complete) as completing:
                assert waits_for_a_lock()
                enough.set()
                holding.result(30)
                completing.result(30)

        assert list(Event.objects.order_by("position").values_list("type", flat=True))[1:] == [
            "task.snapshot.v1",
            "reminder.scheduled.v1",
            "reminder.triggered.v1",
            "task.completed.v1",
            "task.snapshot.v1",
        ]


def test_where_none_is_due_it_is_one_query(task):
    with CaptureQueriesContext(connection) as queries:
        triggering.trigger_due()

    assert len([query for query in queries if "SELECT" in query["sql"]]) == 1
