"""Looks through the roles' logs for what a person at the terminal should see: errors, one line each.

Invariant: a log is never longer than its limit, and an error that repeats is one line in a while, no flood.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from apps.dev import log_lines

_LONGEST_BYTES = 50 * 1024 * 1024
_QUIET_SECONDS = 30.0
_SHOWN_LEVELS = frozenset({"error", "critical"})


class LogWatch:
    """Reads what was added to the logs of a folder since the last look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._told: dict[tuple[str, str], float] = {}

    def errors(self) -> Iterator[str]:
        """One line per new error of a role."""
        for log in sorted(self._folder.glob("*.log")):
            for line in self._added(log):
                if told := self._worth_telling(log.stem, line):
                    yield told

    def _added(self, log: Path) -> list[bytes]:
        start = self._read.get(log, 0)
        try:
            size = log.stat().st_size
            with log.open("rb") as file:
                file.seek(start if start <= size else 0)
                added = file.read(1_048_576)
        except OSError:
            return []
        complete = added.rfind(b"\n") + 1
        self._read[log] = (start if start <= size else 0) + complete
        if size > _LONGEST_BYTES:
            # Its writers append, so they go on at the new end.
            with suppress(OSError):
                os.truncate(log, 0)
            self._read[log] = 0
        return added[:complete].splitlines()

    def _worth_telling(self, name: str, line: bytes) -> str | None:
        entry = log_lines.entry(line.decode(errors="replace"))
        if entry is None or str(entry.get("level")) not in _SHOWN_LEVELS:
            return None
        event = str(entry["event"])
        now = time.monotonic()
        if now - self._told.get((name, event), -_QUIET_SECONDS) < _QUIET_SECONDS:
            return None
        self._told[(name, event)] = now
        return f"{name} {entry['level']}: {log_lines.happening(entry)}"
