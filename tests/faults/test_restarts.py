"""F8: a group's workers restart again and again, and one freezes for 20 s and comes back while another has its work."""

import random
import time
from pathlib import Path

import pytest

from apps.dev.children import Child
from apps.events.models import HandledEvent
from tests.faults import checker
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, is_frozen, kill, let_pass, thaw, wait_until
from tests.faults.platform import asked_steadily

RESTARTS = 8
EVERY_SECONDS = 5.0
ZOMBIE_SECONDS = 20.0
PATIENCE_SECONDS = 180
protocols = pytest.mark.parametrize("protocol", ["classic", "consumer"])


@pytest.fixture(autouse=True)
def _only_where_it_works(request: pytest.FixtureRequest, pipeline: Pipeline) -> None:
    if request.node.callspec.params["protocol"] == "consumer" and pipeline.kafka_kind == "mock":
        pytest.skip("The mock cluster misses a dead member of the newer protocol only after 27 s.")


@protocols
@pytest.mark.fault("F8", "8 restarts of two workers in 40 s, asked or killed,", bound=60)
def test_workers_that_restart_again_and_again_lose_and_repeat_nothing(
    pipeline: Pipeline, journal: Path, evidence: Evidence, chance: random.Random, seed: str, protocol: str
) -> None:
    pipeline.start("relay")
    workers = [_worker(pipeline, f"worker-{number}", protocol) for number in range(2)]
    wait_until(lambda: all(_begun(pipeline, each) for each in workers), "both begin", seconds=90)
    hard = chance.sample([True, False] * (RESTARTS // 2), RESTARTS)
    with asked_steadily(pipeline.generate(journal, seed=seed, rate=50), journal):
        began_at, told = time.monotonic(), list[Child]()
        for number, kills in enumerate(hard):
            let_pass(max(0.0, began_at + number * EVERY_SECONDS + chance.uniform(0, 4) - time.monotonic()))
            doomed = workers.pop(0)
            print(f"{doomed.name} is {'killed' if kills else 'told to stop'}")
            if kills:
                kill(doomed)
            else:
                # One that is still starting knows of no better end than the signal's own.
                told += [doomed] if _begun(pipeline, doomed) else []
                doomed.ask_to_stop()
            workers.append(_worker(pipeline, f"worker-{number + 2}", protocol))
        ended_at = time.monotonic()
    wait_until(checker.quiet, "every event has its audit record", seconds=PATIENCE_SECONDS)
    evidence.recovered(time.monotonic() - ended_at)
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read", seconds=PATIENCE_SECONDS)
    wait_until(lambda: not any(each.runs for each in told), "who was told to stop has", seconds=60)

    assert [each.exit_code for each in told] == [0] * len(told)
    evidence.judge(journal, pipeline.broker)


@protocols
@pytest.mark.fault("F8", "a worker freezes before it stores its offsets, for 20 s; another has its work", bound=30)
def test_a_zombie_that_comes_back_when_an_heir_has_its_work_repeats_and_reorders_nothing(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str, protocol: str
) -> None:
    pipeline.start("relay")
    point = {"CRASH_POINT": "consumer.before_store:5", "CRASH_SIGNAL": "SIGSTOP"}
    zombie = _worker(pipeline, "zombie", protocol, **point)
    with asked_steadily(pipeline.generate(journal, seed=seed, rate=50), journal):
        wait_until(lambda: is_frozen(zombie), "the zombie freezes", seconds=90)
        frozen_at, handled = time.monotonic(), HandledEvent.objects.count()
        _worker(pipeline, "heir", protocol)
        evidence.recovered(
            wait_until(lambda: HandledEvent.objects.count() > handled, "the heir works", seconds=PATIENCE_SECONDS)
        )
        let_pass(max(0.0, frozen_at + ZOMBIE_SECONDS - time.monotonic()))
        thaw(zombie)
        let_pass(5)
    wait_until(checker.quiet, "every event has its audit record", seconds=PATIENCE_SECONDS)
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read", seconds=PATIENCE_SECONDS)

    assert zombie.runs
    evidence.judge(journal, pipeline.broker)


def _worker(pipeline: Pipeline, name: str, protocol: str, **extra: str) -> Child:
    return pipeline.start("worker-audit", name=name, KAFKA_GROUP_PROTOCOL=protocol, **extra)


def _begun(pipeline: Pipeline, child: Child) -> bool:
    return "group_consuming" in pipeline.log_of(child)
