"""The limits under the figures, of Kafka with our own settings: the producer alone, a record there and back."""

import time
from uuid import uuid4

from django.conf import settings

from apps.events.brokers import get_broker
from apps.events.brokers.base import Consumer, OutgoingRecord
from apps.events.envelope import encode
from benchmarks.figures import Latency
from benchmarks.raw import an_event

_JOINING_SECONDS = 30.0


def producer_alone(*, count: int) -> float:
    """Encoded records through our producer, as many at once as the relay, to a topic nobody reads: records a second."""
    record = _record("bench-producer")
    producer = get_broker().producer()
    producer.send([record], give_up=lambda: False)
    started = time.perf_counter()
    for _ in range(0, count, settings.RELAY_BATCH_SIZE):
        producer.send([record] * settings.RELAY_BATCH_SIZE, give_up=lambda: False)
    took = time.perf_counter() - started
    producer.close()
    return count / took


def tight_loop(*, count: int) -> float:
    """The same records to librdkafka itself with our settings, nobody told of their delivery: records a second."""
    record = _record("bench-producer")
    producer = get_broker().producer()
    producer.send([record], give_up=lambda: False)
    client = producer.client  # type: ignore[attr-defined]  # Kafka's
    started = time.perf_counter()
    for _ in range(count):
        while True:
            try:
                client.produce(record.topic, record.value, record.key, headers=record.headers)
                break
            except BufferError:
                client.poll(0.01)
    client.flush()
    took = time.perf_counter() - started
    producer.close()
    return count / took


def there_and_back(*, count: int) -> Latency:
    """One record after the other, from handing it to the producer to having it from a consumer of a group."""
    record = _record("bench-there-and-back")
    producer = get_broker().producer()
    consumer = get_broker().consumer(f"bench-{uuid4()}", [record.topic])
    _wait_until_member(consumer)
    took = []
    for _ in range(count):
        started = time.perf_counter()
        producer.send([record], give_up=lambda: False)
        while not consumer.poll(1, timeout=1):
            pass
        took.append((time.perf_counter() - started) * 1000)
    producer.close()
    consumer.close()
    return Latency.of(took[1:])  # the first makes the connections


def _record(topic: str) -> OutgoingRecord:
    get_broker().ensure_topics([topic])
    return OutgoingRecord(topic, *encode(an_event()))


def _wait_until_member(consumer: Consumer) -> None:
    until = time.monotonic() + _JOINING_SECONDS
    while not consumer.has_assignment():
        consumer.poll(1, timeout=0.1)
        if time.monotonic() > until:
            raise TimeoutError("Kafka gave a new group no partitions.")
