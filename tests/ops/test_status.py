"""Status shows every part of the pipeline, also while one of them is away, and costs the database little."""

import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection, connections
from django.utils import timezone
from kombu import Connection
from rich.console import Console

from apps.audit.checkpoint_writer import WriterStatus
from apps.audit.selectors import VerificationStatus
from apps.events import schedules, selectors
from apps.events.brokers import get_broker
from apps.events.brokers.base import BrokerState
from apps.events.leadership import Leadership
from apps.events.models import DeadLetter, GroupProgress
from apps.events.selectors import GroupStatus, OutboxStatus, ProcessLife, RecentHandling, RelayLeader, RoleLife, Sweep
from apps.events.subscriptions import group_named
from apps.notifications.selectors.instruments import DeliveriesStatus, RemindersStatus
from apps.ops import overview, pipeline, status_picture
from apps.ops.asking import Away, Question
from apps.ops.management.commands import erase_user
from apps.ops.overview import Overview, Trail, Work
from apps.ops.pipeline import PipelineState
from tests.support.factories import append, event
from tests.support.pump import Pump

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
CLOSED_PORT = 1

WORK = Work(
    leader=RelayLeader("10.0.0.7", NOW - timedelta(hours=3)),
    recent={
        "audit": RecentHandling("audit", 6000, 0.034, 0.0901),
        "notifications": RecentHandling("notifications", 900, 0.044, 0.11),
        "recurrence": RecentHandling("recurrence", 40, 0.051, 0.12),
    },
    processes=[ProcessLife("web", "pod-1:7", NOW, NOW, "1.0", 0.4, lives=True)],
)
SIGNED = WriterStatus(7, 40.0, 12.0, "", "", 0.0)
HEALTHY = Overview(
    taken_at=NOW,
    state=PipelineState(
        outbox=OutboxStatus(0, 0.0),
        parked={},
        groups={
            "audit": GroupStatus("audit", NOW - timedelta(seconds=12), 0, 34, 0),
            "notifications": GroupStatus("notifications", NOW - timedelta(seconds=7), 0, 0, 0),
            "recurrence": GroupStatus("recurrence", NOW - timedelta(seconds=9), 0, 0, 0),
        },
        roles=[
            RoleLife("web", 1, 0.4, 30.0),
            RoleLife("worker-audit", 2, 0.4, 60.0),
            RoleLife("worker-recurrence", 1, 0.6, 60.0),
        ],
        verification=VerificationStatus(200.0, 4000.0, sound=True, findings=0),
        checkpoint=SIGNED,
        sweeps=[
            Sweep("Reconcile audit", 60, 12.0, 12.0),
            Sweep("Prune", 60, 12.0, 12.0),
            Sweep("Sign it", 60, 7.0, 7.0),
        ],
        reminders=RemindersStatus(120, 0, 0.0, 2.4, DeliveriesStatus(3, 1, 0, 2, 0.0)),
    ),
    work=WORK,
    kafka=BrokerState("cluster-1", keeps_records=True),
    lags={"audit": 12, "notifications": 4, "recurrence": 0},
    queues={"audit": 3, "notifications": 2, "recurrence": 1},
    trail=Trail(12_345, 16),
)
PARTS = ["state", "work", "kafka", "lags", "queues", "trail"]


def without(part: str) -> Overview:
    away: dict[str, Any] = {part: Away("no answer within 3 s")}
    return replace(HEALTHY, **away)


def picture(seen: Overview, *, width: int = 80, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal)
    console.print(status_picture.draw(seen))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def at_three(time_machine: Any) -> None:
    """The pictures are of one moment."""
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def asked_anew() -> Iterator[None]:
    """Answers are kept for a moment; each test has its own."""
    questions: list[Question[Any]] = [pipeline.STATE, pipeline.LAGS, overview._WORK, overview._KAFKA, overview._QUEUES]
    for question in [*questions, overview._TRAIL]:
        question.forget()
    get_broker.cache_clear()
    yield
    get_broker.cache_clear()
    connections.close_all()


