"""F7 and F8 of the recurrence group, whose effect is a task and starts the flow anew: every completed occurrence of a
series has one successor, whoever dies, whoever works beside, and however often everything comes again.
"""

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, transaction

from apps.dev.children import Child
from apps.events import handling
from apps.events.models import GroupProgress
from apps.events.outbox import envelope_of
from apps.events.subscriptions import group_named
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import advancing
from apps.tasks import services
from apps.tasks.models import Task
from tests.faults import checker, series
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.journal import Journal
from tests.faults.pipeline import Pipeline, kill, let_pass, wait_until
from tests.faults.platform import asked_steadily
from tests.faults.verdict import Verdict
from tests.support.append_only import guards_off
from tests.support.factories import facts

POINTS = ["handling.before_commit", "handling.after_commit", "recurrence.before_task", "recurrence.after_task"]
PATIENCE_SECONDS = 180


def _worker(pipeline: Pipeline, name: str, **extra: str) -> Child:
    return pipeline.start("worker-recurrence", name=name, **extra)


def _has_ended(worker: Child) -> bool:
    return not worker.runs


@pytest.mark.fault("F7", "a worker of series is killed on its way to the next occurrence, another takes over", bound=10)
@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=[pytest.mark.short] * (point == "recurrence.after_task")) for point in POINTS]
)
def test_a_worker_killed_on_its_way_to_the_next_occurrence_makes_it_once(
    pipeline: Pipeline, journal: Path, evidence: Evidence, point: str
) -> None:
    pipeline.start("relay")
    pipeline.start("worker-audit")
    doomed = _worker(pipeline, "doomed", CRASH_POINT=point)
    _complete_three_that_repeat(journal)
    wait_until(partial(_has_ended, doomed), "the worker dies at its crash point", seconds=60)
    assert doomed.exit_code == -9

    _worker(pipeline, "heir")
    evidence.recovered(wait_until(_each_is_followed, "each occurrence has its next", seconds=60))
    wait_until(checker.quiet, "all is quiet", seconds=60)
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read", seconds=60)

    evidence.judge(journal, pipeline.broker)
    assert (Series.objects.count(), Task.objects.count()) == (3, 6)
    assert not GroupProgress.objects.filter(repaired__gt=0).exists()


def _complete_three_that_repeat(path: Path) -> None:
    journal, person, now = Journal(path), journals.owner(), datetime.now(UTC)
    for number in range(3):
        with journal.operation(f"create-{number}", verb="create"):
            asked: dict[str, Any] = {"due_on": now.date(), "recurrence": {"rule": "FREQ=WEEKLY"}}
            task = services.create_task(owner=person, actor=person, title=f"{number}", now=now, **asked)
        with journal.operation(f"complete-{number}", verb="complete"):
            services.complete_task(task_id=task.pk, actor=person, now=now)
    journal.close()


def _each_is_followed() -> bool:
    return Occurrence.objects.filter(number=2).count() == 3


@pytest.mark.timeout(420)
@pytest.mark.fault("F8", "two workers of series under load die and are told to stop in turn", bound=60)
def test_however_workers_of_series_come_and_go_each_occurrence_has_one_next(
    pipeline: Pipeline, journal: Path, evidence: Evidence, chance: random.Random, seed: str
) -> None:
    pipeline.start("relay")
    pipeline.start("worker-audit")
    points = [f"{point}:{chance.randint(2, 20)}" for point in chance.sample(POINTS, 2)]
    doomed = [_worker(pipeline, f"doomed-{number}", CRASH_POINT=point) for number, point in enumerate(points)]
    command = [sys.executable, "-m", "tests.faults.repeater", str(journal), seed, "20", "60"]
    with asked_steadily(pipeline.run("repeater", command, DATABASE_URL=pipeline.database_url), journal):
        heirs = []
        for number, worker in enumerate(doomed):
            wait_until(partial(_has_ended, worker), "a worker dies at its crash point", seconds=PATIENCE_SECONDS)
            heirs.append(_worker(pipeline, f"heir-{number}"))
        let_pass(chance.uniform(8, 12))
        kill(heirs[0])
        _worker(pipeline, "last")
        let_pass(chance.uniform(8, 12))
        heirs[1].ask_to_stop()
        let_pass(5)
    evidence.recovered(wait_until(checker.quiet, "all is quiet", seconds=PATIENCE_SECONDS))
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read", seconds=PATIENCE_SECONDS)

    evidence.judge(journal, pipeline.broker)
    assert Occurrence.objects.filter(number__gt=1).count() > 50
    assert not GroupProgress.objects.filter(repaired__gt=0).exists()


