"""Topics for the tests of a broker: each test has its own, and raw records for them."""

from collections.abc import Callable, Sequence
from itertools import count
from time import monotonic
from uuid import uuid4

from apps.events.brokers.base import Consumer, OutgoingRecord, Record

_numbers = count(1)


def fresh_topic() -> str:
    """A name that no other test and no other run has used: brokers keep their topics."""
    return f"topic-{next(_numbers)}-{uuid4().hex[:8]}"


def fresh_group() -> str:
    return f"group-{next(_numbers)}-{uuid4().hex[:8]}"


def numbered(topic: str, number: int, *, key: bytes = b"key") -> OutgoingRecord:
    return OutgoingRecord(topic, key, str(number).encode(), [("number", str(number).encode())])


def read(consumer: Consumer, expected: int, *, seconds: float = 15) -> list[Record]:
    """Poll until `expected` records came, or the time is over."""
    records: list[Record] = []
    until = monotonic() + seconds
    while len(records) < expected and monotonic() < until:
        records += consumer.poll(100, timeout=0.1)
    return records


def values(records: Sequence[Record]) -> list[int]:
    return [int(record.value or b"-1") for record in records]


def wait_until(true: Callable[[], bool], *, seconds: float = 15) -> bool:
    """Ask again and again; whether it became true in time. `true` paces itself."""
    until = monotonic() + seconds
    while monotonic() < until:
        if true():
            return True
    return False
