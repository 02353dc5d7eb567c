"""What librdkafka complains of, in our log and not on its stderr.

Invariant: a complaint is told at once the first time, and then at most once in `TOLD_EVERY_SECONDS` with how often it
came meanwhile: of a Kafka that is away, librdkafka can complain thousands of times a second.
"""

import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError

log = structlog.get_logger(__name__)

TOLD_EVERY_SECONDS = 10.0


class Complaints:
    """Called with each error of one client; librdkafka reconnects by itself, whatever it says."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._told_at: dict[int, float] = {}
        self._untold: dict[int, int] = {}

    def __call__(self, error: KafkaError) -> None:
        kind, now = error.code(), self._now()
        untold = self._untold.get(kind, 0)
        if now - self._told_at.get(kind, -TOLD_EVERY_SECONDS) < TOLD_EVERY_SECONDS and not error.fatal():
            self._untold[kind] = untold + 1
            return
        self._told_at[kind], self._untold[kind] = now, 0
        log.warning("kafka_client", reason=error.str(), fatal=error.fatal(), not_told_before=untold)
