"""A series that goes on otherwise: from a moved occurrence, by another rule, after a pause, a deletion, a late wish."""

from datetime import UTC, date, datetime, timedelta

import pytest

from apps.accounts import services as accounts
from apps.events.models import DeadLetter, Event
from apps.recurrence import jobs, selectors, services
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import owners
from apps.tasks import services as tasks
from tests.support.factories import person
from tests.support.repeating import complete, make_all_due, open_tasks, repeating, tasks_of_series, the_series

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ALL = {"rule": "FREQ=DAILY", "catch_up": "all"}


@pytest.fixture
def ada(db):
    return person("ada", time_zone="UTC")


@pytest.fixture
def clock(time_machine):
    def at(instant):
        time_machine.move_to(instant, tick=False)
        return instant

    at(MONDAY)
    return at


def several(ada, pump, *, days, rule="FREQ=DAILY"):
    """A series that waits for nobody, with so many days gone by."""
    task = repeating(ada, ALL | {"rule": rule}, pump=pump, now=MONDAY, due_at=MONDAY)
    make_all_due(task.series_id, now=MONDAY + days * DAY)
    return open_tasks()


def following(task, actor, **changes):
    return services.change_occurrences(task_id=task.pk, actor=actor, scope="following", changes=changes, now=MONDAY)


class TestFromAMovedOccurrence:
    def test_the_end_of_months_is_remembered(self, ada, pump, clock):
        start = clock(datetime(2027, 1, 31, 9, 0, tzinfo=UTC))
        first = repeating(ada, {"rule": "FREQ=MONTHLY", "catch_up": "wait"}, pump=pump, now=start, due_at=start)
        complete(first, pump=pump, now=start)
        (second,) = open_tasks()

        following(second, ada, due_at=second.due_at + 9 * HOUR)
        complete(second, pump=pump, now=start)

        assert [task.due_at for task in open_tasks()] == [datetime(2027, 3, 31, 18, 0, tzinfo=UTC)]

    def test_also_where_the_rule_is_counted_anew(self, ada, pump, clock):
        start = clock(datetime(2027, 5, 31, 9, 0, tzinfo=UTC))
        first = repeating(ada, {"rule": "FREQ=MONTHLY", "catch_up": "wait"}, pump=pump, now=start, due_at=start)
        complete(first, pump=pump, now=start)
        (second,) = open_tasks()
        changes = {"recurrence": {"rule": "FREQ=MONTHLY;COUNT=2", "catch_up": "wait"}}
        tasks.update_task(task_id=second.pk, actor=ada, changes=changes, now=start)
        pump.run()

        complete(second, pump=pump, now=start)
        (third,) = open_tasks()
        complete(third, pump=pump, now=start)

        assert (f"{third.due_at:%m-%d}", the_series().ended_because) == ("07-31", "count")

    def test_dates_that_were_left_out_stay_left_out(self, ada, pump, clock):
        asked = {"rule": "FREQ=DAILY", "catch_up": "wait", "exdates": ["20260506T090000"]}
        task = repeating(ada, asked, pump=pump, now=MONDAY, due_at=MONDAY)
        services.skip_occurrence(series_id=task.series_id, actor=ada, now=MONDAY)

        following(task, ada, due_at=MONDAY + 9 * HOUR)
        complete(task, pump=pump, now=MONDAY)

        assert [one.due_at for one in open_tasks()] == [MONDAY + 3 * DAY + 9 * HOUR]

    def test_several_open_ones_move_and_the_count_holds(self, ada, pump, clock):
        first, *_ = several(ada, pump, days=3, rule="FREQ=DAILY;COUNT=6")

        following(first, ada, due_at=MONDAY + 9 * HOUR)
        pump.run()
        clock(MONDAY + 20 * DAY)
        jobs.make_due()
        pump.run()

        assert [task.due_at for task in tasks_of_series()] == [MONDAY + n * DAY + 9 * HOUR for n in range(6)]
        assert DeadLetter.objects.count() == 0

    def test_only_those_behind_it_move(self, ada, pump, clock):
        _, second, *_ = several(ada, pump, days=3)

        following(second, ada, due_at=MONDAY + DAY + HOUR)

        assert [task.due_at.hour for task in open_tasks()] == [9, 10, 10, 10, 10]

    def test_another_zone_is_the_series(self, ada, pump, clock):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY)

        following(task, ada, due_at=datetime.fromisoformat("2026-05-04T09:00"), due_time_zone="Asia/Tokyo")
        complete(task, pump=pump, now=MONDAY)

        (second,) = open_tasks()
        series = the_series()
        assert (series.time_zone, series.follows_owner, series.start) == ("Asia/Tokyo", False, "20260504T090000")
        assert (second.due_time_zone, second.due_at) == ("Asia/Tokyo", datetime(2026, 5, 5, 0, 0, tzinfo=UTC))

    def test_the_recurrence_sent_back_as_it_was_read_is_no_change(self, ada, pump, clock):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY)

        following(task, ada, due_at=MONDAY + HOUR, recurrence=task.recurrence)
        complete(task, pump=pump, now=MONDAY)

        assert [one.due_at for one in open_tasks()] == [MONDAY + DAY + HOUR]

    def test_before_its_series_is_heard_of(self, ada, pump, clock):
        asked = {"title": "Run", "recurrence": "daily", "due_at": MONDAY}
        task = tasks.create_task(owner=ada, actor=ada, now=MONDAY, **asked)

        following(task, ada, due_at=MONDAY + HOUR)
        pump.run()
        complete(task, pump=pump, now=MONDAY)

        assert [one.due_at for one in open_tasks()] == [MONDAY + DAY + HOUR]
        assert DeadLetter.objects.count() == 0


