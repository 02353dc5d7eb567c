"""`make run` from outside: it starts, refuses, heals, and ends everything, however it is ended itself."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from apps.dev import ports, process_ids
from apps.dev.children import PROJECT
from apps.dev.state import throw_away_folder
from apps.dev.variables import neutral
from apps.events import event_types

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

# A machine may have much else to do; what has a bound by promise has a figure of its own.
PATIENCE_SECONDS = 90
SEEDED_TASKS = 23


RUN = """
import sys
from pathlib import Path
from apps.dev import roles, supervisor
supervisor.checkout_folder = lambda: Path(sys.argv[1])
roles.limit_seconds = lambda role: 6.0
sys.exit(supervisor.run(port=int(sys.argv[2])))
"""


class Run:
    """One `make run` on a state folder of its own."""

    def __init__(self, folder: Path, *, port: int) -> None:
        self.folder = folder
        self.port = port
        self.output = ""
        self.said_before = 0
        self.errors = folder / f"stderr-{port}"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, str(folder), str(port)],
                cwd=PROJECT,
                env=neutral(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def wait_for_banner(self) -> "Run":
        assert self.process.stdout is not None
        while b"Stop " not in (line := self.process.stdout.readline()):
            assert line, self.said()
            self.output += line.decode()
        return self

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def remove(self) -> None:
        """End it the hard way, if it is still there."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def said(self) -> str:
        return self.errors.read_text()[self.said_before :]

    def variables(self) -> dict[str, str]:
        lines = (self.folder / "stack.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def processes(self) -> list[process_ids.ProcessId]:
        recorded = json.loads((self.folder / "processes.json").read_text())
        return [process_ids.ProcessId(*each) for each in recorded]

    def child(self, words: str) -> process_ids.ProcessId | None:
        commands = {each: process_ids.command_line(each.number) for each in self.processes()}
        return next((each for each, command in commands.items() if words in command), None)

    def kill(self, words: str) -> process_ids.ProcessId:
        child = self.child(words)
        assert child is not None
        os.kill(child.number, signal.SIGKILL)
        return child

    def health(self) -> dict[str, dict[str, str]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/", timeout=10) as response:
            return json.load(response)["checks"]

    def is_well(self) -> bool:
        try:
            return {each["status"] for each in self.health().values()} == {"ok"}
        except OSError:
            return False

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live/", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False


@pytest.fixture
def folder() -> Iterator[Path]:
    with throw_away_folder() as path:
        yield path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def make(*, port: int | None = None) -> Run:
        runs.append(Run(folder, port=port or ports.free_pair()))
        return runs[-1]

    yield make
    for run in runs:
        run.remove()


def children_of(number: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, parent in (line.split() for line in listed.splitlines()) if int(parent) == number]


def tasks_in(run: Run) -> int:
    with psycopg.connect(run.variables()["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM tasks_task").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.short
def test_it_starts_says_where_everything_is_and_ends_well_on_sigterm(start):
    run = start().wait_for_banner()
    children = run.processes()

    assert run.answers()
    assert re.search(r"Ready in \d+\.\d s\.", run.output)
    assert f"http://127.0.0.1:{run.port}/admin/" in run.output
    assert "ada / ada-example" in run.output
    assert tasks_in(run) == SEEDED_TASKS
    assert run.end(signal.SIGTERM) == 0
    assert [each for each in children if process_ids.lives(each)] == []
    assert not (run.folder / "stack.env").exists()


def test_ctrl_c_while_it_starts_ends_it_well(start):
    run = start()
    assert process_ids.wait_until(lambda: "Preparing" in run.said(), seconds=PATIENCE_SECONDS)

    assert run.end(signal.SIGINT) == 0
    assert run.processes() == []


def test_ctrl_c_at_a_terminal_ends_make_itself_with_0(folder):
    port = ports.free_pair()
    script = folder / "run.py"
    script.write_text(RUN)
    (folder / "Makefile").write_text(f"run:\n\t@exec {sys.executable} {script} {folder} {port}\n")
    number, terminal = pty.fork()
    if number == 0:
        os.chdir(PROJECT)
        environment = {**neutral(), "PYTHONPATH": str(PROJECT)}
        os.execvpe("make", ["make", "-f", str(folder / "Makefile"), "run"], environment)
    read = b""
    while b"Stop " not in read:
        read += os.read(terminal, 1024)

    os.write(terminal, b"\x03")
    _, status = os.waitpid(number, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 0
    assert json.loads((folder / "processes.json").read_text()) == []


def test_a_second_ctrl_c_leaves_no_orphans(start):
    run = start().wait_for_banner()
    children = run.processes()

    run.process.send_signal(signal.SIGINT)
    time.sleep(0.1)

    assert run.end(signal.SIGINT) == 0
    assert [each for each in children if process_ids.lives(each)] == []


def test_a_taken_port_is_refused_before_anything_starts(start, folder):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = start(port=port)

        assert run.process.wait(PATIENCE_SECONDS) == 1
    assert f"Port {port} is taken by another program" in run.said()
    assert not (folder / "postgres").exists()


def test_a_fresh_kafka_has_every_topic_before_it_is_said_to_be_back(start):
    run = start().wait_for_banner()

    run.kill("apps.dev.embedded.kafka")
    assert process_ids.wait_until(lambda: "kafka: back." in run.said(), seconds=PATIENCE_SECONDS, every=0.01)

    brokers = AdminClient({"bootstrap.servers": (run.folder / "kafka-address").read_text()})
    there = brokers.list_topics(timeout=5).topics
    assert set(there) >= set(event_types.topics())


def test_while_postgresql_hangs_no_role_is_started_again_and_all_go_on_with_it(start):
    run = start().wait_for_banner()
    roles = {words: run.child(words) for words in ("relay_outbox", " beat ", "granian", "--consume")}
    server = run.child("bin/postgres")
    processes = [server.number, *children_of(server.number)]

    for number in processes:
        os.kill(number, signal.SIGSTOP)
    assert process_ids.wait_until(lambda: "relay waits: no heartbeat" in run.said(), seconds=PATIENCE_SECONDS)
    time.sleep(10)
    for number in processes:
        os.kill(number, signal.SIGCONT)

    assert process_ids.wait_until(lambda: run.health()["outbox"]["status"] == "ok", seconds=PATIENCE_SECONDS)
    assert "because PostgreSQL hangs. A restart would help nobody" in run.said()
    assert "hung" not in run.said()
    assert {words: run.child(words) for words in roles} == roles


def test_only_who_can_sign_in_with_the_known_password_is_named(start):
    first = start().wait_for_banner()
    with psycopg.connect(first.variables()["DATABASE_URL"]) as connection:
        connection.execute("UPDATE accounts_user SET is_active = false WHERE username = 'grace'")
        connection.execute("UPDATE accounts_user SET password = '!' WHERE username = 'admin'")
    first.end()

    second = start(port=first.port).wait_for_banner()

    assert "ada / ada-example · grace / grace-example · admin / admin-example\n" in first.output
    assert re.search(r"Sign in +ada / ada-example\n", second.output)


def test_crashed_services_come_back_with_their_data_and_kafka_with_a_new_address(start):
    run = start().wait_for_banner()
    before = run.variables()

    for words in ("bin/postgres", "valkey-server", "apps.dev.embedded.kafka"):
        run.kill(words)

    def moved() -> bool:
        return run.variables()["KAFKA_BOOTSTRAP_SERVERS"] != before["KAFKA_BOOTSTRAP_SERVERS"]

    assert process_ids.wait_until(moved, seconds=PATIENCE_SECONDS)
    assert process_ids.wait_until(run.answers, seconds=PATIENCE_SECONDS)
    assert run.variables()["DATABASE_URL"] == before["DATABASE_URL"]
    assert tasks_in(run) == SEEDED_TASKS
    assert run.end() == 0


@pytest.mark.short
def test_after_kill_9_nothing_is_left_in_seconds_and_the_next_run_goes_on(start):
    first = start().wait_for_banner()
    groups = first.processes()
    with psycopg.connect(first.variables()["DATABASE_URL"]) as connection:
        connection.execute("INSERT INTO django_session VALUES ('kept', '42', now())")

    first.end(signal.SIGKILL)

    assert process_ids.wait_until(lambda: not any(map(process_ids.lives, groups)), seconds=30)
    second = start(port=first.port).wait_for_banner()
    with psycopg.connect(second.variables()["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT session_data FROM django_session").fetchone() == ("42",)
    assert tasks_in(second) == SEEDED_TASKS
    assert second.end() == 0


@pytest.fixture(scope="class")
def held() -> Iterator[Run]:
    with throw_away_folder() as folder:
        run = Run(folder, port=ports.free_pair())
        try:
            yield run.wait_for_banner()
        finally:
            run.remove()


@pytest.fixture
def run(held: Run) -> Run:
    """The run of the whole class, well again after what the test before did to it."""
    assert process_ids.wait_until(held.is_well, seconds=PATIENCE_SECONDS), held.said()
    held.said_before = len(held.errors.read_text())
    return held


class TestOneRun:
    """What one run goes through, one test after the other."""

    def test_nothing_that_serves_and_no_terminal_beside_is_led_to_the_owner_of_the_tables(self, run):
        url = run.variables()["DATABASE_URL"]
        environments = [Path(f"/proc/{each.number}/environ").read_bytes() for each in run.processes()]

        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("ALTER TABLE audit_auditrecord DISABLE TRIGGER ALL")
        assert any(url.encode() in each for each in environments)
        assert [each for each in environments if b"DATABASE_OWNER_URL" in each] == []
        assert "DATABASE_OWNER_URL" not in run.variables()
        assert (run.folder / "audit_signing_key").stat().st_mode & 0o777 == 0o600

    def test_a_second_run_on_the_same_folder_is_refused_and_named_the_first(self, run):
        second = Run(run.folder, port=ports.free_pair())

        assert second.process.wait(PATIENCE_SECONDS) == 1
        assert f"already runs in {run.folder}, as process {run.process.pid}" in second.said()
        assert run.answers()
        second.remove()

    @pytest.mark.short
    def test_a_crashed_role_is_shown_and_started_again(self, run):
        relay = run.kill("relay_outbox")

        assert process_ids.wait_until(lambda: run.child("relay_outbox") not in {None, relay}, seconds=PATIENCE_SECONDS)
        assert "relay was ended by signal 9; it starts again in 0.5 s" in run.said()

    def test_a_frozen_role_is_killed_and_started_again(self, run):
        beat = run.child(" beat ")
        os.kill(beat.number, signal.SIGSTOP)

        assert process_ids.wait_until(lambda: run.child(" beat ") not in {None, beat}, seconds=PATIENCE_SECONDS)
        assert re.search(r"beat hung: no heartbeat for \d+ s. It was killed and starts again in 0.5 s.", run.said())
        assert "web" not in run.said().split("beat hung")[1]

    def test_a_crashed_web_server_leaves_no_worker_that_holds_its_port(self, run):
        run.kill("granian")
        assert process_ids.wait_until(lambda: "web was ended by signal 9" in run.said(), seconds=PATIENCE_SECONDS)

        assert process_ids.wait_until(run.answers, seconds=PATIENCE_SECONDS)
        assert run.said().count("web was ended") == 1

    def test_a_killed_kafka_does_not_restart_the_web_and_its_health_finds_the_new_one(self, run):
        web, before = run.child("granian"), run.variables()["KAFKA_BOOTSTRAP_SERVERS"]

        run.kill("apps.dev.embedded.kafka")

        assert process_ids.wait_until(
            lambda: run.variables()["KAFKA_BOOTSTRAP_SERVERS"] != before, seconds=PATIENCE_SECONDS
        )
        # An answer of /health/ serves for two seconds: what it tells then can no more be of the killed one.
        time.sleep(3)
        assert process_ids.wait_until(lambda: run.health()["kafka"]["status"] == "ok", seconds=PATIENCE_SECONDS)
        assert run.child("granian") == web
