"""The doctor tells what is wrong and how to mend it, in time, whatever hangs, and never a secret."""

import http.server
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.module_loading import import_string
from django_celery_beat.models import PeriodicTask
from rich.console import Console

from apps.events import schedules
from apps.events.brokers import get_broker
from apps.events.brokers.base import TopicState
from apps.events.models import DeadLetter, GroupProgress
from apps.ops.asking import without_secrets
from apps.ops.doctor import (
    configuration,
    kafka,
    machine,
    pipeline,
    postgresql,
    redis_servers,
    report,
    software,
    without_settings,
)
from apps.ops.doctor.checks import CHECKS
from apps.ops.doctor.examination import Check, Level, Result, Verdict, examine, warning, well, worst_of, wrong

CLOSED_PORT = 1


def levels(checks: list[Check]) -> dict[str, Level]:
    return {result.name: result.verdict.level for result in examine(checks)}


# --- The examination ------------------------------------------------------------------------------------


def test_a_check_that_hangs_is_wrong_when_its_time_is_over() -> None:
    hanging = threading.Event()
    began = time.monotonic()

    (result,) = examine([Check("slow", lambda: well(str(hanging.wait(30))), seconds=0.1)])

    assert time.monotonic() - began < 2
    assert result.verdict.level is Level.WRONG
    assert result.verdict.told == "no answer within 0.1 s"
    hanging.set()


def test_a_check_that_crashes_is_wrong_with_its_reason_and_without_its_secrets() -> None:
    def crash() -> Verdict:
        raise RuntimeError("redis://:hunter2@cache:6379/0 said no, password=hunter2")

    (result,) = examine([Check("redis", crash)])

    assert result.verdict.level is Level.WRONG
    assert result.verdict.told == "RuntimeError: redis://cache:6379/0 said no, password=…"


def test_checks_run_side_by_side_and_are_told_in_their_order() -> None:
    together = threading.Barrier(3)

    results = examine([Check(name, lambda: well(str(together.wait(3)))) for name in "abc"])

    assert [result.name for result in results] == ["a", "b", "c"]
    assert {result.verdict.level for result in results} == {Level.WELL}


def test_what_stands_on_something_wrong_is_not_asked() -> None:
    asked = []

    def above() -> Verdict:
        asked.append("above")
        return well("fine")

    results = examine(
        [Check("beneath", lambda: wrong("gone", fix="Start it.")), Check("above", above, after="beneath")]
    )

    assert results[1].verdict == Verdict(Level.NOT_LOOKED_AT, "not looked at: see beneath")
    assert asked == []


def test_what_stands_on_something_that_was_not_looked_at_names_the_bottom() -> None:
    results = examine(
        [
            Check("bottom", lambda: wrong("gone", fix="Start it.")),
            Check("middle", lambda: well("fine"), after="bottom"),
            Check("top", lambda: well("fine"), after="middle"),
        ]
    )

    assert [each.verdict.told for each in results] == ["gone", "not looked at: see bottom", "not looked at: see bottom"]
    assert report.count_wrong(results) == 1


def test_without_settings_one_thing_is_wrong_and_says_how_to_mend_it(capsys: pytest.CaptureFixture[str]) -> None:
    code = without_settings.run("SECRET_KEY is not set. See .env.example.", [])

    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    wrong_at = lines.index("✘ settings               SECRET_KEY is not set")
    assert code == 1
    assert lines[wrong_at + 1].strip() == f"→ {without_settings.FIX}"
    assert [line for line in lines if "✘" in line] == [lines[wrong_at]]
    assert "- postgresql             not looked at: see settings" in lines
    assert lines[-1] == f"2 well, 1 wrong, {len(CHECKS) - 3} not looked at."


def test_one_thing_is_told_as_one() -> None:
    def told(*verdicts: Verdict) -> str:
        console = Console(file=io.StringIO())
        report.draw([Result(str(n), each, 0) for n, each in enumerate(verdicts)], console=console)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().splitlines()[-1]

    late = warning("late", fix="Wait.")
    assert told(late, well("fine")) == "1 well, 1 warning."
    assert told(late, late) == "2 warnings."


def test_of_several_verdicts_the_worst_is_told_first_and_a_fix_once() -> None:
    found = [warning("late", fix="Wait."), wrong("gone", fix="Start it."), wrong("lost", fix="Start it.")]

    assert worst_of(found, otherwise="") == wrong("gone; lost; late", fix="Start it. Wait.")


