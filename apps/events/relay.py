"""Moves events from the outbox to Kafka, in order per key.

Invariants: an entry is deleted only after Kafka acknowledged its record; one relay is active at a time, so a
key's records stand in the topic in the order of its versions. A crash at any point repeats records and loses
none.
"""

import time
from threading import Event as StopSignal

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from apps.events import crash, heartbeat, metrics, outbox
from apps.events.backoff import Backoff
from apps.events.brokers.base import Broker, Delivery, OutgoingRecord, Producer
from apps.events.envelope import Envelope, encode
from apps.events.errors import LostLeadership
from apps.events.leadership import Leadership

log = structlog.get_logger(__name__)

STANDBY_SECONDS = 1.0
# When asked to stop while Kafka is away, so long is waited for acknowledgements that may be under way.
STOP_PATIENCE_SECONDS = 5.0
LEADERSHIP_CHECK_SECONDS = 1.0


class Relay:
    """One relay process. `run` until `stop` is set; `relay_batch` is one round of it."""

    def __init__(self, broker: Broker, *, leadership: Leadership, stop: StopSignal | None = None) -> None:
        self.broker = broker
        self.leadership = leadership
        self.stop = stop or StopSignal()
        self.producer: Producer | None = None

    def run(self) -> None:
        """Stand by until leader, then relay until stopped. Raises `BrokerFailed` when Kafka's client is done for."""
        backoff = Backoff(first=0.2, cap=5)
        standing_by = False
        while not self.stop.is_set():
            heartbeat.beat("relay")
            if not self.leadership.acquire():
                if not standing_by:
                    log.info("relay_standing_by")
                standing_by = True
                self.stop.wait(STANDBY_SECONDS)
                continue
            standing_by = False
            log.info("relay_active")
            metrics.relay_leader.set(1)
            try:
                self._lead(backoff)
            except LostLeadership as reason:
                log.warning("relay_lost_leadership", reason=str(reason))
            except (OperationalError, InterfaceError) as reason:
                log.warning("relay_database_away", reason=str(reason).strip())
                connection.close()
            finally:
                self.close()
            self.stop.wait(backoff.next_delay())

    def _lead(self, backoff: Backoff) -> None:
        while not self.stop.is_set():
            heartbeat.beat("relay")
            close_old_connections()
            moved = self.relay_batch()
            backoff.reset()
            if moved < settings.RELAY_BATCH_SIZE:
                self.stop.wait(settings.RELAY_POLL_SECONDS)

    def relay_batch(self) -> int:
        """Relay the oldest entries; how many were acknowledged.

        Raises `LostLeadership` before producing or deleting as anything but the leader.
        """
        entries = outbox.oldest(settings.RELAY_BATCH_SIZE)
        crash.at("relay.selected")
        if not entries:
            return 0
        self._check_leadership("produce")
        if self.producer is None:
            self.producer = self.broker.producer()
        records = [OutgoingRecord(event.topic, *encode(event)) for _, event in entries]
        deliveries = self.producer.send(records, give_up=_Patience(self))
        crash.at("relay.produced")
        self._check_leadership("delete")
        acknowledged = self._settle(entries, deliveries)
        outbox.forget(acknowledged)
        crash.at("relay.deleted")
        metrics.count_relayed(acknowledged=len(acknowledged), refused=len(entries) - len(acknowledged))
        return len(acknowledged)

    def _settle(self, entries: list[tuple[int, Envelope]], deliveries: list[Delivery]) -> list[int]:
        pairs = list(zip(entries, deliveries, strict=True))
        refused = [(event, delivery) for (_, event), delivery in pairs if delivery.refusal]
        if refused:
            event, delivery = refused[0]
            log.error(
                "relay_refused",
                records=len(refused),
                reason=delivery.refusal,
                event_id=str(event.id),
                topic=event.topic,
            )
            self.stop.wait(1)  # refused for a reason that stays: do not ask Kafka a hundred times a second
        else:
            log.info("relayed", records=len(entries), last_position=entries[-1][0])
        return [position for (position, _), delivery in pairs if not delivery.refusal]

    def _check_leadership(self, purpose: str) -> None:
        if not self.leadership.holds():
            raise LostLeadership(f"not the leader any more, so may not {purpose}")

    def close(self) -> None:
        """Give up the lock only after the producer can write nothing more."""
        if self.producer is not None:
            self.producer.close()
            self.producer = None
        self.leadership.release()
        metrics.relay_leader.set(0)


class _Patience:
    """Whether to give up waiting for Kafka: asked to stop, or no longer the leader. Keeps the heartbeat going."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.next_check = time.monotonic() + LEADERSHIP_CHECK_SECONDS
        self.stop_by: float | None = None

    def __call__(self) -> bool:
        heartbeat.beat("relay")
        now = time.monotonic()
        if self.relay.stop.is_set():
            self.stop_by = self.stop_by or now + STOP_PATIENCE_SECONDS
            return now > self.stop_by
        if now < self.next_check:
            return False
        self.next_check = now + LEADERSHIP_CHECK_SECONDS
        return not self.relay.leadership.holds()
