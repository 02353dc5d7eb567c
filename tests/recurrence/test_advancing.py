"""A repeating task is completed: exactly one next, on the right date, however often anybody is told of it."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import pytest

from apps.audit.models import AuditRecord
from apps.events.models import Event, HandledEvent
from apps.recurrence import jobs, services
from apps.recurrence.models import Occurrence, Series
from apps.tasks import services as tasks
from apps.tasks.models import Task
from tests.support.factories import person, task_of
from tests.support.repeating import complete, open_tasks, repeating, tasks_of_series, the_series

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WEEK = timedelta(weeks=1)


@pytest.fixture
def ada(db):
    return person("ada", time_zone="UTC")


def at(time_machine, instant):
    time_machine.move_to(instant, tick=False)
    return instant


@pytest.fixture
def on_monday(time_machine):
    return at(time_machine, MONDAY)


def types():
    return list(Event.objects.exclude(type__contains="snapshot").order_by("position").values_list("type", flat=True))


def test_weekly_completed_on_a_monday_is_due_the_next_monday(ada, pump, on_monday):
    task = repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())

    complete(task, pump=pump, now=MONDAY)

    (following,) = open_tasks()
    assert following.due_on == date(2026, 5, 11)
    assert (following.series_id, following.recurrence_id) == (task.series_id, "20260511")
    assert (following.title, following.recurrence) == (task.title, task.recurrence)


def test_the_flow_is_told_in_events_and_audited_once(ada, pump, on_monday):
    task = repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())
    complete(task, pump=pump, now=MONDAY)

    pump.redeliver_everything()

    told = [
        "task.created.v1",
        "recurrence.changed.v1",
        "task.completed.v1",
        "recurrence.generated.v1",
        "task.created.v1",
    ]
    assert [name for name in types() if not name.startswith("reminder.")] == told
    audited = AuditRecord.objects.exclude(type__startswith="reminder.").values_list("type", flat=True)
    assert sorted(audited) == sorted(told)
    generated = Event.objects.get(type="recurrence.generated.v1")
    completed = Event.objects.get(type="task.completed.v1")
    following = Event.objects.get(type="task.created.v1", subject_id=generated.data["occurrence"]["task_id"])
    assert (generated.causation_id, following.causation_id) == (completed.event_id, generated.event_id)
    assert generated.correlation_id == completed.correlation_id
    assert generated.data["occurrence"] == {
        "recurrence_id": "20260511",
        "number": 2,
        "task_id": str(open_tasks()[0].pk),
        "due_at": None,
        "due_on": "2026-05-11",
    }
    assert generated.data["after"] == {"task_id": str(task.pk), "recurrence_id": "20260504"}


def test_redelivering_and_completing_again_add_nothing(ada, pump, on_monday):
    task = repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())
    complete(task, pump=pump, now=MONDAY)
    pump.redeliver_everything()

    tasks.reopen_task(task_id=task.pk, actor=ada, now=MONDAY)
    complete(task, pump=pump, now=MONDAY + timedelta(hours=1))
    pump.redeliver_everything()

    assert len(tasks_of_series()) == 2
    assert Occurrence.objects.count() == 2


def test_without_the_inbox_the_series_itself_makes_no_second_one(ada, pump, on_monday):
    """Two doors are locked; with the first one open the second holds."""
    task = repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())
    complete(task, pump=pump, now=MONDAY)
    HandledEvent.objects.filter(group="recurrence").delete()

    pump.redeliver_everything()

    assert len(tasks_of_series()) == 2


def test_without_the_inbox_and_the_look_at_the_last_one_there_are_two(ada, pump, on_monday, monkeypatch):
    """The negative control: the check of the tests above goes red."""
    task = repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())
    complete(task, pump=pump, now=MONDAY)
    series = the_series()

    services.advance_series(series_id=series.pk, task_id=series.last_task_id, completed_at=MONDAY, now=MONDAY)

    assert len(tasks_of_series()) == 3


def test_the_last_of_count_ends_the_series(ada, pump, on_monday):
    task = repeating(ada, "FREQ=DAILY;COUNT=2", pump=pump, now=MONDAY, due_on=MONDAY.date())
    complete(task, pump=pump, now=MONDAY)

    complete(open_tasks()[0], pump=pump, now=MONDAY)
    pump.redeliver_everything()

    assert open_tasks() == []
    series = the_series()
    assert (series.ended_at is not None, series.ended_because, series.last_number) == (True, "count", 2)
    assert types()[-1] == "recurrence.ended.v1"
    assert types().count("recurrence.ended.v1") == 1


def test_until_ends_the_series(ada, pump, on_monday):
    task = repeating(ada, "FREQ=WEEKLY;UNTIL=20260512", pump=pump, now=MONDAY, due_at=MONDAY)
    complete(task, pump=pump, now=MONDAY)
    (second,) = open_tasks()

    complete(second, pump=pump, now=MONDAY)

    assert second.due_at == MONDAY + WEEK
    assert the_series().ended_because == "until"


MONTHS = [(2027 + n // 12, n % 12 + 1, monthrange(2027 + n // 12, n % 12 + 1)[1]) for n in range(1, 60)]


@pytest.mark.parametrize(
    ("month_end", "expected"),
    [
        ("clamp", [date(year, month, days) for year, month, days in MONTHS]),
        ("skip", [date(year, month, 31) for year, month, days in MONTHS if days == 31]),
        ("roll", [date(year, month, days) + timedelta(days=days < 31) for year, month, days in MONTHS]),
    ],
)
def test_the_end_of_months_for_two_years_by_each_policy(ada, pump, time_machine, month_end, expected):
    start = at(time_machine, datetime(2027, 1, 31, 9, 0, tzinfo=UTC))
    asked = {"rule": "FREQ=MONTHLY", "month_end": month_end, "catch_up": "wait"}
    task = repeating(ada, asked, pump=pump, now=start, due_on=start.date())

    for _ in range(24):
        complete(task, pump=pump, now=start)
        (task,) = open_tasks()

    assert [one.due_on for one in tasks_of_series()[1:]] == expected[:24]


@pytest.mark.parametrize(
    ("catch_up", "made", "skipped"),
    [
        ("wait", ["0502"], 0),
        ("latest", ["0601"], 30),
        ("skip", ["0601"], 30),
        ("all", [*(f"05{day:02}" for day in range(2, 32)), "0601", "0602"], 0),
    ],
)
def test_a_series_left_alone_for_a_month_goes_on_by_its_policy(ada, pump, time_machine, catch_up, made, skipped):
    start = at(time_machine, datetime(2026, 5, 1, 9, 0, tzinfo=UTC))
    asked = {"rule": "FREQ=DAILY", "catch_up": catch_up}
    task = repeating(ada, asked, pump=pump, now=start, due_on=start.date())

    back = at(time_machine, datetime(2026, 6, 1, 10, 0, tzinfo=UTC))
    complete(task, pump=pump, now=back)
    jobs.make_due()

    assert [f"{one.due_on:%m%d}" for one in open_tasks()] == made
    told = Event.objects.filter(type="recurrence.skipped.v1")
    assert [(one.data["count"], one.data["because"]) for one in told] == [(skipped, "catch_up")] * bool(skipped)


def test_latest_takes_what_has_come_and_skip_what_has_not_passed(ada, pump, time_machine):
    start = at(time_machine, datetime(2026, 5, 1, 9, 0, tzinfo=UTC))
    dues = {}
    for catch_up in ("latest", "skip"):
        asked = {"rule": "FREQ=DAILY", "catch_up": catch_up}
        dues[catch_up] = repeating(ada, asked, pump=pump, now=start, due_at=start)

    back = at(time_machine, datetime(2026, 5, 10, 12, 0, tzinfo=UTC))
    for task in dues.values():
        complete(task, pump=pump, now=back)

    assert [f"{task.due_at:%d %H}" for task in open_tasks()] == ["10 09", "11 09"]


class TestEveryDateWithoutWaiting:
    """`all`: a sweep makes each date's task when the one before has come."""

    def asked(self, ada, pump, start):
        return repeating(ada, {"rule": "FREQ=DAILY", "catch_up": "all"}, pump=pump, now=start, due_at=start)

    def test_the_next_is_there_before_it_is_due(self, ada, pump, time_machine):
        start = at(time_machine, MONDAY)
        self.asked(ada, pump, start)

        jobs.make_due()
        jobs.make_due()

        assert [task.due_at for task in open_tasks()] == [start, start + timedelta(days=1)]

    def test_all_of_a_week_away_are_there_oldest_first(self, ada, pump, time_machine):
        start = at(time_machine, MONDAY)
        self.asked(ada, pump, start)

        at(time_machine, MONDAY + WEEK)
        jobs.make_due()

        assert [task.due_at for task in open_tasks()] == [start + timedelta(days=day) for day in range(9)]

    def test_no_more_than_a_hundred_are_open(self, ada, pump, time_machine):
        self.asked(ada, pump, at(time_machine, MONDAY))

        for hours in range(12):
            at(time_machine, MONDAY + timedelta(days=500, hours=2 * hours))
            jobs.make_due()

        assert len(open_tasks()) == 100
        assert Event.objects.filter(type="recurrence.generated.v1").count() == 99

        complete(open_tasks()[3], pump=pump, now=datetime.now(UTC))
        jobs.make_due()

        assert len(open_tasks()) == 100
        assert the_series().last_number == 101

    def test_two_sweeps_make_no_two(self, ada, pump, time_machine):
        self.asked(ada, pump, at(time_machine, MONDAY))
        series = the_series()

        made = [services.make_due(series_id=series.pk, now=MONDAY) for _ in range(2)]

        assert made == [1, 0]

    def test_a_paused_one_is_not_made(self, ada, pump, time_machine):
        self.asked(ada, pump, at(time_machine, MONDAY))
        services.pause_series(series_id=the_series().pk, actor=ada, now=MONDAY)

        at(time_machine, MONDAY + WEEK)
        jobs.make_due()

        assert len(open_tasks()) == 1


