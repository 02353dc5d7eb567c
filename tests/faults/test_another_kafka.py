"""F6: Kafka is killed with all it had, and a fresh one stands in its place."""

from datetime import UTC, datetime
from uuid import UUID

from apps.accounts.models import User
from apps.dev.children import Child
from apps.events.models import GroupProgress, OutboxEntry
from apps.tasks import services
from tests.faults import checker
from tests.faults.forwarder import forwarding
from tests.faults.pipeline import Pipeline, kill, wait_until
from tests.support.factories import person

TASKS = 20


def create(owner: User) -> list[UUID]:
    now = datetime.now(UTC)
    return [
        services.create_task(owner=owner, actor=owner, title=f"Task {number}", now=now).pk for number in range(TASKS)
    ]


def complete(tasks: list[UUID], owner: User) -> None:
    for task in tasks:
        services.complete_task(task_id=task, actor=owner, now=datetime.now(UTC))


def relayed() -> bool:
    return not OutboxEntry.objects.exists()


def replace_kafka(pipeline: Pipeline) -> None:
    assert pipeline.kafka.child is not None
    kill(pipeline.kafka.child)
    pipeline.kafka.stop()
    pipeline.kafka.start()
    pipeline.kafka.wait()


def counts() -> tuple[int, int]:
    """Events lost, and events taken from the log because the old Kafka had them."""
    progress = GroupProgress.objects.get(group="audit")
    return progress.repaired, progress.caught_up


def test_what_only_the_killed_kafka_had_is_audited_before_what_the_fresh_one_brings(pipeline: Pipeline) -> None:
    owner = person()
    relay, worker = pipeline.start("relay"), pipeline.start("worker-audit", name="first")
    complete(create(owner), owner)
    wait_until(checker.quiet, "the pipeline works", seconds=30)
    kill(worker)
    tasks = create(owner)
    wait_until(relayed, "the old Kafka has the first versions", seconds=10)
    kill(relay)
    replace_kafka(pipeline)

    pipeline.start("relay", name="relay-after")
    complete(tasks, owner)
    wait_until(relayed, "the fresh Kafka has the later versions", seconds=20)
    pipeline.start("worker-audit", name="after")

    wait_until(checker.quiet, "every event has its audit record", seconds=30)
    checker.check_every_event_is_handled_once()
    checker.check_order_of_the_trail()
    assert counts() == (0, 2 * TASKS)


def test_roles_that_go_on_running_find_a_fresh_kafka_within_seconds_and_keep_the_order(pipeline: Pipeline) -> None:
    owner = person()
    with forwarding(pipeline.kafka.address) as forwarder:
        there = {"KAFKA_BOOTSTRAP_SERVERS": forwarder.address}
        roles: list[Child] = [pipeline.start("relay", **there), pipeline.start("worker-audit", **there)]
        tasks = create(owner)
        wait_until(checker.quiet, "the pipeline works", seconds=30)

        replace_kafka(pipeline)
        forwarder.target = pipeline.kafka.address
        complete(tasks, owner)

        wait_until(checker.quiet, "the fresh Kafka carries what came meanwhile", seconds=30)
        assert all(role.runs for role in roles)
        services.reopen_task(task_id=tasks[0], actor=owner, now=datetime.now(UTC))
        wait_until(checker.quiet, "and what comes now", seconds=10)
    checker.check_every_event_is_handled_once()
    checker.check_order_of_the_trail()
    assert counts()[0] == 0
