"""Topics for the tests of a broker: each test has its own, and raw records for them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from time import monotonic
from uuid import uuid4

from confluent_kafka.admin import AdminClient

from apps.events.brokers.base import Consumer, OutgoingRecord, Record

_numbers = count(1)
# Before the name of all that this run makes on a broker.
RUN = f"test-{uuid4().hex[:10]}-"


def fresh_topic() -> str:
    """A name that no other test and no other run has used: brokers keep their topics."""
    return f"{RUN}topic-{next(_numbers)}"


def fresh_group() -> str:
    return f"{RUN}group-{next(_numbers)}"


def fresh_prefix() -> str:
    """For an installation of a test's own on a cluster that others use too."""
    return f"{RUN}{next(_numbers)}-"


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


def remove_all_of_this_run(connection: Mapping[str, str]) -> None:
    """Delete what the tests of this run made on a broker that goes on."""
    admin = AdminClient({**connection, "log_level": 0})
    topics = [name for name in admin.list_topics(timeout=10).topics if name.startswith(RUN)]
    groups = [one.group_id for one in admin.list_consumer_groups().result(10).valid if one.group_id.startswith(RUN)]
    deleted = [
        *(admin.delete_topics(topics).values() if topics else []),
        *(admin.delete_consumer_groups(groups).values() if groups else []),
    ]
    for one in deleted:
        one.result(20)
