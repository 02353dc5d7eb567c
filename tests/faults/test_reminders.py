"""F11, F13 and F15 to F19 of reminders: whatever becomes of workers, beat, Redis and clocks, each is told once, never
early, and when all is well again at once.
"""

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.dev.children import Child
from apps.events.models import Event
from apps.notifications.models import Notification, Reminder
from apps.notifications.services import triggering
from tests.faults import checker, reminders
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, kill, let_pass, wait_until
from tests.faults.platform import ring_every
from tests.faults.reminders import PATIENCE_SECONDS, SWEEP_SECONDS, all_told, ask, in_seconds, planned, somebody
from tests.faults.verdict import Verdict
from tests.support.sinks import Sink
from tests.support.told_once import Told

WORKER = f"worker-{reminders.GROUP}"
# Processes have a few seconds to start in before what they are to tell of is due.
SOON_SECONDS = 12
P99_SECONDS = 2.0


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[tuple[Sink, dict[str, str]]]:
    with reminders.mailbox(tmp_path) as (sink, environment):
        yield sink, environment


@pytest.fixture
def environment(mailbox: tuple[Sink, dict[str, str]]) -> dict[str, str]:
    return mailbox[1]


@pytest.fixture
def sink(mailbox: tuple[Sink, dict[str, str]]) -> Sink:
    return mailbox[0]


@pytest.fixture
def ringing(pipeline: Pipeline) -> None:
    """Every sweep is declared, and rung as often as reminders' own."""
    ring_every(SWEEP_SECONDS)


def _judge(evidence: Evidence, pipeline: Pipeline, journal: Path, sink: Sink) -> Told:
    """Everything, once all is told, sent and quiet."""
    reminders.all_sent()
    wait_until(checker.quiet, "all is quiet", seconds=PATIENCE_SECONDS)
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read", seconds=PATIENCE_SECONDS)
    evidence.judge(journal, pipeline.broker)
    verdict = Verdict()
    seen = reminders.judge(verdict, sink.given())
    evidence.count_more(verdict)
    verdict.hold()
    reminders.note_lateness(evidence, seen)
    return seen


def _restart_redis_empty(pipeline: Pipeline) -> None:
    assert pipeline.valkey.child is not None
    kill(pipeline.valkey.child)
    let_pass(2)
    pipeline.valkey.start()
    pipeline.valkey.wait()


@pytest.mark.usefixtures("ringing")
@pytest.mark.fault("F11", "Redis restarts empty just before reminders are due", bound=SWEEP_SECONDS + 5)
def test_when_redis_restarts_empty_the_sweep_tells_what_is_due(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence
) -> None:
    reminders.start(pipeline, environment)
    ask(somebody(), journal, count=10, at=in_seconds(SOON_SECONDS))
    planned(10)
    wait_until(lambda: datetime.now(UTC) > _due() - _seconds(2), "they are nearly due", seconds=60)

    _restart_redis_empty(pipeline)
    evidence.recovered(all_told(10))

    _judge(evidence, pipeline, journal, sink)


@pytest.mark.usefixtures("ringing")
@pytest.mark.control("F11", "Redis restarts empty and nothing rings the sweep: what was due waits")
def test_without_beat_nothing_tells_what_redis_forgot(
    pipeline: Pipeline, environment: dict[str, str], journal: Path, evidence: Evidence
) -> None:
    reminders.start(pipeline, environment, beat=False)
    ask(somebody(), journal, count=3, at=in_seconds(SOON_SECONDS))
    planned(3)

    _restart_redis_empty(pipeline)
    wait_until(lambda: datetime.now(UTC) > _due() + _seconds(10), "they were due long ago", seconds=60)

    assert reminders.told() == 0
    verdict = Verdict()
    reminders.judge(verdict)
    evidence.count(verdict)
    assert len(verdict.lost) == 6


def _due() -> datetime:
    latest = Reminder.objects.order_by("-trigger_at").values_list("trigger_at", flat=True)[0]
    assert isinstance(latest, datetime)
    return latest


def _seconds(number: float) -> Any:
    return timedelta(seconds=number)


def _children(worker: Child) -> list[int]:
    """The processes of a worker's pool."""
    path = Path(f"/proc/{worker.id.number}/task/{worker.id.number}/children")
    return [int(pid) for pid in path.read_text().split()]


def _has_ended(worker: Child) -> bool:
    return not worker.runs


