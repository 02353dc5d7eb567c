"""Reading as a member of a group, and noticing what a group is not given any more."""

from collections.abc import Sequence
from typing import Any

import structlog
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from apps.events.brokers.base import Record
from apps.events.brokers.kafka.complaints import Complaints, client
from apps.events.brokers.kafka.damage import Damage, Place
from apps.events.brokers.kafka.records import record_of
from apps.events.errors import BrokerFailed

log = structlog.get_logger(__name__)

# To ask where the group stood; it has just answered a fetch.
_ASK_SECONDS = 5


class KafkaConsumer:
    def __init__(self, configuration: dict[str, Any], topics: Sequence[str], *, prefix: str) -> None:
        self.prefix = prefix
        self.doubts = True
        self.missed = False
        # Where each partition goes on. An assigned one has none until its first record is there.
        self.next_offsets: dict[Place, int] = {}
        self.complaints = Complaints()
        self.damage = Damage()
        self.client = client(Consumer, {**configuration, "error_cb": self._on_error})
        self.owned: set[tuple[str, int]] = set()
        self.paused = False
        self.client.subscribe(
            [prefix + topic for topic in topics], on_assign=self._assigned, on_revoke=self._taken, on_lost=self._taken
        )

    def _on_error(self, error: KafkaError) -> None:
        self.complaints(error)
        self.doubts = True

    def _ours(self, places: Sequence[TopicPartition]) -> set[tuple[str, int]]:
        return {(place.topic.removeprefix(self.prefix), place.partition) for place in places}

    def _assigned(self, _: Consumer, places: list[TopicPartition]) -> None:
        self.doubts = True
        self.owned |= self._ours(places)
        for place in self._ours(places):
            self.next_offsets.pop(place, None)
            self.damage.moves(place)
        log.info("partitions_assigned", partitions=[f"{place.topic}/{place.partition}" for place in places])
        self.client.incremental_assign(places)
        # librdkafka remembers of a partition that it was paused, also over its being taken away and given back.
        (self.client.pause if self.paused else self.client.resume)(places)

    def _taken(self, _: Consumer, places: list[TopicPartition]) -> None:
        self.owned -= self._ours(places)
        log.info("partitions_taken", partitions=[f"{place.topic}/{place.partition}" for place in places])

    def poll(self, limit: int, *, timeout: float) -> list[Record]:
        # consume() alone waits for the whole batch or the time-out; one poll first answers as soon as there is one.
        try:
            first = self.client.poll(timeout)
            messages = [first, *self.client.consume(limit - 1, 0)] if first is not None else []
        except KafkaException as reason:  # how the client tells of a fatal error
            raise BrokerFailed(str(reason)) from reason
        return [record for message in messages if (record := self._read(message))]

    def _read(self, message: Message) -> Record | None:
        error = message.error()
        if error is None:
            record = record_of(message, prefix=self.prefix)
            self._follow(record)
            return record
        if error.fatal():
            raise BrokerFailed(error.str())
        self.complaints(error)
        return self._pass_by(message, error)

    def _pass_by(self, message: Message, error: KafkaError) -> Record | None:
        """Go on behind bytes that nobody can read, once it is sure that they stay so: what stands for them."""
        place = ((message.topic() or "").removeprefix(self.prefix), message.partition() or 0)
        offset = message.offset()
        if place not in self.owned or offset is None:
            return None
        if not (many := self.damage.offsets_to_pass(place, offset=offset, code=error.code())):
            return None
        first = max(offset, self._expected(place))
        end = self._seek(place, first, many)
        if end is None:
            return None
        self.next_offsets[place] = end
        self.missed = True
        log.error("record_skipped", topic=place[0], partition=place[1], offset=first, last=end - 1, reason=error.str())
        damage = f"Offsets {first} to {end - 1} cannot be read: {error.str()}"
        return Record(*place, end - 1, key=None, value=None, headers=[], damage=damage)

    def _seek(self, place: Place, first: int, many: int) -> int | None:
        """Where the partition goes on, not beyond its end; `None` when it cannot be told to, or not now."""
        there = TopicPartition(self.prefix + place[0], place[1])
        try:
            _, high = self.client.get_watermark_offsets(there, timeout=_ASK_SECONDS, cached=False)
            there.offset = min(first + many, high)
            if there.offset <= first:
                return None
            self.client.seek(there)
        except KafkaException as reason:
            log.warning("kafka_client", reason=reason.args[0].str(), fatal=False)
            return None
        return int(there.offset)

    def _follow(self, record: Record) -> None:
        """Offsets follow each other: nobody writes to these topics in transactions, and none is compacted."""
        place = (record.topic, record.partition)
        self.damage.moves(place)
        expected = self._expected(place)
        if record.offset != expected:
            self.missed = True
            self.doubts = self.doubts or record.offset < expected
            report = log.error if expected > 0 else log.info  # a group without a place may well be younger than the log
            report(
                "partition_leaps",
                topic=record.topic,
                partition=record.partition,
                expected=expected,
                found=record.offset,
            )
        self.next_offsets[place] = record.offset + 1

    def _expected(self, place: Place) -> int:
        known = self.next_offsets.get(place)
        return self._stored(place) if known is None else known

    def _stored(self, place: Place) -> int:
        """Where the group stood; 0 when it has never been on this partition, -1 when nobody says."""
        topic, partition = place
        try:
            (told,) = self.client.committed([TopicPartition(self.prefix + topic, partition)], timeout=_ASK_SECONDS)
        except KafkaException as reason:
            log.warning("kafka_client", reason=reason.args[0].str(), fatal=False)
            return -1
        return 0 if told.offset == OFFSET_INVALID else told.offset

    def owns(self, record: Record) -> bool:
        return (record.topic, record.partition) in self.owned

    def store(self, records: Sequence[Record]) -> None:
        ends = {(record.topic, record.partition): record.offset + 1 for record in records if self.owns(record)}
        if ends:
            self.client.store_offsets(
                offsets=[TopicPartition(self.prefix + topic, number, end) for (topic, number), end in ends.items()]
            )

    def pause(self) -> None:
        self.paused = True
        self.client.pause(self.client.assignment())

    def resume(self) -> None:
        self.paused = False
        self.client.resume(self.client.assignment())

    def has_assignment(self) -> bool:
        return bool(self.owned)

    def doubts_cluster(self) -> bool:
        doubts, self.doubts = self.doubts, False
        return doubts

    def missed_records(self) -> bool:
        missed, self.missed = self.missed, False
        return missed

    def close(self) -> None:
        self.client.close()
