"""The roles of the platform as real processes on the test's PostgreSQL, Valkey and a mock Kafka of their own.

Invariant: every process started here is ended by `close`, also after a failed test.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg import conninfo

from apps.dev.children import Child
from apps.dev.embedded.kafka import Kafka
from apps.dev.embedded.valkey import Valkey
from apps.events.brokers.kafka import KafkaBroker


class Pipeline:
    """Starts roles against the current test database, as a role that owns nothing; it may be told where to die."""

    def __init__(self, folder: Path, *, database_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.heartbeats = folder / "heartbeats"
        self.heartbeats.mkdir()
        self._cleanup = ExitStack()
        self.kafka = Kafka(folder, logs=self.logs)
        self.valkey = Valkey(folder, logs=self.logs, throw_away=True)
        for service in (self.kafka, self.valkey):
            service.start()
            self._cleanup.callback(service.stop)
            service.wait()
        self.broker = KafkaBroker({"bootstrap.servers": self.kafka.address})
        self.broker.ensure_topics(["task-events"])

    def environment(self, role: str, **extra: str) -> dict[str, str]:
        return {
            **os.environ,
            **self.kafka.variables,
            **self.valkey.variables,
            "DJANGO_SETTINGS_MODULE": "todo_project.settings.base",
            "DATABASE_URL": self.database_url,
            "EVENT_BROKER": "kafka",
            "HEARTBEAT_DIR": str(self.heartbeats),
            "LOG_LEVEL": "INFO",
            "ROLE": role,
            **extra,
        }

    def start(self, role: str, *, name: str | None = None, **extra: str) -> Child:
        """Start a role of the settings, such as `relay` or `worker-audit`; `extra` goes into its environment."""
        return self.run(name or role, settings.ROLES[role], role=role, **extra)

    def run(self, name: str, command: list[str], *, role: str = "shell", **extra: str) -> Child:
        log = self.logs / f"{name}.log"
        child = Child(name, command, self.environment(role, **extra), log)
        child.start()
        self._cleanup.callback(child.stop, seconds=15)
        return child

    def close(self) -> None:
        self._cleanup.close()


def database_url() -> str:
    """The test database's own, not the one the settings were read with."""
    chosen: dict[str, Any] = connection.settings_dict
    return f"postgresql://{chosen['USER']}:{chosen['PASSWORD']}@{chosen['HOST']}:{chosen['PORT']}/{chosen['NAME']}"


def direct_parameters() -> str:
    return conninfo.make_conninfo(database_url())


def kill(child: Child) -> None:
    os.kill(child.id.number, signal.SIGKILL)
    wait_until(lambda: not child.runs, "the killed process is gone", seconds=5)


def freeze(child: Child) -> None:
    os.kill(child.id.number, signal.SIGSTOP)


def thaw(child: Child) -> None:
    os.kill(child.id.number, signal.SIGCONT)


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float) -> float:
    """Wait until `condition` holds; how many seconds that took. Fails naming `what` did not come about."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"Not within {seconds} s: {what}.")
        time.sleep(0.02)
    took = time.monotonic() - started
    print(f"{took:6.2f} s until {what}")
    return took