@pytest.fixture
def done_once(transactional_db: None, tmp_path: Path) -> Verdict:
    """Three series, each with an occurrence that was done and the next, without any process."""
    _complete_three_that_repeat(tmp_path / "journal")
    group = group_named("recurrence")
    handling.handle(group, [envelope_of(row) for row in facts() if group.wants(row.type)])
    handling.handle(group, [envelope_of(row) for row in facts() if group.wants(row.type)])
    verdict = Verdict()
    series.judge(verdict)
    verdict.hold()
    return verdict


@pytest.fixture
def not_unique(done_once: Verdict) -> Iterator[None]:
    """The database lets an occurrence be twice, and a date of a series have two tasks."""
    unique: list[Any] = [(Occurrence, each) for each in Occurrence._meta.constraints]
    unique += [(Task, each) for each in Task._meta.constraints if each.name == "task_once_per_occurrence"]
    with connection.schema_editor() as editor:
        for model, constraint in unique:
            editor.remove_constraint(model, constraint)
    yield
    with guards_off():
        Occurrence.objects.all().delete()
        Task.objects.filter(recurrence_id__gt="")._raw_delete(DEFAULT_DB_ALIAS)
    with connection.schema_editor() as editor:
        for model, constraint in unique:
            editor.add_constraint(model, constraint)


def _advance_as_seen_before(one: Series) -> None:
    """As a generator does that looked at the series before the other made the next occurrence."""
    first = one.occurrences.get(number=1)
    one.last_number, one.last_recurrence_id, one.last_task_id = 1, first.recurrence_id, first.task_id
    now = datetime.now(UTC)
    with transaction.atomic():
        advancing.go_on(one, completed_at=now, now=now)


@pytest.mark.short
@pytest.mark.fault("F8", "two generators of one series that see the same: the second is refused by the database")
def test_a_second_generator_that_saw_the_same_makes_nothing(done_once: Verdict, evidence: Evidence) -> None:
    with pytest.raises(IntegrityError, match="occurrence_once_per_number"):
        _advance_as_seen_before(Series.objects.order_by("pk")[0])

    verdict = Verdict()
    series.judge(verdict)
    verdict.hold()
    assert Task.objects.count() == 6


@pytest.mark.short
@pytest.mark.control("F8", "two generators of one series that see the same, occurrences not unique")
def test_without_unique_occurrences_a_second_generator_makes_another_and_the_checker_sees_it(
    not_unique: None, evidence: Evidence
) -> None:
    _advance_as_seen_before(Series.objects.order_by("pk")[0])

    verdict = Verdict()
    series.judge(verdict)
    evidence.count(verdict)
    assert Task.objects.count() == 7
    assert [each.partition(": ")[2] for each in verdict.duplicated] == [
        f"2 tasks for {Occurrence.objects.filter(number=2)[0].recurrence_id}",
        "occurrence 2 told 2 times",
        "followed by 2 others",
    ]


@pytest.mark.short
@pytest.mark.control("F7", "an event of a completion is noted as handled, and its effect is not there")
def test_a_completion_without_its_effect_is_seen_by_the_checker(
    transactional_db: None, tmp_path: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advancing, "go_on", lambda *_, **__: None)
    _complete_three_that_repeat(tmp_path / "journal")
    group = group_named("recurrence")
    handling.handle(group, [envelope_of(row) for row in facts() if group.wants(row.type)])

    verdict = Verdict()
    series.judge(verdict)
    evidence.count(verdict)

    assert [each.partition(": ")[2] for each in verdict.lost] == ["its last occurrence is done and nothing follows"] * 3
