"""F6: Kafka freezes, is killed, cannot be reached, is away when the roles start; changes go on and all arrive."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection

from apps.dev.children import Child
from apps.events.brokers.base import Delivery, OutgoingRecord, Producer
from apps.events.leadership import Leadership
from apps.events.models import OutboxEntry
from apps.events.relay import Relay
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, freeze, let_pass, thaw, wait_until
from tests.faults.proxy import Proxy
from tests.support.factories import append, event

BACKLOG = 30_000
MOST_GROWTH_KIB = 64 * 1024


@pytest.mark.fault("F6", "Kafka is frozen for 8 s", bound=20)
def test_while_kafka_is_a_black_hole_changes_go_on_and_all_arrive_afterwards(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    roles = _working(pipeline, journal)
    kafka = _process_of(pipeline)

    freeze(kafka)
    journals.write(journal, prefix="during", count=10)
    let_pass(8)
    assert OutboxEntry.objects.count() == 120  # a fact and a snapshot each
    thaw(kafka)

    evidence.recovered(wait_until(checker.quiet, "all has caught up", seconds=90))
    assert all(role.runs for role in roles)
    evidence.judge(journal, pipeline.broker)


@pytest.mark.through("kafka")
@pytest.mark.fault("F6", "Kafka is killed with -9 under load, and is back after 5 s", bound=20)
def test_a_killed_kafka_that_comes_back_is_given_everything(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    roles = _working(pipeline, journal)
    load = pipeline.load(journal, seed=seed)

    pipeline.kill_kafka()
    let_pass(5)
    pipeline.bring_kafka_back()
    waiting = checker.waiting()
    evidence.recovered(wait_until(lambda: checker.relayed(waiting), "what waited is relayed", seconds=120))
    pipeline.finish(load)

    evidence.recovered(wait_until(checker.quiet, "all has caught up", seconds=120))
    assert all(role.runs for role in roles)
    # The mock forgets its records when it dies: then it has not all to be looked through.
    keeps_records = pipeline.kafka_kind == "real"
    verdict = evidence.judge(journal, pipeline.broker if keeps_records else None)
    assert verdict.operations["unknown"] == 0


def _silent(proxy: Proxy) -> None:
    proxy.go_silent()
    let_pass(15)


def _resets(proxy: Proxy) -> None:
    for _ in range(10):
        proxy.reset()
        let_pass(1)


def _half_open(proxy: Proxy) -> None:
    assert proxy.leave_half_open() > 0


def _slow(proxy: Proxy) -> None:
    proxy.latency_seconds = 0.3
    let_pass(10)


@pytest.mark.through("kafka")
@pytest.mark.fault("F6", "the way to Kafka, under load:", bound=20)
@pytest.mark.parametrize(
    "harm",
    [_silent, _resets, _half_open, _slow],
    ids=["silent for 15 s", "reset every second for 10 s", "half open", "300 ms slow for 10 s"],
)
def test_whatever_the_way_to_kafka_does_everything_arrives_in_order(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str, harm: Callable[[Proxy], None]
) -> None:
    if pipeline.kafka_kind == "mock":
        pytest.skip("Clients of the mock go where its metadata say: past the proxy.")
    roles = _working(pipeline, journal)
    load = pipeline.load(journal, seed=seed)

    harm(pipeline.proxies["kafka"])
    pipeline.proxies["kafka"].heal()
    waiting = checker.waiting()
    evidence.recovered(wait_until(lambda: checker.relayed(waiting), "what waited is relayed", seconds=120))
    pipeline.finish(load)

    evidence.recovered(wait_until(checker.quiet, "all has caught up", seconds=120))
    assert all(role.runs for role in roles)
    verdict = evidence.judge(journal, pipeline.broker)
    assert verdict.operations["unknown"] == 0


@pytest.mark.timeout(400)
@pytest.mark.fault("F6", "30,000 events come while Kafka is silent", bound=20)
def test_a_backlog_of_a_silent_kafka_stays_in_the_database_and_then_flows(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    relay, worker = _working(pipeline, journal)
    kafka = _process_of(pipeline)
    before = _memory_kib(relay)

    freeze(kafka)
    _make_backlog()
    load = pipeline.generate(journal, seed=seed, rate=50, count=100)
    wait_until(lambda: not load.runs, "changes go on", seconds=60)
    assert OutboxEntry.objects.count() >= BACKLOG + 200
    grown = _memory_kib(relay) - before
    thaw(kafka)

    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the backlog is relayed", seconds=120))
    wait_until(checker.quiet, "all has been handled", seconds=200)
    grown = max(grown, _memory_kib(relay) - before)
    evidence.notes.append(f"the relay grew by {grown // 1024} MiB")
    assert grown < MOST_GROWTH_KIB
    assert worker.runs
    # The mock keeps 4 MB a partition: not all of it has to be there to look through.
    keeps_records = pipeline.kafka_kind == "real"
    evidence.judge(journal, pipeline.broker if keeps_records else None)


@pytest.mark.through("kafka")
@pytest.mark.fault("F6", "Kafka is away when the roles start, and comes after 5 s", bound=20)
def test_roles_that_start_without_kafka_wait_for_it(pipeline: Pipeline, journal: Path, evidence: Evidence) -> None:
    pipeline.kill_kafka()
    roles = [pipeline.start("relay"), pipeline.start("worker-audit")]
    journals.write(journal, prefix="without", count=10)
    pipeline.wait_for_word(roles[0], "relay_active")
    let_pass(5)
    assert OutboxEntry.objects.count() == 120  # a fact and a snapshot each
    pipeline.bring_kafka_back()

    evidence.recovered(wait_until(checker.quiet, "all is handled", seconds=120))
    assert all(role.runs for role in roles)
    evidence.judge(journal, pipeline.broker)


@pytest.mark.short
@pytest.mark.control("F6", "a relay that does not wait for Kafka's word, Kafka frozen")
def test_a_relay_that_deletes_what_kafka_has_not_acknowledged_loses_it_and_the_checker_finds_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    journals.write(journal, prefix="a", count=1)
    with Leadership() as leadership:
        leadership.acquire()
        relay = Relay(pipeline.broker, leadership=leadership)
        relay.producer = _Trusting(pipeline.broker.producer())
        freeze(_process_of(pipeline))
        assert relay.relay_batch() == 12
        relay.close()
    thaw(_process_of(pipeline))
    pipeline.start("relay")
    journals.write(journal, prefix="b", count=1)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the next relay relays what is left", seconds=60)

    verdict = evidence.refute(journal, pipeline.broker)
    assert len([each for each in verdict.lost if "not on the topic" in each]) == 6


class _Trusting:
    """A producer that calls delivered what it was only given."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer

    def send(self, records: Sequence[OutgoingRecord], *, give_up: Callable[[], bool]) -> list[Delivery]:
        self.producer.send(records, give_up=lambda: True)
        return [Delivery() for _ in records]

    def close(self) -> None:
        self.producer.close()


