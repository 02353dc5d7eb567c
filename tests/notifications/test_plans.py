"""What tasks ask to be reminded of is planned, moved and cancelled, and no more."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from apps.accounts import services as accounts
from apps.events.models import Event
from apps.notifications import jobs, wanted
from apps.notifications.models import Preferences, RemindedTask, Reminder
from apps.notifications.services import plans
from apps.notifications.wanted import default_id
from apps.tasks import services as tasks
from tests.support.factories import person
from tests.support.pump import fresh_pump

pytestmark = pytest.mark.django_db
NOW = datetime(2030, 5, 6, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def pump():
    with fresh_pump() as pump:
        yield pump


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


def made(owner, *, now=NOW, **fields):
    return tasks.create_task(owner=owner, actor=owner, title="Buy milk", now=now, **fields)


def changed(task, *, now=NOW, **changes):
    return tasks.update_task(task_id=task.pk, actor=task.owner, changes=changes, now=now)


def told(kind):
    events = Event.objects.filter(type=f"reminder.{kind}.v1").order_by("position")
    return [event.data for event in events]


def test_a_default_is_planned_half_an_hour_before_due(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)

    pump.run()

    reminder = Reminder.objects.get()
    assert reminder.pk == default_id(task.pk)
    assert (reminder.origin, reminder.status) == ("default", "planned")
    assert reminder.trigger_at == reminder.planned_for == NOW + 2 * HOUR - 30 * MINUTE
    assert told("scheduled")[0]["reminder"]["before_due"] == "PT30M"


def test_the_default_of_a_day_is_nine_where_its_owner_lives(ada, pump):
    made(ada, due_on=date(2030, 5, 10))

    pump.run()

    assert Reminder.objects.get().trigger_at == datetime(2030, 5, 10, 7, 0, tzinfo=UTC)


def test_a_default_that_has_passed_is_for_at_once_while_due_is_ahead(ada, pump):
    made(ada, due_at=NOW + 5 * MINUTE)

    pump.run()

    reminder = Reminder.objects.get()
    assert reminder.trigger_at == NOW
    assert reminder.planned_for == NOW - 25 * MINUTE


def test_nothing_is_planned_for_what_is_overdue_already(ada, pump):
    made(ada, due_at=NOW - MINUTE)

    pump.run()

    assert not Reminder.objects.exists()
    assert told("scheduled") == []


def test_a_task_without_due_or_reminders_leaves_nothing(ada, pump):
    made(ada)

    pump.run()

    assert not RemindedTask.objects.exists()


def test_reminders_that_were_asked_for_keep_their_ids(ada, pump):
    task = made(
        ada,
        due_at=NOW + 5 * HOUR,
        reminders=[{"before_due": "PT1H"}, {"trigger_at": (NOW + HOUR).isoformat()}],
    )

    pump.run()

    found = {str(one.pk): (one.origin, one.before_due, one.trigger_at) for one in Reminder.objects.all()}
    assert found == {
        task.reminders[0]["id"]: ("asked", "PT1H", NOW + 4 * HOUR),
        task.reminders[1]["id"]: ("asked", "", NOW + HOUR),
    }


def test_an_empty_list_is_none(ada, pump):
    made(ada, due_at=NOW + 5 * HOUR, reminders=[])

    pump.run()

    assert not Reminder.objects.exists()
    assert RemindedTask.objects.get().reminders == []


def test_a_due_that_moves_takes_its_reminder_along(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)
    pump.run()

    changed(task, due_at=NOW + 4 * HOUR)
    pump.run()

    reminder = Reminder.objects.get()
    assert (reminder.version, reminder.status) == (2, "planned")
    assert reminder.trigger_at == NOW + 4 * HOUR - 30 * MINUTE
    moved = told("rescheduled")[0]
    assert (moved["before"], moved["after"], moved["because"]) == (
        "2030-05-06T09:30:00Z",
        "2030-05-06T11:30:00Z",
        "task",
    )


def test_a_change_of_the_title_moves_nothing(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)
    pump.run()

    changed(task, title="Buy bread")
    pump.run()

    assert Reminder.objects.get().version == 1
    assert RemindedTask.objects.get().title == "Buy bread"


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda task: tasks.complete_task(task_id=task.pk, actor=task.owner, now=NOW), "completed"),
        (lambda task: tasks.delete_task(task_id=task.pk, actor=task.owner, now=NOW), "deleted"),
        (lambda task: changed(task, due_at=None), "no_due"),
        (lambda task: changed(task, reminders=[]), "removed"),
        (lambda task: changed(task, due_at=NOW - HOUR), "passed"),
    ],
)
def test_what_is_not_asked_for_any_more_is_cancelled(ada, pump, change, because):
    task = made(ada, due_at=NOW + 2 * HOUR)
    pump.run()

    change(task)
    pump.run()

    reminder = Reminder.objects.get()
    assert (reminder.status, reminder.because) == ("cancelled", because)
    assert [event["because"] for event in told("cancelled")] == [because]


def test_reopened_it_waits_again(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)
    tasks.complete_task(task_id=task.pk, actor=ada, now=NOW)
    pump.run()

    tasks.reopen_task(task_id=task.pk, actor=ada, now=NOW + HOUR)
    pump.run()

    assert Reminder.objects.get().status == "planned"
    assert [(event["before"], event["because"]) for event in told("rescheduled")] == [(None, "reopened")]


def test_reopened_after_its_time_it_is_for_at_once_while_due_is_ahead(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)
    tasks.complete_task(task_id=task.pk, actor=ada, now=NOW)
    pump.run()

    tasks.reopen_task(task_id=task.pk, actor=ada, now=NOW + 100 * MINUTE)
    pump.run()

    assert Reminder.objects.get().trigger_at == NOW + 100 * MINUTE


def test_purged_nothing_is_left(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)
    tasks.delete_task(task_id=task.pk, actor=ada, now=NOW)
    pump.run()

    tasks.purge_deleted_tasks(now=NOW + timedelta(days=31))
    pump.run()

    assert not Reminder.objects.exists()
    assert not RemindedTask.objects.exists()


def test_many_changes_of_many_tasks_at_once_are_followed_in_order(ada, pump):
    several = [made(ada, due_at=NOW + 2 * HOUR) for _ in range(3)]
    changed(several[0], due_at=NOW + 3 * HOUR)
    tasks.complete_task(task_id=several[0].pk, actor=ada, now=NOW)
    changed(several[1], due_at=NOW + 4 * HOUR)

    pump.run()

    found = {one.task_id: (one.status, one.trigger_at, one.version) for one in Reminder.objects.all()}
    assert found == {
        several[0].pk: ("cancelled", NOW + 150 * MINUTE, 3),
        several[1].pk: ("planned", NOW + 210 * MINUTE, 2),
        several[2].pk: ("planned", NOW + 90 * MINUTE, 1),
    }


def test_redelivered_everything_changes_no_row(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)
    changed(task, due_at=NOW + 3 * HOUR)
    pump.run()
    before = list(Reminder.objects.values()), list(RemindedTask.objects.values())

    pump.redeliver_everything()

    assert (list(Reminder.objects.values()), list(RemindedTask.objects.values())) == before


def test_what_is_older_than_what_was_heard_changes_nothing(ada, pump):
    task = made(ada, due_at=NOW + 2 * HOUR)
    changed(task, due_at=NOW + 3 * HOUR)
    pump.run()
    first = Event.objects.get(type="task.created.v1")

    from apps.events.outbox import envelope_of

    plans.follow_tasks([envelope_of(first)], now=NOW)

    assert Reminder.objects.get().trigger_at == NOW + 150 * MINUTE


def test_without_the_look_at_the_version_an_older_one_would_move_it(ada, pump, monkeypatch):
    """The negative control."""
    task = made(ada, due_at=NOW + 2 * HOUR)
    changed(task, due_at=NOW + 3 * HOUR)
    pump.run()
    RemindedTask.objects.update(version=0)
    first = Event.objects.get(type="task.created.v1")

    from apps.events.outbox import envelope_of

    plans.follow_tasks([envelope_of(first)], now=NOW)

    assert Reminder.objects.get().trigger_at == NOW + 90 * MINUTE


def test_a_changed_default_moves_those_by_default_alone(ada, pump):
    made(ada, due_at=NOW + 5 * HOUR)
    made(ada, due_at=NOW + 5 * HOUR, reminders=[{"before_due": "PT10M"}])
    pump.run()
    Preferences.objects.create(
        owner=ada, default_before_due="PT2H", follows_up_from="00000000-0000-0000-0000-000000000000", updated_at=NOW
    )

    left = plans.follow_up(owner_id=ada.pk, now=NOW)

    assert left is False
    found = {one.origin: one.trigger_at for one in Reminder.objects.all()}
    assert found == {"default": NOW + 3 * HOUR, "asked": NOW + 290 * MINUTE}
    assert Preferences.objects.get().follows_up_from is None


def test_a_default_of_none_cancels_and_one_again_plans(ada, pump):
    made(ada, due_at=NOW + 5 * HOUR)
    pump.run()
    everybody = "00000000-0000-0000-0000-000000000000"
    mine = Preferences.objects.create(owner=ada, default_before_due=None, follows_up_from=everybody, updated_at=NOW)

    plans.follow_up(owner_id=ada.pk, now=NOW)

    assert (Reminder.objects.get().status, Reminder.objects.get().because) == ("cancelled", "default")
    mine.default_before_due, mine.follows_up_from = "PT30M", everybody
    mine.save()
    plans.follow_up(owner_id=ada.pk, now=NOW)
    assert Reminder.objects.get().status == "planned"


def test_a_change_of_defaults_is_followed_in_steps(ada, pump, monkeypatch):
    monkeypatch.setattr(plans, "MOST_AT_ONCE", 2)
    for _ in range(5):
        made(ada, due_at=NOW + 5 * HOUR)
    pump.run()
    Preferences.objects.create(
        owner=ada,
        default_on_day=time(8),
        default_before_due="PT1H",
        updated_at=NOW,
        follows_up_from="00000000-0000-0000-0000-000000000000",
    )

    steps = [plans.follow_up(owner_id=ada.pk, now=NOW) for _ in range(3)]

    assert steps == [True, True, False]
    assert {one.trigger_at for one in Reminder.objects.all()} == {NOW + 4 * HOUR}


def test_days_move_with_their_owner_and_instants_stay(ada, pump):
    made(ada, due_on=date(2030, 5, 10))
    made(ada, due_at=NOW + 5 * HOUR)
    pump.run()

    accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="America/New_York", now=NOW)
    pump.run()
    jobs.follow_up()

    assert sorted(one.trigger_at for one in Reminder.objects.all()) == [
        NOW + 270 * MINUTE,
        datetime(2030, 5, 10, 13, 0, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("day", "instant"),
    [
        # Clocks jump from two to three, and go back from three to two.
        (date(2030, 3, 31), datetime(2030, 3, 31, 1, 30, tzinfo=UTC)),
        (date(2030, 10, 27), datetime(2030, 10, 27, 0, 30, tzinfo=UTC)),
    ],
)
def test_where_clocks_change_a_gap_moves_forward_and_a_fold_takes_the_first(ada, day, instant):
    picture = wanted.Picture(
        task_id=ada.pk,
        owner_id=ada.pk,
        version=1,
        title="x",
        status="pending",
        priority="none",
        due_at=None,
        due_on=day,
        due_time_zone="",
        reminders=None,
    )

    asked = wanted.wanted(picture, defaults=wanted.Defaults(on_day=time(2, 30), time_zone="Europe/Berlin"))

    assert asked[default_id(ada.pk)].planned_for == instant
