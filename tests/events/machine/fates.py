"""What becomes of a step at a crash point: it dies there, its database goes away there, or it freezes there.

A frozen step stands in a thread of its own, with its connection and all it has locked, until it goes on or dies.
Invariant: one thread runs at a time, so that an example is the same at every run.
"""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection

PATIENCE_SECONDS = 60


class Killed(BaseException):
    """As final as the end of the process: nobody catches it, and what was not committed is rolled back."""


@dataclass(frozen=True, slots=True)
class Fate:
    """At the first passing of `point`: "dies", "fails" (the database goes away) or "freezes"."""

    point: str = ""
    action: str = ""


LIVES = Fate()


@dataclass(slots=True)
class Ending:
    """How a step ended: with a value or an error."""

    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Running:
    fate: Fate
    frozen: "Frozen | None" = None
    met: bool = False


_running: ContextVar[_Running | None] = ContextVar("running", default=None)


def at(point: str) -> None:
    """Stands in for `apps.events.crash.at`."""
    running = _running.get()
    if running is None or running.met or running.fate.point != point:
        return
    running.met = True
    if running.fate.action == "dies":
        raise Killed(point)
    if running.fate.action == "fails":
        raise OperationalError(f"gone at {point}")
    if running.frozen is not None:
        running.frozen.stand_still()


def ending_of(step: Callable[[], Any], fate: Fate) -> Ending:
    """Run a step to its end."""
    return _ending(step, _Running(fate))


def _ending(step: Callable[[], Any], running: _Running) -> Ending:
    token = _running.set(running)
    try:
        return Ending(value=step())
    except Exception as error:  # noqa: BLE001 - told to whoever judges the step
        return Ending(error=error)
    except Killed as error:
        return Ending(error=error)
    finally:
        _running.reset(token)


class Frozen:
    """A step in a thread of its own. `start` it, then `go_on` or let it `die`."""

    def __init__(self, step: Callable[[], Any], fate: Fate) -> None:
        self.ending: Ending | None = None
        self._turn = threading.Event()
        self._back = threading.Event()
        self._dies = False
        self._thread = threading.Thread(target=self._run, args=[step, _Running(fate, self)], daemon=True)

    def start(self) -> bool:
        """Whether it stands still now; otherwise it has ended."""
        self._thread.start()
        self._wait()
        return self.ending is None

    def go_on(self) -> Ending:
        return self._end(dies=False)

    def die(self) -> Ending:
        return self._end(dies=True)

    def stand_still(self) -> None:
        self._back.set()
        if not self._turn.wait(PATIENCE_SECONDS * 10):
            raise Killed("forgotten")
        if self._dies:
            raise Killed("frozen")

    def _end(self, *, dies: bool) -> Ending:
        self._dies = dies
        self._turn.set()
        self._thread.join(PATIENCE_SECONDS)
        assert self.ending is not None, "a frozen step did not end"
        return self.ending

    def _run(self, step: Callable[[], Any], running: _Running) -> None:
        try:
            self.ending = _ending(step, running)
        finally:
            connection.close()
            self._back.set()

    def _wait(self) -> None:
        assert self._back.wait(PATIENCE_SECONDS), "a step neither ended nor came to where it was to freeze"
