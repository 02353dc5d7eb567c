"""A group's consumer: reads its topics, applies what it subscribes to, stores offsets after the commit.

Invariant: an offset is stored only when every record before it is applied, parked, recorded as unreadable or
not the group's; a failure that may heal holds the batch, with the partitions paused and the membership alive. No
record of another cluster than before is handled until the group has caught up from the log, so that what only the
old one had comes first.
"""

import time
from collections.abc import Sequence
from threading import Event as StopSignal

import structlog
from django.conf import settings
from django.db import close_old_connections

from apps.events import crash, dead_letters, handling, heartbeat, metrics, reconcile
from apps.events.backoff import Backoff
from apps.events.brokers.base import Broker, Consumer, Record
from apps.events.envelope import Envelope, RecordPosition, decode, header
from apps.events.errors import BrokerFailed, Transient, UnreadableRecord
from apps.events.handling import Outcome
from apps.events.missing import Laps
from apps.events.subscriptions import ConsumerGroup

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
# How often a group that has nothing to read asks a Kafka that it doubts.
LOOK_SECONDS = 2.0


class GroupConsumer:
    """One member of a consumer group. `run` until `stop` is set; `handle_records` is one round of it."""

    def __init__(self, group: ConsumerGroup, *, broker: Broker, stop: StopSignal | None = None) -> None:
        self.group = group
        self.broker = broker
        self.stop = stop or StopSignal()
        self.ticked_at = time.monotonic()
        self.reconciled = False
        self.doubts_cluster = True
        self.missed_records = False
        self.laps = Laps()
        self.cluster_id = ""
        self.looks_again_at = time.monotonic()
        self.consumer: Consumer | None = None

    def run(self) -> None:
        """Raises `GroupStopped` or `BrokerFailed` when the process should end."""
        if self.group.parks:
            dead_letters.stop_if_too_many(self.group)  # or each restart would park one more
        self.consumer = self.broker.consumer(self.group.name, self.group.topics())
        try:
            while not self.stop.is_set():
                self._tick()
                records = self.consumer.poll(settings.CONSUMER_BATCH_SIZE, timeout=POLL_SECONDS)
                if records:
                    self._handle_until_done(self.consumer, records)
                elif not self._meets_another_cluster(self.consumer) and not self.reconciled:
                    self._reconcile_at_start(self.consumer)
        finally:
            self.consumer.close()

    def _tick(self) -> None:
        self.ticked_at = time.monotonic()
        heartbeat.beat(f"worker-{self.group.name}")
        close_old_connections()

    def _handle_until_done(self, consumer: Consumer, records: list[Record]) -> None:
        backoff = Backoff(first=0.1, cap=5)
        paused, was_on = False, self.cluster_id
        while not self.stop.is_set():
            records = [record for record in records if consumer.owns(record)]
            try:
                if self._caught_up(consumer):
                    self.handle_records(records)
                    crash.at("consumer.before_store")
                    # Offsets of another cluster may be anything on this one; what is not stored comes again.
                    consumer.store(records if was_on in {"", self.cluster_id} else [])
                    break
                delay = 0.0
            except Transient as reason:
                delay = backoff.next_delay()
                log.warning("group_waits", group=self.group.name, reason=str(reason), seconds=round(delay, 2))
            paused = True
            records += self._wait(consumer, delay)
        if paused:
            consumer.resume()

    def _caught_up(self, consumer: Consumer) -> bool:
        """Whether the records in hand may be handled; if not, a step was made towards it. Raises `Transient`."""
        self._hear_of_doubts(consumer)
        if self.doubts_cluster:
            try:
                state = self.broker.state(self.group.topics())
            except BrokerFailed as reason:
                raise Transient(str(reason)) from reason
            self.doubts_cluster = not reconcile.catch_up(
                self.group, state, missed=self.missed_records, laps=self.laps
            ).settled
            self.missed_records = self.missed_records and self.doubts_cluster
            self.cluster_id = state.identity
        return not self.doubts_cluster

    def _hear_of_doubts(self, consumer: Consumer) -> None:
        missed, doubts = consumer.missed_records(), consumer.doubts_cluster()
        if missed or doubts:
            # What was passed by just now is behind a lap that was begun before.
            self.laps = Laps()
        self.missed_records = missed or self.missed_records
        self.doubts_cluster = doubts or self.doubts_cluster or self.missed_records

    def _wait(self, consumer: Consumer, seconds: float) -> list[Record]:
        """Stay a member of the group while handing nothing on; what slips through comes back."""
        consumer.pause()
        slipped: list[Record] = []
        until = time.monotonic() + seconds
        while not self.stop.is_set():
            left = max(0.0, until - time.monotonic())
            self._tick()
            slipped += consumer.poll(1, timeout=min(left, POLL_SECONDS))
            if not left:
                break
        return slipped

    def handle_records(self, records: Sequence[Record]) -> Outcome:
        """Decode what the group subscribes to and apply it. Raises `Transient` and `GroupStopped`."""
        outcome = Outcome()
        events: list[Envelope] = []
        unreadable: list[tuple[Record, str]] = []
        for record in records:
            if record.damage:
                unreadable.append((record, record.damage))
                continue
            if not self._is_ours(record):
                continue
            place = RecordPosition(record.topic, record.partition, record.offset)
            try:
                event = decode(key=record.key, value=record.value, headers=record.headers, record=place)
            except UnreadableRecord as reason:
                unreadable.append((record, str(reason)))
                continue
            if self.group.wants(event.type):
                events.append(event)
        if unreadable:
            self._unreadable(unreadable)
        if events:
            outcome += handling.handle(self.group, events)
        return outcome

    def _is_ours(self, record: Record) -> bool:
        """By the type in the header alone: decoding costs more than all the rest of skipping a record."""
        event_type = header(record.headers, "ce_type")
        if self.group.wants(event_type) or (not event_type and self.group.unreadable):
            return True
        if not event_type:
            self._unreadable([(record, "no type")])
        return False

    def _unreadable(self, found: Sequence[tuple[Record, str]]) -> None:
        for record, reason in found:
            log.warning(
                "record_unreadable",
                group=self.group.name,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=reason,
            )
        if self.group.unreadable:
            handling.record_unreadable(self.group, found)
        metrics.count_unreadable(self.group.name, len(found))

    def _meets_another_cluster(self, consumer: Consumer) -> bool:
        """Whether there is something to catch up with, or to find out; a step is made towards it now and then.

        What only the old cluster had may be all there is: a record of the new one need not come.
        """
        self._hear_of_doubts(consumer)
        if self.doubts_cluster and time.monotonic() >= self.looks_again_at:
            self.looks_again_at = time.monotonic() + LOOK_SECONDS
            try:
                self._caught_up(consumer)
            except Transient as reason:
                log.warning("reconcile_waits", group=self.group.name, reason=str(reason))
        return self.doubts_cluster

    def _reconcile_at_start(self, consumer: Consumer) -> None:
        """What the log has and the broker lost meanwhile is made good as soon as nothing else is waiting."""
        if not consumer.has_assignment():
            return
        try:
            self.reconciled = reconcile.run(self.group, broker=self.broker, laps=self.laps).settled
        except Transient as reason:
            log.warning("reconcile_waits", group=self.group.name, reason=str(reason))
