"""A role whose loop beats is let alone; one whose loop has stopped is killed and due again."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.dev import process_ids, roles
from apps.dev.roles import Role

BEATING = """
import os, pathlib, time
heartbeat = pathlib.Path(os.environ["HEARTBEAT_DIR"], os.environ["ROLE"])
while True:
    heartbeat.touch()
    time.sleep(0.05)
"""


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Role]:
    """A role that beats; one second of silence is too long for it."""
    monkeypatch.setattr(roles, "limit_seconds", lambda _role: 1.0)
    role = Role("relay", [sys.executable, "-c", BEATING], logs=tmp_path)
    role.start({**os.environ, "HEARTBEAT_DIR": str(tmp_path)})
    assert process_ids.wait_until(role.is_ready, seconds=10)
    yield role
    assert role.child is not None
    role.child.end(by=time.monotonic())


def watched(role: Role, *, seconds: float, excused: Callable[[], bool] = lambda: False) -> list[str]:
    """What the role told when it was looked at again and again."""
    told = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        told += [words for words in (role.hangs(excused=excused),) if words]
        time.sleep(0.05)
    return told


def test_a_role_that_beats_is_let_alone(relay):
    assert watched(relay, seconds=1.5) == []
    assert relay.child.runs


def test_a_frozen_role_is_killed_said_once_and_due_again(relay):
    assert watched(relay, seconds=0.2) == []
    os.kill(relay.child.id.number, signal.SIGSTOP)

    told = watched(relay, seconds=2)

    assert told == ["relay hung: no heartbeat for 1 s. It was killed and starts again in 0.5 s."]
    assert not relay.child.runs
    assert relay.crashed() is None
    assert relay.is_due


def test_a_role_that_waits_for_what_hangs_is_let_alone_as_long_as_it_hangs(relay):
    assert watched(relay, seconds=0.2) == []
    os.kill(relay.child.id.number, signal.SIGSTOP)

    told = watched(relay, seconds=1.6, excused=lambda: True)
    runs = relay.child.runs
    afterwards = watched(relay, seconds=1.5, excused=lambda: False)

    assert [words.partition(".")[0] for words in told] == [
        "relay waits: no heartbeat for 1 s, because PostgreSQL hangs"
    ]
    assert runs
    assert [words.partition(":")[0] for words in afterwards] == ["relay hung"]


def test_a_heartbeat_of_an_earlier_life_says_nothing_of_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr(roles, "limit_seconds", lambda _role: 0.2)
    (tmp_path / "relay").touch()
    os.utime(tmp_path / "relay", (0, 0))
    role = Role("relay", [sys.executable, "-c", "import time; time.sleep(60)"], logs=tmp_path)
    role.start({**os.environ, "HEARTBEAT_DIR": str(tmp_path)})

    assert watched(role, seconds=0.6) == []
    assert role.child is not None
    assert role.child.runs
    role.child.end(by=time.monotonic())
