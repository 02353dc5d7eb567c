"""Topics as an administrator sees them: making them, and what the broker tells of them."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports what its stubs hide
    AdminClient,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic
from django.conf import settings

from apps.events.errors import BrokerFailed, TopicMissing

log = structlog.get_logger(__name__)

T = TypeVar("T")

CREATED_SECONDS = 30.0
_DAY_MILLISECONDS = 24 * 3600 * 1000


def configuration() -> dict[str, str]:
    """Of a topic of ours: what it keeps, and when a record is acknowledged."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(settings.KAFKA_RETENTION_DAYS * _DAY_MILLISECONDS),
        "retention.bytes": "-1",
        "max.message.bytes": "1048576",
        # One broker of three may be away, and what was acknowledged is on two.
        "min.insync.replicas": "2" if settings.KAFKA_REPLICATION_FACTOR > 2 else "1",
    }


def create(admin: AdminClient, names: Sequence[str]) -> dict[str, str]:
    """Those that are missing; per topic what was done. Raises `BrokerFailed`."""
    wanted = [
        NewTopic(
            name,
            num_partitions=settings.KAFKA_PARTITIONS,
            replication_factor=settings.KAFKA_REPLICATION_FACTOR,
            config=configuration(),
        )
        for name in names
    ]
    done = {}
    for name, created in admin.create_topics(wanted, operation_timeout=20).items():
        try:
            _answer(created, CREATED_SECONDS)
            done[name] = "created"
        except KafkaException as reason:
            if reason.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerFailed(f"Topic {name}: {reason.args[0].str()}") from reason
            done[name] = "there"
    return done


def _answer(asked: "Future[T]", seconds: float) -> T:
    """Raises `KafkaException`, also where Kafka hangs: whether the client notices first, or this, is chance."""
    try:
        return asked.result(seconds)
    except TimeoutError as reason:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from reason  # noqa: SLF001 - its name for what is its own


def ids(admin: AdminClient, names: Sequence[str], *, timeout: float) -> tuple[str, ...]:
    """The number that each got when it was made, empty for one that is not there or not ours to see.

    Raises `KafkaException`.
    """
    if not names:
        return ()
    found = []
    for _, asked in sorted(admin.describe_topics(TopicCollection([*names]), request_timeout=timeout).items()):
        try:
            found.append(str(_answer(asked, timeout).topic_id))
        except KafkaException as reason:
            if reason.args[0].code() not in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED}:
                raise
            found.append("")
    return tuple(found)


def partitions(reader: Consumer, names: Sequence[str], *, timeout: float) -> list[TopicPartition]:
    """Every partition of the topics. Raises `BrokerFailed` when one of them cannot be told of."""
    places = []
    for name in names:
        known = reader.list_topics(name, timeout=timeout).topics[name]
        if known.error is not None and known.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicMissing(name)
        if known.error is not None:
            raise BrokerFailed(f"Topic {name}: {known.error.str()}")
        places += [TopicPartition(name, number) for number in known.partitions]
    return places


def told_settings(admin: AdminClient, names: Iterable[str], *, timeout: float) -> dict[str, dict[str, Any]]:
    """Per topic, in the words of `TopicState`, what the broker lets us know."""
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    asked = admin.describe_configs(resources, request_timeout=timeout) if resources else {}
    told: dict[str, dict[str, Any]] = {}
    for resource, answer in asked.items():
        try:
            found = _answer(answer, timeout)
        except KafkaException as reason:  # not every account may ask
            log.info("kafka_tells_no_settings", topic=resource.name, reason=reason.args[0].str())
            continue
        told[resource.name] = _in_our_words({name: entry.value for name, entry in found.items()})
    return told


def _in_our_words(found: Mapping[str, str]) -> dict[str, Any]:
    return {
        "least_in_sync": int(found["min.insync.replicas"]),
        "retention_seconds": int(found["retention.ms"]) // 1000,
        "retention_bytes": int(found["retention.bytes"]),
        "largest_record_bytes": int(found["max.message.bytes"]),
        "compacted": "compact" in found["cleanup.policy"],
        "unclean_election": found["unclean.leader.election.enable"] == "true",
    }