def test_an_address_is_told_without_who_it_is_for() -> None:
    assert without_secrets("postgresql://todo:hunter2@db:5432/todo") == "postgresql://db:5432/todo"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_is_there_and_stands_on_one_told_before_it(check: Check) -> None:
    names = [each.name for each in CHECKS]

    assert isinstance(check.look, str)
    assert callable(import_string(check.look.replace(":", ".")))
    assert check.after in ["", *names[: names.index(check.name)]]


def test_the_longest_chain_of_checks_ends_within_ten_seconds() -> None:
    by_name = {check.name: check for check in CHECKS}

    def seconds(check: Check) -> float:
        # What is wrong ends the chain; what is only slow gives its answer just before its limit.
        return check.seconds + (seconds(by_name[check.after]) if check.after else 0)

    hanging_at_once = max(check.seconds for check in CHECKS)
    assert hanging_at_once <= 8
    assert max(seconds(check) for check in CHECKS) < 13


# --- The command ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_command_prints_json_and_fails_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match=r"\d+ of \d+ checks are wrong") as ended:
        call_command("doctor", "--json")

    told = json.loads(capsys.readouterr().out)
    assert ended.value.returncode == 1
    assert told["well"] is False
    assert [check["name"] for check in told["checks"]] == [check.name for check in CHECKS]
    found = {check["name"]: check["level"] for check in told["checks"]}
    assert (found["postgresql"], found["migrations"], found["direct url"]) == ("well", "well", "well")
    assert found["web"] == "wrong"
    assert [check["name"] for check in told["checks"] if check["level"] == "wrong" and not check["fix"]] == []


@pytest.mark.django_db(transaction=True)
def test_the_command_answers_in_time_and_keeps_its_secrets_when_everything_hangs(
    settings: Any, black_hole: int, capsys: pytest.CaptureFixture[str], broker_chosen_anew: None
) -> None:
    place = f"127.0.0.1:{black_hole}"
    settings.EVENT_BROKER = "kafka"
    settings.KAFKA = {"bootstrap.servers": place, "security.protocol": "PLAINTEXT"}
    settings.CELERY_BROKER_URL = f"redis://:hunter2@{place}/0"
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [settings.CELERY_BROKER_URL]}}}
    settings.DATABASE_URL = settings.DATABASE_DIRECT_URL = f"postgresql://todo:hunter2@{place}/todo"
    settings.PORT = settings.WS_PORT = black_hole
    began = time.monotonic()

    with pytest.raises(CommandError):
        call_command("doctor")

    printed = capsys.readouterr()
    assert time.monotonic() - began < 10
    assert "Traceback" not in printed.out + printed.err
    assert "hunter2" not in printed.out + printed.err
    wrong_ones = {line.split("  ")[0] for line in printed.out.splitlines() if line.startswith("✘")}
    assert {"✘ postgresql", "✘ redis for jobs", "✘ redis for sockets", "✘ kafka", "✘ web", "✘ ws"} <= wrong_ones


def test_warnings_alone_do_not_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    only = [Check("mail", lambda: warning("no server", fix="Set EMAIL_HOST."))]
    monkeypatch.setattr("apps.ops.management.commands.doctor.CHECKS", only)

    call_command("doctor")

    assert capsys.readouterr().out.splitlines() == [
        "! mail                   no server",
        "                         → Set EMAIL_HOST.",
        "",
        "1 warning.",
    ]


def test_without_any_settings_it_tells_what_to_start() -> None:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}

    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        env=kept | {"ENV_FILE": ""},
        cwd=project.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    told = json.loads(ended.stdout)
    found = {check["name"]: check for check in told["checks"]}
    assert (ended.returncode, ended.stderr) == (1, "")
    assert found["settings"]["told"] == "SECRET_KEY is not set"
    assert "make run" in found["settings"]["fix"]
    assert found["postgresql"]["level"] == "not looked at"
    assert {name for name, check in found.items() if check["level"] == "well"} <= {"software", "disk"}
    assert list(found) == [check.name for check in CHECKS]


# --- Software, settings, this machine ---------------------------------------------------------------------


def test_a_package_of_another_version_than_locked_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("django==1.0 \\\n    --hash=sha256:00\nno-such-package==1 ; sys_platform == 'win32'\n")
    monkeypatch.setattr(software, "LOCK", lock)

    verdict = software.versions()

    assert verdict.level is Level.WARNING
    assert verdict.told.endswith("(locked: 1.0)")


def test_a_package_that_is_missing_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("no-such-package==1 \\\n")
    monkeypatch.setattr(software, "LOCK", lock)

    assert software.versions().told == "not installed: no-such-package"


