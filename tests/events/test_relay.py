"""The relay moves every event in order, forgets only what Kafka has, and never acts as a second leader."""

import threading
import time

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import override_settings

from apps.events import outbox, relay
from apps.events.brokers.base import GIVEN_UP, Delivery
from apps.events.brokers.memory import MemoryProducer
from apps.events.errors import LostLeadership
from apps.events.models import Event, OutboxEntry
from tests.events.concurrency import in_background
from tests.support.factories import append, event, life_of_one_subject
from tests.support.topics import wait_until

pytestmark = pytest.mark.django_db


def ids(records):
    return [dict(record.headers)["ce_id"].decode() for record in records]


def ids_of(*events):
    return [str(one.id) for one in events]


def entries():
    return list(OutboxEntry.objects.values_list("event__event_id", flat=True))


def terminate(leadership):
    with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as session:
        session.execute("SELECT pg_terminate_backend(%s, 5000)", [leadership.session.info.backend_pid])


class Refusing(MemoryProducer):
    """Kafka that refuses records of some keys."""

    keys: frozenset[str] = frozenset()

    def send(self, records, *, give_up):
        return [
            Delivery(refusal="refused by the test")
            if record.key.decode() in self.keys
            else super(Refusing, self).send([record], give_up=give_up)[0]
            for record in records
        ]


def test_what_was_appended_is_relayed_and_its_entry_deleted(pump):
    life = life_of_one_subject(3)
    append(*life)

    assert pump.relay_once() == 3

    assert ids(pump.records("task-events")) == ids_of(*life)
    assert entries() == []
    assert Event.objects.count() == 3


def test_an_empty_outbox_moves_nothing(pump):
    assert pump.relay_once() == 0
    assert pump.records("task-events") == []


@override_settings(RELAY_BATCH_SIZE=4)
def test_batches_keep_the_order_of_each_key(pump):
    lives = [life_of_one_subject(5), life_of_one_subject(5)]
    append(*[one for pair in zip(*lives, strict=True) for one in pair])

    moved = [pump.relay_once() for _ in range(4)]

    assert moved == [4, 4, 2, 0]
    for life in lives:
        of_key = [record for record in pump.records("task-events") if record.key == life[0].key.encode()]
        assert ids(of_key) == ids_of(*life)


def test_what_kafka_refuses_stays_and_what_it_took_goes(pump, monkeypatch):
    good, bad = event(), event()
    append(good, bad)
    monkeypatch.setattr(Refusing, "keys", frozenset([bad.key]))
    monkeypatch.setattr(pump.broker, "producer", lambda: Refusing(pump.broker))

    assert pump.relay_once() == 1

    assert entries() == [bad.id]
    assert ids(pump.records("task-events")) == ids_of(good)


def test_a_relay_that_lost_the_lead_before_producing_produces_nothing(pump):
    append(event())
    pump.leadership.acquire()
    terminate(pump.leadership)

    with pytest.raises(LostLeadership, match="may not produce"):
        pump.relay.relay_batch()

    assert pump.records("task-events") == []
    assert len(entries()) == 1


def test_a_relay_that_lost_the_lead_before_deleting_deletes_nothing_and_the_repeat_is_absorbed(pump, monkeypatch):
    from apps.audit.models import AuditRecord

    one = event()
    append(one)
    produced = MemoryProducer(pump.broker)

    class Frozen(MemoryProducer):
        def send(self, records, *, give_up):
            terminate(pump.leadership)
            return produced.send(records, give_up=give_up)

    monkeypatch.setattr(pump.broker, "producer", lambda: Frozen(pump.broker))
    pump.leadership.acquire()
    with pytest.raises(LostLeadership, match="may not delete"):
        pump.relay.relay_batch()
    left = entries()
    pump.relay.producer = produced

    pump.run()
    pump.redeliver_everything()

    assert left == [one.id]
    assert ids(pump.records("task-events")) == ids_of(one, one)
    assert AuditRecord.objects.filter(event_id=one.id).count() == 1