# --- The picture ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_three")
def test_the_picture_of_a_healthy_pipeline() -> None:
    lines = [line.rstrip() for line in picture(HEALTHY).splitlines()]

    assert lines == [
        "● all is well                                                       15:00:00 UTC",
        "● outbox       empty",
        "● relay        one leads from 10.0.0.7 for 3 h",
        "● kafka        cluster cluster-1",
        "● jobs         3 in audit, 2 in notifications, 1 in recurrence",
        "● reminders    120 wait, looked 2 s ago; 3 to send, 1 sending, 2 failed",
        "─ groups ───    lag   handled commit→handled parked  checked repaired caught up",
        "● audit          12 6,000/min  34, p99 90 ms      0 12 s ago        0        34",
        "● notifications   4   900/min 44, p99 110 ms      0  7 s ago        0         0",
        "● recurrence      0    40/min 51, p99 120 ms      0  9 s ago        0         0",
        "roles ──────────────────────────────────────────────────────────────────────────",
        "● web          1 beating, 0.4 s ago  pod-1:7",
        "● workers      2 audit, 1 recurrence beating, 0.6 s ago",
        "sweeps, last rung ──────────────────────────────────────────────────────────────",
        "3 in time, the longest ago Reconcile audit, 12 s",
        "audit ──────────────────────────────────────────────────────────────────────────",
        "● trail        12,345 records in 16 chains",
        "● verified     3 min ago: sound, every record 67 min ago",
        "● signed       40 s ago: checkpoint 7",
    ]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_away_is_shown_as_such_and_hides_no_other(part: str) -> None:
    shown = picture(without(part))

    assert "✘ " in shown.splitlines()[0]
    assert f"{overview.ASKED_OF[part]}: no answer within 3 s" in shown.splitlines()[0]
    for heading in ("outbox", "relay", "kafka", "jobs", "groups", "roles", "sweeps", "audit"):
        assert heading in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


def test_a_server_that_is_away_is_one_trouble_however_many_parts_are_asked_of_it() -> None:
    reason = Away("no answer within 3 s")
    nothing = Overview(NOW, state=reason, work=reason, kafka=reason, lags=reason, queues=reason, trail=reason)

    assert overview.troubles(nothing) == [
        "PostgreSQL: no answer within 3 s",
        "Kafka: no answer within 3 s",
        "Redis: no answer within 3 s",
    ]
    assert "✘ no answer" not in picture(nothing)


@pytest.mark.usefixtures("at_three")
@pytest.mark.parametrize(
    ("found", "row"),
    [
        (RemindersStatus(0, 0, 0.0, 0.2, DeliveriesStatus(0, 0, 0, 0, 0.0)), "● reminders    0 wait, looked 0.2 s ago"),
        (
            RemindersStatus(1200, 7, 90.0, 95.0, DeliveriesStatus(0, 0, 4, 0, 0.0)),
            "▲ reminders    7 due for 90 s; 1,200 wait, looked 95 s ago; 4 held",
        ),
        (
            RemindersStatus(5, 0, 0.0, 1.0, DeliveriesStatus(40, 0, 0, 0, 300.0)),
            "▲ reminders    going out for 5 min; 5 wait, looked 1 s ago; 40 to send",
        ),
        (
            RemindersStatus(5, 0, 0.0, None, DeliveriesStatus(0, 0, 0, 0, 0.0)),
            "▲ reminders    5 wait, nobody looked yet",
        ),
    ],
)
def test_reminders_that_are_late_are_told_first(found: RemindersStatus, row: str) -> None:
    assert isinstance(HEALTHY.state, PipelineState)

    shown = picture(replace(HEALTHY, state=replace(HEALTHY.state, reminders=found)))

    assert row in [line.rstrip() for line in shown.splitlines()]


def test_each_sweep_that_is_late_is_told_on_one_line_and_the_others_are_counted() -> None:
    assert isinstance(HEALTHY.state, PipelineState)
    declared = [Sweep(name, each.every_seconds, 1e6, 1e6) for name, each in schedules.declared().items()]
    sweeps = [*declared, Sweep("Rung", 60, 30.0, 30.0), Sweep("Rung too", 60, 31.0, 31.0), Sweep("New", 60, None, 1.0)]

    shown = picture(replace(HEALTHY, state=replace(HEALTHY.state, sweeps=sweeps)))

    assert [each.name for each in declared if f"▲ {each.name} 12 d, not every" not in shown] == []
    assert "2 in time, the longest ago Rung too, 31 s" in shown
    assert "1 new" in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("asked_anew")
def test_what_the_picture_shows_is_not_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load_command_class("apps.ops", "status").run_from_argv(["manage.py", "status"])

    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert "nobody leads" in printed.out
    assert printed.err == ""


def test_a_worker_that_is_dead_is_told_before_those_that_live() -> None:
    assert isinstance(HEALTHY.state, PipelineState)
    roles = [
        RoleLife("worker-audit", 1, 0.4, 60.0),
        RoleLife("worker-recurrence", 0, 95.0, 60.0),
        RoleLife("worker-realtime", 0, None, 60.0),
    ]

    shown = picture(replace(HEALTHY, state=replace(HEALTHY.state, roles=roles)), width=110)

    told = (
        "recurrence: none beats, 95 s ago; realtime: none beats, has not beaten for a day; 1 audit beating, 0.4 s ago"
    )
    assert f"✘ workers      {told[:80]}" in shown