@pytest.mark.usefixtures("ringing")
@pytest.mark.fault("F13", "a process of a worker's pool is killed, on its way or idle", bound=SWEEP_SECONDS + 30)
@pytest.mark.parametrize(
    "point", ["reminders.triggering", "deliveries.claimed", "deliveries.sending", "deliveries.sent", "killed"]
)
def test_a_killed_child_of_a_worker_costs_time_and_nothing_else(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence, point: str
) -> None:
    """A new child has the same crash point; the worker is replaced when it has met it once."""
    crash = {} if point == "killed" else {"CRASH_POINT": point}
    for role in ("relay", "worker-audit", "beat"):
        pipeline.start(role, **environment)
    doomed = pipeline.start(WORKER, name="doomed", **environment, **crash)
    reminders.at_work()
    ask(somebody(), journal, count=10, at=in_seconds(SOON_SECONDS))
    planned(10)

    if point == "killed":
        for child in _children(doomed):
            os.kill(child, signal.SIGKILL)
    else:
        pipeline.wait_for_word(doomed, "SIGKILL", seconds=PATIENCE_SECONDS)
        doomed.ask_to_stop()
        wait_until(partial(_has_ended, doomed), "the doomed worker is gone", seconds=60)
        pipeline.start(WORKER, name="heir", **environment)
    all_told(10)
    evidence.recovered(reminders.all_sent())

    _judge(evidence, pipeline, journal, sink)


@pytest.mark.usefixtures("ringing")
@pytest.mark.fault("F13", "a worker is killed with jobs in its hands, popped and not acknowledged", bound=60)
def test_a_killed_worker_is_followed_by_another(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence
) -> None:
    reminders.start(pipeline, environment, name="doomed")
    ask(somebody(), journal, count=20, at=in_seconds(SOON_SECONDS))
    planned(20)
    doomed = pipeline.roles[2]
    wait_until(lambda: datetime.now(UTC) > _due() - _seconds(0.5), "they are nearly due", seconds=60)

    kill(doomed)
    pipeline.start(WORKER, name="heir", **environment)
    evidence.recovered(all_told(20))

    _judge(evidence, pipeline, journal, sink)


@pytest.mark.fault("F15", "every doorbell rings many times, at once and late", bound=30)
def test_however_often_and_late_doorbells_ring_each_is_told_once(
    pipeline: Pipeline,
    environment: dict[str, str],
    sink: Sink,
    journal: Path,
    evidence: Evidence,
    chance: random.Random,
) -> None:
    two = {**environment, "WORKER_CONCURRENCY": "2", "JOB_PROCESSES": "2"}
    reminders.start(pipeline, two, beat=False)
    ask(somebody(), journal, count=20, at=in_seconds(SOON_SECONDS))
    planned(20)
    until = SOON_SECONDS + 6
    countdowns = [chance.uniform(0, until) for _ in range(60)]
    words = [f"{job}:{countdown:.2f}" for countdown in countdowns for job in ("trigger_due", "send")]

    pipeline.run("ringer", [sys.executable, "-m", "tests.faults.ringer", *words])
    evidence.recovered(all_told(20))

    _judge(evidence, pipeline, journal, sink)


@pytest.mark.usefixtures("ringing")
@pytest.mark.fault("F16", "beat is dead for 60 s while reminders come due, then two run", bound=SWEEP_SECONDS + 5)
def test_when_beat_is_back_all_that_was_due_is_told_and_two_are_harmless(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence
) -> None:
    reminders.start(pipeline, environment, beat=False)
    owner = somebody()
    for ahead in (15, 30, 45, 62):
        ask(owner, journal, count=3, at=in_seconds(ahead), title=f"In {ahead}")
    planned(12)
    wait_until(lambda: datetime.now(UTC) > _due(), "beat has been away for a minute", seconds=90)

    pipeline.start("beat", name="beat-1", **environment)
    pipeline.start("beat", name="beat-2", **environment)
    evidence.recovered(all_told(12))

    _judge(evidence, pipeline, journal, sink)


