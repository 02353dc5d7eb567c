"""Questions to things that may hang, asked seldom and by one asker at a time.

Invariants: however many want to know, and whatever hangs, a question occupies one thread of its own and no caller
longer than its deadline, and keeps no process from ending; while a thing stays away, callers are told at once what
the last asker met. No reason that leaves here carries a password. Stands without settings: the doctor asks before.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_SECONDS = 2.0
# A failure is told again so long while somebody asks anew; then callers wait for the answer.
_FAILURE_SERVES_SECONDS = 10.0
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]*@")
_PASSWORDS = re.compile(r"(password|secret|token|key)(\s*[=:]\s*)('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Away:
    """No answer, and why, in one line. The reason may name hosts. `is_late`: the deadline was over first."""

    reason: str
    is_late: bool = False


def without_secrets(text: str) -> str:
    """An address without who it is for, and no `password=…`."""
    return _PASSWORDS.sub(r"\1\2…", _CREDENTIALS.sub("", text))


class Question(Generic[T]):
    """What `ask` returns, kept for `fresh_seconds`; `Away` when it raises or is late."""

    def __init__(self, ask: Callable[[], T], *, deadline_seconds: float, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._ask = ask
        self._deadline = deadline_seconds
        self._fresh = fresh_seconds
        self._lock = Lock()
        self._asker: threading.Event | None = None
        self._asked_at = 0.0
        self._answer: T | Away = Away("not asked yet")
        self._answered_at = float("-inf")

    def forget(self) -> None:
        """The last answer serves nobody any more."""
        with self._lock:
            self._answered_at = float("-inf")

    def begin(self) -> None:
        """Have it asked, unless somebody is at it or the last answer is still good."""
        now = time.monotonic()
        with self._lock:
            if self._asker is not None or now - self._answered_at < self._fresh:
                return
            self._asked_at, self._asker = now, threading.Event()
            # A daemon: what hangs must not keep the process from ending.
            threading.Thread(target=self._find_out, args=[self._asker], name="asker", daemon=True).start()

    def _find_out(self, done: threading.Event) -> None:
        answer: T | Away
        try:
            answer = self._ask()
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is the answer
            answer = Away(_in_one_line(reason))
        finally:
            _close_connections()
        with self._lock:
            self._answer, self._answered_at, self._asker = answer, time.monotonic(), None
        done.set()

    def answer(self) -> T | Away:
        """What was found since `begin`; waits for the asker until the deadline, unless a failure of just now serves."""
        with self._lock:
            asker, since = self._asker, self._asked_at
            failed_just_now = time.monotonic() - self._answered_at < _FAILURE_SERVES_SECONDS
            if asker is None or (isinstance(self._answer, Away) and failed_just_now):
                return self._answer
        asker.wait(max(0.0, since + self._deadline - time.monotonic()))
        with self._lock:
            return self._answer if self._answered_at >= since else self._late()

    def answer_so_far(self) -> T | Away | None:
        """What was found since `begin`, without waiting; `None` while it may still come in time."""
        with self._lock:
            if self._answered_at >= self._asked_at:
                return self._answer
            return self._late() if time.monotonic() - self._asked_at > self._deadline else None

    def _late(self) -> Away:
        return Away(f"no answer within {self._deadline:g} s", is_late=True)


def _in_one_line(reason: BaseException) -> str:
    return without_secrets(f"{type(reason).__name__}: {reason}".strip().partition("\n")[0])


def _close_connections() -> None:
    """This thread's, which nobody else would close, and wanted by others."""
    from django.conf import settings

    if settings.configured:
        from django.db import connections

        connections.close_all()