def test_a_reconcile_that_is_late_is_listed() -> None:
    assert isinstance(HEALTHY.state, PipelineState)
    sweeps = [Sweep("Reconcile audit", 60, 181.0, 181.0)]

    assert "▲ Reconcile audit 3 min, not every 60 s" in picture(
        replace(HEALTHY, state=replace(HEALTHY.state, sweeps=sweeps))
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_the_picture_fits_a_terminal_of_24_lines_with_every_role(terminal: bool) -> None:
    assert isinstance(HEALTHY.state, PipelineState)
    roles = [RoleLife(role, 1, 0.4, 30.0) for role in project.ROLES]
    sweeps = [Sweep(name, each.every_seconds, 1.0) for name, each in schedules.declared().items()]
    full = replace(HEALTHY, state=replace(HEALTHY.state, roles=roles, sweeps=sweeps))

    # The shell's prompt comes below.
    assert len(picture(full, terminal=terminal).splitlines()) <= 23


@pytest.mark.usefixtures("at_three")
def test_what_is_late_is_told_by_the_limits_of_the_pipeline() -> None:
    assert isinstance(HEALTHY.state, PipelineState)
    late = replace(
        HEALTHY,
        state=replace(
            HEALTHY.state,
            outbox=OutboxStatus(9, 31.0),
            roles=[RoleLife("web", 0, 95.0, 30.0)],
            verification=VerificationStatus(1.0, 1.0, sound=False, findings=2),
            checkpoint=replace(SIGNED, trouble="store away", because="s3://trail: 503, password=hunter2"),
            sweeps=[
                Sweep("Reconcile audit", 60, 181.0, 181.0),
                Sweep("Prune", 60, None, enabled=False, is_there=False),
                Sweep("Sign", 60, 9000.0, 9000.0, enabled=False),
            ],
        ),
        work=replace(WORK, leader=None),
    )

    assert overview.troubles(HEALTHY) == []
    assert overview.troubles(late) == [
        "outbox is degraded",
        "audit trail is not sound",
        "audit checkpoint is degraded: store away: s3://trail: 503, password=…",
        "role web is degraded",
        "sweep reconcile audit is degraded",
        "sweep prune is degraded: its schedule is not there",
        "no relay leads",
    ]


@pytest.mark.usefixtures("at_three")
@pytest.mark.parametrize(
    ("writer", "row"),
    [
        (SIGNED, "● signed       40 s ago: checkpoint 7"),
        (replace(SIGNED, age_seconds=9000.0), "● signed       2 h ago: checkpoint 7"),
        (
            replace(SIGNED, unsigned_age_seconds=901.0),
            "▲ signed       40 s ago: checkpoint 7, records wait for 15 min",
        ),
        (replace(SIGNED, trouble="no key", because="not set"), "✘ signed       no key: not set"),
        (WriterStatus(0, None, 5.0, "", "", 0.0), "● signed       no checkpoint yet"),
        (WriterStatus(0, None, None, "", "", 0.0), "▲ signed       no checkpoint yet"),
    ],
)
def test_the_writer_of_checkpoints_is_shown(writer: WriterStatus, row: str) -> None:
    assert isinstance(HEALTHY.state, PipelineState)
    shown = picture(replace(HEALTHY, state=replace(HEALTHY.state, checkpoint=writer)))

    assert row in [line.rstrip() for line in shown.splitlines()]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (12.4, "12 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2e5, "2 d")]
)
def test_a_duration_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert status_picture.ago(seconds) == words


def test_one_thing_that_would_go_is_told_as_one() -> None:
    counts = {"tasks": 2, "series": 1, "answers": 1, "sign_ins": 1, "admin_log_entries_of_things": 1, "mails": 0}

    assert erase_user._listed(counts) == "2 tasks, 1 series, 1 answer, 1 sign in, 1 admin log entry of things"
    assert erase_user._listed({"tags": 0}) == "nothing"


# --- What is read ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_last_minute_is_read_from_the_inbox(pump: Pump) -> None:
    append(event(), event(), event())
    while pump.relay_once():
        pass
    pump.consume(group_named("audit"))
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO events_handledevent ("group", event_id, handled_at)'
            " VALUES ('audit', %s, now() - interval '61 s')",
            [uuid4()],
        )

    found = selectors.recently_handled()

    assert list(found) == ["audit"]
    assert found["audit"].handled == 3
    assert found["audit"].median_seconds is not None
    assert 0 <= found["audit"].median_seconds < 60