def test_what_is_installed_here_is_what_is_locked() -> None:
    assert software.versions().level is Level.WELL


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, Level.WARNING, "jobs and sockets share one Redis database"),
        ({"KAFKA_RETENTION_DAYS": 14}, Level.WRONG, "Kafka 14, handled 14, log 90"),
        ({"EVENT_RETENTION_DAYS": 13}, Level.WRONG, "Kafka 7, handled 14, log 13"),
        ({"JWT_SIGNING_KEY": "x" * 60, "SECRET_KEY": "x" * 60}, Level.WRONG, "are the same"),
        ({"WS_PORT": 8000, "PORT": 8000}, Level.WRONG, "PORT and WS_PORT are both 8000"),
        ({"DEBUG": True, "PUBLIC_URL": "https://tasks.example.org"}, Level.WRONG, "DEBUG shows tracebacks"),
        ({"ALLOWED_HOSTS": ["elsewhere"]}, Level.WRONG, "ALLOWED_HOSTS lacks 127.0.0.1"),
    ],
)
def test_settings_that_are_wrong_together_are_told(
    settings: Any, changes: dict[str, Any], level: Level, words: str
) -> None:
    settings.EVENT_BROKER = "kafka"
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [settings.CELERY_BROKER_URL]}}}
    for name, value in changes.items():
        setattr(settings, name, value)

    verdict = configuration.settings_together()

    assert verdict.level is level
    assert words in verdict.told


def test_settings_that_agree_are_well(settings: Any) -> None:
    settings.EVENT_BROKER = "kafka"
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": ["redis://127.0.0.1:6379/1"]}}}

    assert configuration.settings_together() == well("they agree; open to this machine only")


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A server that answers so to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_ours_on_the_port_is_well_and_a_stranger_is_not(settings: Any) -> None:
    with answering(b'{\n  "status": "ok"\n}') as ours, answering(b"Welcome to nginx!") as stranger:
        settings.PORT, settings.WS_PORT = ours, stranger
        found = machine.web(), machine.ws()

    assert found[0] == well(f"ours answers on 127.0.0.1:{ours}")
    assert found[1].level is Level.WRONG
    assert found[1].told == f"a stranger listens on 127.0.0.1:{stranger}"


def test_nobody_on_the_port_is_wrong_on_a_laptop_and_usual_in_a_cluster(settings: Any) -> None:
    settings.PORT = CLOSED_PORT
    here = machine.web()
    settings.EMBEDDED_STACK = False

    assert here == wrong("nobody listens on 127.0.0.1:1", fix="Start the platform: `make run`.")
    assert machine.web().level is Level.WELL