class Away(MemoryProducer):
    """Kafka that does not answer: waits until told to give up, at most `seconds`; meanwhile the lead may be lost."""

    def __init__(self, broker, *, meanwhile=lambda: None, seconds=10.0):
        super().__init__(broker)
        self.meanwhile = meanwhile
        self.seconds = seconds
        self.was_told_to_give_up = False

    def send(self, records, *, give_up):
        self.meanwhile()
        until = time.monotonic() + self.seconds
        while not self.was_told_to_give_up and time.monotonic() < until:
            time.sleep(0.02)
            self.was_told_to_give_up = give_up()
        return [Delivery(refusal=GIVEN_UP) for _ in records]


def test_a_relay_that_loses_the_lead_while_it_waits_for_kafka_gives_up_and_deletes_nothing(pump):
    append(event())
    pump.relay.producer = Away(pump.broker, meanwhile=lambda: terminate(pump.leadership))
    pump.leadership.acquire()

    with pytest.raises(LostLeadership, match="may not delete"):
        pump.relay.relay_batch()

    assert pump.relay.producer.was_told_to_give_up
    assert len(entries()) == 1


def test_without_looking_whether_it_leads_it_would_wait_on(pump, monkeypatch):
    """The negative control of the test above."""
    monkeypatch.setattr(relay, "LEADERSHIP_CHECK_SECONDS", 3600)
    append(event())
    pump.relay.producer = Away(pump.broker, meanwhile=lambda: terminate(pump.leadership), seconds=3)
    pump.leadership.acquire()

    with pytest.raises(LostLeadership):
        pump.relay.relay_batch()

    assert not pump.relay.producer.was_told_to_give_up


def test_a_relay_that_leads_and_is_not_asked_to_stop_waits_for_kafka(pump):
    append(event())
    pump.relay.producer = Away(pump.broker, seconds=3)

    assert pump.relay_once() == 0

    assert not pump.relay.producer.was_told_to_give_up
    assert list(OutboxEntry.objects.values_list("held_at", flat=True)) == [None]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_commits_late_is_relayed_though_higher_positions_went_before(pump):
    """Invariant: the outbox is a set of pointers, not a cursor over positions."""
    late, early = event(), event()
    relayed_by_cursor = CursorRelay()
    appended, may_commit = threading.Event(), threading.Event()

    with in_background(lambda: _append_and_wait(late, appended, may_commit)) as writer:
        appended.wait(10)
        append(early)
        pump.relay_once()
        relayed_by_cursor.relay()
        first = ids(pump.records("task-events"))
        may_commit.set()
        writer.result(10)
    pump.relay_once()
    relayed_by_cursor.relay()

    assert first == ids_of(early)
    assert sorted(ids(pump.records("task-events"))) == sorted(ids_of(early, late))
    assert entries() == []
    # Negative control: a relay that remembers the last position loses the late one for good.
    assert relayed_by_cursor.ids == [early.id]


@pytest.fixture
def backlog(settings, monkeypatch):
    """Batches of two; nobody looks back before the end."""
    settings.RELAY_BATCH_SIZE = 2
    monkeypatch.setattr(relay, "LOOK_AT_ALL_SECONDS", 1e9)


@pytest.fixture
def overtaken(backlog, pump):
    """A backlog of which two are relayed, and a life whose first version commits only then, below them."""
    life = life_of_one_subject(2)
    appended, may_commit = threading.Event(), threading.Event()
    with in_background(lambda: _append_and_wait(life[0], appended, may_commit)) as writer:
        assert appended.wait(20)
        append(*(event() for _ in range(5)))
        pump.relay_once()
        may_commit.set()
        writer.result(20)
    append(life[1])
    return life


def of_key(pump, key):
    return ids([record for record in pump.records("task-events") if record.key == key.encode()])


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_below_a_backlog_goes_before_what_was_written_after_it(pump, overtaken):
    in_a_backlog = pump.relay.after

    pump.run()

    assert in_a_backlog is not None
    assert of_key(pump, overtaken[0].key) == ids_of(*overtaken)


