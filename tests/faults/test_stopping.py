"""F25: whoever is told to stop does so, within 30 s and with exit code 0, also when what it stands on hangs."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.dev.children import Child
from apps.events.models import OutboxEntry
from tests.faults import journal as journals
from tests.faults.evidence import PATIENCE, Evidence
from tests.faults.pipeline import Pipeline, freeze, let_pass, thaw, wait_until
from tests.faults.platform import Platform, ring_every, without

STOP_SECONDS = 30.0
# So long it hangs before anybody is told to stop: every loop has met it, and no limit of a loop has passed.
MEETING_SECONDS = 8.0


def _child(service: object) -> Child:
    child = getattr(service, "child")  # noqa: B009 - the services of the stack have it in common
    assert isinstance(child, Child)
    return child


def _ways(pipeline: Pipeline) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """How a service begins to hang, and how it goes on: its connections stay, and nobody answers meanwhile."""
    database = pipeline.proxies["postgres"]
    return {
        "nothing": (lambda: None, lambda: None),
        "postgresql": (database.go_silent, database.heal),
        "kafka": (lambda: freeze(_child(pipeline.kafka)), lambda: thaw(_child(pipeline.kafka))),
        "redis": (lambda: freeze(_child(pipeline.valkey)), lambda: thaw(_child(pipeline.valkey))),
    }


@pytest.mark.through("postgres")
@pytest.mark.fault("F25", "SIGTERM to every role under load, while this hangs:", bound=STOP_SECONDS)
@pytest.mark.parametrize("service", ["nothing", "kafka", "redis", "postgresql"])
def test_under_load_every_role_stops_in_time_and_well_while_something_hangs(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str, service: str
) -> None:
    ring_every(2)
    platform = Platform(pipeline)
    hang, heal = _ways(pipeline)[service]
    told = platform.running.copy()
    with platform.load(journal, seed=seed):
        hang()
        let_pass(MEETING_SECONDS if service != "nothing" else 2)

        for child in told.values():
            os.kill(child.id.number, signal.SIGTERM)
        evidence.recovered(
            wait_until(
                lambda: not any(child.runs for child in told.values()),
                "all have stopped",
                seconds=STOP_SECONDS * PATIENCE,
            )
        )
        heal()
    assert {role: child.exit_code for role, child in told.items()} == dict.fromkeys(told, 0)
    assert [left for child in told.values() for left in _left_of(child)] == []

    wait_until(platform.rests, "all is quiet after a new start", seconds=120)
    evidence.judge(journal, pipeline.broker)


def _left_of(child: Child) -> list[str]:
    """What still runs of a process's group: its own children, some of which leave a moment after it."""
    listed: list[str] = []
    for _ in range(20):
        listing = ["ps", "-o", "args=", "-g", str(child.id.number)]
        listed = subprocess.run(listing, check=False, capture_output=True, text=True).stdout.splitlines()
        if not listed:
            break
        let_pass(0.1)
    return listed


@pytest.mark.fault("F25", "the web is killed in the middle of requests instead of being told", bound=STOP_SECONDS)
def test_a_web_killed_in_the_middle_of_requests_leaves_unknown_ones_and_loses_none(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    platform = Platform(pipeline, ("web", "relay", "worker-audit"))
    with platform.load(journal, seed=seed):
        for _ in range(3):
            os.killpg(platform.running["web"].id.number, signal.SIGKILL)
            wait_until(lambda: not platform.running["web"].runs, "it is gone", seconds=10)
            platform.tend()
            wait_until(platform.lives, "it answers again", seconds=60)
            let_pass(1)
    evidence.recovered(wait_until(platform.rests, "all is quiet", seconds=120))

    evidence.judge(journal, pipeline.broker)
    assert any(operation.outcome == "unknown" for operation in journals.read(journal))
    assert platform.restarts["web"] == 3


@pytest.mark.through("postgres")
@pytest.mark.control("F25", "a relay told to stop while PostgreSQL hangs is not helped to end")
def test_a_relay_that_nobody_helps_to_end_is_still_there_when_the_other_has_gone(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    pipeline.start("relay", name="warm")
    journals.write(journal, prefix="a", count=1)
    wait_until(lambda: not OutboxEntry.objects.exists(), "a relay works", seconds=60)
    helped = pipeline.start("relay", name="helped")
    stuck = pipeline.run("stuck", without("leaving", "relay"), role="relay")
    for name in ("helped", "stuck"):
        log = pipeline.logs / f"{name}.log"
        wait_until(lambda log=log: "relay_standing_by" in log.read_text(), "it stands by", seconds=60)  # type: ignore[misc]
    pipeline.proxies["postgres"].go_silent()
    let_pass(MEETING_SECONDS)

    for child in (helped, stuck):
        os.kill(child.id.number, signal.SIGTERM)

    wait_until(lambda: not helped.runs, "the helped one is gone", seconds=STOP_SECONDS * PATIENCE)
    let_pass(2)
    assert helped.exit_code == 0
    assert stuck.runs
    assert evidence.control
