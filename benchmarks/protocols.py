"""How a group's members find together and part, by the protocol they speak: each member is a process, really killed."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from django.conf import settings

from apps.events.brokers import get_broker

CLASSIC, CONSUMER = "classic", "consumer"
_TOPIC = "bench-members"
_PATIENCE_SECONDS = 90.0


@dataclass
class Moves:
    """Seconds of each round until the partitions were where they belong: the first member has all; a second one has
    its half; after one left well, and after one was killed, the other has all.
    """

    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    killed: list[float] = field(default_factory=list)


class Member:
    """A member's process; `owned` and `at` are what it told last."""

    def __init__(self, group: str, *, protocol: str) -> None:
        environment = {**os.environ, "KAFKA_GROUP_PROTOCOL": protocol}
        command = [sys.executable, "-m", "benchmarks.member", group, _TOPIC]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.began_at = self.at = 0.0
        self.owned = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            self.began_at = self.began_at or told["at"]
            self.at, self.owned = told["at"], told["owned"]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def moves(protocol: str, *, rounds: int) -> Moves:
    """Each round is a group of its own, of two members."""
    get_broker().ensure_topics([_TOPIC])
    every = settings.KAFKA_PARTITIONS
    took = Moves()
    for _ in range(rounds):
        group = f"bench-{uuid4()}"
        with _member(group, protocol=protocol) as first:
            _until(lambda: first.owned == every)
            took.first.append(first.at - first.began_at)
            with _member(group, protocol=protocol) as second:
                _until(lambda: first.owned == second.owned == every // 2)
                took.second.append(max(first.at, second.at) - second.began_at)
                took.left.append(_after(second.process.terminate, first, every))
            with _member(group, protocol=protocol) as third:
                _until(lambda: first.owned == third.owned == every // 2)
                took.killed.append(_after(third.process.kill, first, every))
    return took


def told(seconds: list[float]) -> str:
    """The median of the rounds, and all of them."""
    return f"{statistics.median(seconds):.2f} s ({', '.join(f'{each:.2f}' for each in seconds)})"


def _after(done: Callable[[], None], other: Member, every: int) -> float:
    started = time.monotonic()
    done()
    _until(lambda: other.owned == every)
    return other.at - started


@contextmanager
def _member(group: str, *, protocol: str) -> Iterator[Member]:
    member = Member(group, protocol=protocol)
    try:
        yield member
    finally:
        member.end()


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not true():
        time.sleep(0.02)
        if time.monotonic() > until:
            raise TimeoutError("The partitions did not move.")