@pytest.mark.django_db(transaction=True)
def test_gone_on_with_all_that_is_committed_behind_the_last_batch_it_would_be_reordered(pump, overtaken, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(outbox, "_VISIBLE", "%s::text IS NOT NULL")

    pump.run()

    assert of_key(pump, overtaken[0].key) == ids_of(*reversed(overtaken))


@pytest.mark.django_db(transaction=True)
def test_a_backlog_is_worked_off_from_where_the_last_batch_ended(backlog, pump):
    events = [event() for _ in range(5)]
    positions = [row.position for row in append(*events)]

    went = [(pump.relay_once(), pump.relay.after) for _ in range(3)]

    assert went == [(2, positions[1]), (2, positions[3]), (1, None)]
    assert sorted(ids(pump.records("task-events"))) == sorted(ids_of(*events))


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_below_a_backlog_is_found_while_it_is_worked_off(pump, overtaken):
    append(*(event() for _ in range(4)))
    pump.relay.looks_at_all_at = 0.0

    pump.relay_once()

    assert of_key(pump, overtaken[0].key) == ids_of(overtaken[0])


class CursorRelay:
    """What the relay must not be."""

    def __init__(self):
        self.last = 0
        self.ids = []

    def relay(self):
        for row in Event.objects.filter(position__gt=self.last).order_by("position"):
            self.last = row.position
            self.ids.append(row.event_id)


def _append_and_wait(one, appended, may_commit):
    with transaction.atomic():
        outbox.append(one)
        appended.set()
        may_commit.wait(10)


@pytest.mark.django_db(transaction=True)
def test_a_running_relay_moves_what_comes_and_ends_when_told_to(pump):
    first, second = event(), event()
    append(first)

    with in_background(pump.relay.run) as running:
        assert wait_until(lambda: _soon(not entries()))
        append(second)
        assert wait_until(lambda: _soon(not entries()))
        pump.relay.stop.set()
        running.result(10)

    assert sorted(ids(pump.records("task-events"))) == sorted(ids_of(first, second))
    assert pump.leadership.session is None


@pytest.mark.django_db(transaction=True)
def test_a_running_relay_whose_lead_was_taken_leads_again_and_loses_nothing(pump):
    events = [event() for _ in range(3)]
    append(events[0])

    with in_background(pump.relay.run) as running:
        assert wait_until(lambda: _soon(not entries()))
        terminate(pump.leadership)
        append(*events[1:])
        assert wait_until(lambda: _soon(not entries()))
        pump.relay.stop.set()
        running.result(10)

    assert sorted(ids(pump.records("task-events"))) == sorted(ids_of(*events))


@pytest.mark.django_db(transaction=True)
def test_a_leader_with_nothing_to_relay_notices_that_its_lead_was_taken(pump):
    with in_background(pump.relay.run) as running:
        assert wait_until(
            lambda: _soon(pump.leadership.session is not None and pump.leadership.session.info.backend_pid)
        )
        before = pump.leadership.session
        terminate(pump.leadership)
        noticed = wait_until(lambda: _soon(pump.leadership.session is not before))
        pump.relay.stop.set()
        running.result(10)

    assert noticed


def _soon(true):
    threading.Event().wait(0.01)
    return true


@override_settings(RELAY_BATCH_SIZE=2)
def test_orphaned_entries_are_set_aside_and_do_not_hold_up_the_others(pump):
    one = event()
    append(one)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events_outboxentry (event_id) VALUES (-3), (-2), (-1)")

    moved = [pump.relay_once() for _ in range(3)]

    assert moved == [0, 1, 0]
    assert ids(pump.records("task-events")) == ids_of(one)
    assert list(OutboxEntry.objects.filter(held_at__isnull=False).values_list("pk", flat=True)) == [-3, -2, -1]
    assert OutboxEntry.objects.get(pk=-3).refusal == "The log has no event at position -3."
