"""What is snoozed in one place is snoozed everywhere, and comes again once."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.events.models import Event
from apps.notifications.exceptions import CannotSnooze, InvalidSnooze, NotificationNotFound, ReminderNotFound
from apps.notifications.models import Notification, Preferences, Reminder
from apps.notifications.services import plans, snoozing, triggering
from apps.tasks import services as tasks
from tests.support.database_clock import database_clock, set_to
from tests.support.factories import person
from tests.support.notified import told
from tests.support.pump import fresh_pump

NOW = datetime(2030, 5, 6, 8, 0, tzinfo=UTC)
DUE = NOW + timedelta(hours=2)
TIME = DUE - timedelta(minutes=30)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def pump(db):
    with database_clock(NOW), fresh_pump() as pump:
        yield pump


@pytest.fixture
def ada(db):
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def task(ada, pump):
    task = tasks.create_task(owner=ada, actor=ada, title="Buy milk", now=NOW, due_at=DUE)
    pump.run()
    return task


@pytest.fixture
def notification(task, ada):
    """What was told of the task's reminder."""
    set_to(TIME)
    triggering.trigger_due()
    return told(ada, task_id=task.pk, reminder_id=Reminder.objects.get().pk, about_at=TIME)


def snoozed(notification, until="PT15M", *, now=TIME):
    return snoozing.snooze_notification(notification_id=notification.pk, actor=notification.owner, until=until, now=now)


def events(name):
    return [event.data for event in Event.objects.filter(type=name).order_by("position")]


def test_its_reminder_waits_again_and_the_notification_says_until_when(notification):
    after = snoozed(notification)

    assert (after.status, after.snoozed_until) == ("snoozed", TIME + 15 * MINUTE)
    reminder = Reminder.objects.get()
    assert (reminder.status, reminder.trigger_at, reminder.planned_for) == ("snoozed", TIME + 15 * MINUTE, TIME)
    assert [(one["before"], one["after"], one["notification_id"]) for one in events("reminder.snoozed.v1")] == [
        ("2030-05-06T09:30:00Z", "2030-05-06T09:45:00Z", str(notification.pk))
    ]
    assert [one["change"] for one in events("notification.updated.v1")] == ["snoozed"]


def test_it_is_triggered_again_then_and_once(notification):
    snoozed(notification)
    set_to(TIME + 15 * MINUTE)

    triggering.trigger_due()
    triggering.trigger_due()

    assert [one["number"] for one in events("reminder.triggered.v1")] == [1, 2]


def test_what_was_snoozed_is_done_when_it_is_told_again(notification):
    snoozed(notification)
    set_to(TIME + 15 * MINUTE)

    triggering.trigger_due()

    notification.refresh_from_db()
    assert (notification.status, notification.because) == ("done", "told_again")


@pytest.mark.parametrize("due", [DUE - 5 * MINUTE, DUE + MINUTE])
def test_a_due_that_moves_a_little_leaves_it_snoozed(notification, task, ada, pump, due):
    snoozed(notification)

    tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": due}, now=TIME + 3 * MINUTE)
    pump.run()

    assert (Reminder.objects.get().status, Reminder.objects.get().trigger_at) == ("snoozed", TIME + 15 * MINUTE)
    set_to(TIME + 15 * MINUTE)
    triggering.trigger_due()
    assert [one["number"] for one in events("reminder.triggered.v1")] == [1, 2]


def test_another_default_leaves_it_snoozed(notification, task, ada):
    snoozed(notification)
    Preferences.objects.create(owner=ada, default_before_due="PT1H", follows_up_from=UUID(int=0), updated_at=NOW)

    plans.follow_up(owner_id=ada.pk, now=TIME + 3 * MINUTE)

    assert (Reminder.objects.get().status, Reminder.objects.get().trigger_at) == ("snoozed", TIME + 15 * MINUTE)
    set_to(TIME + 15 * MINUTE)
    triggering.trigger_due()
    assert Reminder.objects.get().triggers == 2


def test_completed_meanwhile_it_is_not(notification, task, ada):
    snoozed(notification)
    tasks.complete_task(task_id=task.pk, actor=ada, now=TIME)
    set_to(TIME + 15 * MINUTE)

    triggering.trigger_due()

    assert [one["number"] for one in events("reminder.triggered.v1")] == [1]
    assert Reminder.objects.get().status == "cancelled"


def test_a_due_that_moves_takes_the_snoozed_one_along(notification, task, ada, pump):
    snoozed(notification)

    tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + 60 * MINUTE}, now=TIME)
    pump.run()

    assert (Reminder.objects.get().status, Reminder.objects.get().trigger_at) == ("planned", TIME + 60 * MINUTE)


def test_a_change_of_the_title_leaves_it_snoozed(notification, task, ada, pump):
    snoozed(notification)

    tasks.update_task(task_id=task.pk, actor=ada, changes={"title": "Buy bread"}, now=TIME)
    pump.run()

    assert (Reminder.objects.get().status, Reminder.objects.get().trigger_at) == ("snoozed", TIME + 15 * MINUTE)


