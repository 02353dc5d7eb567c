"""Drives the whole pipeline inside one process, on a memory broker of its own.

Invariant: when `run` returns, the outbox is empty but for what is held, and every group has handled all there is.
What a group cannot handle now, it raises: nothing waits.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from django.conf import settings

from apps.events import brokers
from apps.events.brokers.base import Record
from apps.events.brokers.memory import MemoryBroker
from apps.events.consumer import GroupConsumer
from apps.events.handling import Outcome
from apps.events.leadership import Leadership
from apps.events.models import OutboxEntry
from apps.events.relay import Relay
from apps.events.subscriptions import ConsumerGroup, groups

# Each pump leads for itself, also beside those of other processes; the lock of the running system is another.
_keys = count(9_000_000_000 + os.getpid() * 1_000_000)


class Pump:
    """`run` moves what is new, `redeliver_everything` gives every group all records once more."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.leadership = Leadership(key=next(_keys))
        self.relay = Relay(broker, leadership=self.leadership)

    def run(self) -> None:
        self._once_around()
        while self._something_waits():  # what a group made in turn
            self._once_around()

    def _once_around(self) -> None:
        while self.relay_once() or self._something_waits():
            pass
        for group in groups():
            self.consume(group)

    def _something_waits(self) -> bool:
        return OutboxEntry.objects.filter(held_at=None).exists()

    def relay_once(self) -> int:
        if not self.leadership.holds():
            assert self.leadership.acquire(), "the pump cannot lead"
        return self.relay.relay_batch()

    def consume(self, group: ConsumerGroup) -> Outcome:
        """Let one group handle all it has not yet, and store where it stands."""
        outcome = Outcome()
        member = self.broker.consumer(group.name, group.topics())
        try:
            while records := member.poll(settings.CONSUMER_BATCH_SIZE, timeout=0):
                outcome += GroupConsumer(group, broker=self.broker).handle_records(records)
                member.store(records)
        finally:
            member.close()
        return outcome

    def redeliver_everything(self) -> None:
        """As after every process has died before its offsets were made known."""
        for place in list(self.broker.stored):
            self.broker.stored[place] = 0
        self.run()

    def records(self, topic: str) -> list[Record]:
        """All that stands in a topic: per partition in order."""
        return [
            record
            for (name, _), records in sorted(self.broker.partitions.items())
            if name == topic
            for record in records
        ]

    def close(self) -> None:
        self.relay.close()


@contextmanager
def fresh_pump() -> Iterator[Pump]:
    """A pump whose broker is the process's, so that commands and jobs meet the same records."""
    brokers.get_broker.cache_clear()
    broker = brokers.get_broker()
    assert isinstance(broker, MemoryBroker)
    pump = Pump(broker)
    try:
        yield pump
    finally:
        pump.close()
        brokers.get_broker.cache_clear()
