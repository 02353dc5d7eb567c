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
        self.topic_generations: dict[str, int] = {}
        self.beginnings: dict[tuple[str, int], int] = defaultdict(int)

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
            member.expected = {place: offset for place, offset in member.expected.items() if place in kept}
            member.doubts = member.doubts or kept.keys() != mine
            member.offsets = {place: self.stored[group, *place] for place in mine} | kept

    def ensure_topics(self, topics: Sequence[str]) -> dict[str, str]:
        return dict.fromkeys(topics, "in memory")

    def state(self, topics: Sequence[str] = (), *, timeout: float = 5) -> BrokerState:
        made_anew = tuple(
            f"{topic}-{self.topic_generations[topic]}" for topic in topics if topic in self.topic_generations
        )
        return BrokerState(f"memory-{id(self)}-{self.generation}", keeps_records=True, topics=made_anew)

    def start_anew(self) -> None:
        """As another cluster at the same address: without records, and nobody has stored anything."""
        with self.changed:
            self.generation += 1
            self.partitions.clear()
            self.stored.clear()
            self.beginnings.clear()
            for member in self._all_members():
                member.offsets = dict.fromkeys(member.offsets, 0)
                member.expected.clear()
                member.doubts = True

    def make_anew(self, topic: str) -> None:
        """As a topic that is deleted and created: without records, and nobody has stored anything on it."""
        with self.changed:
            self.topic_generations[topic] = self.topic_generations.get(topic, 0) + 1
            for places in (self.partitions, self.beginnings):
                for place in [place for place in places if place[0] == topic]:
                    del places[place]
            for stored in [stored for stored in self.stored if stored[1] == topic]:
                del self.stored[stored]
            for member in self._all_members():
                member.offsets |= {place: 0 for place in member.offsets if place[0] == topic}
                member.expected = {place: at for place, at in member.expected.items() if place[0] != topic}
                member.doubts = True

    def forget(self, topic: str) -> None:
        """As by its retention: all records there are now are gone, their places stay."""
        with self.changed:
            for place in [place for place in self.partitions if place[0] == topic]:
                self.beginnings[place] = len(self.partitions[place])

    def _all_members(self) -> "list[MemoryConsumer]":
        return [member for members in self.members.values() for member in members]

    def topic_states(self, *, timeout: float = 5) -> dict[str, TopicState]:
        with self.changed:
            return {topic: TopicState(topic, PARTITIONS) for topic, _ in sorted(self.partitions)}

    def lag(self, group: str, topics: Sequence[str], *, timeout: float = 5) -> int:
        with self.changed:
            return sum(
                len(self.partitions[place]) - self.first_from(place, self.stored[group, *place])
                for place in [(topic, number) for topic in topics for number in range(PARTITIONS)]
            )

    def first_from(self, place: tuple[str, int], offset: int) -> int:
        """Where a reader at an offset goes on: at the first record there is, if it is not among them."""
        first = self.beginnings[place]
        return offset if first <= offset <= len(self.partitions[place]) else first

    def tail(self, topics: Sequence[str], *, from_beginning: bool) -> Iterator[Record | None]:
        places = [(topic, number) for topic in topics for number in range(PARTITIONS)]
        with self.changed:
            offsets = {
                place: self.beginnings[place] if from_beginning else len(self.partitions[place]) for place in places
            }
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
        self.expected: dict[tuple[str, int], int] = {}
        self.paused = False
        self.doubts = True
        self.missed = False

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
            first = self.broker.first_from(place, offset)
            records = self.broker.partitions[place][first : first + limit - len(found)]
            if records:
                expected = self.expected.get(place, self.broker.stored[self.group, *place])
                self.missed = self.missed or first != expected
                self.offsets[place] = self.expected[place] = first + len(records)
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

    def missed_records(self) -> bool:
        missed, self.missed = self.missed, False
        return missed

    def close(self) -> None:
        with self.broker.changed:
            if self in self.broker.members[self.group]:
                self.broker.members[self.group].remove(self)
                self.offsets = {}
                self.broker.rebalance(self.group)
