"""Series paused, resumed, ended, changed, a date left out; and what becomes of them with their tasks and owners."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts import services as accounts
from apps.events.models import Event
from apps.recurrence import selectors, services
from apps.recurrence.exceptions import NoSeries, NothingToSkip, NotPaused, SeriesEnded, SeriesNotFound, SeriesPaused
from apps.recurrence.models import Occurrence, Series
from apps.tasks import services as tasks
from apps.tasks.exceptions import InvalidTask, StaleVersion
from tests.support.factories import person, task_of
from tests.support.repeating import complete, make_all_due, open_tasks, repeating, tasks_of_series, the_series

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)


@pytest.fixture
def ada(db):
    return person("ada", time_zone="UTC")


@pytest.fixture(autouse=True)
def on_monday(time_machine):
    time_machine.move_to(MONDAY, tick=False)


@pytest.fixture
def weekly(ada, pump):
    return repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())


def told(kind):
    return [event.data for event in Event.objects.filter(type=f"recurrence.{kind}.v1").order_by("position")]


class TestOpening:
    def test_a_series_remembers_what_was_asked(self, ada, weekly):
        series = the_series()

        assert (series.pk, series.opened_by, series.owner) == (weekly.series_id, weekly.pk, ada)
        assert (series.start, series.time_zone, series.follows_owner) == ("20260504", "UTC", True)
        assert told("changed")[0]["change"] == "opened"

    def test_a_task_that_is_told_later_opens_one(self, ada, pump):
        task = task_of(ada, due_on=MONDAY.date())

        tasks.update_task(task_id=task.pk, actor=ada, changes={"recurrence": "daily"}, now=MONDAY)
        pump.run()

        task.refresh_from_db()
        assert the_series().pk == task.series_id

    def test_an_hour_of_another_zone_stays_there(self, ada, pump):
        at_nine = datetime(2026, 5, 4, 9, 0, tzinfo=ZoneInfo("America/New_York"))
        repeating(ada, "daily", pump=pump, now=MONDAY, due_at=at_nine, due_time_zone="America/New_York")

        series = the_series()

        assert (series.start, series.time_zone, series.follows_owner) == (
            "20260504T090000",
            "America/New_York",
            False,
        )

    def test_of_somebody_erased_none_is_opened(self, ada, pump, weekly):
        task = tasks_of_series()[0]
        accounts.deactivate(user_id=ada.pk, now=MONDAY)
        while tasks.purge_owner(owner_id=ada.pk, now=MONDAY):
            pass
        accounts.erase(user_id=ada.pk, actor=None, now=MONDAY)
        Occurrence.objects.all().delete()
        while services.forget_owner(owner_id=ada.pk, now=MONDAY):
            pass

        services.open_series(
            series_id=task.series_id,
            owner_id=ada.pk,
            task_id=task.pk,
            recurrence=task.recurrence,
            due=services.Due(at=None, on=task.due_on, zone=None, owner_zone="UTC"),
            now=MONDAY,
        )

        assert Series.objects.count() == 0


class TestPausing:
    def test_a_paused_series_makes_nothing_and_goes_on_with_what_is_ahead(self, ada, pump, weekly, time_machine):
        series = services.pause_series(series_id=weekly.series_id, actor=ada, now=MONDAY)
        complete(weekly, pump=pump, now=MONDAY)
        assert open_tasks() == []

        back = MONDAY + 3 * WEEK + DAY
        services.resume_series(series_id=series.pk, actor=ada, now=back)
        pump.run()

        assert [task.due_on for task in open_tasks()] == [date(2026, 6, 1)]
        assert told("skipped") == [
            {
                "series": told("skipped")[0]["series"],
                "skipped": ["20260511", "20260518", "20260525"],
                "count": 3,
                "because": "paused",
            }
        ]

    def test_resumed_while_its_task_is_open_nothing_is_made(self, ada, pump, weekly):
        services.pause_series(series_id=weekly.series_id, actor=ada, now=MONDAY)

        services.resume_series(series_id=weekly.series_id, actor=ada, now=MONDAY + WEEK)
        pump.run()

        assert len(open_tasks()) == 1
        assert [data["change"] for data in told("changed")] == ["opened", "paused", "resumed"]

    def test_what_cannot_be_is_refused(self, ada, weekly):
        with pytest.raises(NotPaused):
            services.resume_series(series_id=weekly.series_id, actor=ada, now=MONDAY)
        services.pause_series(series_id=weekly.series_id, actor=ada, now=MONDAY)
        with pytest.raises(SeriesPaused):
            services.pause_series(series_id=weekly.series_id, actor=ada, now=MONDAY)
        with pytest.raises(StaleVersion):
            services.resume_series(series_id=weekly.series_id, actor=ada, now=MONDAY, expected_version=1)
        with pytest.raises(SeriesNotFound):
            services.pause_series(series_id=weekly.pk, actor=ada, now=MONDAY)

        assert (the_series().version, the_series().paused_at) == (2, MONDAY)


class TestEnding:
    def test_by_hand_the_open_task_repeats_no_more(self, ada, pump, weekly):
        services.end_series(series_id=weekly.series_id, actor=ada, now=MONDAY)
        pump.run()
        complete(weekly, pump=pump, now=MONDAY)

        weekly.refresh_from_db()
        assert (weekly.recurrence, open_tasks(), the_series().ended_because) == (None, [], "asked")
        assert [data["because"] for data in told("ended")] == ["asked"]

    def test_a_task_told_to_repeat_no_more_ends_it(self, ada, pump, weekly):
        tasks.update_task(task_id=weekly.pk, actor=ada, changes={"recurrence": None}, now=MONDAY)
        pump.run()

        assert the_series().ended_because == "stopped"
        assert Event.objects.get(type="recurrence.ended.v1").actor_id == ada.pk

    def test_what_has_ended_is_ended_once(self, ada, pump, weekly):
        services.end_series(series_id=weekly.series_id, actor=ada, now=MONDAY)

        with pytest.raises(SeriesEnded):
            services.end_series(series_id=weekly.series_id, actor=ada, now=MONDAY)
        with pytest.raises(SeriesEnded):
            services.pause_series(series_id=weekly.series_id, actor=ada, now=MONDAY)

        assert len(told("ended")) == 1

    def test_a_task_that_repeats_anew_opens_another(self, ada, pump, weekly):
        tasks.update_task(task_id=weekly.pk, actor=ada, changes={"recurrence": None}, now=MONDAY)
        pump.run()

        tasks.update_task(task_id=weekly.pk, actor=ada, changes={"recurrence": "daily"}, now=MONDAY)
        pump.run()
        complete(weekly, pump=pump, now=MONDAY)

        assert Series.objects.count() == 2
        assert [task.due_on for task in open_tasks()] == [date(2026, 5, 5)]


class TestDeleting:
    def test_the_series_ends(self, ada, pump, weekly):
        tasks.delete_task(task_id=weekly.pk, actor=ada, now=MONDAY)
        pump.run()

        assert (the_series().ended_because, open_tasks()) == ("deleted", [])

    def test_or_goes_on_when_asked(self, ada, pump, weekly):
        tasks.delete_task(task_id=weekly.pk, actor=ada, now=MONDAY, series="continues")
        pump.run()
        pump.redeliver_everything()

        assert [task.due_on for task in open_tasks()] == [date(2026, 5, 11)]

    def test_a_deletion_taken_back_takes_back_the_end(self, ada, pump, weekly):
        tasks.delete_task(task_id=weekly.pk, actor=ada, now=MONDAY)
        pump.run()

        tasks.restore_task(task_id=weekly.pk, actor=ada, now=MONDAY)
        pump.run()
        complete(weekly, pump=pump, now=MONDAY)

        assert the_series().ended_at is None
        assert [task.due_on for task in open_tasks()] == [date(2026, 5, 11)]

    def test_of_an_occurrence_that_is_done_it_changes_nothing(self, ada, pump, weekly):
        complete(weekly, pump=pump, now=MONDAY)

        tasks.delete_task(task_id=weekly.pk, actor=ada, now=MONDAY)
        pump.run()

        assert the_series().is_active


class TestSkipping:
    def test_the_next_date_is_left_out(self, ada, pump, weekly):
        services.skip_occurrence(series_id=weekly.series_id, actor=ada, now=MONDAY)
        complete(weekly, pump=pump, now=MONDAY)

        assert [task.due_on for task in open_tasks()] == [date(2026, 5, 18)]
        assert [(data["skipped"], data["because"]) for data in told("skipped")] == [(["20260511"], "asked")]

    def test_a_date_that_is_named(self, ada, pump, weekly):
        services.skip_occurrence(series_id=weekly.series_id, actor=ada, now=MONDAY, recurrence_id="20260518")

        dates = [planned.due_on for planned in selectors.planned(the_series(), most=3, now=MONDAY)]
        assert dates == [date(2026, 5, 11), date(2026, 5, 25), date(2026, 6, 1)]

    def test_an_open_occurrence_is_deleted_and_the_series_goes_on(self, ada, pump, weekly):
        complete(weekly, pump=pump, now=MONDAY)

        services.skip_occurrence(series_id=weekly.series_id, actor=ada, now=MONDAY, recurrence_id="20260511")
        pump.run()
        pump.redeliver_everything()

        assert [task.due_on for task in open_tasks()] == [date(2026, 5, 18)]

    @pytest.mark.parametrize(
        ("named", "refused"),
        [
            *[(text, NothingToSkip) for text in ("20260512", "20260504T090000", "20260427", "20260504")],
            ("yesterday", InvalidTask),
        ],
    )
    def test_what_is_no_date_of_it_is_refused(self, ada, pump, weekly, named, refused):
        complete(weekly, pump=pump, now=MONDAY)
        version = the_series().version

        with pytest.raises(refused):
            services.skip_occurrence(
                series_id=weekly.series_id, actor=ada, now=MONDAY, recurrence_id=named or "20260504"
            )

        assert (the_series().version, the_series().exdates) == (version, [])


class TestChanging:
    def test_another_rule_holds_from_this_one_on(self, ada, pump, weekly):
        tasks.update_task(task_id=weekly.pk, actor=ada, changes={"recurrence": "daily"}, now=MONDAY)
        pump.run()
        complete(weekly, pump=pump, now=MONDAY)

        assert [task.due_on for task in open_tasks()] == [date(2026, 5, 5)]
        assert told("changed")[1]["changes"]["recurrence"]["after"]["rule"] == "FREQ=DAILY"

    def test_a_new_count_counts_from_this_one(self, ada, pump, weekly):
        complete(weekly, pump=pump, now=MONDAY)
        (second,) = open_tasks()
        tasks.update_task(task_id=second.pk, actor=ada, changes={"recurrence": "FREQ=WEEKLY;COUNT=2"}, now=MONDAY)
        pump.run()

        complete(second, pump=pump, now=MONDAY)
        complete(open_tasks()[0], pump=pump, now=MONDAY)

        assert (len(tasks_of_series()), the_series().ended_because) == (3, "count")

    def test_another_policy_leaves_the_count_as_it_is(self, ada, pump):
        task = repeating(ada, "FREQ=WEEKLY;COUNT=2", pump=pump, now=MONDAY, due_on=MONDAY.date())
        complete(task, pump=pump, now=MONDAY)
        (second,) = open_tasks()
        asked = {"rule": "FREQ=WEEKLY;COUNT=2", "catch_up": "skip"}

        tasks.update_task(task_id=second.pk, actor=ada, changes={"recurrence": asked}, now=MONDAY)
        pump.run()
        complete(second, pump=pump, now=MONDAY)

        assert (len(tasks_of_series()), the_series().ended_because) == (2, "count")

    def test_what_a_person_changes_on_the_task_goes_on(self, ada, pump, weekly):
        tasks.update_task(task_id=weekly.pk, actor=ada, changes={"title": "Water all plants"}, now=MONDAY)
        complete(weekly, pump=pump, now=MONDAY)

        assert [task.title for task in open_tasks()] == ["Water all plants"]

    def test_what_is_changed_of_this_one_only_does_not(self, ada, pump, weekly):
        for title, tags in (("With fertiliser", ["green"]), ("With much fertiliser", ["green", "blue"])):
            services.change_occurrences(
                task_id=weekly.pk, actor=ada, scope="this", changes={"title": title, "tags": tags}, now=MONDAY
            )
        complete(weekly, pump=pump, now=MONDAY)

        weekly.refresh_from_db()
        (following,) = open_tasks()
        assert (weekly.title, following.title, following.tag_ids) == ("With much fertiliser", "Water the plants", [])

    def test_all_open_ones_are_changed_or_those_behind(self, ada, pump, time_machine):
        asked = {"rule": "FREQ=DAILY", "catch_up": "all"}
        first = repeating(ada, asked, pump=pump, now=MONDAY, due_at=MONDAY)
        make_all_due(first.series_id, now=MONDAY + DAY)
        second = open_tasks()[1]

        services.change_occurrences(
            task_id=second.pk, actor=ada, scope="following", changes={"priority": "high"}, now=MONDAY
        )
        following = [task.priority for task in open_tasks()]
        services.change_occurrences(task_id=second.pk, actor=ada, scope="all", changes={"title": "All"}, now=MONDAY)

        assert following == ["none", "high", "high"]
        assert [task.title for task in open_tasks()] == ["All"] * 3

    def test_another_hour_holds_from_this_one_on(self, ada, pump):
        task = repeating(ada, "FREQ=DAILY;COUNT=4", pump=pump, now=MONDAY, due_at=MONDAY)
        complete(task, pump=pump, now=MONDAY)
        (second,) = open_tasks()

        services.change_occurrences(
            task_id=second.pk,
            actor=ada,
            scope="following",
            changes={"due_at": second.due_at + timedelta(hours=2)},
            now=MONDAY,
        )
        pump.run()
        complete(second, pump=pump, now=MONDAY)

        (third,) = open_tasks()
        assert third.due_at == MONDAY + 2 * DAY + timedelta(hours=2)
        assert (third.recurrence["rule"], the_series().start_number) == ("FREQ=DAILY;COUNT=3", 2)

        second.refresh_from_db()
        assert second.recurrence == third.recurrence

    def test_every_open_one_carries_what_its_series_does(self, ada, pump):
        asked = {"rule": "FREQ=DAILY", "catch_up": "all"}
        first = repeating(ada, asked, pump=pump, now=MONDAY, due_at=MONDAY)
        make_all_due(first.series_id, now=MONDAY + DAY)

        changes = {"recurrence": asked | {"rule": "FREQ=DAILY;INTERVAL=2"}}
        tasks.update_task(task_id=first.pk, actor=ada, changes=changes, now=MONDAY)
        pump.run()
        rules = [task.recurrence["rule"] for task in open_tasks()]
        tasks.update_task(task_id=first.pk, actor=ada, changes={"recurrence": None}, now=MONDAY)
        pump.run()

        assert rules == ["FREQ=DAILY;INTERVAL=2"] * 3
        assert [task.recurrence for task in open_tasks()] == [None] * 3
        assert the_series().ended_because == "stopped"

    def test_an_occurrence_moved_by_itself_moves_no_other(self, ada, pump, weekly):
        tasks.snooze_task(task_id=weekly.pk, actor=ada, until="2026-05-06", now=MONDAY)
        complete(weekly, pump=pump, now=MONDAY + 2 * DAY)

        assert [task.due_on for task in open_tasks()] == [date(2026, 5, 11)]

    def test_what_cannot_be_changed_is_refused(self, ada, pump, weekly):
        change = {"actor": ada, "now": MONDAY}
        with pytest.raises(InvalidTask):
            services.change_occurrences(task_id=weekly.pk, scope="this", changes={"recurrence": "daily"}, **change)
        with pytest.raises(NoSeries):
            services.change_occurrences(task_id=task_of(ada).pk, scope="all", changes={"title": "No"}, **change)
        with pytest.raises(StaleVersion):
            services.change_occurrences(
                task_id=weekly.pk, scope="this", changes={"title": "No"}, expected_version=7, **change
            )

        assert (Occurrence.objects.get().only_here, the_series().version) == ({}, 1)


class TestAnotherTimeZone:
    def test_what_is_planned_moves_and_says_so(self, ada, pump):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY)

        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="America/New_York", now=MONDAY)
        pump.run()
        pump.redeliver_everything()

        task.refresh_from_db()
        assert task.due_at == datetime(2026, 5, 4, 13, 0, tzinfo=UTC)
        assert told("changed")[1]["changes"] == {"time_zone": {"before": "UTC", "after": "America/New_York"}}
        complete(task, pump=pump, now=MONDAY)
        assert [one.due_at for one in open_tasks()] == [datetime(2026, 5, 5, 13, 0, tzinfo=UTC)]

    def test_one_that_a_person_moved_stays_where_it_is(self, ada, pump):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY)
        moved = MONDAY + timedelta(hours=5)
        tasks.update_task(task_id=task.pk, actor=ada, changes={"due_at": moved}, now=MONDAY)

        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="America/New_York", now=MONDAY)
        pump.run()

        task.refresh_from_db()
        assert (task.due_at, the_series().time_zone) == (moved, "America/New_York")

    def test_one_with_a_zone_of_its_own_stays(self, ada, pump):
        task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY, due_time_zone="Europe/London")

        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="America/New_York", now=MONDAY)
        pump.run()

        task.refresh_from_db()
        assert (task.due_at, the_series().time_zone) == (MONDAY, "Europe/London")


def test_all_of_a_person_is_forgotten_in_steps_each_with_its_last_event(ada, pump, weekly):
    repeating(ada, "daily", pump=pump, now=MONDAY, due_on=MONDAY.date())
    repeating(person("bob"), "daily", pump=pump, now=MONDAY, due_on=MONDAY.date())

    gone = [services.forget_owner(owner_id=ada.pk, now=MONDAY, most=1) for _ in range(3)]

    assert (gone, Series.objects.count(), Occurrence.objects.count()) == ([1, 1, 0], 1, 1)
    assert [data["because"] for data in told("ended")] == ["erased", "erased"]


class TestGuards:
    def test_a_series_changed_by_raw_sql_is_refused(self, weekly):
        raw = "UPDATE recurrence_series SET last_number = 7; SET CONSTRAINTS ALL IMMEDIATE"
        with pytest.raises(IntegrityError, match="series"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(raw)

        assert the_series().last_number == 1

    def test_when_it_is_looked_at_next_is_no_fact(self, weekly):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE recurrence_series SET looks_at = now()")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

        assert the_series().looks_at is not None
