"""Nudges about what is overdue: once for each due, by the database's clock and the task as it is."""

from datetime import timedelta

import pytest
import structlog
from django.db import transaction

from apps.accounts.models import User
from apps.calendar.zones import UnknownTimeZone
from apps.notifications import metrics
from apps.notifications.models import Notification, Watermark
from apps.notifications.selectors.clock import database_now
from apps.notifications.services import each_apart, overdue, preferences
from apps.notifications.services.overdue import nudge_overdue
from apps.tasks import services as tasks
from apps.tasks.models import Task
from tests.events.concurrency import at_once
from tests.notifications.told import Pigeon, only_in_app_and
from tests.support.factories import person

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture(autouse=True)
def _pigeon():
    with only_in_app_and(Pigeon()):
        yield


@pytest.fixture
def now():
    return database_now()


@pytest.fixture
def since_two_hours(now):
    """The last sweep came so far."""
    Watermark.objects.create(name=overdue.WATERMARK, until=now - 2 * HOUR)


def due(owner, at, *, title="Buy milk", **fields):
    return tasks.create_task(owner=owner, actor=owner, title=title, due_at=at, now=at - HOUR, **fields)


def titles():
    return list(Notification.objects.order_by("pk").values_list("title", flat=True))


def sweep():
    """Round after round, as the job does."""
    done = None
    nudged = 0
    while done is None or not done.over:
        done = nudge_overdue(done)
        nudged += done.nudged
    return nudged


@pytest.mark.usefixtures("since_two_hours")
class TestNudge:
    def test_what_is_overdue_is_told_once(self, ada, now):
        task = due(ada, now - MINUTE)

        assert (sweep(), sweep()) == (1, 0)

        nudge = Notification.objects.get()
        assert (nudge.kind, nudge.task_id, nudge.title, nudge.about_at) == ("overdue", task.pk, "Buy milk", task.due_at)
        assert nudge.text.startswith("Overdue: was due ")
        assert [choice["decision"] for choice in nudge.choices] == ["told", "batch"]

    def test_one_that_cannot_be_told_holds_up_nobody_and_is_counted(self, ada, now):
        bob = person("bob")
        for owner in (bob, ada):
            due(owner, now - MINUTE, title=f"{owner.username}'s")
        User.objects.filter(pk=bob.pk).update(time_zone="Mars/Olympus")
        before = metrics.left_out.labels("overdue")._value.get()

        with structlog.testing.capture_logs() as lines:
            assert (sweep(), sweep()) == (1, 0)

        assert titles() == ["ada's"]
        assert metrics.left_out.labels("overdue")._value.get() > before
        assert {line["which"] for line in lines if line["event"] == "sweep_left_one_out"} == {
            str(Task.objects.get(owner=bob).pk)
        }

    def test_without_savepoints_it_would(self, ada, now, monkeypatch):
        """The negative control."""
        bob = person("bob")
        for owner in (bob, ada):
            due(owner, now - MINUTE)
        User.objects.filter(pk=bob.pk).update(time_zone="Mars/Olympus")
        monkeypatch.setattr(each_apart, "each", lambda them, act, **_: [(one, act(one)) for one in them])

        with pytest.raises(UnknownTimeZone):
            sweep()

        assert titles() == []

    def test_what_is_due_later_or_done_is_not(self, ada, now):
        due(ada, now + MINUTE)
        done = due(ada, now - MINUTE)
        tasks.complete_task(task_id=done.pk, actor=ada, now=now)

        assert sweep() == 0

    def test_it_is_told_again_when_it_is_due_again(self, ada, now):
        task = due(ada, now - HOUR)
        sweep()
        tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": now - MINUTE / 2}, now=now)

        assert sweep() == 1

    def test_a_nudge_that_was_dealt_with_does_not_come_back(self, ada, now):
        due(ada, now - MINUTE)
        sweep()
        nudge = Notification.objects.get()
        overdue_again = Watermark.objects.filter(name=overdue.WATERMARK)
        overdue_again.update(until=now - HOUR)

        assert sweep() == 0
        assert Notification.objects.get().choices == nudge.choices

    def test_after_downtime_the_oldest_come_first(self, ada, now):
        for minutes in (5, 90, 30):
            due(ada, now - minutes * MINUTE, title=f"{minutes} min")

        sweep()

        assert titles() == ["90 min", "30 min", "5 min"]

    def test_rounds_go_on_where_the_one_before_ended_also_in_one_instant(self, ada, now):
        at = now - MINUTE
        for number in range(5):
            due(ada, at, title=str(number))

        first = nudge_overdue(most=2)
        second = nudge_overdue(first, most=2)
        third = nudge_overdue(second, most=2)

        assert ([one.nudged for one in (first, second, third)], third.over) == ([2, 2, 1], True)
        assert titles() == ["0", "1", "2", "3", "4"]

    def test_those_older_than_their_owners_limit_are_left_out(self, ada, now):
        preferences.change(owner=ada, changes={"stale_after_hours": 1}, now=now)
        bob = person("bob")
        for owner in (ada, bob):
            due(owner, now - 90 * MINUTE, title=f"{owner.username}'s old one")
            due(owner, now - 30 * MINUTE, title=f"{owner.username}'s new one")

        sweep()

        assert titles() == ["bob's old one", "ada's new one", "bob's new one"]

    def test_who_switched_them_off_everywhere_is_left_alone(self, ada, now):
        off = {"switches": {"overdue": {"in_app": False, "pigeon": False}}}
        preferences.change(owner=ada, changes=off, now=now)
        due(ada, now - MINUTE)

        assert sweep() == 0

    def test_how_far_it_came_is_kept_with_the_nudges(self, ada, now):
        due(ada, now - MINUTE)

        with transaction.atomic():
            nudge_overdue()
            transaction.set_rollback(True)

        assert (titles(), Watermark.objects.get().until) == ([], now - 2 * HOUR)
        assert sweep() == 1
        assert Watermark.objects.get().until > now - MINUTE

    def test_a_task_that_was_committed_after_it_was_due_is_found(self, ada, now):
        sweep()
        due(ada, now - MINUTE / 2)

        assert sweep() == 1


def test_the_first_sweep_of_all_nudges_nobody_about_the_past(ada, now):
    due(ada, now - 2 * HOUR)

    assert sweep() == 0


@pytest.mark.django_db(transaction=True)
class TestAtTheSameInstant:
    def test_a_task_that_is_just_being_changed_is_left_to_the_next_sweep(self, ada, now, since_two_hours):
        due(ada, now - HOUR, title="Buy milk")
        busy = due(ada, now - HOUR - MINUTE, title="Call Bob")

        with transaction.atomic():
            Task.objects.select_for_update().get(pk=busy.pk)
            at_once(sweep)
            meanwhile = titles()
        left_at = Watermark.objects.get().until
        sweep()

        assert (meanwhile, left_at) == (["Buy milk"], busy.due_at)
        assert titles() == ["Buy milk", "Call Bob"]

    def test_of_two_sweeps_one_goes_on(self, ada, now, since_two_hours):
        due(ada, now - MINUTE)

        with transaction.atomic():
            Watermark.objects.select_for_update().get()
            (other,) = at_once(nudge_overdue)

        assert (other.over, other.nudged, titles()) == (True, 0, [])
