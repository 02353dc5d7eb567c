"""F11, F13 and F15 to F19 of reminders: whatever becomes of workers, beat, Redis and clocks, each is told once, never
early, and when all is well again at once.
"""

import math
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings

from apps.dev.children import Child
from apps.events.models import Event
from apps.notifications.models import Notification, Reminder, Watermark
from apps.notifications.selectors import reminders as selectors
from apps.notifications.services import sending, triggering
from tests.faults import checker, platform, reminders
from tests.faults import evidence as evidences
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, freeze, kill, let_pass, thaw, wait_until
from tests.faults.platform import ring_every
from tests.faults.reminders import PATIENCE_SECONDS, SWEEP_SECONDS, all_told, ask, in_seconds, planned, somebody
from tests.faults.verdict import Verdict
from tests.support.reminding import claim, standing_clock
from tests.support.sinks import Sink
from tests.support.told_once import Told

WORKER = f"worker-{reminders.GROUP}"
# Processes have a few seconds to start in before what they are to tell of is due.
SOON_SECONDS = 12
P99_SECONDS = 2.0
# So far apart are sweeps where rings have to be punctual without them.
FAR_SECONDS = 12
# Jobs of beat expire in less.
LOST_SECONDS = 14
RINGS = 60
NOON = datetime(2027, 5, 3, 12, 0, tzinfo=UTC)


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
    # Later than what is rung for when they are planned.
    ask(somebody(), journal, count=3, at=in_seconds(SOON_SECONDS + 13))
    planned(3)

    _restart_redis_empty(pipeline)
    wait_until(lambda: datetime.now(UTC) > _due() + _seconds(SWEEP_SECONDS + 3), "they were due long ago", seconds=60)

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
    tmp_path: Path,
) -> None:
    two = {**environment, "WORKER_CONCURRENCY": "2", "JOB_PROCESSES": "2"}
    for role in ("relay", "worker-audit"):
        pipeline.start(role, **two)
    pipeline.run(WORKER, _watched(WORKER, tmp_path / "jobs"), role=WORKER, **two)
    reminders.at_work()
    ask(somebody(), journal, count=20, at=in_seconds(SOON_SECONDS))
    planned(20)
    until = SOON_SECONDS + 6
    words = [f"{job}:{chance.uniform(0, until):.2f}" for _ in range(RINGS) for job in ("trigger_due", "send")]

    _ring(pipeline, words)
    evidence.recovered(all_told(20))
    times = partial(_times_run, tmp_path / "jobs", "notifications.trigger_due")
    wait_until(lambda: times() >= RINGS, "all have rung", seconds=PATIENCE_SECONDS)

    _judge(evidence, pipeline, journal, sink)
    evidence.notes.append(f"{times()} sweeps")


def _watched(role: str, path: Path) -> list[str]:
    _, *words = settings.ROLES[role]
    return [sys.executable, "-m", "tests.faults.watched", str(path), *words]


def _times_run(path: Path, job: str) -> int:
    return path.read_text().splitlines().count(job)


def _ring(pipeline: Pipeline, words: list[str]) -> None:
    ringer = pipeline.run("ringer", [sys.executable, "-m", "tests.faults.ringer", *words])
    wait_until(partial(_has_ended, ringer), "all rings are on their way", seconds=60)
    assert ringer.exit_code == 0


