"""The roles of the platform as children: whether each is ready, and when a crashed one may start again.

Invariant: a role is ready when it does its work (it answers, or its loop beats), not when its process is up.
"""

import http.client
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from apps.dev.children import Child
from apps.dev.ports import LOOPBACK

_FRESH_SECONDS = 10
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

    def start(self, environment: Mapping[str, str]) -> None:
        self._environment = {**environment, "ROLE": self.name, "PYTHONUNBUFFERED": "1"}
        self._start_at = None
        self.child = Child(self.name, self._command, self._environment, self._log)
        self.child.start()

    def is_ready(self) -> bool:
        if self.child is None or not self.child.runs:
            return False
        if port := {"web": "PORT", "ws": "WS_PORT"}.get(self.name):
            return _answers(self._environment, port=int(self._environment[port]))
        heartbeat = Path(self._environment["HEARTBEAT_DIR"], self.name)
        try:
            beaten_at = heartbeat.stat().st_mtime
        except OSError:
            return False
        return beaten_at >= self.child.started_at and time.time() - beaten_at < _FRESH_SECONDS

    def crashed(self) -> str | None:
        """What to tell when the role has just ended by itself; it is due again after a pause."""
        if self.child is None or self.child.runs or self._start_at is not None:
            return None
        lived = time.time() - self.child.started_at
        self.crashes = 1 if lived > _STEADY_SECONDS else self.crashes + 1
        pause = pause_after(self.crashes)
        self._start_at = time.monotonic() + pause
        self.child.end(by=time.monotonic())
        code = self.child.exit_code
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        return f"{self.name} {how}; it starts again in {pause:g} s. Its last words:\n{self.child.last_words()}"

    @property
    def is_due(self) -> bool:
        return self._start_at is not None and time.monotonic() >= self._start_at


def _answers(environment: Mapping[str, str], *, port: int) -> bool:
    host = environment.get("BIND_HOST", LOOPBACK)
    connection = http.client.HTTPConnection(LOOPBACK if host == "0.0.0.0" else host, port, timeout=1)
    name = urlsplit(environment["PUBLIC_URL"]).hostname or LOOPBACK
    try:
        connection.request("GET", "/health/live/", headers={"Host": name})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
