"""The roles of the platform as children: whether each is ready, and when a crashed one may start again.

Invariant: a role is ready when it does its work (it answers, or its loop beats), not when its process is up.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from apps.dev.children import Child
from apps.events.liveness import LOOPBACK, limit_seconds, unanswered

_FRESH_SECONDS = 10
_ASK_SECONDS = 1.0
_STEADY_SECONDS = 30
_LONGEST_PAUSE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.5


def pause_after(crashes: int) -> float:
    """How long to wait before the next start, in seconds: doubling from half a second up to half a minute."""
    return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** max(0, crashes - 1))


class Role:
    """One role, started again and again until it is stopped."""

    def __init__(self, name: str, command: Sequence[str], *, logs: Path) -> None:
        self.name = name
        self.child: Child | None = None
        self._command = command
        self._log = logs / f"{name}.log"
        self._environment: Mapping[str, str] = {}
        # How often in a row, each time after a short life.
        self.crashes = 0
        self._start_at: float | None = None
        # The last beat seen, and when that was: by a clock that a sleeping machine and a set watch do not move.
        self._seen: tuple[float, float] | None = None
        # Whether it was excused since that beat.
        self._waited = False

    def start(self, environment: Mapping[str, str]) -> None:
        self._environment = {**environment, "ROLE": self.name, "PYTHONUNBUFFERED": "1"}
        self._start_at = self._seen = None
        self._waited = False
        self.child = Child(self.name, self._command, self._environment, self._log)
        self.child.start()

    def is_ready(self) -> bool:
        if self.child is None or not self.child.runs:
            return False
        if port := {"web": "PORT", "ws": "WS_PORT"}.get(self.name):
            host, public_url = self._environment.get("BIND_HOST", LOOPBACK), self._environment["PUBLIC_URL"]
            return unanswered(host, int(self._environment[port]), public_url=public_url, seconds=_ASK_SECONDS) is None
        beaten_at = self._beaten_at()
        return beaten_at >= self.child.started_at and time.time() - beaten_at < _FRESH_SECONDS

    def _beaten_at(self) -> float:
        try:
            return Path(self._environment["HEARTBEAT_DIR"], self.name).stat().st_mtime
        except OSError:
            return 0.0

    def hangs(self, *, excused: Callable[[], bool] = lambda: False) -> str | None:
        """What to tell when the loop of the role has beaten and then stopped: it is killed, and due after a pause.

        `excused` is asked first, whether what all loops wait for hangs itself; then the role is let alone for another
        such while, and for one more after it goes on.
        """
        if self.child is None or not self.child.runs:
            return None
        beaten_at, now = self._beaten_at(), time.monotonic()
        if beaten_at < self.child.started_at:
            return None
        if self._seen is None or self._seen[0] != beaten_at:
            self._seen, self._waited = (beaten_at, now), False
        silent = now - self._seen[1]
        if silent <= limit_seconds(self.name):
            return None
        if excused():
            self._seen, self._waited = (beaten_at, time.monotonic()), True
            why = f"no heartbeat for {silent:.0f} s, because PostgreSQL hangs"
            return f"{self.name} waits: {why}. A restart would help nobody; `manage.py doctor` looks closer."
        if self._waited:
            # PostgreSQL answers, perhaps only since this moment: the role beats when its turn has come to an end.
            self._seen, self._waited = (beaten_at, now), False
            return None
        pause = self._pause()
        self.child.end(by=now)
        return f"{self.name} hung: no heartbeat for {silent:.0f} s. It was killed and starts again in {pause:g} s."

    def crashed(self) -> str | None:
        """What to tell when the role has just ended by itself; it is due again after a pause."""
        if self.child is None or self.child.runs or self._start_at is not None:
            return None
        pause = self._pause()
        self.child.end(by=time.monotonic())
        code = self.child.exit_code
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        return f"{self.name} {how}; it starts again in {pause:g} s. Its last words:\n{self.child.last_words()}"

    def _pause(self) -> float:
        """Make the role due again; in how many seconds."""
        assert self.child is not None
        lived = time.time() - self.child.started_at
        self.crashes = 1 if lived > _STEADY_SECONDS else self.crashes + 1
        pause = pause_after(self.crashes)
        self._start_at = time.monotonic() + pause
        return pause

    @property
    def is_due(self) -> bool:
        return self._start_at is not None and time.monotonic() >= self._start_at