@pytest.mark.usefixtures("ringing")
@pytest.mark.timeout(600)
@pytest.mark.fault("F17", "many reminders are due in one second", bound=None)
@pytest.mark.parametrize("count", [pytest.param(200, marks=pytest.mark.short), 2000])
def test_those_due_in_one_second_are_told_in_time(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence, count: int
) -> None:
    reminders.start(pipeline, environment)
    owners = [somebody(f"person-{number}") for number in range(10)]
    at = in_seconds(SOON_SECONDS + count / 40)
    for owner in owners:
        ask(owner, journal, count=count // len(owners), at=at, title=owner.username)
    planned(count)
    assert datetime.now(UTC) < at, "planned in time"

    all_told(count)

    late = sorted(_judge(evidence, pipeline, journal, sink).lateness())
    assert late[int(len(late) * 0.99)] <= P99_SECONDS * 3


@pytest.mark.short
@pytest.mark.control("F17", "reminders are triggered a second before they are due")
def test_early_ones_are_seen_by_the_checker(
    transactional_db: None, tmp_path: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    _three_planned(tmp_path / "journal", at=in_seconds(0.8))
    _trigger_what_is_due(monkeypatch, by=_a_second_from_now)

    verdict = Verdict()
    reminders.judge(verdict, due=False)
    evidence.count(verdict)
    assert [each.endswith("s early") for each in verdict.other] == [True] * 3


def _trigger_what_is_due(monkeypatch: pytest.MonkeyPatch, *, by: Callable[[], Any]) -> None:
    """By another clock than the database's. That no event says of itself that it is early is passed by."""
    tell = triggering._Round._tell
    monkeypatch.setattr(triggering, "Now", by)
    monkeypatch.setattr(triggering._Round, "_tell", lambda *args, **how: tell(*args, **how | {"late": 0}))
    triggering.trigger_due()


def _a_second_from_now() -> Any:
    from django.db.models.functions import Now

    return Now() + _seconds(1)


def _three_planned(journal: Path, *, at: datetime) -> None:
    """Three of one person, without any process."""
    from apps.events import handling
    from apps.events.outbox import envelope_of
    from apps.events.subscriptions import group_named
    from tests.support.factories import facts

    ask(somebody(), journal, count=3, at=at)
    group = group_named(reminders.GROUP)
    handling.handle(group, [envelope_of(row) for row in facts() if group.wants(row.type)])


@pytest.mark.usefixtures("ringing")
@pytest.mark.fault("F19", "everything is down while reminders come due, and comes back", bound=30)
def test_after_a_downtime_all_are_told_the_oldest_first(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence
) -> None:
    reminders.start(pipeline, environment)
    owner = somebody()
    instants = [in_seconds(SOON_SECONDS + ahead) for ahead in range(6)]
    for number, at in enumerate(instants):
        ask(owner, journal, count=2, at=at, title=f"Number {number}")
    planned(12)
    for role in pipeline.roles:
        kill(role)
    wait_until(lambda: datetime.now(UTC) > instants[-1], "all were due", seconds=60)
    assert reminders.told() == 0

    reminders.start(pipeline, environment, name="heir")
    evidence.recovered(all_told(12))

    seen = _judge(evidence, pipeline, journal, sink)
    order = [event["data"]["reminder"]["trigger_at"] for event in seen.triggered]
    assert order == sorted(order)


@pytest.mark.usefixtures("ringing")
@pytest.mark.fault("F19", "the clocks of a worker and of beat are wrong by two minutes", bound=SWEEP_SECONDS + 5)
@pytest.mark.parametrize(("worker", "beat"), [(120, 0), (-120, 0), (0, 120), (0, -120), (120, -120)])
def test_whoevers_clock_is_wrong_each_is_told_by_the_databases(
    pipeline: Pipeline,
    environment: dict[str, str],
    sink: Sink,
    journal: Path,
    evidence: Evidence,
    worker: int,
    beat: int,
) -> None:
    for role in ("relay", "worker-audit"):
        pipeline.start(role, **environment)
    for role, seconds in ((WORKER, worker), ("beat", beat)):
        pipeline.run(role, _shifted(role, seconds), role=role, **environment)
    reminders.at_work()
    ask(somebody(), journal, count=10, at=in_seconds(SOON_SECONDS))
    planned(10)
    assert Event.objects.filter(type="reminder.triggered.v1").count() == 0
    wait_until(lambda: datetime.now(UTC) > _due(), "they are due", seconds=60)

    evidence.recovered(all_told(10))

    _judge(evidence, pipeline, journal, sink)


def _shifted(role: str, seconds: float) -> list[str]:
    _, *words = settings.ROLES[role]
    return [sys.executable, "-m", "tests.faults.shifted", str(seconds), *words]


@pytest.mark.short
@pytest.mark.control("F19", "a worker decides what is due by its own clock, two minutes on")
def test_by_a_workers_clock_they_are_early_and_the_checker_sees_it(
    transactional_db: None, tmp_path: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    _three_planned(tmp_path / "journal", at=in_seconds(60))
    _trigger_what_is_due(monkeypatch, by=lambda: _value(in_seconds(120)))

    verdict = Verdict()
    reminders.judge(verdict, due=False)
    evidence.count(verdict)
    assert [each.endswith("s early") for each in verdict.other] == [True] * 3


def _value(instant: datetime) -> Any:
    from django.db.models import DateTimeField, Value

    return Value(instant, output_field=DateTimeField())


@pytest.mark.short
@pytest.mark.control("F16", "nobody sweeps: what was due is seen as never told")
def test_what_nobody_sweeps_is_seen_by_the_checker(transactional_db: None, tmp_path: Path, evidence: Evidence) -> None:
    _three_planned(tmp_path / "journal", at=in_seconds(0.3))
    let_pass(2)

    verdict = Verdict()
    reminders.judge(verdict)
    evidence.count(verdict)
    assert len(verdict.lost) == 6
    assert Notification.objects.count() == 0
