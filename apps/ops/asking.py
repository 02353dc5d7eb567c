"""Questions to things that may hang, asked seldom and by one asker at a time.

Invariant: however many want to know, and whatever hangs, a question occupies one thread of its own and no caller
longer than its deadline; while a thing stays away, callers are told at once what the last asker met.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from django.db import connection

T = TypeVar("T")

# More than there are questions: each has at most one asker.
_askers = ThreadPoolExecutor(max_workers=16, thread_name_prefix="asker")

FRESH_SECONDS = 2.0
# A failure is told again so long while somebody asks anew; then callers wait for the answer.
_FAILURE_SERVES_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Away:
    """No answer, and why. The reason may name hosts."""

    reason: str


class Question(Generic[T]):
    """What `ask` returns, kept for `fresh_seconds`; `Away` when it raises or is late."""

    def __init__(self, ask: Callable[[], T], *, deadline_seconds: float, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._ask = ask
        self._deadline = deadline_seconds
        self._fresh = fresh_seconds
        self._lock = Lock()
        self._asker: Future[None] | None = None
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
            if self._asker is None and now - self._answered_at >= self._fresh:
                self._asked_at = now
                self._asker = _askers.submit(self._find_out)

    def _find_out(self) -> None:
        answer: T | Away
        try:
            answer = self._ask()
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is the answer
            answer = Away(f"{type(reason).__name__}: {reason}".strip())
        finally:
            connection.close()  # of this thread, and wanted by others
        with self._lock:
            self._answer, self._answered_at, self._asker = answer, time.monotonic(), None

    def answer(self) -> T | Away:
        """What was found since `begin`; waits for the asker until the deadline, unless a failure of just now serves."""
        with self._lock:
            asker, since = self._asker, self._asked_at
            failed_just_now = time.monotonic() - self._answered_at < _FAILURE_SERVES_SECONDS
            if asker is None or (isinstance(self._answer, Away) and failed_just_now):
                return self._answer
        wait([asker], timeout=max(0.0, since + self._deadline - time.monotonic()))
        with self._lock:
            return self._answer if self._answered_at >= since else Away(f"no answer within {self._deadline:g} s")