def test_a_mail_server_that_is_away_is_wrong(settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", CLOSED_PORT

    assert machine.mail().level is Level.WRONG


# --- PostgreSQL -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_direct_connection_keeps_its_session() -> None:
    assert postgresql.keeps_its_session(lambda: postgresql.connect(project.DATABASE_DIRECT_URL))


@pytest.mark.django_db
def test_a_pool_by_transaction_does_not() -> None:
    """The control: two clients that a pool serves by one server process."""
    shared = postgresql.connect(project.DATABASE_DIRECT_URL)

    class Client:
        def execute(self, query: str, parameters: list[Any] | None = None, /) -> Any:
            return shared.execute(query, parameters)

        def close(self) -> None:
            pass

    assert not postgresql.keeps_its_session(Client)
    shared.close()


@pytest.mark.parametrize(
    ("ahead", "uncertain", "level"),
    [
        (0.9, 0, Level.WELL),
        (-1.1, 0, Level.WARNING),
        (1.5, 0.6, Level.WELL),
        (-5.1, 0, Level.WRONG),
    ],
)
def test_clocks_apart_are_a_warning_and_then_wrong(ahead: float, uncertain: float, level: Level) -> None:
    assert postgresql.clock_verdict(ahead, uncertain_seconds=uncertain).level is level


@pytest.mark.django_db
def test_the_limits_and_the_clock_of_our_connections_are_well() -> None:
    assert postgresql.limits().level is Level.WELL
    assert postgresql.clock().level is Level.WELL
    assert postgresql.connections().level is Level.WELL


@pytest.mark.django_db
def test_a_connection_without_limits_is_wrong() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")

    assert postgresql.limits().told == "without limit: lock_timeout"


@pytest.mark.django_db
def test_more_roles_than_connections_is_wrong(settings: Any) -> None:
    settings.WEB_THREADS = 1000

    assert postgresql.connections().level is Level.WRONG


@pytest.mark.django_db
def test_a_migration_that_is_missing_or_unknown_is_wrong() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("events", "9999_of_a_later_release")
    recorder.record_unapplied("tasks", "0001_initial")

    verdict = postgresql.migrations()

    assert verdict.level is Level.WRONG
    assert verdict.told == "not applied: tasks.0001_initial; applied and unknown here: events.9999_of_a_later_release"


@pytest.mark.django_db
def test_a_role_that_may_do_too_much_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own role owns the tables."""
    owner = postgresql.rights_of_role()
    monkeypatch.setattr("apps.events.rights.excess", list)

    assert owner.level is Level.WRONG
    assert "DATABASE_OWNER_URL" in owner.fix
    assert postgresql.rights_of_role() == well("this role may do no more than it needs")


@pytest.mark.django_db
def test_all_migrations_applied_is_well() -> None:
    assert postgresql.migrations().level is Level.WELL


def test_postgresql_away_is_told_with_its_place_and_no_secret(settings: Any) -> None:
    settings.DATABASE_URL = f"postgresql://todo:hunter2@127.0.0.1:{CLOSED_PORT}/todo"

    verdict = postgresql.server()

    assert verdict.told.startswith("127.0.0.1:1/todo: connection failed")
    assert "hunter2" not in verdict.told


def test_a_postgresql_that_hangs_is_told_from_one_that_is_not_there(settings: Any, black_hole: int) -> None:
    settings.DATABASE_URL = f"postgresql://todo:hunter2@127.0.0.1:{black_hole}/todo"

    verdict = postgresql.server()

    assert verdict.level is Level.WRONG
    assert verdict.told == f"127.0.0.1:{black_hole}/todo: it hangs: no answer and no refusal within 3 s"
    assert "starting roles again helps nobody" in verdict.fix


# --- Redis and Kafka ------------------------------------------------------------------------------------

INFO = {"redis_version": "7.2.4", "aof_enabled": 1}


@pytest.mark.parametrize(
    ("told", "policy", "keeps_jobs", "level", "words"),
    [
        (INFO, "noeviction", True, Level.WELL, "Redis 7.2.4, noeviction, keeps what it holds"),
        (INFO, "allkeys-lru", True, Level.WRONG, "maxmemory-policy allkeys-lru drops jobs"),
        (INFO, None, True, Level.WARNING, "its maxmemory-policy cannot be asked"),
        (INFO | {"aof_enabled": 0}, "noeviction", True, Level.WARNING, "keeps nothing over a restart"),
        (INFO | {"aof_enabled": 0}, "noeviction", False, Level.WELL, "Redis 7.2.4"),
        (INFO | {"redis_version": "5.0.7"}, "noeviction", True, Level.WRONG, "Redis 5.0.7"),
    ],
)
def test_what_redis_tells_is_judged(
    told: dict[str, Any], policy: str | None, keeps_jobs: bool, level: Level, words: str
) -> None:
    verdict = redis_servers.verdict_on(told, policy=policy, keeps_jobs=keeps_jobs)

    assert verdict.level is level
    assert words in verdict.told


def test_the_redis_of_the_tests_answers_and_does_not_evict() -> None:
    assert "noeviction" in redis_servers.jobs().told or redis_servers.jobs().level is Level.WARNING
    assert redis_servers.sockets().level is Level.WELL


DAY = 24 * 3600


@pytest.mark.parametrize(
    ("topic", "level"),
    [
        (TopicState("t", 4, 3, 2, 7 * DAY), None),
        (TopicState("t", 3, 3, 2, 7 * DAY), Level.WARNING),
        (TopicState("t", 4, 3, 1, 7 * DAY), Level.WARNING),
        (TopicState("t", 4, 2, 3, 7 * DAY), Level.WRONG),
        (TopicState("t", 4, 3, 2, 6 * DAY), Level.WARNING),
        (TopicState("t", 4, 3, 2, 14 * DAY), Level.WRONG),
        (TopicState("t", 4, 3, 2, -1), Level.WRONG),
        (TopicState("t", 4, 3, None, None), None),
        (TopicState("t", 8, 3, 2, 7 * DAY), Level.WARNING),
        (TopicState("t", 4, 1, 1, 7 * DAY, -1, 1_048_576, compacted=False, unclean_election=True), None),
        (TopicState("t", 4, 3, 2, 7 * DAY, unclean_election=True), Level.WARNING),
        (TopicState("t", 4, 3, 3, 7 * DAY), Level.WARNING),
        (TopicState("t", 4, 3, 2, 7 * DAY, retention_bytes=1_000_000), Level.WARNING),
        (TopicState("t", 4, 3, 2, 7 * DAY, largest_record_bytes=100_000), Level.WRONG),
        (TopicState("t", 4, 3, 2, 7 * DAY, compacted=True), Level.WRONG),
    ],
)
def test_what_a_topic_could_lose_is_told(topic: TopicState, level: Level | None) -> None:
    found = [problem.level for problem in kafka.problems_of(topic, is_kept=True)]

    assert found == ([level] if level else [])
    assert list(kafka.problems_of(topic, is_kept=False)) == []


def test_a_topic_on_fewer_brokers_than_asked_for_is_wrong(settings: Any) -> None:
    settings.KAFKA_REPLICATION_FACTOR = 3

    (problem,) = kafka.problems_of(TopicState("t", 4, 1, 1, 7 * DAY), is_kept=True)

    assert problem.told == "t stands on 1 brokers, not 3"


@pytest.mark.usefixtures("broker_chosen_anew")
def test_topics_that_are_not_there_are_wrong_until_they_are_created(settings: Any, mock_cluster: str) -> None:
    settings.EVENT_BROKER = "kafka"
    settings.KAFKA = {"bootstrap.servers": mock_cluster, "security.protocol": "PLAINTEXT"}
    cluster = kafka.cluster()
    before = kafka.topics()
    call_command("create_topics", "--json")

    assert (cluster.level, before.level) == (Level.WELL, Level.WRONG)
    missing = "account-events, notifications, recurrence-events, reminders, task-events, task-updates"
    assert before.told == f"not there: {missing}"
    assert kafka.topics().told.startswith("account-events (4 partitions), notifications (4 partitions), ")
    assert kafka.lag() == well("audit 0, notifications 0, recurrence 0")


# --- The pipeline ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_roles_without_a_living_process_are_wrong() -> None:
    with connection.cursor() as cursor:
        for role in project.ROLES:
            cursor.execute(
                "INSERT INTO events_heartbeat (role, instance, started_at, beat_at, release)"
                " VALUES (%s, 'here:1', now(), clock_timestamp(), '')",
                [role],
            )
        all_live = pipeline.heartbeats()
        cursor.execute("UPDATE events_heartbeat SET beat_at = now() - interval '90 s' WHERE role = 'relay'")

    assert all_live.level is Level.WELL
    assert pipeline.heartbeats().told == "relay last beat 90 s ago"


@pytest.mark.django_db
def test_schedules_are_wrong_when_missing_or_silent() -> None:
    missing = pipeline.beating()
    schedules.synchronise()
    fresh = pipeline.beating()
    PeriodicTask.objects.filter(name="Reconcile audit").update(last_run_at=timezone.now() - timedelta(seconds=200))

    assert (missing.level, fresh.level) == (Level.WRONG, Level.WELL)
    assert pipeline.beating().told == "'Reconcile audit' last rang 200 s ago"


@pytest.mark.django_db
def test_a_schedule_that_somebody_switched_off_is_a_warning() -> None:
    schedules.synchronise()
    PeriodicTask.objects.filter(name="Reconcile audit").update(enabled=False)

    assert pipeline.beating().level is Level.WARNING


@pytest.mark.django_db
def test_parked_events_are_a_warning_with_the_command_that_lists_them() -> None:
    assert pipeline.dead_letters() == well("none")

    DeadLetter.objects.create(
        group="audit", event_id=uuid4(), topic="task-events", key="k", reason="no good", envelope={}
    )

    assert pipeline.dead_letters().told == "audit gave up on 1 events"
    assert "manage.py dead_letters list" in pipeline.dead_letters().fix


@pytest.mark.django_db
def test_a_group_that_does_not_reconcile_or_had_to_repair_is_told() -> None:
    never = pipeline.reconcile()
    GroupProgress.objects.create(group="audit", checked_at=datetime.now(UTC))
    one_only = pipeline.reconcile()
    for group in ("notifications", "recurrence"):
        GroupProgress.objects.create(group=group, checked_at=datetime.now(UTC))
    well_now = pipeline.reconcile()
    GroupProgress.objects.filter(group="audit").update(repaired=2)

    assert (never.level, one_only.level, well_now.level) == (Level.WRONG, Level.WRONG, Level.WELL)
    assert pipeline.reconcile() == Verdict(
        Level.WARNING,
        "audit had 2 events repaired",
        "Events were lost on the way to it: `manage.py verify_events`, and the log for their ids.",
    )


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def broker_chosen_anew() -> Iterator[None]:
    get_broker.cache_clear()
    yield
    get_broker.cache_clear()
    connections.close_all()
