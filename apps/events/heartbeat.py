"""A loop's sign of life, in two places: the age of a file it touches, and of its process's row in PostgreSQL.

Alive means doing work, so the loop itself beats; a process that is up while its loop hangs grows old here. The file
(in `HEARTBEAT_DIR`, none without it) is for probes beside the process, the rows tell every process of a cluster.
Invariant: a beat never waits, for nothing: a thread of its own writes the row, and only of a loop that has beaten
since, with the instant of that beat by the database's clock.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from django.conf import settings
from django.db import Error, connection

log = structlog.get_logger(__name__)

FILE_SECONDS = 1.0
ROW_SECONDS = 5.0
_FORGET_SECONDS = 3600.0

# When each role of this process has last beaten, by the monotonic clock.
_beaten: dict[str, float] = {}
_at_first_beat: list[Callable[[str], None]] = []
# A child of a fork has no loop until it beats itself.
os.register_at_fork(after_in_child=_beaten.clear)

_WRITE = """
INSERT INTO events_heartbeat (role, instance, started_at, beat_at, release)
VALUES (
    %s, %s, clock_timestamp() - make_interval(secs => %s::double precision),
    clock_timestamp() - make_interval(secs => %s::double precision), %s)
ON CONFLICT (role, instance) DO UPDATE
SET started_at = EXCLUDED.started_at, beat_at = EXCLUDED.beat_at, release = EXCLUDED.release
"""
_FORGET = "DELETE FROM events_heartbeat WHERE beat_at < clock_timestamp() - interval '1 day'"


def at_first_beat(begin: Callable[[str], None]) -> None:
    """Have `begin` called with the role when a loop of a process beats for the first time, in the loop's thread."""
    _at_first_beat.append(begin)


def beat(role: str) -> None:
    """Say that the loop of `role` has just come round. Cheap enough to call every time."""
    now = time.monotonic()
    last = _beaten.get(role)
    if last is not None and now - last < FILE_SECONDS:
        return
    _beaten[role] = now
    if settings.HEARTBEAT_DIR:
        with suppress(OSError):  # a full disk is no reason to stop working
            Path(settings.HEARTBEAT_DIR, role).touch()
    if last is None:
        _begin(role)


def _begin(role: str) -> None:
    if settings.HEARTBEAT_ROWS:
        threading.Thread(target=RowWriter(role).run, name=f"heartbeat-{role}", daemon=True).start()
    for begin in _at_first_beat:
        begin(role)


class RowWriter:
    """Tells PostgreSQL of one role's beats. A database that is away costs a line in the log, once."""

    def __init__(self, role: str) -> None:
        self.role = role
        # A pod's host name is its own.
        self.instance = f"{socket.gethostname()}:{os.getpid()}"
        self._began = time.monotonic()
        self._written: float | None = None
        self._forget_at = 0.0
        self._away = False

    def run(self) -> None:
        while True:
            self.write()
            time.sleep(ROW_SECONDS)

    def write(self) -> None:
        """Write the last beat, unless that was done; now and then delete the rows of the long dead."""
        beaten = _beaten.get(self.role)
        if beaten is None or beaten == self._written:
            return
        try:
            with connection.cursor() as cursor:
                now = time.monotonic()
                cursor.execute(_WRITE, [self.role, self.instance, now - self._began, now - beaten, settings.RELEASE])
                if now >= self._forget_at:
                    cursor.execute(_FORGET)
                    self._forget_at = now + _FORGET_SECONDS
            self._written, self._away = beaten, False
        except Error as reason:
            if not self._away:
                log.warning("heartbeat_not_written", of_role=self.role, reason=str(reason).strip())
            self._away = True
        finally:
            connection.close()  # kept open, it would be one more for every process
