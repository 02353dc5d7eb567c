"""The platform's processes as things that make one step: a relay, a member of a group."""

from apps.events import dead_letters
from apps.events.brokers.base import Record
from apps.events.consumer import GroupConsumer
from apps.events.leadership import Leadership
from apps.events.relay import Relay
from apps.events.subscriptions import ConsumerGroup
from tests.events.machine.kafka import FaultyBroker, FaultyConsumer, FaultyProducer


class _NoWait:
    """A stop signal that is never given, and on which nobody waits."""

    def is_set(self) -> bool:
        return False

    def wait(self, _: float | None = None) -> bool:
        return False


class _BrokerOf:
    """What a relay knows of Kafka; its producers know their relay."""

    def __init__(self, broker: FaultyBroker) -> None:
        self.broker = broker
        self.relay: Relay | None = None

    def producer(self) -> FaultyProducer:
        producer = self.broker.producer()
        producer.sender = self.relay
        return producer


def new_relay(broker: FaultyBroker, *, key: int) -> Relay:
    known = _BrokerOf(broker)
    relay = known.relay = Relay(known, leadership=Leadership(key=key), stop=_NoWait())  # type: ignore[arg-type]
    return relay


def relay_step(relay: Relay) -> int | None:
    """As `Relay.run` comes round once; `None` when it stands by."""
    if not relay.leadership.holds() and not relay.leadership.acquire():
        return None
    return relay.relay_batch()


class Member:
    """A member of a group, with what it has read and not yet handled. Raises `GroupStopped` as `run` would."""

    def __init__(self, group: ConsumerGroup, broker: FaultyBroker) -> None:
        if group.parks:
            dead_letters.stop_if_too_many(group)
        self.consumer: FaultyConsumer = broker.consumer(group.name, group.topics())
        self.runner = GroupConsumer(group, broker=broker, stop=self.consumer.stop)
        self.runner.consumer = self.consumer
        self.in_hand: list[Record] = []

    def read(self, limit: int) -> None:
        if not self.in_hand:
            self.in_hand = self.consumer.poll(limit, timeout=0)

    def step(self, limit: int, *, patience: int) -> bool:
        """As `GroupConsumer.run` comes round once, trying so often; whether there was something to do."""
        self.consumer.patience = patience
        self.read(limit)
        if self.in_hand:
            self.runner._handle_until_done(self.consumer, self.in_hand)
            self.in_hand = []
            return True
        if not self.runner._meets_another_cluster(self.consumer) and not self.runner.reconciled:
            self.runner._reconcile_at_start(self.consumer)
        return False
