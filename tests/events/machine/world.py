"""One example's world: an empty database, a Kafka of its own, two people, three groups, and what was done to them.

It keeps the books that the promises are held against: what was acknowledged, whom a handler failed, what was lost
on purpose. Invariant: what the platform does depends on nothing but the steps, so ids are counted and nothing waits.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.backends.signals import connection_created
from django.test import override_settings

from apps.accounts.models import User
from apps.audit import chain
from apps.audit.subscribers import group as audit
from apps.events import consumer, crash, envelope, missing, outbox, reconcile, relay, subscriptions, verify
from apps.events.brokers import memory
from apps.events.brokers.base import OutgoingRecord, Record
from apps.events.envelope import Envelope, header
from apps.events.errors import PoisonEvent, Transient
from apps.events.models import Event, OutboxEntry
from apps.events.subscriptions import ConsumerGroup
from apps.tasks.events import ListEvent, TagEvent, TaskEvent
from apps.tasks.models import Tag, Task, TaskList
from tests.events import effects
from tests.events.machine import fates
from tests.events.machine.kafka import TAKES_ALL, FaultyBroker, FaultyProducer
from tests.support.append_only import guards_off
from tests.support.factories import person

# What is locked by a frozen step stays locked, so nobody waits long for it.
LOCK_LIMIT = "60ms"
PARTITIONS = 2
_TABLES = (
    *("events_outboxentry", "events_event", "events_handledevent", "events_deadletter", "events_groupprogress"),
    "events_groupmark",
    *("audit_auditcontent", "audit_auditrecord", "tasks_idempotentanswer", "tasks_task", "tasks_tasklist"),
    *("tasks_tag", "accounts_failedsignins", "accounts_user", "test_effect"),
)
CHORES = (
    *(TaskEvent.CREATED, TaskEvent.UPDATED, TaskEvent.COMPLETED, TaskEvent.REOPENED, TaskEvent.DELETED),
    *(TaskEvent.RESTORED, TaskEvent.PURGED, ListEvent.CREATED, ListEvent.UPDATED, ListEvent.DELETED),
    *(TagEvent.CREATED, TagEvent.UPDATED, TagEvent.DELETED),
)
ERRANDS = (TaskEvent.CREATED, TaskEvent.COMPLETED, TaskEvent.PURGED, TaskEvent.SNAPSHOT, ListEvent.SNAPSHOT)


class Impatient:
    """In place of the consumer's back-off: it tries again at once."""

    def __init__(self, **_: Any) -> None: ...

    def next_delay(self) -> float:
        return 0.0