class TestWishesThatCross:
    def test_two_rules_at_once_come_to_rest(self, ada, pump, clock):
        first = repeating(ada, {"rule": "FREQ=DAILY", "catch_up": "wait"}, pump=pump, now=MONDAY, due_on=MONDAY.date())
        complete(first, pump=pump, now=MONDAY)
        tasks.reopen_task(task_id=first.pk, actor=ada, now=MONDAY)
        for task, interval in zip(open_tasks(), (2, 3), strict=True):
            changes = {"recurrence": {"rule": f"FREQ=DAILY;INTERVAL={interval}", "catch_up": "wait"}}
            tasks.update_task(task_id=task.pk, actor=ada, changes=changes, now=MONDAY)

        pump.run()

        carried = {task.recurrence["rule"] for task in open_tasks()}
        assert carried == {the_series().recurrence["rule"]}
        assert Event.objects.filter(type="recurrence.changed.v1").count() == 3

    def test_an_end_by_hand_stays_though_an_older_wish_is_heard_later(self, ada, pump, clock):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_on=MONDAY.date())
        tasks.update_task(task_id=task.pk, actor=ada, changes={"recurrence": "weekly"}, now=MONDAY)
        tasks.complete_task(task_id=task.pk, actor=ada, now=MONDAY)

        services.end_series(series_id=task.series_id, actor=ada, now=MONDAY)
        pump.run()

        assert (the_series().ended_because, open_tasks()) == ("asked", [])

    def test_one_that_came_to_its_end_goes_on_by_another_rule(self, ada, pump, clock):
        task = repeating(ada, "FREQ=DAILY;COUNT=1", pump=pump, now=MONDAY, due_on=MONDAY.date())
        complete(task, pump=pump, now=MONDAY)
        tasks.reopen_task(task_id=task.pk, actor=ada, now=MONDAY)

        tasks.update_task(task_id=task.pk, actor=ada, changes={"recurrence": "daily"}, now=MONDAY)
        pump.run()
        complete(task, pump=pump, now=MONDAY)

        assert [one.due_on for one in open_tasks()] == [date(2026, 5, 5)]


