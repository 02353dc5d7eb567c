"""F6: Kafka is killed with all it had, and a fresh one stands in its place."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from apps.events.models import GroupProgress, OutboxEntry
from apps.tasks import services
from tests.faults import checker
from tests.faults.evidence import Evidence
from tests.faults.journal import Journal, owner
from tests.faults.pipeline import Pipeline, kill, wait_until

TASKS = 20


def create(path: Path) -> list[UUID]:
    person, journal, made = owner(), Journal(path), []
    for number in range(TASKS):
        name = f"create-{datetime.now(UTC).timestamp()}-{number}"
        with journal.operation(name, verb="create"):
            task = services.create_task(owner=person, actor=person, title=f"Task {number}", now=datetime.now(UTC))
        made.append(task.pk)
    return made


def complete(path: Path, tasks: list[UUID]) -> None:
    journal = Journal(path)
    for task in tasks:
        with journal.operation(f"complete-{task}", verb="complete"):
            services.complete_task(task_id=task, actor=owner(), now=datetime.now(UTC))


def relayed() -> bool:
    return not OutboxEntry.objects.exists()


def counts() -> tuple[int, int]:
    """Events lost, and events taken from the log because the old Kafka had them."""
    progress = GroupProgress.objects.get(group="audit")
    return progress.repaired, progress.caught_up


@pytest.mark.fault("F6", "Kafka is lost, its records unread; a fresh one before the roles start", bound=20)
def test_what_only_the_killed_kafka_had_is_audited_before_what_the_fresh_one_brings(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    relay, worker = pipeline.start("relay"), pipeline.start("worker-audit", name="first")
    complete(journal, create(journal))
    wait_until(checker.quiet, "the pipeline works", seconds=60)
    kill(worker)
    tasks = create(journal)
    wait_until(relayed, "the old Kafka has the first versions", seconds=60)
    kill(relay)
    pipeline.replace_kafka()

    pipeline.start("relay", name="relay-after")
    complete(journal, tasks)
    wait_until(relayed, "the fresh Kafka has the later versions", seconds=60)
    pipeline.start("worker-audit", name="after")

    evidence.recovered(wait_until(checker.quiet, "every event has its audit record", seconds=90))
    evidence.judge(journal)
    assert counts() == (0, 2 * TASKS)


@pytest.mark.through("kafka")
@pytest.mark.fault("F6", "Kafka is lost; a fresh one behind running roles", bound=20)
def test_roles_that_go_on_running_find_a_fresh_kafka_within_seconds_and_keep_the_order(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    roles = [pipeline.start("relay"), pipeline.start("worker-audit")]
    tasks = create(journal)
    wait_until(checker.quiet, "the pipeline works", seconds=60)

    pipeline.replace_kafka()
    complete(journal, tasks)

    evidence.recovered(wait_until(checker.quiet, "the fresh Kafka carries what came meanwhile", seconds=90))
    assert all(role.runs for role in roles)
    create(journal)
    wait_until(checker.quiet, "and what comes now", seconds=60)
    evidence.judge(journal)
    assert counts()[0] == 0
