"""Chooses the message log: Kafka, or one in memory for tests within a process."""

from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.events.brokers.base import Broker


def current_broker() -> Broker:
    """The broker at its address of now, for who outlives an embedded Kafka, which has a new one after each start."""
    if settings.EVENT_BROKER != "kafka" or not settings.KAFKA_ADDRESS_FILE:
        return get_broker()
    from apps.events.brokers.kafka import KafkaBroker

    address = {"bootstrap.servers": Path(settings.KAFKA_ADDRESS_FILE).read_text().strip()}
    return KafkaBroker(settings.KAFKA | address, prefix=settings.KAFKA_PREFIX)


@cache
def get_broker() -> Broker:
    """The broker that `EVENT_BROKER` names, one per process."""
    if settings.EVENT_BROKER == "kafka":
        from apps.events.brokers.kafka import KafkaBroker

        return KafkaBroker(settings.KAFKA, prefix=settings.KAFKA_PREFIX)
    if settings.EVENT_BROKER == "memory":
        from apps.events.brokers.memory import MemoryBroker

        return MemoryBroker()
    raise ImproperlyConfigured(f"EVENT_BROKER must be kafka or memory, not {settings.EVENT_BROKER!r}.")
