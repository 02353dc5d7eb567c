"""Kafka, by librdkafka: the only package that knows its client.

Invariants: a record is never dropped by the producer's own time limits, waiting beats reordering; an offset is
stored only after the batch that holds it is committed, and never for a partition that was taken away.
"""

from apps.events.brokers.kafka.broker import KafkaBroker

__all__ = ["KafkaBroker"]