class TestFromCompletion:
    def test_days_after_it_was_done_at_the_same_time_of_day(self, ada, pump, on_monday):
        asked = {"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion"}
        task = repeating(ada, asked, pump=pump, now=MONDAY, due_at=MONDAY)

        complete(task, pump=pump, now=MONDAY + timedelta(days=5, hours=7))

        assert [one.due_at for one in open_tasks()] == [MONDAY + timedelta(days=8)]

    def test_done_early_the_next_comes_early_too(self, ada, pump, on_monday):
        asked = {"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion"}
        task = repeating(ada, asked, pump=pump, now=MONDAY, due_on=date(2026, 5, 9))

        complete(task, pump=pump, now=MONDAY)

        assert [one.due_on for one in open_tasks()] == [date(2026, 5, 7)]

    def test_done_twice_on_a_day_no_date_is_used_twice(self, ada, pump, on_monday):
        asked = {"rule": "FREQ=DAILY", "from": "completion"}
        task = repeating(ada, asked, pump=pump, now=MONDAY, due_on=date(2026, 5, 5))

        for _ in range(3):
            complete(task, pump=pump, now=MONDAY)
            (task,) = open_tasks()

        assert [one.due_on.day for one in tasks_of_series()] == [5, 6, 7, 8]

    def test_a_count_counts(self, ada, pump, on_monday):
        asked = {"rule": "FREQ=DAILY;COUNT=2", "from": "completion"}
        task = repeating(ada, asked, pump=pump, now=MONDAY)

        complete(task, pump=pump, now=MONDAY)
        complete(open_tasks()[0], pump=pump, now=MONDAY)

        assert (len(tasks_of_series()), the_series().ended_because) == (2, "count")