def test_all_that_was_told_of_one_reminder_is_snoozed_together(notification, ada):
    other = told(ada, task_id=notification.task_id, reminder_id=notification.reminder_id, about_at=TIME)

    snoozed(notification)

    other.refresh_from_db()
    assert other.status == "snoozed"


def test_a_nudge_that_is_snoozed_becomes_a_reminder(task, ada, pump):
    nudge = told(ada, kind="overdue", task_id=task.pk, about_at=DUE)

    snoozed(nudge, now=DUE)

    reminder = Reminder.objects.get(origin="snooze")
    assert (reminder.status, reminder.trigger_at) == ("snoozed", DUE + 15 * MINUTE)
    set_to(DUE + 15 * MINUTE)
    triggering.trigger_due()
    assert Reminder.objects.get(origin="snooze").status == "triggered"


def test_a_snoozed_nudge_goes_when_its_task_is_due_later(task, ada, pump):
    nudge = told(ada, kind="overdue", task_id=task.pk, about_at=DUE)
    snoozed(nudge, now=DUE)

    tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + 600 * MINUTE}, now=DUE)
    pump.run()

    reminder = Reminder.objects.get(origin="snooze")
    assert (reminder.status, reminder.because) == ("cancelled", "due_moved")


def test_a_task_nobody_has_heard_of_yet_can_be_snoozed(ada, pump):
    task = tasks.create_task(owner=ada, actor=ada, title="x", now=NOW)
    one = told(ada, task_id=task.pk, about_at=NOW)

    snoozed(one, now=NOW)
    pump.run()

    assert (Reminder.objects.get().status, Reminder.objects.get().origin) == ("snoozed", "snooze")


def test_snoozed_twice_it_comes_once_at_the_later_time(notification):
    snoozed(notification)
    snoozed(notification, "PT1H", now=TIME + MINUTE)
    set_to(TIME + 61 * MINUTE)

    triggering.trigger_due()

    assert Reminder.objects.count() == 1
    assert [one["number"] for one in events("reminder.triggered.v1")] == [1, 2]


@pytest.mark.parametrize(
    ("until", "instant"),
    [
        ("PT15M", TIME + 15 * MINUTE),
        ("tomorrow", datetime(2030, 5, 7, 7, 0, tzinfo=UTC)),
        ("next_week", datetime(2030, 5, 13, 7, 0, tzinfo=UTC)),
        ("2030-05-10", datetime(2030, 5, 10, 7, 0, tzinfo=UTC)),
        ("2030-05-06T18:00:00+02:00", datetime(2030, 5, 6, 16, 0, tzinfo=UTC)),
    ],
)
def test_until_when_can_be_said_in_many_ways(notification, until, instant):
    assert snoozed(notification, until).snoozed_until == instant


@pytest.mark.parametrize("until", ["", "yesterday", "PT0S", "-PT5M", "2030-05-06", "P9999Y", "2029-01-01T00:00:00Z"])
def test_what_is_no_time_to_come_is_refused(notification, until):
    with pytest.raises(InvalidSnooze):
        snoozed(notification, until)

    notification.refresh_from_db()
    assert (notification.status, Reminder.objects.get().status) == ("unread", "triggered")


def test_what_is_of_a_task_that_is_done_is_refused(notification, task, ada):
    tasks.complete_task(task_id=task.pk, actor=ada, now=TIME)

    with pytest.raises(CannotSnooze):
        snoozed(notification)

    assert Notification.objects.get().status == "unread"


def test_what_is_about_no_task_is_refused(ada, pump):
    digest = told(ada, kind="digest")

    with pytest.raises(CannotSnooze):
        snoozed(digest)

    assert not Reminder.objects.exists()


def test_another_persons_is_not_there(notification):
    eve = person("eve")

    with pytest.raises(NotificationNotFound):
        snoozing.snooze_notification(notification_id=notification.pk, actor=eve, until="PT15M", now=TIME)
    with pytest.raises(ReminderNotFound):
        snoozing.snooze_reminder(reminder_id=notification.reminder_id, actor=eve, until="PT15M", now=TIME)

    assert Reminder.objects.get().status == "triggered"


def test_a_reminder_that_waits_can_be_put_off(task, ada):
    reminder = snoozing.snooze_reminder(reminder_id=Reminder.objects.get().pk, actor=ada, until="PT3H", now=NOW)

    assert (reminder.status, reminder.trigger_at) == ("snoozed", NOW + 180 * MINUTE)


def test_a_cancelled_one_cannot(task, ada, pump):
    tasks.update_task(task_id=task.pk, actor=ada, changes={"reminders": []}, now=NOW)
    pump.run()

    with pytest.raises(CannotSnooze):
        snoozing.snooze_reminder(reminder_id=Reminder.objects.get().pk, actor=ada, until="PT3H", now=NOW)

    assert Reminder.objects.get().status == "cancelled"
