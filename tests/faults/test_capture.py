"""F1 and F3: a writer that dies between the task's row and its event, and one that commits late."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.tasks.models import Task
from tests.faults import checker
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, wait_until
from tests.support.factories import facts


@pytest.mark.short
@pytest.mark.fault("F1", "the writer is killed around the event", bound=10)
@pytest.mark.parametrize("point", ["outbox.before_event:8", "outbox.after_event:8"])
def test_a_writer_killed_around_the_event_leaves_no_task_without_event_and_no_event_without_task(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str, point: str
) -> None:
    command = [sys.executable, "-m", "tests.faults.generator", str(journal), seed, "0", "50"]
    writer = pipeline.run("writer", command, CRASH_POINT=point)
    wait_until(lambda: not writer.runs, "the writer dies at its crash point", seconds=60)
    assert writer.exit_code == -9
    # The eighth change is gone whole.
    assert facts().count() == 7

    pipeline.start("relay")
    pipeline.start("worker-audit")

    evidence.recovered(wait_until(checker.quiet, "what was committed is audited", seconds=60))
    verdict = evidence.judge(journal, pipeline.broker)
    assert verdict.operations["unknown"] == 1


@pytest.mark.short
@pytest.mark.control("F1", "a row is written without its event, the trigger switched off")
def test_a_row_committed_alone_is_refused_and_without_the_trigger_the_checker_finds_it(
    transactional_db: None, journal: Path, evidence: Evidence
) -> None:
    owner = User.objects.create(username="raw")
    with pytest.raises(IntegrityError, match="has no event"):
        _write_the_row_alone(owner)
    assert not Task.objects.exists()

    _switch_the_trigger("DISABLE")
    try:
        _write_the_row_alone(owner)
        verdict = evidence.refute(journal)
    finally:
        _switch_the_trigger("ENABLE")
    assert len(verdict.lost) == 1


def _write_the_row_alone(owner: User) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        Task(owner=owner, title="raw", created_at=now, updated_at=now).save(force_insert=True)


def _switch_the_trigger(word: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE tasks_task {word} TRIGGER task_has_event")
