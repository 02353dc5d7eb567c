"""What librdkafka complains of: in our log and not on its stderr, and in words of ours for who is told of a failure.

Invariant: a complaint is told at once the first time, and then at most once in `TOLD_EVERY_SECONDS` with how often it
came meanwhile: of a Kafka that is away, librdkafka can complain thousands of times a second.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException

from apps.events.errors import BrokerFailed

log = structlog.get_logger(__name__)

TOLD_EVERY_SECONDS = 10.0
_REFUSALS = {KafkaError._AUTHENTICATION, KafkaError._SSL}  # noqa: SLF001 - the client's own public names
_Client = TypeVar("_Client")


class Complaints:
    """Called with each error of a client; librdkafka reconnects by itself, whatever it says.

    `refusal` is the last one by which Kafka, or what it is known by, did not let us in.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self.refusal = ""
        self._now = now
        self._told_at: dict[int, float] = {}
        self._untold: dict[int, int] = {}

    def __call__(self, error: KafkaError) -> None:
        kind, now = error.code(), self._now()
        if kind in _REFUSALS:
            self.refusal = error.str()
        untold = self._untold.get(kind, 0)
        if now - self._told_at.get(kind, -TOLD_EVERY_SECONDS) < TOLD_EVERY_SECONDS and not error.fatal():
            self._untold[kind] = untold + 1
            return
        self._told_at[kind], self._untold[kind] = now, 0
        log.warning("kafka_client", reason=error.str(), fatal=error.fatal(), not_told_before=untold)


def client(kind: Callable[[dict[str, Any]], _Client], configuration: dict[str, Any]) -> _Client:
    """Raises `BrokerFailed` when the settings cannot be right, such as a file of an authority that is not there."""
    try:
        return kind(configuration)
    except KafkaException as reason:
        raise BrokerFailed(f"Kafka's client cannot be used so: {reason.args[0].str()}") from reason


@contextmanager
def told(complaints: Complaints, *, poll: Callable[[float], Any]) -> Iterator[None]:
    """Turns what a client raises into `BrokerFailed`, with the refusal that is behind it."""
    complaints.refusal = ""
    try:
        yield
    except KafkaException as reason:
        poll(0)  # complaints are handed over only now
        why = complaints.refusal or reason.args[0].str()
        raise BrokerFailed(f"Kafka does not answer: {why}") from reason
