"""What the receivers of the tests have in common: a journal of what they were given, and how they are told to behave.

A receiver is a process of its own, outside the system under test. Invariant: what it was given stands in the journal
before it answers, so that what was accepted and never confirmed is known too; and it ends by itself, after
`LIFE_SECONDS` or with whoever started it.

Modes, read anew for everything that comes: `ok` · `status:503` · `hang` (never answers) · `dies` (takes it and goes
without a word) · `slow:2` (seconds) · `flaps` (every second one fails) · `fails:2` (the first two of each key fail).
"""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

LIFE_SECONDS = 1800.0
HANG_SECONDS = 120.0
FAILURE = 500


@dataclass(frozen=True, slots=True)
class Given:
    """One thing that a receiver was given; `at` in seconds since 1970 by its clock. `answered` 0 is no answer.

    `said` is what it says, where `body` has parts that are drawn anew for each attempt.
    """

    at: float
    key: str
    place: str
    headers: dict[str, str]
    body: str
    answered: int
    said: str = ""

    @property
    def content(self) -> str:
        return self.said or self.body


class Journal:
    """Appends to a file; each entry is one write."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, given: Given) -> None:
        os.write(self._file, json.dumps(asdict(given)).encode() + b"\n")


def read(path: Path) -> list[Given]:
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [Given(**json.loads(line)) for line in lines]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What to do with one thing: wait so long, then answer with this; 0 is no answer."""

    wait_seconds: float
    answer: int


class Modes:
    """Tells of each thing what to do with it, by the word in a file; `good` is the answer of one that is well."""

    def __init__(self, path: Path, *, good: int, bad: int = FAILURE) -> None:
        self._path, self._good, self._bad = path, good, bad
        self._seen: Counter[str] = Counter()
        self._all = 0
        self._lock = threading.Lock()

    def of(self, key: str) -> Behaviour:
        word, _, how = self._path.read_text().strip().partition(":")
        with self._lock:
            self._seen[key] += 1
            self._all += 1
            times, number = self._seen[key], self._all
        behaviours = {
            "ok": lambda: Behaviour(0, self._good),
            "status": lambda: Behaviour(0, int(how)),
            "hang": lambda: Behaviour(HANG_SECONDS, 0),
            "dies": lambda: Behaviour(0, 0),
            "slow": lambda: Behaviour(float(how), self._good),
            "flaps": lambda: Behaviour(0, self._bad if number % 2 else self._good),
            "fails": lambda: Behaviour(0, self._bad if times <= int(how) else self._good),
        }
        return behaviours[word]()


def announce(path: Path, port: int) -> None:
    """Say where it is; whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(str(port))
    partial.rename(path)


def live_until_told() -> None:
    """Blocks, in the main thread, until SIGTERM or for as long as a receiver may live."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    until = time.monotonic() + LIFE_SECONDS
    while time.monotonic() < until:
        time.sleep(1)