@pytest.mark.short
@pytest.mark.control("F15", "what was triggered is not marked, and the sweep is rung twice")
def test_a_sweep_that_is_rung_twice_tells_twice_what_is_not_marked(
    transactional_db: None, tmp_path: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    reminders.without_processes(tmp_path / "journal", at=in_seconds(0.3))
    let_pass(1)
    monkeypatch.setattr(triggering, "WAITING", (*triggering.WAITING, "triggered"))

    assert [triggering.trigger_due().triggered for _ in range(2)] == [3, 3]

    verdict = Verdict()
    reminders.judge(verdict, due=False)
    evidence.count(verdict)
    assert [each.partition(": ")[2] for each in verdict.duplicated] == ["triggered twice for one plan"] * 3


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
@pytest.mark.fault("F16", "ticks of beat and rings are lost on their way", bound=SWEEP_SECONDS + 5)
def test_when_ticks_are_lost_the_next_one_tells(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence
) -> None:
    reminders.start(pipeline, environment)
    (worker,) = (role for role in pipeline.roles if role.name == "teller")
    ask(somebody(), journal, count=10, at=in_seconds(LOST_SECONDS + 10))
    planned(10)
    wait_until(lambda: datetime.now(UTC) > _due() - _seconds(LOST_SECONDS), "nobody has rung for them", seconds=60)

    # What it was given already expires meanwhile.
    freeze(worker)
    wait_until(lambda: datetime.now(UTC) > _due() + _seconds(1), "they are due", seconds=60)
    lost = _empty_the_queue(pipeline)
    assert reminders.told() == 0
    thaw(worker)
    evidence.recovered(all_told(10))

    _judge(evidence, pipeline, journal, sink)
    evidence.notes.append(f"{lost} jobs lost")
    assert lost >= 2


def _empty_the_queue(pipeline: Pipeline) -> int:
    """How many jobs were in it."""
    with redis.Redis.from_url(pipeline.valkey.variables["REDIS_URL"]) as there:
        length = int(there.llen("notifications"))
        there.delete("notifications")
    return length


@pytest.mark.timeout(600)
@pytest.mark.fault("F17", "many reminders are due in one second, between two sweeps", bound=P99_SECONDS)
@pytest.mark.parametrize("count", [200, 2000])
def test_those_due_in_one_second_are_told_in_time(
    pipeline: Pipeline, environment: dict[str, str], sink: Sink, journal: Path, evidence: Evidence, count: int
) -> None:
    at = _due_between_two_sweeps(pipeline, environment, journal, count=count, command=settings.ROLES[WORKER])

    late = _told_after(at, count)
    all_told(count)

    _judge(evidence, pipeline, journal, sink)
    evidence.recovered(late)


@pytest.mark.control("F17", "nothing rings for what is due between two sweeps")
def test_without_rings_they_wait_for_the_sweep(
    pipeline: Pipeline, environment: dict[str, str], journal: Path, evidence: Evidence
) -> None:
    command = platform.without("rings", WORKER)
    at = _due_between_two_sweeps(pipeline, environment, journal, count=20, command=command)

    late = _told_after(at, 20)

    evidence.notes.append(f"p99 {late:.1f} s")
    assert late > P99_SECONDS * evidences.PATIENCE


def _due_between_two_sweeps(
    pipeline: Pipeline, environment: dict[str, str], journal: Path, *, count: int, command: Sequence[str]
) -> datetime:
    """So many planned for an instant three seconds after a sweep; the next one is nine seconds later."""
    ring_every(FAR_SECONDS)
    for role in ("relay", "worker-audit", "beat"):
        pipeline.start(role, **environment)
    pipeline.run(WORKER, list(command), role=WORKER, **environment)
    reminders.at_work()
    owners = [somebody(f"person-{number}") for number in range(10)]
    swept = Watermark.objects.filter(name="reminders")
    wait_until(swept.exists, "the first sweep", seconds=60)
    at = datetime.now(UTC) + _seconds(FAR_SECONDS * (2 + count // 300) + 3)
    for owner in owners:
        ask(owner, journal, count=count // len(owners), at=at, title=owner.username)
    planned(count)
    # Else they would have been rung for when they were planned.
    assert datetime.now(UTC) < at - _seconds(10), "planned in time"
    return at


def _told_after(at: datetime, count: int) -> float:
    """How many seconds after this instant all but one in a hundred were told, and committed."""
    all_told(math.ceil(count * 0.99))
    return (datetime.now(UTC) - at).total_seconds()


@pytest.mark.short
@pytest.mark.control("F17", "reminders are triggered a second before they are due")
def test_early_ones_are_seen_by_the_checker(
    transactional_db: None, tmp_path: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    reminders.without_processes(tmp_path / "journal", at=in_seconds(0.8))
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
    reminders.without_processes(tmp_path / "journal", at=in_seconds(60))
    _trigger_what_is_due(monkeypatch, by=lambda: _value(in_seconds(120)))

    verdict = Verdict()
    reminders.judge(verdict, due=False)
    evidence.count(verdict)
    assert [each.endswith("s early") for each in verdict.other] == [True] * 3


def _value(instant: datetime) -> Any:
    from django.db.models import DateTimeField, Value

    return Value(instant, output_field=DateTimeField())


@pytest.mark.short
@pytest.mark.control("F16", "rings alone, and no sweep that looks back: what was due meanwhile is never told")
def test_what_came_due_while_nobody_rang_takes_a_sweep(
    transactional_db: None, tmp_path: Path, evidence: Evidence
) -> None:
    reminders.without_processes(tmp_path / "journal", at=in_seconds(0.3))
    let_pass(2)
    rung_for = selectors.seconds_ahead(within=10)

    verdict = Verdict()
    reminders.judge(verdict)
    evidence.count(verdict)
    assert (rung_for, len(verdict.lost), Notification.objects.count()) == ([], 6, 0)
    assert triggering.trigger_due().triggered == 3


@pytest.mark.short
@pytest.mark.control("F13", "nobody gives up the claims of a sender that was killed")
def test_what_a_killed_sender_had_is_seen_to_stay_where_nobody_gives_it_up(
    transactional_db: None, tmp_path: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    with standing_clock(NOON) as clock:
        reminders.a_mail_is_due(clock, tmp_path / "journal")
        assert len(claim("email")) == 1
        clock.advance(hours=1)
        monkeypatch.setattr(sending, "bury", lambda *_, **__: 0)

        assert claim("email") == []

        verdict = Verdict()
        reminders.judge(verdict, clock="occurred_at")
        evidence.count(verdict)
        assert [each.partition(": ")[2] for each in verdict.findings] == ["still sending"]


@pytest.mark.short
@pytest.mark.usefixtures("ringing")
@pytest.mark.fault(
    "F11", "Redis restarts empty, a process is killed, doorbells ring too often and mails fail", bound=SWEEP_SECONDS + 5
)
def test_whatever_befalls_an_evening_each_is_told_and_sent_once(
    pipeline: Pipeline,
    environment: dict[str, str],
    sink: Sink,
    journal: Path,
    evidence: Evidence,
    chance: random.Random,
) -> None:
    sink.mode = "fails:1"
    reminders.start(pipeline, environment)
    (worker,) = (role for role in pipeline.roles if role.name == "teller")
    ask(somebody(), journal, count=10, at=in_seconds(8))
    planned(10)
    wait_until(lambda: datetime.now(UTC) > _due() - _seconds(3), "they are nearly due", seconds=60)

    _restart_redis_empty(pipeline)
    for child in _children(worker):
        os.kill(child, signal.SIGKILL)
    _ring(pipeline, [f"{job}:{chance.uniform(0, 4):.2f}" for _ in range(20) for job in ("trigger_due", "send")])
    evidence.recovered(all_told(10))

    _judge(evidence, pipeline, journal, sink)
    assert min(sink.times_by_key().values()) == 2
