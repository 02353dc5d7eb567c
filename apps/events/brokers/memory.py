"""A message log inside one process, for tests that need order, groups and offsets but no sockets.

Held to the same contract suite as Kafka. Invariant: as in Kafka, a record's place never changes and a group
goes on behind what it stored.
"""

import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from apps.events.brokers.base import BrokerState, Delivery, OutgoingRecord, Record, TopicState

PARTITIONS = 4


class MemoryBroker:
    """Topics with four partitions each; they come into being when first named."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.partitions: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.stored: dict[tuple[str, str, int], int] = defaultdict(int)
        self.members: dict[str, list[MemoryConsumer]] = defaultdict(list)
        self.generation = 1

    def producer(self) -> "MemoryProducer":
        return MemoryProducer(self)

    def consumer(self, group: str, topics: Sequence[str]) -> "MemoryConsumer":
        with self.changed:
            member = MemoryConsumer(self, group, topics)
            self.members[group].append(member)
            self.rebalance(group)
            return member

    def rebalance(self, group: str) -> None:
        """Share a group's partitions among its members; whoever gets one starts behind what was stored."""
        members = self.members[group]
        for number, member in enumerate(members):
            mine = {(t, p) for t in member.topics for p in range(PARTITIONS) if p % len(members) == number}
            kept = {place: offset for place, offset in member.offsets.items() if place in mine}
            member.doubts = member.doubts or kept.keys() != mine
            member.offsets = {place: self.stored[group, *place] for place in mine} | kept

    def ensure_topics(self, topics: Sequence[str]) -> dict[str, str]:
        return dict.fromkeys(topics, "in memory")

    def state(self, *, timeout: float = 5) -> BrokerState:
        return BrokerState(cluster_id=f"memory-{id(self)}-{self.generation}", keeps_records=True)

    def start_anew(self) -> None:
        """As another cluster at the same address: without records, and nobody has stored anything."""
        with self.changed:
            self.generation += 1
            self.partitions.clear()
            self.stored.clear()
            for member in [member for members in self.members.values() for member in members]:
                member.offsets = dict.fromkeys(member.offsets, 0)
                member.doubts = True

    def topic_states(self, *, timeout: float = 5) -> dict[str, TopicState]:
        with self.changed:
            return {topic: TopicState(topic, PARTITIONS) for topic, _ in sorted(self.partitions)}

    def lag(self, group: str, topics: Sequence[str], *, timeout: float = 5) -> int:
        with self.changed:
            return sum(
                len(self.partitions[topic, number]) - self.stored[group, topic, number]
                for topic in topics
                for number in range(PARTITIONS)
            )

    def tail(self, topics: Sequence[str], *, from_beginning: bool) -> Iterator[Record | None]:
        places = [(topic, number) for topic in topics for number in range(PARTITIONS)]
        with self.changed:
            offsets = {place: 0 if from_beginning else len(self.partitions[place]) for place in places}
        while True:
            with self.changed:
                found = [record for place in places for record in self.partitions[place][offsets[place] :]]
                offsets = {place: len(self.partitions[place]) for place in places}
            yield from found
            yield None


class MemoryProducer:
    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker

    def send(self, records: Sequence[OutgoingRecord], *, give_up: Callable[[], bool]) -> list[Delivery]:
        with self.broker.changed:
            deliveries = [self._append(record) for record in records]
            self.broker.changed.notify_all()
        return deliveries

    def _append(self, record: OutgoingRecord) -> Delivery:
        number = zlib.crc32(record.key) % PARTITIONS
        partition = self.broker.partitions[record.topic, number]
        partition.append(
            Record(
                record.topic,
                number,
                len(partition),
                record.key,
                record.value,
                list(record.headers),
                stored_at=int(time.time() * 1000),
            )
        )
        return Delivery(number, len(partition) - 1)

    def close(self) -> None:
        pass


class MemoryConsumer:
    def __init__(self, broker: MemoryBroker, group: str, topics: Sequence[str]) -> None:
        self.broker = broker
        self.group = group
        self.topics = list(topics)
        self.offsets: dict[tuple[str, int], int] = {}
        self.paused = False
        self.doubts = True

    def poll(self, limit: int, *, timeout: float) -> list[Record]:
        deadline = time.monotonic() + timeout
        with self.broker.changed:
            while not (found := self._take(limit)) and (left := deadline - time.monotonic()) > 0:
                self.broker.changed.wait(left)
        return found

    def _take(self, limit: int) -> list[Record]:
        found: list[Record] = []
        if self.paused:
            return found
        for place, offset in self.offsets.items():
            records = self.broker.partitions[place][offset : offset + limit - len(found)]
            self.offsets[place] = offset + len(records)
            found += records
        return found

    def owns(self, record: Record) -> bool:
        return (record.topic, record.partition) in self.offsets

    def store(self, records: Sequence[Record]) -> None:
        with self.broker.changed:
            for record in records:
                if self.owns(record):
                    self.broker.stored[self.group, record.topic, record.partition] = record.offset + 1

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def has_assignment(self) -> bool:
        return bool(self.offsets)

    def doubts_cluster(self) -> bool:
        doubts, self.doubts = self.doubts, False
        return doubts

    def close(self) -> None:
        with self.broker.changed:
            if self in self.broker.members[self.group]:
                self.broker.members[self.group].remove(self)
                self.offsets = {}
                self.broker.rebalance(self.group)
