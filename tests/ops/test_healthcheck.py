"""`manage.py healthcheck --role R`: exit 0 while R does its work here, else 1 and one line; before Django is there."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.dev import ports
from apps.ops import probe


def probed(role: str, **variables: str) -> tuple[int, str, str]:
    """As a probe runs it: exit status, standard output, standard error."""
    done = subprocess.run(
        [sys.executable, "manage.py", "healthcheck", "--role", role],
        env={"PATH": os.environ["PATH"], "ENV_FILE": "", **variables},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def beaten(folder: Path, role: str, *, seconds_ago: float) -> None:
    at = time.time() - seconds_ago
    (folder / role).touch()
    os.utime(folder / role, (at, at))


@pytest.mark.parametrize(
    ("role", "limit"),
    [("relay", 30), ("beat", 30), ("worker-audit", 60), ("worker-notifications", 60), ("worker-recurrence", 60)],
)
def test_a_loop_is_well_while_its_heartbeat_is_within_its_limit(tmp_path: Path, role: str, limit: int) -> None:
    beaten(tmp_path, role, seconds_ago=limit - 5)
    assert probed(role, HEARTBEAT_DIR=str(tmp_path)) == (0, "", "")

    beaten(tmp_path, role, seconds_ago=limit + 1)
    status, told, why = probed(role, HEARTBEAT_DIR=str(tmp_path))

    assert (status, told) == (1, "")
    assert (said := re.fullmatch(rf"The loop of {role} has not come round for (\d+) s \({limit} s\)\.\n", why))
    assert limit + 1 <= int(said[1]) <= limit + 30  # the probe is a process that has to start


def test_a_loop_that_never_beat_is_not_well(tmp_path: Path) -> None:
    assert probed("relay", HEARTBEAT_DIR=str(tmp_path)) == (
        1,
        "",
        "No heartbeat of relay: No such file or directory.\n",
    )


def test_without_a_folder_nobody_can_know() -> None:
    status, _, why = probed("relay")

    assert (status, why) == (1, "HEARTBEAT_DIR is not set: no loop leaves a sign of life here.\n")


class Told(HTTPServer):
    status = HTTPStatus.OK
    asked: list[tuple[str, str]]


@pytest.fixture
def answering() -> Iterator[Told]:
    """Answers what it is told to, and keeps what it was asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    asked: list[tuple[str, str]] = []
    server = Told(("127.0.0.1", 0), Answer)
    server.asked = asked
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("role", "variable"), [("web", "PORT"), ("ws", "WS_PORT")])
def test_a_server_is_asked_where_its_callers_are(answering, role: str, variable: str) -> None:
    named = {variable: str(answering.server_port), "BIND_HOST": "0.0.0.0", "PUBLIC_URL": "https://tasks.example.org"}

    assert probed(role, **named) == (0, "", "")
    assert answering.asked == [("/health/live/", "tasks.example.org")]

    answering.status = HTTPStatus.SERVICE_UNAVAILABLE
    assert probed(role, **named) == (1, "", f"127.0.0.1:{answering.server_port} answers with status 503.\n")


def test_a_server_that_does_not_answer_is_not_well() -> None:
    port = ports.free_port()

    status, _, why = probed("web", PORT=str(port))

    assert status == 1
    assert why.startswith(f"No answer from 127.0.0.1:{port}: ConnectionRefusedError")


def test_a_probe_imports_nothing_of_django_but_its_exceptions() -> None:
    script = (
        "import sys; from apps.ops import probe; probe.failure('relay');"
        "print([n for n in ('django.conf', 'django.db', 'celery', 'structlog') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "ENV_FILE": ""},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"


def test_a_wrong_argument_is_told_apart() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "healthcheck"], cwd=settings.BASE_DIR, capture_output=True, check=False
    )

    assert done.returncode == 2


def test_an_unknown_role_is_wrong_use_and_the_roles_there_are_told(tmp_path: Path) -> None:
    beaten(tmp_path, "wroker-audit", seconds_ago=0)

    status, told, why = probed("wroker-audit", HEARTBEAT_DIR=str(tmp_path))

    assert (status, told) == (2, "")
    assert why == (
        "manage.py healthcheck: argument --role: 'wroker-audit' is no role: there are web, ws, relay, beat, "
        "worker-audit, worker-notifications, worker-recurrence. See manage.py healthcheck --help\n"
    )
    with pytest.raises(CommandError, match="'wroker-audit' is no role") as refused:
        call_command("healthcheck", "--role", "wroker-audit")
    assert refused.value.returncode == 2


def test_the_command_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTBEAT_DIR", str(tmp_path))
    with pytest.raises(CommandError, match="No heartbeat of relay"):
        call_command("healthcheck", "--role", "relay")

    beaten(tmp_path, "relay", seconds_ago=0)
    call_command("healthcheck", "--role", "relay")


def test_the_roles_of_a_probe_are_those_of_the_settings() -> None:
    assert set(probe.ROLES) == set(settings.ROLES)
