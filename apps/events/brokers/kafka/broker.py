"""One Kafka cluster, as the event core sees it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer
from confluent_kafka.admin import AdminClient
from django.conf import settings

from apps.events.brokers.base import BrokerState, Record, TopicState
from apps.events.brokers.kafka import administration, configuration
from apps.events.brokers.kafka.complaints import Complaints, client, told
from apps.events.brokers.kafka.consumer import KafkaConsumer
from apps.events.brokers.kafka.producer import KafkaProducer
from apps.events.brokers.kafka.records import record_of
from apps.events.errors import BrokerFailed

# The broker inside librdkafka, which `make run` and the tests use: in memory, and cannot create topics by request.
MOCK_CLUSTER_PREFIX = "mockCluster"


class KafkaBroker:
    """`prefix` stands before the names of topics and groups on the cluster, and nowhere else."""

    def __init__(self, connection: Mapping[str, str], *, prefix: str = "") -> None:
        self.prefix = prefix
        self.complaints = Complaints()
        self.connection: dict[str, Any] = {
            **connection,
            **configuration.EVERY_CLIENT,
            "client.id": f"todo-{settings.ROLE}",
            "error_cb": self.complaints,
        }

    def producer(self) -> KafkaProducer:
        return KafkaProducer({**self.connection, **configuration.PRODUCER}, prefix=self.prefix)

    def consumer(self, group: str, topics: Sequence[str]) -> KafkaConsumer:
        return KafkaConsumer(self._consumer_settings(group), topics, prefix=self.prefix)

    def _consumer_settings(self, group: str) -> dict[str, Any]:
        protocol = configuration.GROUP_PROTOCOLS[settings.KAFKA_GROUP_PROTOCOL]
        return {**self.connection, **configuration.CONSUMER, **protocol, "group.id": self.prefix + group}

    @contextmanager
    def _admin(self) -> Iterator[AdminClient]:
        """Raises `BrokerFailed` for what goes wrong with it."""
        admin = client(AdminClient, self.connection)
        with told(self.complaints, poll=admin.poll):
            yield admin

    @contextmanager
    def _reader(self, configuration: dict[str, Any]) -> Iterator[Consumer]:
        """A consumer that joins no group. Raises `BrokerFailed` for what goes wrong with it."""
        reader = client(Consumer, {**configuration, "enable.auto.commit": False})
        try:
            with told(self.complaints, poll=reader.poll):
                yield reader
        finally:
            reader.close()

    def _named(self, names: Sequence[str]) -> list[str]:
        return [self.prefix + name for name in names]

    def ensure_topics(self, topics: Sequence[str]) -> dict[str, str]:
        embedded = not self.state().keeps_records
        with self._admin() as admin:
            if embedded:
                for name in self._named(topics):  # the mock cluster creates a topic when its metadata is asked for
                    admin.list_topics(name, timeout=5)
                return dict.fromkeys(topics, "embedded")
            done = administration.create(admin, self._named(topics))
        return {name: done[self.prefix + name] for name in topics}

    def state(self, topics: Sequence[str] = (), *, timeout: float = 5) -> BrokerState:
        with self._admin() as admin:
            cluster_id = str(admin.list_topics(timeout=timeout).cluster_id)
            keeps_records = not cluster_id.startswith(MOCK_CLUSTER_PREFIX)
            ids = administration.ids(admin, self._named(topics), timeout=timeout) if keeps_records else ()
        return BrokerState(cluster_id, keeps_records=keeps_records, topics=ids)

    def topic_states(self, *, timeout: float = 5) -> dict[str, TopicState]:
        with self._admin() as admin:
            cluster = admin.list_topics(timeout=timeout)
            embedded = str(cluster.cluster_id).startswith(MOCK_CLUSTER_PREFIX)
            known = {
                name: topic
                for name, topic in cluster.topics.items()
                if topic.error is None and name.startswith(self.prefix) and name[:1] != "_"
            }
            # The mock cluster knows no settings of topics and leaves the question unanswered.
            told_settings = {} if embedded else administration.told_settings(admin, known, timeout=timeout)
        return {
            name.removeprefix(self.prefix): TopicState(
                name.removeprefix(self.prefix),
                partitions=len(topic.partitions),
                replicas=min((len(each.replicas) for each in topic.partitions.values()), default=0),
                **told_settings.get(name, {}),
            )
            for name, topic in sorted(known.items())
        }

    def lag(self, group: str, topics: Sequence[str], *, timeout: float = 5) -> int:
        behind = 0
        with self._reader(self._consumer_settings(group)) as reader:
            places = administration.partitions(reader, self._named(topics), timeout=timeout)
            for place in reader.committed(places, timeout=timeout):
                if place.error is not None:
                    raise BrokerFailed(f"{place.topic}/{place.partition}: {place.error.str()}")
                low, high = reader.get_watermark_offsets(place, timeout=timeout, cached=False)
                # Beyond the end is a place on a topic that was made anew since: it begins at the first record.
                behind += high - (low if place.offset > high else max(place.offset, low))
        return behind

    def tail(self, topics: Sequence[str], *, from_beginning: bool) -> Iterator[Record | None]:
        reading = {
            **self.connection,
            "fetch.wait.max.ms": configuration.CONSUMER["fetch.wait.max.ms"],
            "group.id": f"{self.prefix}tail",
            "auto.offset.reset": "earliest",
        }
        with self._reader(reading) as reader:
            places = administration.partitions(reader, self._named(topics), timeout=10)
            for place in places:
                place.offset = OFFSET_BEGINNING if from_beginning else OFFSET_END
                if not from_beginning:
                    # Resolved now, so that what is written between this call and the first read is not missed.
                    place.offset = reader.get_watermark_offsets(place, timeout=10, cached=False)[1]
            reader.assign(places)
            yield None
            while True:
                message = reader.poll(0.05)
                if message is None or message.error() is not None:
                    yield None
                else:
                    yield record_of(message, prefix=self.prefix)
