"""F3: a transaction that stays open for long and commits its events below positions already relayed and handled."""

import sys
from pathlib import Path

import pytest

from apps.audit.models import AuditRecord
from apps.dev.children import Child
from apps.events import outbox, reconcile, retention
from apps.events.leadership import Leadership
from apps.events.models import GroupProgress
from apps.events.outbox import Key, Logged
from apps.events.relay import Relay
from apps.events.subscriptions import group_named
from tests.faults import checker
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, is_frozen, kill, let_pass, thaw, wait_until
from tests.faults.test_capture import start_and_wait_for_load
from tests.support.factories import facts


@pytest.mark.fault("F3", "a transaction stays open for 10 s under load, then commits", bound=2)
def test_what_commits_late_flows_at_once_though_later_positions_went_before(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    start_and_wait_for_load(pipeline, journal, seed)
    late = _freeze_in_a_transaction(pipeline, journal)
    load = pipeline.load(journal, seed=f"{seed}.load")
    for _ in range(10):
        reconcile.run(group_named("audit"), broker=pipeline.broker)
        retention.prune_events()
        let_pass(1)
    before = _audited()

    thaw(late)
    evidence.recovered(wait_until(lambda: _audited("late.4") == 1, "what committed late is audited", seconds=60))

    pipeline.finish(load)
    wait_until(checker.quiet, "every change is audited", seconds=60)
    assert before > 50
    # Of each kind one, in the order of the log and in the order of the trail.
    assert (
        facts().filter(correlation_id=f"{seed}.load.0").get().position > facts().get(correlation_id="late.4").position
    )
    verdict = evidence.judge(journal, pipeline.broker)
    assert verdict.operations["unknown"] == 0
    assert not GroupProgress.objects.filter(repaired__gt=0).exists()  # nobody took it for lost


@pytest.mark.fault("F3", "the process is killed with its transaction open for 10 s", bound=2)
def test_what_never_commits_leaves_nothing_and_holds_nobody_up(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    start_and_wait_for_load(pipeline, journal, seed)
    late = _freeze_in_a_transaction(pipeline, journal)
    load = pipeline.load(journal, seed=f"{seed}.load")
    let_pass(10)
    before = _audited()

    kill(late)
    let_pass(1)
    pipeline.finish(load)
    evidence.recovered(wait_until(checker.quiet, "every change is audited", seconds=60))

    assert before > 50
    verdict = evidence.judge(journal, pipeline.broker)
    assert verdict.operations["unknown"] == 1
    assert not facts().filter(correlation_id="late.4").exists()


@pytest.mark.control("F3", "a relay that remembers the last position")
def test_a_relay_with_a_cursor_loses_what_commits_late_and_the_checker_finds_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    worker = pipeline.start("worker-audit")
    relay = _CursorRelay(pipeline.broker, leadership=Leadership())
    assert relay.leadership.acquire()
    late = _freeze_in_a_transaction(pipeline, journal)
    load = pipeline.generate(journal, seed=seed, count=20)
    wait_until(lambda: not load.runs, "others commit", seconds=60)
    wait_until(lambda: relay.relay_batch() == 0, "what the others did is relayed", seconds=60)

    thaw(late)
    wait_until(lambda: not late.runs, "the late one commits", seconds=60)
    relay.relay_batch()
    relay.close()
    wait_until(lambda: _audited() == 24, "all others are audited", seconds=60)

    assert worker.runs
    lost = facts().get(correlation_id="late.4")
    verdict = evidence.refute(journal, pipeline.broker)
    assert [each for each in verdict.lost if f"{lost.event_id}" in each] == verdict.lost != []


class _CursorRelay(Relay):
    """What the relay must not be."""

    last = 0

    def _oldest(self, size: int) -> list[Logged]:
        return outbox.oldest_behind(self.last, size, snapshot=outbox.snapshot())

    def _relay(self, entries: list[Logged], *, stuck: set[Key]) -> tuple[set[int], dict[int, str]]:
        self.last = entries[-1].position
        return super()._relay(entries, stuck=stuck)


def _freeze_in_a_transaction(pipeline: Pipeline, journal: Path) -> Child:
    """A writer that made four changes and stands in the transaction of its fifth, with its event written."""
    command = [sys.executable, "-m", "tests.faults.generator", str(journal), "late", "0", "5"]
    late = pipeline.run("late", command, CRASH_POINT="outbox.after_event:5", CRASH_SIGNAL="SIGSTOP")
    wait_until(lambda: is_frozen(late), "the late one has its transaction open", seconds=60)
    return late


def _audited(correlation_id: str = "") -> int:
    told = facts().filter(correlation_id__startswith=correlation_id)
    return AuditRecord.objects.filter(event_id__in=told.values("event_id")).count()