def _working(pipeline: Pipeline, journal: Path) -> tuple[Child, Child]:
    relay, worker = pipeline.start("relay"), pipeline.start("worker-audit")
    journals.write(journal, prefix="before", count=3)
    wait_until(checker.quiet, "the pipeline works", seconds=60)
    return relay, worker


def _process_of(pipeline: Pipeline) -> Child:
    assert pipeline.kafka.child is not None
    return pipeline.kafka.child


_MULTIPLY = """
WITH made AS (
    INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, subject_version, owner_id,
                              actor_id, occurred_at, correlation_id, causation_id, traceparent, data)
    SELECT gen_random_uuid(), type, topic, others.one, source, subject_type, others.one, subject_version, owner_id,
           actor_id, occurred_at, correlation_id, causation_id, traceparent, data
    FROM events_event, (SELECT gen_random_uuid() AS one FROM generate_series(2, %s::int)) AS others WHERE position = %s
    RETURNING position
)
INSERT INTO events_outboxentry (event_id) SELECT position FROM made
"""


def _make_backlog() -> None:
    """Of things of their own, that no rows stand for: one as a service makes it, the others after it."""
    one = event(data={"tag": {"name": "home"}})
    (row,) = append(replace(one, type="tag.created.v1", subject_type="tag"))
    with connection.cursor() as cursor:
        cursor.execute(_MULTIPLY, [BACKLOG, row.position])


def _memory_kib(child: Child) -> int:
    status = Path(f"/proc/{child.id.number}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
