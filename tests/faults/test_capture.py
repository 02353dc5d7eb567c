"""F1 and F2: writers that die around the event, or write past the services."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
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

    with _trigger_off():
        _write_the_row_alone(owner)
    verdict = evidence.refute(journal)
    assert len(verdict.lost) == 1


def _write_the_row_alone(owner: User) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        Task(owner=owner, title="raw", created_at=now, updated_at=now).save(force_insert=True)


@contextmanager
def _trigger_off() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_task DISABLE TRIGGER task_has_event")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tasks_task ENABLE TRIGGER task_has_event")


# --- F2: past the services ----------------------------------------------------------------------------

_COLUMNS = "id, owner_id, title, description, status, status_before_deletion, priority, version, created_at, updated_at"
_ROW = "gen_random_uuid(), owner_id, 'Raw', '', 'pending', '', 'none', 1, now(), now() FROM tasks_task LIMIT 1"
COUNTED = "UPDATE tasks_task SET title = 'Raw', version = version + 1 WHERE id IN (SELECT id FROM tasks_task LIMIT 1)"
DOORS = [
    "UPDATE tasks_task SET title = 'Raw'",
    "UPDATE tasks_task SET title = 'Raw', version = version + 1",
    "UPDATE tasks_task SET version = version + 2",
    COUNTED,
    f"INSERT INTO tasks_task ({_COLUMNS}) SELECT {_ROW}",
    "MERGE INTO tasks_task t USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET version = version + 1",
    "DELETE FROM tasks_task",
    "DELETE FROM tasks_task WHERE id = (SELECT id FROM tasks_task LIMIT 1)",
    "TRUNCATE tasks_task CASCADE",
    "ALTER TABLE tasks_task DISABLE TRIGGER USER",
    "SET session_replication_role = replica",
]


@pytest.mark.fault("F2", "raw and bulk writes at every door while 50 changes/s go on", bound=10)
def test_raw_writes_under_load_are_refused_at_every_door_and_harm_nobody(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str, chance: random.Random
) -> None:
    start_and_wait_for_load(pipeline, journal, seed)
    load = pipeline.generate(journal, seed=f"{seed}.load", rate=50, count=300)

    refused = 0
    while load.runs:
        for statement in chance.sample(DOORS, len(DOORS)):
            _refused(pipeline, statement)
            refused += 1
    assert load.exit_code == 0

    evidence.notes.append(f"{refused} refused")
    evidence.recovered(wait_until(checker.quiet, "every change is audited", seconds=60))
    verdict = evidence.judge(journal, pipeline.broker)
    assert not Task.objects.filter(title="Raw").exists()
    assert verdict.operations["unknown"] == 0


@pytest.mark.control("F2", "one raw write under load, the trigger switched off")
def test_without_the_trigger_a_raw_write_under_load_slips_by_and_the_checker_finds_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    start_and_wait_for_load(pipeline, journal, seed)
    load = pipeline.generate(journal, seed=f"{seed}.load", rate=50, count=100)

    with _trigger_off(), psycopg.connect(pipeline.database_url, autocommit=True) as session:
        session.execute(COUNTED)
    wait_until(lambda: not load.runs, "the load is over", seconds=60)
    wait_until(checker.quiet, "every event is audited", seconds=60)

    raw = Task.objects.get(title="Raw")
    verdict = evidence.refute(journal, pipeline.broker)
    assert [each for each in verdict.lost if f"{raw.pk}" in each] == verdict.lost != []


def start_and_wait_for_load(pipeline: Pipeline, journal: Path, seed: str) -> None:
    pipeline.start("relay")
    pipeline.start("worker-audit")
    first = pipeline.generate(journal, seed=seed, count=10)
    wait_until(lambda: not first.runs, "the first changes are made", seconds=60)
    wait_until(checker.quiet, "the pipeline works", seconds=60)


def _refused(pipeline: Pipeline, statement: str) -> None:
    refusals = (psycopg.IntegrityError, psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(pipeline.database_url, autocommit=True) as session, pytest.raises(refusals):
        session.execute(statement)