class World:
    def __init__(self, *, max_parked_in_a_row: int = 4) -> None:
        self.patch = pytest.MonkeyPatch()
        self.settings = override_settings(MAX_PARKED_IN_A_ROW=max_parked_in_a_row)
        self.settings.enable()
        connection_created.connect(_limit_locks)
        _limit_locks(sender=None, connection=connection)
        _empty()
        self._count_ids()
        self.broker = FaultyBroker(on_send=self._check_sending)
        self._patch_platform()
        self.people = [person(), person()]

        self.acknowledged: dict[UUID, Envelope] = {}
        self.under_way: list[list[Envelope]] = []
        self.foreign: set[UUID] = set()
        self.may_be_gone: set[UUID] = set()
        self.let_go: dict[str, set[UUID]] = defaultdict(set)
        self.too_late: dict[str, set[tuple[str, UUID]]] = defaultdict(set)
        self.lost_by_kafka = False
        self.misplaced: set[tuple[str, str]] = set()
        self.failed: set[tuple[str, UUID]] = set()
        self.interrupted: set[str] = set()

        # Things of which the next event will be one that a group cannot handle; and those events.
        self.poisonous: dict[str, set[UUID]] = defaultdict(set)
        self.poisons: dict[str, set[UUID]] = defaultdict(set)
        self.declared: dict[str, bool] = defaultdict(bool)
        self.transient: dict[str, int] = defaultdict(int)
        self.broken: dict[str, bool] = defaultdict(bool)
        self.groups = self._declare_groups()

    # -- what happens

    def write(self, commands: Sequence[Callable[[], object]], *, undone: bool = False) -> set[UUID]:
        """One transaction; what of it is kept if it is committed."""
        with outbox.recording() as recorded, transaction.atomic():
            for command in commands:
                command()
            fates.at("machine.before_commit")
            kept = self.in_log([one.id for one in recorded])
            if undone:
                raise Undone
        for one in recorded:
            if one.id in kept:
                self.acknowledged[one.id] = one
        return kept

    @contextmanager
    def several_transactions(self) -> Iterator[None]:
        """Whatever of it is in the log was acknowledged, also if it dies on the way or stands still there."""
        with outbox.recording() as recorded:
            self.under_way.append(recorded)
            try:
                yield
            finally:
                self.note_what_was_committed()
                # Two that have written nothing yet are equal, and not the same.
                self.under_way = [each for each in self.under_way if each is not recorded]

    def note_what_was_committed(self) -> None:
        for recorded in self.under_way:
            kept = self.in_log([one.id for one in recorded])
            self.acknowledged |= {one.id: one for one in recorded if one.id in kept}

    def in_log(self, ids: Sequence[UUID]) -> set[UUID]:
        return set(Event.objects.filter(event_id__in=ids).values_list("event_id", flat=True))

    @property
    def is_ill(self) -> bool:
        return (
            any(self.poisonous.values())
            or any(self.poisons.values())
            or any(self.broken.values())
            or any(self.transient.values())
        )

    def heal(self) -> None:
        self.broker.away = False
        self.broker.taking = TAKES_ALL
        for of_groups in (self.poisonous, self.poisons, self.transient, self.broken):
            of_groups.clear()

    def close(self) -> None:
        self.patch.undo()
        connection_created.disconnect(_limit_locks)
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
        self.settings.disable()

    # -- how it is made

    def _declare_groups(self) -> list[ConsumerGroup]:
        self.patch.setattr(subscriptions, "_groups", {"audit": audit})
        chores = ConsumerGroup("chores")
        chores.on(*CHORES)(lambda event: self._do("chores", event))
        errands = ConsumerGroup("errands", one_by_one=True)
        errands.on_batch(*ERRANDS)(self._do_errands)
        return [audit, chores, errands]

    def _do_errands(self, events: Sequence[Envelope]) -> None:
        for event in events:
            self._do("errands", event)

    def _do(self, group: str, event: Envelope) -> None:
        """The effect of an event on a group; a failure comes behind it, so that only a rollback takes it away."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO test_effect (effect_of, key, version) VALUES (%s, %s, %s)",
                [event.id, group, event.version],
            )
        fates.at("machine.effect")
        if self.transient[group] > 0:
            self.transient[group] -= 1
            raise Transient("not now")
        if event.subject_id in self.poisonous[group]:
            self.poisonous[group].remove(event.subject_id)
            self.poisons[group].add(event.id)
        if self.broken[group] or event.id in self.poisons[group]:
            self.failed.add((group, event.id))
            raise PoisonEvent("never") if self.declared[group] else ValueError("cannot be")

    def _patch_platform(self) -> None:
        self.patch.setattr(crash, "at", fates.at)
        self.patch.setattr(consumer, "Backoff", Impatient)
        self.patch.setattr(consumer, "LOOK_SECONDS", 0.0)
        self.patch.setattr(verify, "UNDER_WAY_SECONDS", -1)
        self.patch.setattr(memory, "PARTITIONS", PARTITIONS)
        # A log of a few dozen events is walked in as many steps as one of millions.
        self.patch.setattr(missing, "NEAR_TRANSACTIONS", 20)
        self.patch.setattr(missing, "WINDOW", 5)
        # What is held is offered each time; a backlog is gone through to its end before anybody looks back.
        self.patch.setattr(relay, "OFFER_AGAIN_SECONDS", 0.0)
        self.patch.setattr(relay, "LOOK_AT_ALL_SECONDS", 1e9)
        repair = reconcile._repair

        def frozen_before_repair(group: ConsumerGroup, positions: list[int]) -> int:
            fates.at("machine.before_repair")
            return repair(group, positions)

        self.patch.setattr(reconcile, "_repair", frozen_before_repair)
        chains: dict[str, int] = {}
        self.patch.setattr(
            chain,
            "chain_of",
            lambda kind, subject, *, event_id: chains.setdefault(f"{kind}/{subject or event_id}", len(chains) % 16),
        )

    def _count_ids(self) -> None:
        numbers = count(1)

        def next_id() -> UUID:
            return UUID(int=(0x7000 << 64) | (0x8 << 60) | next(numbers))

        self.next_id = next_id
        self.patch.setattr(envelope, "uuid7", next_id)
        for model in (User, Task, TaskList, Tag):
            self.patch.setattr(model._meta.get_field("id"), "_get_default", next_id)

    def _check_sending(self, producer: FaultyProducer, records: Sequence[OutgoingRecord]) -> None:
        """Only the leader writes to Kafka, and never what has left the outbox."""
        assert _leads(producer.sender), "a relay that does not lead writes to Kafka"
        ids = [UUID(header(record.headers, "ce_id")) for record in records]
        waiting = set(OutboxEntry.objects.filter(event__event_id__in=ids).values_list("event__event_id", flat=True))
        assert set(ids) == waiting, "what has left the outbox is sent again"


class Undone(Exception):
    """The transaction is rolled back by its writer."""


def subject_of(record: Record) -> tuple[str, UUID]:
    kind, _, subject_id = header(record.headers, "ce_subject").partition("/")
    return kind, UUID(subject_id)


def days_pass(days: int) -> None:
    """Everything in the database is so much older. Raises `DatabaseError` while somebody is writing."""
    with guards_off(), connection.cursor() as cursor:
        for table, column in (
            ("events_event", "recorded_at"),
            ("events_handledevent", "handled_at"),
            ("events_deadletter", "parked_at"),
            ("tasks_task", "updated_at"),
            ("tasks_tasklist", "updated_at"),
            ("tasks_tag", "updated_at"),
        ):
            cursor.execute(f"UPDATE {table} SET {column} = {column} - make_interval(days => %s)", [days])


def _leads(sender: Any) -> bool:
    session = sender.leadership.session
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s"
            " AND (classid::bigint << 32) + objid::bigint = %s",
            [session.info.backend_pid if session and not session.closed else 0, sender.leadership.key],
        )
        return bool(cursor.fetchone()[0])


def _limit_locks(*, sender: object, connection: Any, **_: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_LIMIT}'")


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute(effects.CREATE)
    with guards_off(), connection.cursor() as cursor:
        for table in _TABLES:  # of a few rows each: TRUNCATE of so many tables with their indexes takes 0.1 s
            cursor.execute(f"DELETE FROM {table}")
