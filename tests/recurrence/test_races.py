"""What happens at the same instant: nobody waits in a circle, nothing is lost, and nothing is made twice."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, OperationalError, transaction

from apps.accounts import services as accounts
from apps.events import crash
from apps.events.models import Event
from apps.recurrence import selectors, services
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import changes as writing
from apps.recurrence.services import edits
from apps.tasks import services as tasks
from apps.tasks.models import Task
from tests.events.concurrency import at_once, in_background, waits_for_a_lock
from tests.support.factories import person
from tests.support.repeating import repeating

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = MONDAY + 3 * DAY
EVERY_DAY = {"rule": "FREQ=DAILY", "catch_up": "all"}
TIMES = 4


@pytest.fixture
def ada():
    return person("ada", time_zone="UTC")


def all_of_some_days(ada, pump):
    """The tasks of a series that waits for nobody, the oldest first."""
    task = repeating(ada, EVERY_DAY, pump=pump, now=MONDAY, due_at=MONDAY)
    while services.make_due(series_id=task.series_id, now=LATER):
        pass
    return list(Task.objects.filter(series_id=task.series_id).order_by("pk"))


def numbers_and_dates(series_id):
    return list(Occurrence.objects.filter(series_id=series_id).order_by("number").values_list("number", "due_at"))


def in_order(most):
    return [(n + 1, MONDAY + n * DAY) for n in range(most)]


@pytest.fixture
def slowly(monkeypatch):
    """Each row stays locked for a while before the next one is asked for."""
    monkeypatch.setattr(crash, "at", lambda point: time.sleep(0.01 * (point == "outbox.after_event")))


def end(series_id, ada):
    services.end_series(series_id=series_id, actor=ada, now=LATER)


def change_the_title_of_all(series_id, ada):
    newest = Series.objects.get(pk=series_id).last_task_id
    changes = {"title": "Water all plants"}
    services.change_occurrences(task_id=newest, actor=ada, scope="all", changes=changes, now=LATER)


def change_the_hour_of_all(series_id, ada):
    newest = Task.objects.get(pk=Series.objects.get(pk=series_id).last_task_id)
    changes = {"due_at": newest.due_at + timedelta(hours=1)}
    services.change_occurrences(task_id=newest.pk, actor=ada, scope="all", changes=changes, now=LATER)


def move_house(series_id, ada):
    with transaction.atomic():
        accounts.change_time_zone(user_id=ada.pk, actor=ada, time_zone="America/New_York", now=LATER)
        services.move_to_time_zone(owner_id=ada.pk, now=LATER)


def race_with_completions(command, pump, *, step):
    """A change of all tasks of a series, and their completion, oldest first or (`step` -1) newest first; the tasks."""
    ada = person(time_zone="UTC")
    made = all_of_some_days(ada, pump)
    ids = [task.pk for task in made][::step]
    _, results = at_once(
        lambda: command(made[0].series_id, ada),
        lambda: tasks.change_many(owner=ada, actor=ada, action="complete", task_ids=ids, arguments={}, now=LATER),
    )
    assert [result.refusal for result in results] == [None] * len(ids)
    return ids


def race_often(command, pump):
    return [task for step in (1, -1) * 2 for task in race_with_completions(command, pump, step=step)]


@pytest.mark.parametrize("command", [end, change_the_title_of_all, change_the_hour_of_all, move_house])
def test_a_change_of_a_whole_series_and_a_completion_of_its_tasks_wait_in_no_circle(pump, slowly, command):
    made = race_often(command, pump)

    assert len(made) == 5 * 4
    assert {task.status for task in Task.objects.filter(pk__in=made)} == {"completed"}


@pytest.mark.parametrize("command", [end, move_house])
def test_without_the_owners_turn_they_do(pump, slowly, command, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(tasks, "take_turn", lambda owner_id: None)

    with pytest.raises(OperationalError, match="deadlock"):
        race_often(command, pump)


def change_two_fields_at_once(ada, pump):
    """Both of one occurrence only, the second while the first is under way; what the series goes on with."""
    task = repeating(ada, "daily", pump=pump, now=MONDAY, due_at=MONDAY)
    under_way, may_commit = threading.Event(), threading.Event()

    def change(**changes):
        services.change_occurrences(task_id=task.pk, actor=ada, scope="this", changes=changes, now=MONDAY)

    def change_slowly():
        with transaction.atomic():
            change(title="Today with fertiliser")
            under_way.set()
            may_commit.wait(30)

    with in_background(change_slowly) as first:
        under_way.wait(30)
        with in_background(lambda: change(priority="high")) as second:
            waited = waits_for_a_lock()
            may_commit.set()
            first.result(30), second.result(30)
    assert waited
    return Occurrence.objects.get(task_id=task.pk).only_here


def test_two_changes_of_one_occurrence_alone_are_both_remembered(ada, pump):
    kept = [change_two_fields_at_once(ada, pump) for _ in range(TIMES)]

    assert kept == [{"title": "Water the plants", "priority": "none"}] * TIMES


def test_what_was_read_before_the_lock_loses_one(ada, pump, monkeypatch):
    """The negative control."""

    def read_before_the_lock(task_id):
        occurrence = selectors.occurrence_of_task(task_id)
        return writing.locked(occurrence.series_id), occurrence

    monkeypatch.setattr(edits, "_locked", read_before_the_lock)

    assert change_two_fields_at_once(ada, pump) == {"priority": "none"}


@pytest.fixture
def without_locks(monkeypatch):
    """Two read the row of a series, and only then does either go on."""
    both_have_read = threading.Barrier(2, timeout=30)

    def read(series_id, **_):
        series = Series.objects.get(pk=series_id)
        both_have_read.wait()
        return series

    monkeypatch.setattr(writing, "found", read)
    monkeypatch.setattr(writing, "locked", read)


def advance(task):
    return services.advance_series(
        series_id=task.series_id, task_id=task.pk, completed_at=MONDAY, now=MONDAY + timedelta(hours=1)
    )


def completed(ada, pump, asked="daily"):
    task = repeating(ada, asked, pump=pump, now=MONDAY, due_at=MONDAY)
    return tasks.complete_task(task_id=task.pk, actor=ada, now=MONDAY)


def test_of_two_who_are_told_of_a_completion_one_makes_the_next(ada, pump):
    for _ in range(TIMES):
        task = completed(ada, pump)

        made = at_once(*[lambda task=task: advance(task)] * 2)

        assert sorted(made) == [False, True]
        assert numbers_and_dates(task.series_id) == in_order(2)


def test_without_the_lock_both_try(ada, pump, without_locks):
    """The negative control; that a date is once in a series still holds."""
    task = completed(ada, pump)

    with pytest.raises(IntegrityError, match="occurrence_once"):
        at_once(lambda: advance(task), lambda: advance(task))

    assert numbers_and_dates(task.series_id) == in_order(2)


def sweep(task):
    return services.make_due(series_id=task.series_id, now=MONDAY + timedelta(hours=1))


def test_a_sweep_and_a_completion_make_each_date_once(ada, pump):
    for _ in range(TIMES):
        task = completed(ada, pump, asked=EVERY_DAY)

        swept, advanced = at_once(lambda task=task: sweep(task), lambda task=task: advance(task))

        assert (swept, advanced) in {(1, False), (0, True)}
        assert numbers_and_dates(task.series_id) == in_order(2)


def test_without_the_lock_they_make_it_twice(ada, pump, without_locks):
    """The negative control."""
    task = completed(ada, pump, asked=EVERY_DAY)

    with pytest.raises(IntegrityError, match="occurrence_once"):
        at_once(lambda: sweep(task), lambda: advance(task))


def pause(task, ada):
    return services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY)


def told(series_id):
    """What a series told, in the order of its versions."""
    events = Event.objects.filter(subject_id=series_id).order_by("subject_version").values_list("type", "data")
    return [data.get("change", kind) for kind, data in events]


def test_paused_at_the_instant_of_a_completion_the_next_is_made_before_or_not_at_all(ada, pump):
    for _ in range(TIMES):
        task = completed(ada, pump)

        _, made = at_once(lambda task=task: pause(task, ada), lambda task=task: advance(task))

        before = ["recurrence.generated.v1"] * made
        assert told(task.series_id) == ["opened", *before, "paused"]
        assert numbers_and_dates(task.series_id) == in_order(1 + made)
        assert Series.objects.get(pk=task.series_id).paused_at == MONDAY


def test_without_the_lock_neither_knows_of_the_other(ada, pump, without_locks):
    """The negative control; that a version is told once still holds."""
    task = completed(ada, pump)

    with pytest.raises(IntegrityError):
        at_once(lambda: pause(task, ada), lambda: advance(task))
