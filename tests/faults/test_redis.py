"""F11 and F12: what rings the sweeps restarts empty, or does not answer; every queue's jobs run again.

The canary of a queue is its group's reconcile: beat rings it, the queue carries it, a child of the group's worker runs
it, and `GroupProgress.checked_at` says when. Health and the metrics tell its age.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from apps.audit.models import AuditVerification
from apps.events.models import GroupProgress
from tests.faults import checker
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, kill, let_pass, wait_until
from tests.faults.platform import Platform, asked_steadily, ring_every

SWEEP_SECONDS = 5
ROLES = ("relay", "worker-audit", "worker-recurrence", "beat")
PATIENCE_SECONDS = 180


class Canary:
    """Hears whether jobs of every queue have run since it was last told to `mark`."""

    def __init__(self) -> None:
        self._heard: dict[str, set[object]] = {group: set() for group in settings.CONSUMER_GROUPS}
        self.mark()

    def mark(self) -> None:
        self._listen()
        self._before = {group: len(heard) for group, heard in self._heard.items()}
        self._verified = AuditVerification.objects.count()

    def sings(self) -> bool:
        """Twice of each: the first may have been on its way before."""
        self._listen()
        swept = all(len(heard) >= self._before[group] + 2 for group, heard in self._heard.items())
        return swept and AuditVerification.objects.count() >= self._verified + 2

    def _listen(self) -> None:
        for group, checked_at in GroupProgress.objects.values_list("group", "checked_at"):
            self._heard[group].add(checked_at)


@pytest.fixture
def swept(pipeline: Pipeline) -> Callable[[tuple[str, ...]], tuple[Platform, Canary]]:
    """Starts roles of which beat rings every sweep each five seconds, and waits until they all run."""

    def start(roles: tuple[str, ...] = ROLES) -> tuple[Platform, Canary]:
        ring_every(SWEEP_SECONDS)
        platform, canary = Platform(pipeline, roles), Canary()
        wait_until(canary.sings, "the sweeps run", seconds=PATIENCE_SECONDS)
        return platform, canary

    return start


def _restart_empty(pipeline: Pipeline, *, away_seconds: float) -> None:
    assert pipeline.valkey.child is not None
    kill(pipeline.valkey.child)
    let_pass(away_seconds)
    pipeline.valkey.start()
    pipeline.valkey.wait()


@pytest.mark.fault("F11", "Redis restarts empty: events flow on, sweeps run again", bound=2 * SWEEP_SECONDS + 5)
def test_when_redis_restarts_empty_events_flow_and_the_sweeps_run_again(
    pipeline: Pipeline, swept: Callable[..., tuple[Platform, Canary]], journal: Path, evidence: Evidence, seed: str
) -> None:
    platform, canary = swept()
    with asked_steadily(pipeline.generate(journal, seed=seed, rate=50), journal):
        _restart_empty(pipeline, away_seconds=3)
        canary.mark()
        evidence.recovered(wait_until(canary.sings, "every sweep has run twice again", seconds=PATIENCE_SECONDS))
    wait_until(platform.rests, "all is quiet", seconds=PATIENCE_SECONDS)

    evidence.judge(journal, pipeline.broker)
    assert not platform.restarts


@pytest.mark.control("F11", "the sweeps without beat: nothing rings them")
def test_without_beat_no_sweep_runs_again(
    pipeline: Pipeline, swept: Callable[..., tuple[Platform, Canary]], evidence: Evidence
) -> None:
    platform, canary = swept()
    kill(platform.running.pop("beat"))
    _restart_empty(pipeline, away_seconds=0)
    # A ring that was on its way may still come through once.
    let_pass(SWEEP_SECONDS)
    canary.mark()

    let_pass(3 * SWEEP_SECONDS)

    assert not canary.sings()
    assert evidence.control


@pytest.mark.fault("F12", "Redis restarts three times in 30 s", bound=60)
def test_when_redis_restarts_three_times_jobs_of_every_queue_run_again(
    pipeline: Pipeline, swept: Callable[..., tuple[Platform, Canary]], journal: Path, evidence: Evidence, seed: str
) -> None:
    platform, canary = swept()
    with asked_steadily(pipeline.generate(journal, seed=seed, rate=50), journal):
        for _ in range(3):
            _restart_empty(pipeline, away_seconds=2)
            let_pass(8)
        canary.mark()
        evidence.recovered(wait_until(canary.sings, "jobs of every queue run", seconds=PATIENCE_SECONDS))
    wait_until(platform.rests, "all is quiet", seconds=PATIENCE_SECONDS)

    evidence.judge(journal, pipeline.broker)
    assert not platform.restarts


@pytest.mark.through("valkey")
@pytest.mark.fault("F12", "connections to Redis half open: its end is gone, ours is not told", bound=60)
def test_when_connections_to_redis_are_half_open_jobs_of_every_queue_run_again(
    pipeline: Pipeline, swept: Callable[..., tuple[Platform, Canary]], journal: Path, evidence: Evidence, seed: str
) -> None:
    platform, canary = swept()
    with asked_steadily(pipeline.generate(journal, seed=seed, rate=20), journal):
        assert pipeline.proxies["valkey"].leave_half_open() > 0
        canary.mark()
        evidence.recovered(wait_until(canary.sings, "jobs of every queue run", seconds=PATIENCE_SECONDS))
    wait_until(platform.rests, "all is quiet", seconds=PATIENCE_SECONDS)

    evidence.judge(journal, pipeline.broker)
    assert not platform.restarts
    assert checker.lag(pipeline.broker) == 0