class TestAfterAPause:
    def test_what_passed_meanwhile_is_skipped_though_the_task_was_open(self, ada, pump, clock):
        task = repeating(ada, ALL, pump=pump, now=MONDAY, due_at=MONDAY)
        services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY)

        back = clock(MONDAY + 10 * DAY)
        services.resume_series(series_id=task.series_id, actor=ada, now=back)
        jobs.make_due()

        assert [one.due_at for one in open_tasks()] == [MONDAY, MONDAY + 11 * DAY]
        told = Event.objects.get(type="recurrence.skipped.v1").data
        assert (told["count"], told["because"]) == (10, "paused")

    def test_what_had_passed_before_is_still_made(self, ada, pump, clock):
        wait = {"rule": "FREQ=DAILY", "catch_up": "wait"}
        task = repeating(ada, wait, pump=pump, now=MONDAY, due_on=MONDAY.date())

        services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY + 3 * DAY)
        services.resume_series(series_id=task.series_id, actor=ada, now=MONDAY + 6 * DAY)
        dates = [planned.due_on.day for planned in selectors.planned(the_series(), most=5, now=MONDAY + 6 * DAY)]

        assert dates == [5, 6, 10, 11, 12]


class TestSkippingWhatIsShown:
    def test_the_next_date_is_the_one_that_would_be_made(self, ada, pump, clock):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_on=MONDAY.date())
        later = clock(MONDAY + 10 * DAY)
        (shown,) = selectors.planned(the_series(), most=1, now=later)

        services.skip_occurrence(series_id=task.series_id, actor=ada, now=later)
        complete(task, pump=pump, now=later)

        assert shown.due_on == date(2026, 5, 14)
        assert [one.due_on for one in open_tasks()] == [date(2026, 5, 15)]


class TestDeletingOneOfSeveral:
    def test_an_older_one_takes_nothing_along(self, ada, pump, clock):
        oldest, *_ = several(ada, pump, days=2)

        tasks.delete_task(task_id=oldest.pk, actor=ada, now=MONDAY)
        pump.run()

        assert the_series().is_active
        assert len(open_tasks()) == 3

    def test_the_newest_ends_the_series_and_restored_it_goes_on(self, ada, pump, clock):
        *_, newest = several(ada, pump, days=2)
        tasks.delete_task(task_id=newest.pk, actor=ada, now=MONDAY)
        pump.run()
        ended = the_series().ended_because

        tasks.restore_task(task_id=newest.pk, actor=ada, now=MONDAY)
        pump.run()

        assert (ended, the_series().is_active) == ("deleted", True)
        assert all(task.recurrence for task in open_tasks())

    @pytest.mark.parametrize(("later", "ended"), [(HOUR, ""), (-HOUR, "deleted")], ids=["after it", "before it"])
    def test_another_rule_for_an_older_one_goes_on_if_it_was_wished_after_the_deletion(
        self, ada, pump, clock, later, ended
    ):
        oldest, *_, newest = several(ada, pump, days=2)
        tasks.delete_task(task_id=newest.pk, actor=ada, now=MONDAY)
        pump.run()

        changes = {"recurrence": ALL | {"rule": "FREQ=DAILY;INTERVAL=7"}}
        tasks.update_task(task_id=oldest.pk, actor=ada, changes=changes, now=MONDAY + later)
        pump.run()

        assert the_series().ended_because == ended


