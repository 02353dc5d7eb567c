"""Kafka, by librdkafka: the only module that knows its client.

Invariants: a record is never dropped by the producer's own time limits, waiting beats reordering; an offset is
stored only after the batch that holds it is committed, and never for a partition that was taken away.

Source of the settings: librdkafka's CONFIGURATION.md; each was loaded and tried against 2.16.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports what its stubs hide
    AdminClient,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic
from django.conf import settings

from apps.events.brokers.base import GIVEN_UP, BrokerState, Delivery, OutgoingRecord, Record, TopicState
from apps.events.errors import BrokerFailed

log = structlog.get_logger(__name__)

PRODUCER_SETTINGS = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 10,
    "compression.type": "lz4",
    # A record that times out while the next one succeeds is out of order for good.
    "message.timeout.ms": 0,
    "socket.timeout.ms": 10_000,
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 20_000,
}
CONSUMER_SETTINGS = {
    "enable.auto.offset.store": False,
    "enable.auto.commit": True,
    "auto.commit.interval.ms": 1000,
    "auto.offset.reset": "earliest",
    # A real broker answers a fetch as soon as there is a record; the mock cluster lets it wait to the end.
    "fetch.wait.max.ms": 50,
    "max.poll.interval.ms": 120_000,
    "queued.min.messages": 1000,
    # A partition that has so many waiting is asked again after this; the default of a second starves a group that
    # handles them in a fraction of it.
    "fetch.queue.backoff.ms": 20,
    "queued.max.messages.kbytes": 16_384,
}
GROUP_PROTOCOL_SETTINGS: dict[str, dict[str, Any]] = {
    "classic": {
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 2000,
    },
    "consumer": {"group.protocol": "consumer"},
}
# The broker inside librdkafka, which `make run` and the tests use: in memory, and cannot create topics by request.
MOCK_CLUSTER_PREFIX = "mockCluster"


def _quiet(error: KafkaError) -> None:
    """librdkafka reconnects by itself; say so in our log, not on stderr."""
    log.warning("kafka_client", reason=error.str(), fatal=error.fatal())


class KafkaBroker:
    def __init__(self, connection: Mapping[str, str]) -> None:
        self.connection: dict[str, Any] = {
            **connection,
            "client.id": f"todo-{settings.ROLE}",
            # A topic that was made anew is found within seconds; the default is 5 minutes.
            "topic.metadata.refresh.interval.ms": 5000,
            "error_cb": _quiet,
            "log_level": 2,
        }

    def producer(self) -> "KafkaProducer":
        return KafkaProducer({**self.connection, **PRODUCER_SETTINGS})

    def consumer(self, group: str, topics: Sequence[str]) -> "KafkaConsumer":
        return KafkaConsumer(self._consumer_settings(group), topics)

    def _consumer_settings(self, group: str) -> dict[str, Any]:
        protocol = GROUP_PROTOCOL_SETTINGS[settings.KAFKA_GROUP_PROTOCOL]
        return {**self.connection, **CONSUMER_SETTINGS, **protocol, "group.id": group}

    def ensure_topics(self, topics: Sequence[str]) -> dict[str, str]:
        admin = AdminClient(self.connection)
        if not self.state().keeps_records:
            for topic in topics:  # the mock cluster creates a topic when its metadata is asked for
                admin.list_topics(topic, timeout=5)
            return dict.fromkeys(topics, "embedded")
        done = {}
        retention = str(settings.KAFKA_RETENTION_DAYS * 24 * 3600 * 1000)
        wanted = [
            NewTopic(
                topic,
                num_partitions=settings.KAFKA_PARTITIONS,
                replication_factor=settings.KAFKA_REPLICATION_FACTOR,
                config={"retention.ms": retention, "max.message.bytes": "1048576"},
            )
            for topic in topics
        ]
        for topic, created in admin.create_topics(wanted, operation_timeout=20).items():
            try:
                created.result(30)
                done[topic] = "created"
            except KafkaException as reason:
                if reason.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise BrokerFailed(f"Topic {topic}: {reason.args[0].str()}") from reason
                done[topic] = "there"
        return done

    def state(self, *, timeout: float = 5) -> BrokerState:
        try:
            cluster = AdminClient(self.connection).list_topics(timeout=timeout)
        except KafkaException as reason:
            raise BrokerFailed(f"Kafka does not answer: {reason.args[0].str()}") from reason
        cluster_id = str(cluster.cluster_id)
        return BrokerState(cluster_id, keeps_records=not cluster_id.startswith(MOCK_CLUSTER_PREFIX))

    def topic_states(self, *, timeout: float = 5) -> dict[str, TopicState]:
        admin = AdminClient(self.connection)
        try:
            cluster = admin.list_topics(timeout=timeout)
            embedded = str(cluster.cluster_id).startswith(MOCK_CLUSTER_PREFIX)
            known = {name: topic for name, topic in cluster.topics.items() if topic.error is None and name[:1] != "_"}
            # The mock cluster knows no settings of topics and leaves the question unanswered.
            told = {} if embedded else _settings_of(admin, known, timeout)
        except KafkaException as reason:
            raise BrokerFailed(f"Kafka does not answer: {reason.args[0].str()}") from reason
        return {
            name: TopicState(
                name,
                partitions=len(topic.partitions),
                replicas=min((len(each.replicas) for each in topic.partitions.values()), default=0),
                **told.get(name, {}),
            )
            for name, topic in sorted(known.items())
        }

    def lag(self, group: str, topics: Sequence[str], *, timeout: float = 5) -> int:
        reader = Consumer({**self._consumer_settings(group), "enable.auto.commit": False})
        try:
            places = _partitions(reader, topics, timeout)
            behind = 0
            for place in reader.committed(places, timeout=timeout):
                if place.error is not None:
                    raise BrokerFailed(f"{place.topic}/{place.partition}: {place.error.str()}")
                low, high = reader.get_watermark_offsets(place, timeout=timeout, cached=False)
                behind += high - max(place.offset, low)
            return behind
        except KafkaException as reason:
            raise BrokerFailed(f"Kafka does not answer: {reason.args[0].str()}") from reason
        finally:
            reader.close()

    def tail(self, topics: Sequence[str], *, from_beginning: bool) -> Iterator[Record | None]:
        reader = Consumer(
            {
                **self.connection,
                "fetch.wait.max.ms": CONSUMER_SETTINGS["fetch.wait.max.ms"],
                "group.id": "tail",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            places = _partitions(reader, topics, 10)
            for place in places:
                place.offset = OFFSET_BEGINNING if from_beginning else OFFSET_END
                if not from_beginning:
                    # Resolved now, so that what is written between this call and the first read is not missed.
                    place.offset = reader.get_watermark_offsets(place, timeout=10, cached=False)[1]
            reader.assign(places)
            yield None
            while True:
                message = reader.poll(0.05)
                yield _record(message) if message is not None and message.error() is None else None
        except KafkaException as reason:
            raise BrokerFailed(f"Kafka does not answer: {reason.args[0].str()}") from reason
        finally:
            reader.close()


class KafkaProducer:
    def __init__(self, configuration: dict[str, Any]) -> None:
        self.fatal: KafkaError | None = None
        self.client = Producer({**configuration, "error_cb": self._on_error})

    def _on_error(self, error: KafkaError) -> None:
        _quiet(error)
        if error.fatal():
            self.fatal = error

    def send(self, records: Sequence[OutgoingRecord], *, give_up: Callable[[], bool]) -> list[Delivery]:
        results: dict[int, Delivery] = {}
        for number, record in enumerate(records):
            self._produce(record, number, results)
        while len(results) < len(records):
            self._poll()
            if self.fatal:
                raise BrokerFailed(self.fatal.str())
            if len(results) < len(records) and give_up():
                break
        unresolved = Delivery(refusal=GIVEN_UP)
        return [results.get(number, unresolved) for number in range(len(records))]

    def _poll(self) -> None:
        try:
            self.client.poll(0.1)
        except KafkaException as reason:  # how the client tells of a fatal error
            raise BrokerFailed(str(reason)) from reason

    def _produce(self, record: OutgoingRecord, number: int, results: dict[int, Delivery]) -> None:
        def resolved(error: KafkaError | None, message: Message) -> None:
            if error is None:
                results[number] = Delivery(message.partition() or 0, message.offset() or 0)
            else:
                results[number] = Delivery(refusal=error.str())

        while True:
            try:
                self.client.produce(
                    record.topic, record.value, record.key, headers=[*record.headers], on_delivery=resolved
                )
                return
            except BufferError:
                self._poll()
                if self.fatal:
                    raise BrokerFailed(self.fatal.str()) from None
            except KafkaException as reason:
                if reason.args[0].fatal():
                    raise BrokerFailed(reason.args[0].str()) from reason
                results[number] = Delivery(refusal=reason.args[0].str())
                return

    def close(self) -> None:
        self.client.purge()
        self.client.flush(1)


class KafkaConsumer:
    def __init__(self, configuration: dict[str, Any], topics: Sequence[str]) -> None:
        self.doubts = True
        self.handed_out: dict[tuple[str, int], int] = {}
        self.client = Consumer({**configuration, "error_cb": self._on_error})
        self.owned: set[tuple[str, int]] = set()
        self.paused = False
        self.client.subscribe(list(topics), on_assign=self._assigned, on_revoke=self._taken, on_lost=self._taken)

    def _on_error(self, error: KafkaError) -> None:
        _quiet(error)
        self.doubts = True

    def _assigned(self, client: Consumer, places: list[TopicPartition]) -> None:
        self.doubts = True
        self.owned |= {(place.topic, place.partition) for place in places}
        log.info("partitions_assigned", partitions=[f"{place.topic}/{place.partition}" for place in places])
        if self.paused:
            client.incremental_assign(places)
            client.pause(places)

    def _taken(self, client: Consumer, places: list[TopicPartition]) -> None:
        self.owned -= {(place.topic, place.partition) for place in places}
        log.info("partitions_taken", partitions=[f"{place.topic}/{place.partition}" for place in places])

    def poll(self, limit: int, *, timeout: float) -> list[Record]:
        # consume() alone waits for the whole batch or the time-out; one poll first answers as soon as there is one.
        try:
            first = self.client.poll(timeout)
            messages = [first, *self.client.consume(limit - 1, 0)] if first is not None else []
        except KafkaException as reason:  # how the client tells of a fatal error
            raise BrokerFailed(str(reason)) from reason
        records = [record for message in messages if (record := self._read(message))]
        for record in records:
            place = (record.topic, record.partition)
            self.doubts = self.doubts or record.offset <= self.handed_out.get(place, -1)
            self.handed_out[place] = record.offset
        return records

    def _read(self, message: Message) -> Record | None:
        error = message.error()
        if error is None:
            return _record(message)
        if error.fatal():
            raise BrokerFailed(error.str())
        log.warning("kafka_client", reason=error.str(), fatal=False)
        return None

    def owns(self, record: Record) -> bool:
        return (record.topic, record.partition) in self.owned

    def store(self, records: Sequence[Record]) -> None:
        ends = {(record.topic, record.partition): record.offset + 1 for record in records if self.owns(record)}
        if ends:
            self.client.store_offsets(offsets=[TopicPartition(*place, end) for place, end in ends.items()])

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

    def close(self) -> None:
        self.client.close()


def _partitions(reader: Consumer, topics: Sequence[str], timeout: float) -> list[TopicPartition]:
    """Every partition of the topics. Raises `BrokerFailed` when one of them cannot be told of."""
    places = []
    for topic in topics:
        known = reader.list_topics(topic, timeout=timeout).topics[topic]
        if known.error is not None:
            raise BrokerFailed(f"Topic {topic}: {known.error.str()}")
        places += [TopicPartition(topic, number) for number in known.partitions]
    return places


def _settings_of(admin: AdminClient, topics: Iterable[str], timeout: float) -> dict[str, dict[str, int]]:
    """Per topic, in the words of `TopicState`, what the broker lets us know."""
    asked = admin.describe_configs(
        [ConfigResource(ResourceType.TOPIC, name) for name in topics], request_timeout=timeout
    )
    told: dict[str, dict[str, int]] = {}
    for resource, answer in asked.items():
        try:
            found = answer.result(timeout)
        except KafkaException as reason:  # not every account may ask
            log.info("kafka_tells_no_settings", topic=resource.name, reason=reason.args[0].str())
            continue
        told[resource.name] = {
            "least_in_sync": int(found["min.insync.replicas"].value),
            "retention_seconds": int(found["retention.ms"].value) // 1000,
        }
    return told


def _record(message: Message) -> Record:
    _, stored_at = message.timestamp()
    return Record(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=[(name, _bytes(text) or b"") for name, text in _pairs(message)],
        stored_at=stored_at,
    )


def _pairs(message: Message) -> Iterable[tuple[str, str | bytes | None]]:
    try:
        headers = message.headers() or []
    except UnicodeDecodeError:  # a name that is not UTF-8: without headers it is an unreadable record like any other
        return []
    return headers.items() if isinstance(headers, dict) else headers


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
