"""A Kafka that is away, loses records, is replaced, or takes only a part of what it is sent.

Invariant: a key's place depends on when it first came, not on its bytes, so that an example is the same at every run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event as StopSignal

from apps.events.brokers import memory
from apps.events.brokers.base import GIVEN_UP, BrokerState, Delivery, OutgoingRecord, Record
from apps.events.brokers.memory import MemoryBroker, MemoryConsumer, MemoryProducer
from apps.events.envelope import header
from apps.events.errors import BrokerFailed


@dataclass(frozen=True, slots=True)
class Taking:
    """Of the next records sent so many are written, so many of these acknowledged. The rest is `refused` for good, or
    given up waiting for; or then the client is done for.
    """

    written: int = 1_000_000
    acknowledged: int = 1_000_000
    refused: bool = False
    fatal: bool = False


TAKES_ALL = Taking()


class FaultyBroker(MemoryBroker):
    """`ever` holds the ids of all events that some cluster was given."""

    def __init__(self, *, on_send: Callable[["FaultyProducer", Sequence[OutgoingRecord]], None]) -> None:
        super().__init__()
        self.on_send = on_send
        self.away = False
        self.taking = TAKES_ALL
        self.today = 0
        self.ever: set[str] = set()
        self.number_of: dict[bytes, int] = {}

    def state(self, topics: Sequence[str] = (), *, timeout: float = 5) -> BrokerState:
        if self.away:
            raise BrokerFailed("Kafka is away.")
        return replace(super().state(topics), cluster_id=f"cluster-{self.generation}")

    def lag(self, group: str, topics: Sequence[str], *, timeout: float = 5) -> int:
        self.state()
        return super().lag(group, topics)

    def producer(self) -> "FaultyProducer":
        return FaultyProducer(self)

    def consumer(self, group: str, topics: Sequence[str]) -> "FaultyConsumer":
        with self.changed:
            member = FaultyConsumer(self, group, topics)
            self.members[group].append(member)
            self.rebalance(group)
            return member

    def append(self, record: OutgoingRecord) -> Delivery:
        number = self.number_of.setdefault(record.key, len(self.number_of) % memory.PARTITIONS)
        partition = self.partitions[record.topic, number]
        partition.append(
            Record(record.topic, number, len(partition), record.key, record.value, list(record.headers), self.today)
        )
        self.ever.add(header(record.headers, "ce_id"))
        return Delivery(number, len(partition) - 1)

    def records(self) -> Iterator[Record]:
        """What there is, per partition in order."""
        for place in sorted(self.partitions):
            yield from self.partitions[place][self.beginnings[place] :]

    def expire(self, *, before_day: int) -> None:
        """Let go of old records, as by the topic's retention."""
        for record in [record for record in self.records() if record.stored_at < before_day]:
            self.beginnings[record.topic, record.partition] = record.offset + 1


class FaultyProducer(MemoryProducer):
    broker: FaultyBroker
    sender: object = None

    def send(self, records: Sequence[OutgoingRecord], *, give_up: Callable[[], bool]) -> list[Delivery]:
        self.broker.on_send(self, records)
        taking, self.broker.taking = self.broker.taking, TAKES_ALL
        written = 0 if self.broker.away else taking.written
        taken = [self.broker.append(record) for record in records[:written]]
        if taking.fatal:
            raise BrokerFailed("The client is done for.")
        given_up = Delivery(refusal=GIVEN_UP)
        rest = Delivery(refusal="Unknown topic.") if taking.refused and not self.broker.away else given_up
        return [
            taken[place] if place < min(len(taken), taking.acknowledged) else given_up if place < len(taken) else rest
            for place in range(len(records))
        ]


class FaultyConsumer(MemoryConsumer):
    """`fenced`: the group has given it up, and it does not know yet. It sets `stop` when its patience is at an end."""

    broker: FaultyBroker

    def __init__(self, broker: FaultyBroker, group: str, topics: Sequence[str]) -> None:
        super().__init__(broker, group, topics)
        self.fenced = False
        self.generation = broker.generation
        self.first = 0
        self.patience = 1
        self.stop = StopSignal()

    def poll(self, limit: int, *, timeout: float) -> list[Record]:
        """Never waits: there is no other thread that could bring something."""
        self.generation = self.broker.generation
        with self.broker.changed:
            return [] if self.broker.away or self.fenced else self._take(limit)

    def _take(self, limit: int) -> list[Record]:
        places = sorted(self.offsets)
        turned = [*places[self.first % max(1, len(places)) :], *places[: self.first % max(1, len(places))]]
        self.offsets = {place: self.offsets[place] for place in turned}
        return super()._take(limit)

    def store(self, records: Sequence[Record]) -> None:
        """Refused, as Kafka does, for who is not a member any more, or is one of another cluster."""
        if not self.fenced and self.generation == self.broker.generation:
            super().store(records)

    def pause(self) -> None:
        super().pause()
        self.patience -= 1
        if self.patience <= 0:
            self.stop.set()