def test_what_is_no_occurrence_is_let_alone(ada, pump, on_monday):
    plain = task_of(ada)

    complete(plain, pump=pump, now=MONDAY)

    assert (Series.objects.count(), Task.objects.count()) == (0, 1)


class TestOneThatFails:
    """Two series that wait for nobody; making the next one of the first always fails."""

    def test_it_holds_up_no_other_and_is_put_off(self, ada, pump, time_machine, monkeypatch):
        at(time_machine, MONDAY)
        asked = {"rule": "FREQ=DAILY", "catch_up": "all"}
        broken, well = (repeating(ada, asked, pump=pump, now=MONDAY, due_at=MONDAY) for _ in range(2))
        make = services.make_due

        def fail(*, series_id, now):
            if series_id == broken.series_id:
                raise ValueError("broken")
            return make(series_id=series_id, now=now)

        monkeypatch.setattr(services, "make_due", fail)
        jobs.make_due()

        made = dict(Series.objects.values_list("pk", "last_number"))
        assert (made[broken.series_id], made[well.series_id]) == (1, 2)
        assert Series.objects.get(pk=broken.series_id).looks_at == MONDAY + timedelta(hours=1)


class TestRepair:
    def completed_unheard(self, ada, pump):
        """Completed, and the recurrence group was never given it."""
        task = repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())
        tasks.complete_task(task_id=task.pk, actor=ada, now=MONDAY)

    def test_a_series_without_its_next_is_repaired_once(self, ada, pump, time_machine):
        at(time_machine, MONDAY)
        self.completed_unheard(ada, pump)

        at(time_machine, MONDAY + timedelta(minutes=3))
        jobs.repair()
        jobs.repair()
        pump.run()

        assert [one.due_on for one in open_tasks()] == [date(2026, 5, 11)]

    def test_what_happened_just_now_is_left_to_its_event(self, ada, pump, time_machine):
        at(time_machine, MONDAY)
        self.completed_unheard(ada, pump)

        at(time_machine, MONDAY + timedelta(minutes=1))
        jobs.repair()

        assert open_tasks() == []
