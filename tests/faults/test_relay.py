"""F4, F5 and Kafka away: the relay is killed, frozen, doubled; nothing is lost or out of order."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from apps.events.leadership import Leadership
from apps.events.models import OutboxEntry
from apps.events.relay import Relay
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, database_url, freeze, kill, let_pass, thaw, wait_until
from tests.support.factories import facts


@pytest.mark.short
@pytest.mark.fault("F4", "the relay is killed after select, produce, delete; another relays", bound=5)
@pytest.mark.parametrize("point", ["relay.selected:3", "relay.produced:1", "relay.deleted:1"])
def test_a_relay_killed_at_any_point_loses_nothing_and_keeps_the_order(
    pipeline: Pipeline, journal: Path, evidence: Evidence, point: str
) -> None:
    journals.write(journal, prefix="a", count=20)
    doomed = pipeline.start("relay", name="doomed", CRASH_POINT=point)
    wait_until(lambda: not doomed.runs, "the relay dies at its crash point", seconds=60)
    assert doomed.exit_code == -9
    journals.write(journal, prefix="b", count=20)

    pipeline.start("relay")
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the next relay has relayed", seconds=60))
    pipeline.start("worker-audit")

    wait_until(checker.quiet, "every event has its audit record", seconds=60)
    evidence.judge(journal, pipeline.broker)
    assert facts().count() == 240


@pytest.mark.fault("F4", "the active relay is killed, the standby takes over", bound=5)
def test_a_standby_takes_over_when_the_active_relay_is_killed(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    active = pipeline.start("relay", name="active")
    journals.write(journal, prefix="a", count=5)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the active relay works", seconds=60)
    pipeline.start("relay", name="standby")
    log = pipeline.logs / "standby.log"
    wait_until(lambda: log.exists() and "relay_standing_by" in log.read_text(), "the other stands by", seconds=10)

    kill(active)
    journals.write(journal, prefix="b", count=5)
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the standby relays", seconds=60))
    _audited(pipeline, journal, evidence)


@pytest.mark.fault("F5", "the leading of two relays freezes for 10 s", bound=5)
def test_a_frozen_relay_keeps_the_lead_and_nothing_is_reordered(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    active = pipeline.start("relay", name="active")
    journals.write(journal, prefix="a", count=5)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the active relay works", seconds=60)
    standby = pipeline.start("relay", name="standby")

    freeze(active)
    journals.write(journal, prefix="b", count=10)
    let_pass(10)
    # A fact and a snapshot each: the standby is not the leader and touches nothing.
    assert OutboxEntry.objects.count() == 120
    thaw(active)

    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the thawed relay goes on", seconds=60))
    assert standby.runs
    checker.check_nothing_stands_twice_or_reordered(checker.all_records(pipeline.broker))
    _audited(pipeline, journal, evidence)


@pytest.mark.fault("F5", "the frozen relay loses its session, thaws, and steps back", bound=5)
def test_a_frozen_relay_that_lost_its_session_steps_back_when_it_thaws(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    active = pipeline.start("relay", name="active")
    journals.write(journal, prefix="a", count=5)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the active relay works", seconds=60)
    pipeline.start("relay", name="standby")
    freeze(active)
    _end_the_leaders_session()

    journals.write(journal, prefix="b", count=10)
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the standby has taken over", seconds=60))
    thaw(active)
    journals.write(journal, prefix="c", count=10)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the new leader goes on", seconds=60)

    assert active.runs  # as a standby now
    checker.check_nothing_stands_twice_or_reordered(checker.all_records(pipeline.broker))
    _audited(pipeline, journal, evidence)


@pytest.mark.short
@pytest.mark.control("F5", "two relays at once, the lock switched off")
def test_two_relays_without_the_lock_reorder_and_the_checker_sees_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the two tests above: with the lock switched off the checker goes red."""
    monkeypatch.setattr(Leadership, "holds", lambda _self: True)
    journals.write(journal, prefix="a", count=1)
    slow, quick = (Relay(pipeline.broker, leadership=Leadership()) for _ in range(2))
    slow_producer = pipeline.broker.producer()
    slow.producer = _Delayed(slow_producer, meanwhile=quick.relay_batch)

    slow.relay_batch()

    slow.close()
    quick.close()
    with pytest.raises(AssertionError):
        checker.check_nothing_stands_twice_or_reordered(checker.all_records(pipeline.broker))
    verdict = evidence.note(journal, pipeline.broker)
    assert verdict.repeated_records > 0


class _Delayed:
    """A producer that lets something else happen between reading the outbox and producing."""

    def __init__(self, producer, *, meanwhile) -> None:
        self.producer = producer
        self.meanwhile = meanwhile

    def send(self, records, *, give_up):
        self.meanwhile()
        return self.producer.send(records, give_up=give_up)

    def close(self) -> None:
        self.producer.close()


@pytest.mark.fault("F6", "Kafka is frozen for 8 s", bound=20)
def test_while_kafka_is_a_black_hole_changes_go_on_and_all_arrive_afterwards(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    relay = pipeline.start("relay")
    worker = pipeline.start("worker-audit")
    journals.write(journal, prefix="before", count=3)
    wait_until(checker.quiet, "the pipeline works", seconds=60)
    assert pipeline.kafka.child is not None

    freeze(pipeline.kafka.child)
    journals.write(journal, prefix="during", count=10)
    let_pass(8)
    assert OutboxEntry.objects.count() == 120  # a fact and a snapshot each
    assert relay.runs
    assert worker.runs
    thaw(pipeline.kafka.child)

    evidence.recovered(wait_until(checker.quiet, "all has caught up", seconds=90))
    evidence.judge(journal, pipeline.broker)


@pytest.mark.fault("F25", "the relay is asked to stop while Kafka is away", bound=30)
def test_a_relay_asked_to_stop_while_kafka_is_away_stops_and_the_next_one_relays(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    relay = pipeline.start("relay")
    journals.write(journal, prefix="before", count=1)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the relay works", seconds=60)
    assert pipeline.kafka.child is not None
    freeze(pipeline.kafka.child)
    journals.write(journal, prefix="during", count=2)
    let_pass(1)

    os.kill(relay.id.number, signal.SIGTERM)
    evidence.recovered(wait_until(lambda: not relay.runs, "the relay stops", seconds=60))
    assert relay.exit_code == 0
    assert OutboxEntry.objects.count() == 24  # a fact and a snapshot each
    thaw(pipeline.kafka.child)
    pipeline.start("relay", name="next")

    wait_until(lambda: not OutboxEntry.objects.exists(), "the next relay goes on", seconds=60)
    _audited(pipeline, journal, evidence)


def _audited(pipeline: Pipeline, journal: Path, evidence: Evidence) -> None:
    pipeline.start("worker-audit")
    wait_until(checker.quiet, "every event has its audit record", seconds=60)
    evidence.judge(journal, pipeline.broker)


def _end_the_leaders_session() -> None:
    with psycopg.connect(database_url(), autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND application_name = 'relay-leadership'"
        )