@pytest.mark.django_db(transaction=True)  # a transaction sees the sessions there were at its first look
def test_the_relays_leader_is_who_holds_its_lock() -> None:
    before = selectors.relay_leader()
    here = urlsplit(project.DATABASE_DIRECT_URL)._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    with Leadership(url=here) as leadership:
        assert leadership.acquire()
        during = selectors.relay_leader()

    assert before is None
    assert during is not None
    assert (timezone.now() - during.since).total_seconds() < 60


@pytest.mark.django_db
def test_no_growing_table_is_read_from_end_to_end() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO events_handledevent ("group", event_id, handled_at)'
            " SELECT 'audit', gen_random_uuid(), now() - make_interval(secs => 100000 - n)"
            " FROM generate_series(1, 20000) n"
        )
        cursor.execute("SELECT brin_summarize_new_values('handled_event_handled_at')")
        cursor.execute("ANALYZE events_handledevent")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {selectors._HANDLED}")
        plan = json.dumps(cursor.fetchone()[0])

    assert "handled_event_handled_at" in plan
    assert '"Node Type": "Bitmap Heap Scan"' in plan


# --- The command ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("asked_anew")
def test_json_has_every_part_and_fails_while_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    append(event())
    GroupProgress.objects.create(group="audit", checked_at=timezone.now(), caught_up=5)
    DeadLetter.objects.create(group="audit", event_id=uuid4(), topic="t", key="k", reason="no good", envelope={})

    with pytest.raises(CommandError, match="no relay leads") as ended:
        call_command("status", "--json")

    told = json.loads(capsys.readouterr().out)
    assert ended.value.returncode == 1
    assert set(told) == {"taken_at", "troubles", *PARTS}
    assert told["state"]["outbox"]["depth"] == 1
    assert told["state"]["groups"]["audit"]["caught_up"] == 5
    assert told["state"]["parked"] == {"audit": 1}
    assert told["lags"] == {"audit": 0, "notifications": 0, "recurrence": 0}
    assert told["queues"] == {"audit": 0, "notifications": 0, "recurrence": 0}
    assert told["trail"]["records"] == 0
    assert "dead letters is degraded" in told["troubles"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("asked_anew")
def test_the_jobs_that_wait_are_counted(settings: Any) -> None:
    with Connection(settings.CELERY_BROKER_URL) as redis:
        queue = redis.SimpleQueue("audit")
        queue.put({"ring": 1})
        found = overview._queues()
        queue.clear()
        queue.close()

    assert found == {"audit": 1, "notifications": 0, "recurrence": 0}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("asked_anew")
def test_without_anything_running_it_answers_in_time(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.EVENT_BROKER = "kafka"
    settings.KAFKA = {"bootstrap.servers": f"127.0.0.1:{CLOSED_PORT}", "security.protocol": "PLAINTEXT"}
    settings.CELERY_BROKER_URL = f"redis://:hunter2@127.0.0.1:{CLOSED_PORT}/0"
    connection.close()
    port = connections.settings["default"]["PORT"]
    connections.settings["default"]["PORT"] = str(CLOSED_PORT)
    began = time.monotonic()

    try:
        with pytest.raises(CommandError):
            call_command("status")
    finally:
        connections.settings["default"]["PORT"] = port

    printed = capsys.readouterr()
    assert time.monotonic() - began < 8
    assert printed.out.count("✘") >= 6
    assert "hunter2" not in printed.out + printed.err
    assert "Traceback" not in printed.out + printed.err


@pytest.mark.parametrize("words", ["nonsense", "0", "-1", "nan", "inf"])
def test_a_pace_that_is_none_is_wrong_use(words: str) -> None:
    with pytest.raises(CommandError, match=r"is no pace: between 0\.2 and 3600 seconds") as refused:
        call_command("status", f"--watch={words}")

    assert refused.value.returncode == 2


def watching(monkeypatch: pytest.MonkeyPatch, *, rounds: int) -> None:
    """`take` gives the healthy picture so often, then somebody presses Ctrl-C."""
    left = iter(range(rounds))

    def take() -> Overview:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return HEALTHY

    monkeypatch.setattr(overview, "take", take)


def test_watching_as_json_prints_one_object_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watching(monkeypatch, rounds=3)

    call_command("status", "--watch", "0.2", "--json")

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["taken_at"] for line in lines] == ["2026-11-21T15:00:00+00:00"] * 3


def test_watching_is_left_quietly_by_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watching(monkeypatch, rounds=1)

    call_command("status", "--watch", "0.2")

    assert capsys.readouterr().err == ""
