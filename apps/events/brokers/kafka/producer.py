"""Writing records in order."""

from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from apps.events.brokers.base import GIVEN_UP, Delivery, OutgoingRecord
from apps.events.brokers.kafka.complaints import Complaints, client
from apps.events.errors import BrokerFailed


class KafkaProducer:
    def __init__(self, configuration: dict[str, Any], *, prefix: str) -> None:
        self.prefix = prefix
        self.fatal: KafkaError | None = None
        self.complaints = Complaints()
        self.client = client(Producer, {**configuration, "error_cb": self._on_error})

    def _on_error(self, error: KafkaError) -> None:
        self.complaints(error)
        if error.fatal():
            self.fatal = error

    def send(self, records: Sequence[OutgoingRecord], *, give_up: Callable[[], bool]) -> list[Delivery]:
        results: dict[int, Delivery] = {}
        for number, record in enumerate(records):
            self._produce(record, number, results, give_up)
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

    def _produce(
        self, record: OutgoingRecord, number: int, results: dict[int, Delivery], give_up: Callable[[], bool]
    ) -> None:
        def resolved(error: KafkaError | None, message: Message) -> None:
            if error is None:
                results[number] = Delivery(message.partition() or 0, message.offset() or 0)
            else:
                results[number] = Delivery(refusal=error.str())

        while True:
            try:
                self.client.produce(
                    self.prefix + record.topic,
                    record.value,
                    record.key,
                    headers=[*record.headers],
                    on_delivery=resolved,
                )
                return
            except BufferError:  # what is given up stays in the client's queue, so it may be full for long
                self._poll()
                if self.fatal:
                    raise BrokerFailed(self.fatal.str()) from None
                if give_up():
                    return
            except KafkaException as reason:
                if reason.args[0].fatal():
                    raise BrokerFailed(reason.args[0].str()) from reason
                results[number] = Delivery(refusal=reason.args[0].str())
                return

    def close(self) -> None:
        self.client.purge()
        self.client.flush(1)
