"""F7, F9 and Redis away: a group's worker is killed, fed poison, cut from Redis."""

import os
import random
import signal
from base64 import b64decode
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from django.db.models import Q

from apps.audit.models import AuditRecord
from apps.dev.children import Child
from apps.events import handling, inbox, subscriptions
from apps.events.brokers.base import OutgoingRecord
from apps.events.models import GroupProgress, HandledEvent
from apps.events.outbox import envelope_of
from apps.events.subscriptions import ConsumerGroup
from tests.events.effects import effect, effects_table
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, kill, let_pass, wait_until
from tests.faults.platform import asked_steadily, without
from tests.faults.verdict import Verdict
from tests.support.factories import facts

__all__ = ["effect", "effects_table"]


@pytest.mark.fault("F7", "a consumer is killed around its commit, another takes over", bound=10)
@pytest.mark.parametrize(
    ("point", "handled_at_death"),
    [("handling.before_commit", False), ("handling.after_commit", True), ("consumer.before_store", True)],
    ids=["before", "after", "before offsets"],
)
def test_a_worker_killed_around_the_commit_loses_nothing_and_repeats_no_effect(
    pipeline: Pipeline, journal: Path, evidence: Evidence, point: str, handled_at_death: bool
) -> None:
    pipeline.start("relay")
    doomed = pipeline.start("worker-audit", name="doomed", CRASH_POINT=point)
    journals.write(journal, prefix="a", count=10)
    wait_until(lambda: not doomed.runs, "the worker dies at its crash point", seconds=30)
    assert doomed.exit_code == -9
    assert HandledEvent.objects.exists() is handled_at_death

    pipeline.start("worker-audit")
    evidence.recovered(wait_until(checker.quiet, "every event has its audit record", seconds=60))
    # What died before its offsets were stored comes again; only then is "no effect twice" put to the test.
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "the new worker has read it all", seconds=30)

    evidence.judge(journal, pipeline.broker)
    assert not GroupProgress.objects.filter(Q(repaired__gt=0) | Q(caught_up__gt=0)).exists()


@pytest.mark.fault("F7", "consumers die under load, in a row, anywhere around their commits", bound=10)
def test_workers_killed_in_a_row_under_load_lose_nothing_and_repeat_no_effect(
    pipeline: Pipeline, journal: Path, evidence: Evidence, chance: random.Random, seed: str
) -> None:
    pipeline.start("relay")
    places = ["handling.before_commit", "handling.after_commit", "consumer.before_store"]
    points = [f"{place}:{chance.randint(1, 20)}" for place in chance.sample(places, 3)]
    doomed = pipeline.start("worker-audit", name="doomed-0", CRASH_POINT=points[0])
    with asked_steadily(pipeline.generate(journal, seed=seed, rate=50), journal):
        for number, point in enumerate([*points[1:], ""], start=1):
            wait_until(partial(_has_ended, doomed), "the worker dies at its crash point", seconds=90)
            assert doomed.exit_code == -9
            doomed = pipeline.start("worker-audit", name=f"doomed-{number}", CRASH_POINT=point)
        wait_until(lambda: _begins(pipeline, "doomed-3"), "the last one has begun", seconds=60)
        let_pass(chance.uniform(0, 3))
        kill(doomed)
        heir = pipeline.start("worker-audit", name="heir")
    evidence.recovered(wait_until(checker.quiet, "every event has its audit record", seconds=90))
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "the heir has read it all", seconds=30)

    evidence.judge(journal, pipeline.broker)
    assert heir.runs
    assert not GroupProgress.objects.filter(repaired__gt=0).exists()


@pytest.mark.control("F7", "offsets are stored before the commit, and nobody reconciles")
def test_offsets_stored_before_the_commit_lose_events_and_the_checker_sees_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    pipeline.start("relay")
    command = without("offsets-after-commit", "worker-audit")
    doomed = pipeline.run("doomed", command, role="worker-audit", CRASH_POINT="handling.before_commit:2")
    journals.write(journal, prefix="a", count=1)
    wait_until(checker.quiet, "its first batch is handled", seconds=90)
    journals.write(journal, prefix="b", count=5)
    wait_until(lambda: not doomed.runs, "the worker dies at its crash point", seconds=60)
    assert doomed.exit_code == -9

    pipeline.run("heir", without("reconcile", "worker-audit"), role="worker-audit")
    wait_until(lambda: _begins(pipeline, "heir"), "the heir begins", seconds=60)
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read, as far as Kafka knows", seconds=60)
    let_pass(3)

    assert evidence.refute(journal, pipeline.broker).lost


