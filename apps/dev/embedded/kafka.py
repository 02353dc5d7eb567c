"""Kafka for the laptop: librdkafka's built-in mock cluster in its own process, speaking the real protocol.

`python -m apps.dev.embedded.kafka` prints its address as one line and stays until SIGTERM or until its
parent is gone. It keeps records in memory, about 4 MB a partition, and makes a topic on first use: what a
restart or the limit drops, the reconciliation of the groups makes good from the event log.

Invariant: an address it has printed serves until the process ends; a restart has another, it cannot be fixed.
"""

import logging
import os
import select
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from apps.dev.children import Child, ChildFailed

# The partitions a topic gets when it is made by its first use.
PARTITIONS = 4


class Kafka:
    """The mock cluster as a child of this process."""

    name = "kafka"

    def __init__(self, state: Path, *, logs: Path, throw_away: bool = False) -> None:
        del state, throw_away
        self.address = ""
        self._log = logs / "kafka.log"
        self.child: Child | None = None

    @property
    def variables(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self.address}

    def start(self) -> None:
        """Start the process; `wait` reads its address."""
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "HOME"}}
        command = [sys.executable, "-m", "apps.dev.embedded.kafka"]
        self.child = Child(self.name, command, environment, self._log, announces=True)
        self.child.start()

    def wait(self, *, seconds: float = 60) -> None:
        """Until it has printed its address. Raises `ChildFailed`."""
        assert self.child is not None, "Kafka was not started."
        readable, _, _ = select.select([self.child.announcements], [], [], seconds)
        self.address = self.child.announcements.readline().decode().strip() if readable else ""
        if not self.address:
            raise ChildFailed(f"The embedded Kafka did not start:\n{self.child.last_words()}")

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(seconds=5)


def serve() -> None:
    """Run the cluster until SIGTERM, SIGINT or the end of standard input."""
    from confluent_kafka import Producer

    quiet = logging.getLogger("mock_cluster")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    # The address is a placeholder: with mock brokers the client replaces it by theirs.
    configuration: dict[str, Any] = {
        "bootstrap.servers": "mock:1",
        "test.mock.num.brokers": 1,
        "log_level": 3,
        "topic.metadata.refresh.interval.ms": -1,
    }
    cluster = Producer(configuration, logger=quiet)
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print(f"{broker.host}:{broker.port}", flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    serve()