class TestMovingHouse:
    def test_a_reminder_moves_along_and_nothing_is_refused(self, ada, pump, clock):
        noon = MONDAY + 3 * HOUR
        reminder = {"trigger_at": (noon - timedelta(minutes=30)).isoformat()}
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=noon, reminders=[reminder])

        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="Asia/Tokyo", now=MONDAY)
        pump.run()

        was = task.reminders
        task.refresh_from_db()
        assert task.due_at == noon - 9 * HOUR
        assert task.reminders == [{"id": was[0]["id"], "trigger_at": "2026-05-04T02:30:00Z"}]
        assert DeadLetter.objects.count() == 0

    def test_heard_of_before_the_series_is_opened(self, ada, pump, clock):
        asked = {"title": "Run", "recurrence": "daily", "due_at": MONDAY}
        task = tasks.create_task(owner=ada, actor=ada, now=MONDAY, **asked)
        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="Asia/Tokyo", now=MONDAY)

        pump.run()

        task.refresh_from_db()
        series = the_series()
        assert (series.start, series.time_zone) == ("20260504T090000", "Asia/Tokyo")
        assert task.due_at == MONDAY - 9 * HOUR
        assert Occurrence.objects.get().due_at == task.due_at

    def test_of_a_person_with_many_a_few_move_at_once_and_the_sweep_the_others(self, ada, pump, clock, monkeypatch):
        monkeypatch.setattr(owners, "MOST_MOVED_AT_ONCE", 2)
        for _ in range(5):
            repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY)

        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="Asia/Tokyo", now=MONDAY)
        pump.run()
        at_once = Series.objects.filter(time_zone="Asia/Tokyo").count()
        jobs.make_due()
        pump.run()

        assert at_once == 2
        assert {task.due_at for task in open_tasks()} == {MONDAY - 9 * HOUR}
        assert set(Series.objects.values_list("time_zone", "looks_at")) == {("Asia/Tokyo", None)}

    def test_one_that_waits_for_the_sweep_goes_on_in_the_new_zone(self, ada, pump, clock, monkeypatch):
        monkeypatch.setattr(owners, "MOST_MOVED_AT_ONCE", 0)
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY)
        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="Asia/Tokyo", now=MONDAY)

        complete(task, pump=pump, now=MONDAY)

        assert [one.due_at for one in open_tasks()] == [MONDAY + DAY - 9 * HOUR]


class TestWhilePaused:
    @pytest.mark.parametrize(("series", "made"), [("ends", 0), ("continues", 1)])
    def test_deleted_and_resumed_before_it_is_heard_of(self, ada, pump, clock, series, made):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_on=MONDAY.date())
        services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY)
        tasks.delete_task(task_id=task.pk, actor=ada, now=MONDAY, series=series)

        services.resume_series(series_id=task.series_id, actor=ada, now=MONDAY)
        pump.run()

        assert len(open_tasks()) == made

    def test_deleted_with_a_series_that_goes_on_it_does_when_resumed(self, ada, pump, clock):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_on=MONDAY.date())
        services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY)
        tasks.delete_task(task_id=task.pk, actor=ada, now=MONDAY, series="continues")
        pump.run()
        while_paused = open_tasks()

        services.resume_series(series_id=task.series_id, actor=ada, now=MONDAY)
        pump.run()

        assert (while_paused, [one.due_on for one in open_tasks()]) == ([], [date(2026, 5, 5)])


class TestTheEndOfTime:
    def test_a_series_ends_with_the_years_that_a_due_may_have(self, ada, pump, clock):
        asked = {"rule": "FREQ=YEARLY;INTERVAL=1000", "catch_up": "skip"}
        task = repeating(ada, asked, pump=pump, now=MONDAY, due_on=date(8999, 12, 31))

        shown = selectors.planned(the_series(), most=3, now=MONDAY)
        complete(task, pump=pump, now=MONDAY)

        assert (shown, the_series().ended_because, DeadLetter.objects.count()) == ([], "never", 0)


def test_a_rule_changed_after_the_end_goes_on_at_once_where_nothing_is_open(ada, pump, clock):
    first, second = several(ada, pump, days=0, rule="FREQ=DAILY;COUNT=2")
    complete(second, pump=pump, now=MONDAY)
    ended = the_series().ended_because

    tasks.update_task(task_id=first.pk, actor=ada, changes={"recurrence": "daily"}, now=MONDAY)
    pump.run()

    assert ended == "count"
    assert [task.due_at.day for task in open_tasks()] == [4, 6]
