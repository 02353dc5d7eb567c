"""What the event core needs of a message log, whichever it is.

Invariant: a producer keeps the order of its records per (topic, key); a consumer hands out each partition's
records in order and, after a crash, again from the last stored position: at least once, never fewer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

# The refusal of a record that was given up waiting for: it may be written yet, and nothing is wrong with it.
GIVEN_UP = "given up waiting"


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a record was written, or why it was refused."""

    partition: int = -1
    offset: int = -1
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read. `stored_at` is the log's own time of writing, in milliseconds since 1970, or -1.

    With `damage`, why its bytes cannot be had, it stands for all up to its offset that were passed by.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    stored_at: int = -1
    damage: str = ""


@dataclass(frozen=True, slots=True)
class BrokerState:
    """`keeps_records` is false for a log that lives in memory only. `topics` tell a topic from one made anew."""

    cluster_id: str
    keeps_records: bool
    topics: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """The same as long as the records asked about can be those of before."""
        if not self.topics:
            return self.cluster_id
        return f"{self.cluster_id}/{sha256(repr(self.topics).encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic that is there. What the log does not tell is `None`; `replicas` is of its worst partition."""

    name: str
    partitions: int
    replicas: int | None = None
    least_in_sync: int | None = None
    # Negative for no limit.
    retention_seconds: int | None = None
    retention_bytes: int | None = None
    largest_record_bytes: int | None = None
    compacted: bool | None = None
    # Whether a broker that lacks acknowledged records may lead when no other is there.
    unclean_election: bool | None = None


class Producer(Protocol):
    def send(self, records: Sequence[OutgoingRecord], *, give_up: Callable[[], bool]) -> list[Delivery]:
        """Write records in order and wait until every one of them is resolved.

        Waits as long as the log is away, asking `give_up` about every tenth of a second. When it says so, what
        is unresolved comes back refused as `GIVEN_UP` (and may still be written: at least once).
        Raises `BrokerFailed` when the producer can never work again.
        """

    def close(self) -> None: ...


class Consumer(Protocol):
    def poll(self, limit: int, *, timeout: float) -> list[Record]:
        """Up to `limit` records, as soon as there is one; none after `timeout` seconds."""

    def owns(self, record: Record) -> bool:
        """Whether the record's partition is still this consumer's."""

    def store(self, records: Sequence[Record]) -> None:
        """These are handled: after a restart, go on behind them."""

    def pause(self) -> None:
        """Hand out nothing, while staying a member of the group (keep polling)."""

    def resume(self) -> None: ...

    def has_assignment(self) -> bool: ...

    def doubts_cluster(self) -> bool:
        """Whether records handed out since the last call may come from another cluster than those before.

        True at the first call, and whenever it cannot be excluded: after a failed connection, after partitions
        were assigned, or when a partition goes on before where it stood.
        """

    def missed_records(self) -> bool:
        """Whether, since the last call, a partition went on elsewhere than behind what was read or stored of it.

        What lay between was removed before the group came to it, or never reached it; or nobody can tell.
        """

    def close(self) -> None:
        """Leave the group at once, with all that was stored made known."""


class Broker(Protocol):
    def producer(self) -> Producer: ...

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer: ...

    def ensure_topics(self, topics: Sequence[str]) -> dict[str, str]:
        """Create what is missing; per topic what was done, in words."""

    def state(self, topics: Sequence[str] = (), *, timeout: float = 5) -> BrokerState:
        """Its `identity` tells of these topics too. Raises `BrokerFailed` when the log does not answer."""

    def topic_states(self, *, timeout: float = 5) -> dict[str, TopicState]:
        """Every topic there is, by its name. Raises `BrokerFailed` when the log does not answer."""

    def lag(self, group: str, topics: Sequence[str], *, timeout: float = 5) -> int:
        """How many records the group has yet to handle, over all its members.

        Raises `BrokerFailed` when the log does not answer.
        """

    def tail(self, topics: Sequence[str], *, from_beginning: bool) -> Iterator[Record | None]:
        """Every record as it comes, without being a member of any group; `None` when there is none just now."""