def _has_ended(worker: Child) -> bool:
    return not worker.runs


def _begins(pipeline: Pipeline, name: str) -> bool:
    log = pipeline.logs / f"{name}.log"
    return log.exists() and "partitions_assigned" in log.read_text()


@pytest.mark.short
@pytest.mark.control("F7", "the same events again, the inbox switched off")
def test_handling_without_the_inbox_repeats_effects_and_the_checker_sees_it(
    transactional_db: None, journal: Path, evidence: Evidence, effect: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a group whose effects nothing else keeps apart: the trail would refuse a second record by itself."""
    monkeypatch.setattr(subscriptions, "_groups", dict(subscriptions._groups))
    group = ConsumerGroup("chores")
    group.on_batch("*")(effect.apply_batch)
    journals.write(journal, prefix="a", count=1)
    events = [envelope_of(row) for row in facts()]

    def again() -> Verdict:
        handling.handle(group, events)
        verdict = Verdict(events=len(events))
        checker.judge_handling(verdict, group=group)
        checker.judge_effects(verdict, effect.of())
        return verdict

    again().hold()
    again().hold()
    monkeypatch.setattr(inbox, "claim", lambda _group, claimed: list(claimed))
    verdict = again()

    evidence.count(verdict)
    assert len(verdict.duplicated) == len(verdict.findings) == 6


@pytest.mark.short
@pytest.mark.fault("F9", "records nobody can read stand on the topic; other keys flow", bound=2)
def test_poison_on_the_topic_becomes_visible_records_and_other_keys_flow_within_two_seconds(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    pipeline.start("relay")
    pipeline.start("worker-audit")
    journals.write(journal, prefix="before", count=1)
    wait_until(checker.quiet, "the pipeline works", seconds=20)
    producer = pipeline.broker.producer()
    poison = [
        OutgoingRecord("task-events", b"k", b"{not json", [("ce_type", b"task.created.v1")]),
        OutgoingRecord("task-events", b"k", b"", []),
        OutgoingRecord("task-events", b"k", b"\xff\xfe", [("ce_type", b"\xff")]),
        OutgoingRecord("task-events", b"k", b'{"task": 1e400}', [("ce_type", b"task.created.v1")]),
    ]
    producer.send(poison, give_up=lambda: False)
    producer.close()

    journals.write(journal, prefix="after", count=5)

    evidence.recovered(wait_until(checker.quiet, "the other keys flow", seconds=30))
    wait_until(lambda: AuditRecord.objects.filter(readable=False).count() == 4, "poison is visible", seconds=5)
    kept = AuditRecord.objects.filter(readable=False).order_by("record_offset")
    assert [b64decode((record.data or {})["value"]) for record in kept] == [record.value for record in poison]
    evidence.judge(journal)


@pytest.mark.fault("F11", "Redis is dead: events are handled without it", bound=5)
def test_while_redis_is_dead_events_are_handled_and_the_worker_lives(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    pipeline.start("relay")
    worker = pipeline.start("worker-audit")
    journals.write(journal, prefix="before", count=1)
    wait_until(checker.quiet, "the pipeline works", seconds=20)
    assert pipeline.valkey.child is not None

    kill(pipeline.valkey.child)
    journals.write(journal, prefix="during", count=10)

    evidence.recovered(wait_until(checker.quiet, "events are handled without Redis", seconds=30))
    assert worker.runs
    pipeline.valkey.start()
    pipeline.valkey.wait()
    os.kill(worker.id.number, signal.SIGTERM)
    wait_until(lambda: not worker.runs, "the worker stops when told", seconds=40)
    assert worker.exit_code == 0
    evidence.judge(journal, pipeline.broker)


@pytest.mark.fault("F7", "a consumer is killed, another member takes its partitions", bound=10)
def test_a_killed_workers_partitions_move_to_another(pipeline: Pipeline, journal: Path, evidence: Evidence) -> None:
    pipeline.start("relay")
    first = pipeline.start("worker-audit", name="first")
    journals.write(journal, prefix="before", count=1)
    wait_until(checker.quiet, "the pipeline works", seconds=20)
    pipeline.start("worker-audit", name="second")
    # The second has joined when it holds partitions; its log says so.
    second_log = pipeline.logs / "second.log"
    wait_until(lambda: "partitions_assigned" in second_log.read_text(), "the second joins", seconds=30)

    kill(first)
    journals.write(journal, prefix="after", count=20)

    # The broker notices after 6 s; the mock cluster then holds the rebalance for 3 s.
    evidence.recovered(wait_until(checker.quiet, "the second takes all", seconds=60))
    evidence.judge(journal, pipeline.broker)
