"""What people do with what they were told, and what happens to its tasks does."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from apps.events import event_types
from apps.events.models import Event
from apps.notifications.exceptions import NotificationNotFound
from apps.notifications.kinds import Kind
from apps.notifications.models import Notification, RemindedTask
from apps.notifications.selectors.clock import database_now
from apps.notifications.services import inbox
from apps.notifications.services.telling import tell
from apps.tasks.exceptions import StaleVersion
from tests.notifications.told import NOON, Pigeon, news, only_in_app_and
from tests.support import factories
from tests.support.factories import person

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def ada():
    return person("ada")


@pytest.fixture(autouse=True)
def _pigeon():
    with only_in_app_and(Pigeon()):
        yield


@pytest.fixture
def task(ada):
    return RemindedTask.objects.create(
        task_id=uuid4(), owner=ada, version=1, title="Buy milk", status="pending", priority="none", due_at=NOON
    )


def told(owner, **fields):
    (one,) = tell([news(owner, **fields)], now=NOON)
    return one


def updates():
    facts = Event.objects.filter(type="notification.updated.v1").order_by("position")
    return [(fact.subject_id, fact.subject_version, fact.data["change"]) for fact in facts]


def happens(task, kind, **now_is):
    """What is heard of a task, after its reminders have followed it."""
    RemindedTask.objects.filter(pk=task.pk).update(version=2, **now_is)
    named = event_types.find(f"task.{kind}.v1")
    one = replace(
        factories.event(subject_id=task.pk, version=2, data=factories.change_data()),
        type=named.name,
        owner_id=task.owner_id,
    )
    return inbox.done_with_tasks([one], now=LATER)


class TestRead:
    def test_is_kept_counted_and_told(self, ada):
        one = told(ada)

        inbox.mark_read(notification_id=one.pk, actor=ada, now=LATER)

        one.refresh_from_db()
        assert (one.status, one.read_at, one.version, one.updated_at) == ("read", LATER, 2, LATER)
        fact = Event.objects.get(type="notification.updated.v1")
        assert (fact.actor_id, fact.data["change"]) == (ada.pk, "read")
        assert fact.data["changes"] == {
            "status": {"before": "unread", "after": "read"},
            "read_at": {"before": None, "after": "2026-05-04T12:05:00Z"},
        }

    def test_twice_is_read_once(self, ada):
        one = told(ada)

        inbox.mark_read(notification_id=one.pk, actor=ada, now=LATER)
        inbox.mark_read(notification_id=one.pk, actor=ada, now=LATER + timedelta(hours=1))

        assert updates() == [(one.pk, 2, "read")]

    def test_can_be_taken_back(self, ada):
        one = told(ada)
        inbox.mark_read(notification_id=one.pk, actor=ada, now=LATER)

        inbox.mark_unread(notification_id=one.pk, actor=ada, now=LATER)

        one.refresh_from_db()
        assert (one.status, one.read_at, one.version) == ("unread", None, 3)
        assert [change for _, _, change in updates()] == ["read", "unread"]

    def test_what_is_done_is_neither_read_nor_unread(self, ada, task):
        one = told(ada, task_id=task.pk)
        happens(task, "completed", status="completed")

        inbox.mark_read(notification_id=one.pk, actor=ada, now=LATER)
        inbox.mark_unread(notification_id=one.pk, actor=ada, now=LATER)

        one.refresh_from_db()
        assert (one.status, one.version) == ("done", 2)

    @pytest.mark.parametrize("mark", [inbox.mark_read, inbox.mark_unread])
    def test_other_peoples_are_not_there(self, ada, mark):
        one = told(ada)

        with pytest.raises(NotificationNotFound):
            mark(notification_id=one.pk, actor=person("bob"), now=LATER)

        assert updates() == []

    def test_all_are_read_in_steps_each_with_its_event(self, ada, monkeypatch):
        monkeypatch.setattr(inbox, "MOST_AT_ONCE", 2)
        mine = [told(ada) for _ in range(5)]
        told(person("bob"))

        count = inbox.mark_all_read(actor=ada, now=LATER)

        assert count == 5
        assert updates() == [(one.pk, 2, "read") for one in mine]
        assert Notification.objects.get(status="unread").owner_id != ada.pk

    def test_all_are_those_there_by_the_databases_clock_whatever_the_callers_shows(self, ada):
        one = told(ada)
        Notification.objects.update(created_at=database_now())

        assert inbox.mark_all_read(actor=ada, now=datetime.now(UTC) - timedelta(seconds=30)) == 1

        one.refresh_from_db()
        assert one.status == "read"

    def test_all_up_to_one_leave_those_that_came_later(self, ada):
        _, second, third = (told(ada) for _ in range(3))

        assert inbox.mark_all_read(actor=ada, now=LATER, until=second.pk) == 2

        third.refresh_from_db()
        assert third.status == "unread"


class TestDoneWithItsTask:
    @pytest.mark.parametrize("status", ["completed", "deleted"])
    def test_a_task_that_is_done_takes_what_was_told_of_it_along(self, ada, task, status):
        one = told(ada, task_id=task.pk)

        assert happens(task, status, status=status) == 1

        one.refresh_from_db()
        assert (one.status, one.because, updates()) == ("done", status, [(one.pk, 2, "done")])

    def test_a_task_that_is_purged_too(self, ada, task):
        one = told(ada, task_id=task.pk)
        event = replace(factories.event(subject_id=task.pk, version=3), type="task.purged.v1")
        task.delete()

        inbox.done_with_tasks([event], now=LATER)

        one.refresh_from_db()
        assert (one.status, one.because) == ("done", "purged")

    def test_what_was_snoozed_is_done_and_what_was_read_stays_read(self, ada, task):
        snoozed, read = told(ada, task_id=task.pk), told(ada, task_id=task.pk)
        inbox.mark_read(notification_id=read.pk, actor=ada, now=NOON)
        Notification.objects.filter(pk=snoozed.pk).update(choices=[])
        inbox.changes.change([snoozed], {"status": "snoozed", "snoozed_until": LATER}, kind="snoozed", now=NOON)

        happens(task, "completed", status="completed")

        snoozed.refresh_from_db()
        read.refresh_from_db()
        assert (snoozed.status, snoozed.snoozed_until, read.status) == ("done", None, "read")

    def test_a_task_that_is_open_again_when_it_is_heard_takes_nothing_along(self, ada, task):
        one = told(ada, task_id=task.pk)

        assert happens(task, "completed", status="pending") == 0

        one.refresh_from_db()
        assert one.status == "unread"

    def test_reopening_makes_nothing_unread(self, ada, task):
        one = told(ada, task_id=task.pk)
        happens(task, "completed", status="completed")

        happens(task, "reopened", status="pending")

        one.refresh_from_db()
        assert (one.status, one.version) == ("done", 2)

    def test_other_tasks_keep_theirs(self, ada, task):
        told(ada, task_id=uuid4())

        assert happens(task, "completed", status="completed") == 0

    @pytest.mark.parametrize(
        ("fields", "count"),
        [
            ({"kind": Kind.OVERDUE, "due_at": NOON}, 1),
            ({"data": {"before_due": "PT30M"}, "due_at": NOON}, 1),
            ({"data": {"before_due": None}, "due_at": NOON}, 0),
            ({"data": {}, "due_at": NOON}, 0),
        ],
    )
    def test_a_due_that_moved_takes_along_what_hung_on_it(self, ada, task, fields, count):
        told(ada, task_id=task.pk, **fields)

        assert happens(task, "updated", due_at=NOON + timedelta(days=1)) == count
        assert Notification.objects.filter(status="done", because="due_moved").count() == count

    def test_a_due_that_became_a_day_moved_too(self, ada, task):
        told(ada, task_id=task.pk, kind=Kind.OVERDUE, due_at=NOON)

        assert happens(task, "updated", due_at=None, due_on=date(2026, 5, 4)) == 1

    def test_another_change_leaves_all_as_it_is(self, ada, task):
        told(ada, task_id=task.pk, kind=Kind.OVERDUE, due_at=NOON)

        assert happens(task, "updated", title="Buy oat milk") == 0


@pytest.mark.parametrize("service", [inbox.mark_read, inbox.mark_unread])
def test_who_has_seen_another_version_marks_nothing(ada, service):
    one = told(ada)
    inbox.mark_read(notification_id=one.pk, actor=ada, now=LATER)
    before = list(Notification.objects.values()), updates()

    with pytest.raises(StaleVersion) as told_why:
        service(notification_id=one.pk, actor=ada, now=LATER, expected_version=1)

    assert told_why.value.current.version == 2
    assert (list(Notification.objects.values()), updates()) == before


def test_who_has_seen_what_there_is_marks_it(ada):
    one = told(ada)

    marked = inbox.mark_read(notification_id=one.pk, actor=ada, now=LATER, expected_version=1)

    assert (marked.status, marked.version) == ("read", 2)
