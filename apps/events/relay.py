"""Moves events from the outbox to Kafka, in order per key.

Invariants: an entry is deleted only after Kafka acknowledged its record; one relay is active at a time, so a
key's records stand in the topic in the order of its versions. A crash at any point repeats records and loses
none. An entry that cannot go holds up its own key and no other.
"""

import time
from threading import Event as StopSignal

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from apps.events import crash, heartbeat, held, metrics, outbox
from apps.events.backoff import Backoff
from apps.events.brokers.base import GIVEN_UP, Broker, OutgoingRecord, Producer
from apps.events.envelope import encode
from apps.events.errors import EventTooLarge, LostLeadership, NoSuchEvent
from apps.events.leadership import Leadership
from apps.events.outbox import Key, Logged

log = structlog.get_logger(__name__)

STANDBY_SECONDS = 1.0
# When asked to stop while Kafka is away, so long is waited for acknowledgements that may be under way.
STOP_PATIENCE_SECONDS = 5.0
LEADERSHIP_CHECK_SECONDS = 1.0
# How often what is held is offered again: the topic may be there now, or the release another.
OFFER_AGAIN_SECONDS = 5.0
LOOK_AT_ALL_SECONDS = 1.0
# With room for the frame around it less than Kafka's client (1,000,000) and our topics (1,048,576) take: refused there,
# the next one of its key would already be on its way.
RECORD_MAX_BYTES = 990_000


class Relay:
    """One relay process. `run` until `stop` is set; `relay_batch` is one round of it."""

    def __init__(self, broker: Broker, *, leadership: Leadership, stop: StopSignal | None = None) -> None:
        self.broker = broker
        self.leadership = leadership
        self.stop = stop or StopSignal()
        self.producer: Producer | None = None
        self.asks_again_at = 0.0
        self.offers_again_at = 0.0
        self.looks_at_all_at = 0.0
        self.after: int | None = None
        self.seen = ""

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
            if time.monotonic() >= self.asks_again_at:
                # Also with nothing to relay: a leader that does not ask loses the lead.
                self.asks_again_at = time.monotonic() + LEADERSHIP_CHECK_SECONDS
                self._check_leadership("relay")
            moved = self.relay_batch()
            backoff.reset()
            if moved < settings.RELAY_BATCH_SIZE:
                self.stop.wait(settings.RELAY_POLL_SECONDS)

    def relay_batch(self) -> int:
        """Relay the oldest entries; how many were acknowledged.

        What cannot go is held, with those behind it of its key, and offered again now and then. Raises
        `LostLeadership` before producing, deleting or holding as anything but the leader.
        """
        if time.monotonic() >= self.offers_again_at:
            self._offer_again()
        size = settings.RELAY_BATCH_SIZE
        entries = self._oldest(size)
        crash.at("relay.selected")
        if not entries:
            return 0
        taken, reasons = self._relay(entries, stuck=held.keys())
        done_with_all = len(taken) + len(reasons) == len(entries) == size
        self.after = entries[-1].position if done_with_all else None
        return len(taken)

    def _oldest(self, size: int) -> list[Logged]:
        """While a backlog is worked off, those behind the last batch; now and then, and else, from the beginning.

        Rows that were deleted stay in the index while some transaction could still see them, a backup's for hours,
        and each look from the beginning steps over all of them. What commits late is there: behind the last batch
        only that is taken which the last look from the beginning could see, or it might be before its predecessor.
        """
        if self.after is not None and time.monotonic() < self.looks_at_all_at:
            entries = outbox.oldest_behind(self.after, size, snapshot=self.seen)
            if len(entries) == size:
                return entries
        self.looks_at_all_at = time.monotonic() + LOOK_AT_ALL_SECONDS
        self.seen = outbox.snapshot()
        return outbox.oldest(size)

    def _offer_again(self) -> None:
        """Offer what is held, the first of each key alone: the others go on when Kafka has that one."""
        self.offers_again_at = time.monotonic() + OFFER_AGAIN_SECONDS
        if not (entries := held.first_of_each_key(settings.RELAY_BATCH_SIZE)):
            return
        taken, _ = self._relay(entries, stuck=set())
        if taken:
            held.let_go({entry.of_key for entry in entries if entry.position in taken})
            self.after = None  # what was let go stands before what is new of its key
            self.offers_again_at = 0.0  # there may be more than one batch of keys

    def _relay(self, entries: list[Logged], *, stuck: set[Key]) -> tuple[set[int], dict[int, str]]:
        """Produce, forget what Kafka took, hold what cannot go: the positions taken, and those held with why."""
        records, reasons = _sort(entries, stuck)
        self._check_leadership("produce")
        if self.producer is None:
            self.producer = self.broker.producer()
        deliveries = self.producer.send(list(records.values()), give_up=_Patience(self))
        crash.at("relay.produced")
        self._check_leadership("delete")
        outcomes = list(zip(records, deliveries, strict=True))
        taken = [position for position, each in outcomes if not each.refusal]
        reasons |= {position: each.refusal for position, each in outcomes if each.refusal and each.refusal != GIVEN_UP}
        held.hold(reasons)
        outbox.forget(taken)
        crash.at("relay.deleted")
        _tell(entries, reasons)
        metrics.count_relayed(acknowledged=len(taken), refused=len(_refused(reasons)))
        return set(taken), reasons

    def _check_leadership(self, purpose: str) -> None:
        if not self.leadership.holds():
            raise LostLeadership(f"not the leader any more, so may not {purpose}")

    def close(self) -> None:
        """Give up the lock only after the producer can write nothing more."""
        if self.producer is not None:
            self.producer.close()
            self.producer = None
        self.after = None
        self.leadership.release()
        metrics.relay_leader.set(0)


def _sort(entries: list[Logged], stuck: set[Key]) -> tuple[dict[int, OutgoingRecord], dict[int, str]]:
    """By position: the records of what can go, and why the rest cannot. Nothing goes past another of its key."""
    records: dict[int, OutgoingRecord] = {}
    reasons: dict[int, str] = {}
    for entry in entries:
        if entry.of_key in stuck:
            reasons[entry.position] = held.BEHIND
            continue
        try:
            records[entry.position] = _record_of(entry)
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is this one's, and must not stop all others
            # Words of others may quote what a person wrote.
            ours = isinstance(reason, EventTooLarge | NoSuchEvent)
            reasons[entry.position] = str(reason) if ours else type(reason).__name__
            if not isinstance(reason, NoSuchEvent):
                stuck.add(entry.of_key)
    return records, reasons


def _record_of(entry: Logged) -> OutgoingRecord:
    event = entry.envelope()
    key, value, headers = encode(event)
    size = len(key) + len(value) + sum(len(name) + len(text) for name, text in headers)
    if size > RECORD_MAX_BYTES:
        raise EventTooLarge(event.type, size=size, limit=RECORD_MAX_BYTES)
    return OutgoingRecord(event.topic, key, value, headers)


def _refused(reasons: dict[int, str]) -> list[int]:
    return [position for position, reason in reasons.items() if reason != held.BEHIND]


def _tell(entries: list[Logged], reasons: dict[int, str]) -> None:
    if refused := _refused(reasons):
        log.error("relay_refused", records=len(refused), position=refused[0], reason=reasons[refused[0]])
    if len(reasons) < len(entries):
        log.info("relayed", records=len(entries) - len(reasons), last_position=entries[-1].position)


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
