"""F25: whoever is told to stop does so, within 30 s and with exit code 0, also when what it stands on hangs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from psycopg import conninfo

from apps.dev import ports
from apps.dev.children import Child
from apps.events import schedules
from tests.faults.pipeline import Pipeline, freeze, thaw, wait_until
from tests.faults.proxy import Proxy

STOP_SECONDS = 30.0
# So long it hangs before anybody is told to stop: every loop has met it, and no limit of a loop has passed.
MEETING_SECONDS = 8.0
ASKED = ("/health/ready/", "/health/", "/sign-in/", "/api/v1/tasks/")


@pytest.fixture
def database(pipeline: Pipeline) -> Iterator[Proxy]:
    """What stands between the roles and their PostgreSQL."""
    there = conninfo.conninfo_to_dict(pipeline.database_url)
    proxy = Proxy(f"{there['host']}:{there['port']}")
    yield proxy
    proxy.close()


@pytest.fixture
def hangs(pipeline: Pipeline, database: Proxy) -> Iterator[Callable[[str], None]]:
    """Makes a service hang until the test ends: its connections stay, and nobody answers."""
    ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "nothing": (lambda: None, lambda: None),
        "postgresql": (database.go_silent, database.heal),
        "kafka": (lambda: freeze(_child(pipeline.kafka)), lambda: thaw(_child(pipeline.kafka))),
        "redis": (lambda: freeze(_child(pipeline.valkey)), lambda: thaw(_child(pipeline.valkey))),
    }
    with ExitStack() as afterwards:

        def make(service: str) -> None:
            hang, heal = ways[service]
            hang()
            afterwards.callback(heal)

        yield make


def _child(service: object) -> Child:
    child = getattr(service, "child")  # noqa: B009 - the services of the stack have it in common
    assert isinstance(child, Child)
    return child


@pytest.fixture
def roles(pipeline: Pipeline, database: Proxy) -> dict[str, Child]:
    """Every role of the platform, up and at work."""
    schedules.synchronise()
    there = conninfo.conninfo_to_dict(pipeline.database_url)
    url = pipeline.database_url.replace(f"{there['host']}:{there['port']}/", f"{database.address}/")
    port = ports.free_pair()
    named = {"DATABASE_URL": url, "PORT": str(port), "WS_PORT": str(port + 1)}
    running = {}
    for role, words in settings.ROLES.items():
        command = list(words)
        if "--port" in command:
            command[command.index("--port") + 1] = named["PORT" if role == "web" else "WS_PORT"]
        running[role] = pipeline.run(role, command, role=role, **named)
    for role in running:
        wait_until(lambda role=role: _lives(pipeline, role, **named), f"{role} lives", seconds=60)  # type: ignore[misc]
    return running


def _lives(pipeline: Pipeline, role: str, **named: str) -> bool:
    command = [sys.executable, "manage.py", "healthcheck", "--role", role]
    environment = pipeline.environment(role, **named)
    asked = subprocess.run(command, check=False, env=environment, cwd=settings.BASE_DIR, capture_output=True)
    return asked.returncode == 0


@pytest.fixture
def load(pipeline: Pipeline, journal: Path, roles: dict[str, Child]) -> Iterator[None]:
    """Changes one after another, past the proxy, and requests that may find nobody."""
    port = roles["web"].environment["PORT"]
    asking = (
        "import sys, urllib.request as u\nwhile True:\n  for path in sys.argv[2:]:\n"
        "    try: u.urlopen(f'http://127.0.0.1:{sys.argv[1]}{path}', timeout=60).close()\n    except OSError: pass"
    )
    commands = [
        [sys.executable, "-m", "tests.faults.journal", str(journal), "load", "100000"],
        *[[sys.executable, "-c", asking, port, *ASKED] for _ in range(2)],
    ]
    environment = pipeline.environment("shell")
    children = [
        subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    yield
    for child in children:
        child.kill()
        child.wait()


@pytest.mark.usefixtures("load")
@pytest.mark.parametrize("service", ["nothing", "kafka", "redis", "postgresql"])
def test_under_load_every_role_stops_in_time_and_well_while_something_hangs(
    hangs: Callable[[str], None], roles: dict[str, Child], service: str
) -> None:
    time.sleep(3)
    hangs(service)
    time.sleep(MEETING_SECONDS)

    for child in roles.values():
        os.kill(child.id.number, signal.SIGTERM)

    wait_until(lambda: not any(child.runs for child in roles.values()), "all have stopped", seconds=STOP_SECONDS)
    assert {role: child.exit_code for role, child in roles.items()} == dict.fromkeys(roles, 0)
    assert [left for child in roles.values() for left in _left_of(child)] == []


def _left_of(child: Child) -> list[str]:
    """What still runs of a process's group: its own children, some of which leave a moment after it."""
    listed: list[str] = []
    for _ in range(20):
        listing = ["ps", "-o", "args=", "-g", str(child.id.number)]
        listed = subprocess.run(listing, check=False, capture_output=True, text=True).stdout.splitlines()
        if not listed:
            break
        time.sleep(0.1)
    return listed
