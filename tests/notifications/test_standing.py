"""What holds no more when it is told or sent: by the task as it is, not as it was last heard of."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from apps.notifications.choices import standing
from apps.notifications.models import Delivery, Notification, Preferences, RemindedTask, Reminder
from apps.notifications.sending.sender import Sender
from apps.notifications.services import inbox, preferences
from apps.notifications.services.reminders import Changes
from apps.notifications.services.telling import tell_reminders
from apps.tasks import services as tasks
from tests.notifications.given import delivery, notification
from tests.notifications.told import NOON as AT
from tests.notifications.told import Pigeon, news, only_in_app_and, triggered
from tests.support.factories import person

pytestmark = pytest.mark.django_db

NOON = AT
DUE = NOON + timedelta(minutes=30)
DAY = timedelta(days=1)


@pytest.fixture
def ada():
    return person("ada")


@pytest.fixture
def task(ada):
    """Due at half past twelve, with a reminder half an hour before, as `triggered` tells."""
    asked = [{"before_due": "PT30M"}]
    return tasks.create_task(owner=ada, actor=ada, title="Buy milk", due_at=DUE, reminders=asked, now=NOON - DAY)


def told_of(task, *, late_seconds=0.2, now=NOON, **reminder):
    """What becomes of its reminder, which was triggered in time, when it is heard of."""
    event = triggered(
        task.owner_id,
        reminder_id=reminder_id_of(task),
        task_id=str(task.pk),
        late_seconds=late_seconds,
        occurred_at=now,
    )
    event.data["reminder"].update(reminder)
    planned(task, event.subject_id)
    with only_in_app_and(Pigeon()):
        (told,) = tell_reminders([event], now=now)
    return told.status, told.because, Delivery.objects.count()


def reminder_id_of(task):
    task.refresh_from_db()
    from uuid import UUID

    return UUID(task.reminders[0]["id"]) if task.reminders else uuid4()


@transaction.atomic
def planned(task, reminder_id):
    """A reminder that was triggered at noon."""
    heard = RemindedTask.objects.create(
        task_id=task.pk, owner_id=task.owner_id, version=1, status="pending", priority="none"
    )
    row = Reminder(id=reminder_id, owner_id=task.owner_id, task=heard, origin="asked", status="triggered")
    row.planned_for = row.trigger_at = NOON
    made = Changes(now=NOON)
    made.make(row)
    made.keep()


class TestTold:
    def test_what_still_holds_is_told(self, task):
        assert told_of(task) == ("unread", "", 1)

    def test_after_a_move_that_was_not_heard_yet_nobody_is_told(self, task):
        tasks.update_task(task_id=task.pk, actor=task.owner, changes={"due_at": DUE + DAY}, now=NOON)

        assert told_of(task) == ("done", "due_moved", 0)
        (choice,) = Notification.objects.get().choices
        assert choice["reason"] == "The task was given another due before you were told, so nothing was sent."

    def test_without_the_look_at_the_task_they_would_be(self, task, monkeypatch):
        """The negative control."""
        monkeypatch.setattr("apps.notifications.services.telling.pictures", lambda *_, **__: {})
        tasks.update_task(task_id=task.pk, actor=task.owner, changes={"due_at": DUE + DAY}, now=NOON)

        assert told_of(task) == ("unread", "", 1)

    def test_of_a_reminder_that_nobody_knows_they_are_told_what_it_says(self, task):
        """Somebody put it on the topic by hand."""
        event = triggered(task.owner_id, reminder_id=uuid4(), task_id=str(task.pk))
        tasks.update_task(task_id=task.pk, actor=task.owner, changes={"reminders": []}, now=NOON)

        (told,) = tell_reminders([event], now=NOON)

        assert (told.status, told.because) == ("unread", "")

    def test_after_the_reminder_was_taken_away_nobody_is_told(self, task):
        asked = reminder_id_of(task)
        tasks.update_task(task_id=task.pk, actor=task.owner, changes={"reminders": []}, now=NOON)

        event = triggered(task.owner_id, reminder_id=asked, task_id=str(task.pk))
        planned(task, asked)
        (told,) = tell_reminders([event], now=NOON)

        assert (told.status, told.because, Delivery.objects.count()) == ("done", "removed", 0)

    def test_a_default_of_a_day_hangs_on_its_due(self, task):
        tasks.update_task(task_id=task.pk, actor=task.owner, changes={"due_at": DUE + DAY, "reminders": None}, now=NOON)

        assert told_of(task, origin="default", before_due=None) == ("done", "due_moved", 0)

    def test_an_instant_of_its_own_does_not(self, task):
        tasks.update_task(task_id=task.pk, actor=task.owner, changes={"due_at": DUE + DAY}, now=NOON)

        assert told_of(task, before_due=None) == ("unread", "", 1)

    def test_what_was_completed_and_not_heard_of_is_told_to_nobody(self, task):
        tasks.complete_task(task_id=task.pk, actor=task.owner, now=NOON)

        assert told_of(task) == ("done", "completed", 0)


class TestTheLimit:
    @pytest.mark.parametrize(
        ("hours", "told"), [(29, ("done", "too_late", 0)), (31, ("unread", "", 1)), (None, ("unread", "", 1))]
    )
    def test_counts_until_it_is_told(self, ada, task, hours, told):
        preferences.change(owner=ada, changes={"stale_after_hours": hours}, now=NOON)

        assert told_of(task, late_seconds=30 * 3600) == told

    def test_makes_the_reminder_stale(self, ada, task):
        told_of(task, late_seconds=30 * 3600)

        reminder = Reminder.objects.get()
        assert (reminder.status, reminder.because, reminder.version) == ("stale", "too_late", 2)


class TestSent:
    @pytest.mark.usefixtures("post")
    def test_what_was_moved_while_it_waited_is_dropped(self, ada, task):
        of = notification(ada, task_id=task.pk, due_at=DUE, data={"before_due": "PT30M", "origin": "asked"})
        row = delivery(ada, of)
        tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + DAY}, now=NOON)

        assert Sender(linger_seconds=0).run() == 0

        row.refresh_from_db()
        assert (row.status, row.because) == ("dropped", "due_moved")

    @pytest.mark.usefixtures("post")
    def test_what_was_not_goes_out(self, ada, task):
        row = delivery(ada, notification(ada, task_id=task.pk, due_at=DUE, data={"before_due": "PT30M"}))

        assert Sender(linger_seconds=0).run() == 1

        row.refresh_from_db()
        assert row.status == "delivered"

    def test_what_was_switched_off_while_it_waited_is_dropped_and_says_so(self, ada, post):
        row, other = delivery(ada, notification(ada, kind="overdue")), delivery(ada, destination="b")
        preferences.change(owner=ada, changes={"switches": {"overdue": {"letters": False}}}, now=NOON)

        assert Sender(linger_seconds=0).run() == 1

        row.refresh_from_db(), other.refresh_from_db()
        assert (row.status, row.because, other.status) == ("dropped", "switched_off", "delivered")

    def test_of_several_only_what_is_still_wanted_is_told(self, ada, post):
        row = delivery(ada, notification(ada, kind="overdue"), notification(ada, title="Call Bob"), kind="digest")
        preferences.change(owner=ada, changes={"switches": {"overdue": {"letters": False}}}, now=NOON)

        Sender(linger_seconds=0).run()

        row.refresh_from_db()
        assert (row.status, row.content["titles"]) == ("delivered", ["Call Bob"])


class TestQuietHoursThatBegin:
    """While something waits."""

    @pytest.fixture
    def asleep(self, ada, monkeypatch):
        """From a minute ago until in an hour, by her wall."""
        now = datetime.now(UTC)
        begins, ends = now - timedelta(minutes=1), (now + timedelta(hours=1)).replace(microsecond=0)
        Preferences.objects.create(
            owner=ada, updated_at=NOON, quiet_from=begins.time().replace(microsecond=0), quiet_until=ends.time()
        )
        return ends

    def test_hold_what_was_to_go_out(self, ada, post, asleep):
        row = delivery(ada, status="collecting")

        assert Sender(linger_seconds=0).run() == 0

        row.refresh_from_db()
        assert (row.status, row.send_at, row.held_quiet, row.because) == ("waiting", asleep, True, "quiet")
        assert (row.attempts, post.came) == (0, [])

    def test_hold_what_is_tried_again(self, ada, post, asleep):
        row = delivery(ada, attempts=1, content={"x": 1})

        Sender(linger_seconds=0).run()

        row.refresh_from_db()
        assert (row.status, row.send_at, row.attempts) == ("waiting", asleep, 1)

    def test_hold_nothing_without_the_look(self, ada, post, asleep, monkeypatch):
        """The negative control."""
        monkeypatch.setattr("apps.notifications.services.worth_sending._quiet_until", lambda *_, **__: None)
        row = delivery(ada)

        assert Sender(linger_seconds=0).run() == 1

        row.refresh_from_db()
        assert row.status == "delivered"

    def test_hold_nothing_that_is_urgent_or_a_test_or_was_asked_for_by_hand(self, ada, post, asleep):
        sent = delivery(ada, destination="d", status="delivered", content={"x": 1}, finished_at=NOON)
        rows = [
            delivery(ada, urgent=True, destination="a"),
            delivery(ada, kind="test", destination="b"),
            delivery(ada, because="asked_again", destination="c"),
            delivery(ada, redelivery_of=sent, content={"x": 1}, destination="d"),
        ]

        assert Sender(linger_seconds=0).run() == 4

        assert set(Delivery.objects.filter(pk__in=[row.pk for row in rows]).values_list("status", flat=True)) == {
            "delivered"
        }

    def test_let_it_go_when_they_are_taken_away(self, ada, post, asleep):
        row = delivery(ada)
        Sender(linger_seconds=0).run()

        now = datetime.now(UTC) - timedelta(seconds=1)
        preferences.change(owner=ada, changes={"quiet_from": None, "quiet_until": None}, now=now)

        assert Sender(linger_seconds=0).run() == 1
        row.refresh_from_db()
        assert (row.status, row.because) == ("delivered", "")


def test_a_notification_of_a_moved_default_of_a_day_is_done(ada):
    """Also by what is heard afterwards."""
    task = RemindedTask(status="pending", due_on=NOON.date())
    one = news(ada, due_on=NOON.date() + DAY, data={"origin": "default", "before_due": None})

    assert standing.over_because(one, task) == inbox.standing.DUE_MOVED
