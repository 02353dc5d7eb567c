"""F4: relays are killed at every point; nothing is lost and the order stays."""

import os
import random
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from apps.dev.children import Child
from apps.events import outbox
from apps.events.leadership import Leadership
from apps.events.models import OutboxEntry
from apps.events.outbox import Key, Logged
from apps.events.relay import Relay
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, freeze, kill, let_pass, thaw, wait_until
from tests.support.factories import facts

POINTS = ["relay.selected", "relay.produced", "relay.deleted"]


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
    standby = pipeline.start("relay", name="standby")
    pipeline.wait_for_word(standby, "relay_standing_by")

    kill(active)
    journals.write(journal, prefix="b", count=5)
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the standby relays", seconds=60))
    audited(pipeline, journal, evidence)


@pytest.mark.fault("F4", "five relays in a row are killed under load, at random points and moments", bound=5)
def test_relays_killed_in_a_row_under_load_lose_nothing_and_keep_the_order(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str, chance: random.Random
) -> None:
    pipeline.start("worker-audit")
    running = [_doomed(pipeline, chance, number) for number in range(3)]
    load = pipeline.load(journal, seed=seed)

    for number in range(5):
        wait_until(lambda: _leader(pipeline, running) is not None, "one leads", seconds=60)
        leader = _leader(pipeline, running) or running[0]
        _kill_unless_it_dies_by_itself(leader, seconds=chance.uniform(1, 4))
        waiting = checker.waiting()
        running.remove(leader)
        took = wait_until(partial(checker.relayed, waiting), "what waited is relayed", seconds=60)
        evidence.recovered(took)
        running.append(_doomed(pipeline, chance, 3 + number))
    pipeline.start("relay", name="survivor")
    let_pass(chance.uniform(0, 2))

    pipeline.finish(load)
    wait_until(checker.quiet, "every change is audited", seconds=60)
    verdict = evidence.judge(journal, pipeline.broker)
    evidence.notes.append(f"{verdict.repeated_records} records repeated")
    assert verdict.operations["ok"] > 100


def _doomed(pipeline: Pipeline, chance: random.Random, number: int) -> Child:
    point = f"{chance.choice(POINTS)}:{chance.randint(5, 60)}"
    print(f"relay-{number} is to die at {point}")
    return pipeline.start("relay", name=f"relay-{number}", CRASH_POINT=point)


def _leader(pipeline: Pipeline, relays: list[Child]) -> Child | None:
    """The living one that says it leads."""
    living = [
        each for each in relays if each.runs and "relay_active" in (pipeline.logs / f"{each.name}.log").read_text()
    ]
    return living[0] if living else None


def _kill_unless_it_dies_by_itself(leader: Child, *, seconds: float) -> None:
    with suppress(AssertionError):
        wait_until(lambda: not leader.runs, f"{leader.name} dies at its crash point", seconds=seconds)
    if leader.runs:
        print(f"{leader.name} is killed where it is")
        kill(leader)
    assert leader.exit_code == -9


@pytest.mark.short
@pytest.mark.control("F4", "a relay that forgets before Kafka has it, killed in between")
def test_a_relay_that_deletes_first_loses_events_and_the_checker_finds_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    journals.write(journal, prefix="a", count=1)
    with Leadership() as leadership:
        leadership.acquire()
        with pytest.raises(_Died):
            _ForgetfulRelay(pipeline.broker, leadership=leadership).relay_batch()
    journals.write(journal, prefix="b", count=1)

    pipeline.start("relay")
    wait_until(lambda: not OutboxEntry.objects.exists(), "the next relay relays what is left", seconds=60)

    verdict = evidence.refute(journal, pipeline.broker)
    assert len([each for each in verdict.lost if "not on the topic" in each]) == 6


class _Died(Exception):
    """As by SIGKILL."""


class _ForgetfulRelay(Relay):
    """What the relay must not be."""

    def _relay(self, entries: list[Logged], *, stuck: set[Key]) -> tuple[set[int], dict[int, str]]:
        outbox.forget([entry.position for entry in entries])
        raise _Died


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
    audited(pipeline, journal, evidence)


def audited(pipeline: Pipeline, journal: Path, evidence: Evidence) -> None:
    pipeline.start("worker-audit")
    wait_until(checker.quiet, "every event has its audit record", seconds=60)
    evidence.judge(journal, pipeline.broker)
