"""A role whose loop beats is let alone; one whose loop has stopped is killed and due again.

The processes are real, their beats and the supervisor's clock are the test's.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.dev import roles
from apps.dev.roles import Role

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
LIMIT = 30.0


class Watched:
    """A role, and a supervisor that looks at it every second of a clock of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(roles, "limit_seconds", lambda _role: LIMIT)
        monkeypatch.setattr(roles, "time", SimpleNamespace(monotonic=lambda: self.now, time=time.time))
        self.heartbeat = folder / "relay"
        self.role = Role("relay", SLEEPS, logs=folder)
        self.role.start({**os.environ, "HEARTBEAT_DIR": str(folder)})

    @property
    def runs(self) -> bool:
        assert self.role.child is not None
        return self.role.child.runs

    def beat(self) -> None:
        assert self.role.child is not None
        self.heartbeat.touch()
        beaten_at = self.role.child.started_at + 1 + self.now
        os.utime(self.heartbeat, (beaten_at, beaten_at))

    def look(self, *, seconds: int, beats: bool = False, excused: bool = False) -> list[str]:
        """What the role told in that time."""
        told = []
        for _ in range(seconds):
            self.now += 1
            if beats:
                self.beat()
            told += [words for words in (self.role.hangs(excused=lambda: excused),) if words]
        return told

    def end(self) -> None:
        assert self.role.child is not None
        self.role.child.end(by=0)


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    watched = Watched(tmp_path, monkeypatch)
    yield watched
    watched.end()


def test_a_role_that_beats_is_let_alone(relay):
    assert relay.look(seconds=100, beats=True) == []
    assert relay.runs


def test_a_role_that_stops_beating_is_killed_said_once_and_due_again(relay):
    assert relay.look(seconds=5, beats=True) == []
    assert relay.look(seconds=30) == []
    assert relay.runs

    told = relay.look(seconds=30)

    assert told == ["relay hung: no heartbeat for 31 s. It was killed and starts again in 0.5 s."]
    assert not relay.runs
    assert relay.role.crashed() is None
    assert relay.role.is_due


def test_a_role_that_waits_for_what_hangs_is_let_alone_as_long_as_it_hangs(relay):
    relay.look(seconds=5, beats=True)

    told = relay.look(seconds=100, excused=True)

    waits = "relay waits: no heartbeat for 31 s, because PostgreSQL hangs. A restart would help nobody; "
    assert told == [waits + "`manage.py doctor` looks closer."] * 3
    assert relay.runs


def test_what_it_waited_for_goes_on_and_the_role_has_time_to_beat(relay):
    relay.look(seconds=5, beats=True)
    relay.look(seconds=31 + 30, excused=True)

    assert relay.look(seconds=25) == []
    assert relay.look(seconds=100, beats=True) == []
    assert relay.runs


def test_a_role_that_does_not_go_on_with_what_it_waited_for_is_killed(relay):
    relay.look(seconds=5, beats=True)
    relay.look(seconds=31, excused=True)

    told = relay.look(seconds=2 * 31 + 1)

    assert told == ["relay hung: no heartbeat for 31 s. It was killed and starts again in 0.5 s."]
    assert not relay.runs


def test_a_role_that_went_on_and_stops_again_has_no_longer_than_another(relay):
    relay.look(seconds=5, beats=True)
    relay.look(seconds=31, excused=True)
    relay.look(seconds=5, beats=True)

    assert relay.look(seconds=31) == ["relay hung: no heartbeat for 31 s. It was killed and starts again in 0.5 s."]


def test_a_heartbeat_of_an_earlier_life_says_nothing_of_this_one(relay):
    relay.heartbeat.touch()
    os.utime(relay.heartbeat, (0, 0))

    assert relay.look(seconds=100) == []
    assert relay.runs
