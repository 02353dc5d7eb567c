"""A group's consumer: what it reads is handled, recorded or held, and never skipped unseen."""

import threading
import zlib
from base64 import b64decode
from dataclasses import replace

import pytest
import structlog
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditRecord
from apps.events import consumer as consumer_module
from apps.events import reconcile
from apps.events.brokers.base import Record
from apps.events.brokers.memory import PARTITIONS, MemoryConsumer
from apps.events.consumer import GroupConsumer
from apps.events.errors import BrokerFailed, GroupStopped, Transient
from apps.events.handling import Outcome
from apps.events.models import GroupProgress, HandledEvent, OutboxEntry
from apps.events.reconcile import Repair
from apps.events.subscriptions import group_named
from apps.tasks.events import TaskEvent
from tests.events.concurrency import in_background
from tests.support.factories import append, event, life_of_one_subject, outgoing, record_of
from tests.support.topics import wait_until

pytestmark = pytest.mark.django_db

GARBAGE = Record("task-events", 1, 7, b"some-key", b"\xff\0garbage", [("ce_type", b"task.created.v1")])


@pytest.fixture
def audit(pump):
    return GroupConsumer(group_named("audit"), broker=pump.broker)


@pytest.fixture
def chores(pump, new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    return GroupConsumer(group, broker=pump.broker)


def send(pump, *records):
    pump.broker.producer().send(records, give_up=lambda: False)


def retyped(one, event_type):
    record = record_of(one)
    headers = dict(record.headers) | {"ce_type": event_type.encode()}
    return replace(record, headers=list(headers.items()))


def test_an_unreadable_record_is_kept_by_audit_once_with_its_bytes(audit):
    audit.handle_records([GARBAGE])
    audit.handle_records([GARBAGE])

    record = AuditRecord.objects.get()
    assert (record.readable, record.type) == (False, "unreadable")
    assert [b64decode(record.data[part]) for part in ("key", "value")] == [b"some-key", b"\xff\0garbage"]
    assert (record.record_topic, record.record_partition, record.record_offset) == ("task-events", 1, 7)
    assert record.data["because"] == "The record has no header ce_specversion."
    assert record.data["headers"] == [["ce_type", "task.created.v1"]]


def test_a_batch_of_garbage_is_kept_in_as_many_statements_as_one_record(audit):
    """On a topic full of it the others wait for these."""
    garbage = [replace(GARBAGE, value=b"\xff %d" % number, offset=number) for number in range(201)]

    statements = [statements_of(lambda part=part: audit.handle_records(part)) for part in (garbage[:1], garbage[1:])]

    assert statements[0] == statements[1]
    assert AuditRecord.objects.filter(readable=False).count() == 201


def statements_of(function):
    with CaptureQueriesContext(connection) as asked:
        function()
    return len(asked.captured_queries)


def test_the_same_garbage_twice_in_a_batch_is_one_record(audit):
    audit.handle_records([GARBAGE, GARBAGE])

    assert AuditRecord.objects.count() == 1


def test_the_same_garbage_at_another_place_is_another_record(audit):
    audit.handle_records([GARBAGE, replace(GARBAGE, offset=8)])

    assert sorted(AuditRecord.objects.values_list("record_offset", flat=True)) == [7, 8]


def test_other_garbage_at_the_same_place_of_a_restarted_broker_is_another_record(audit):
    audit.handle_records([GARBAGE])
    audit.handle_records([replace(GARBAGE, value=b"other")])

    assert AuditRecord.objects.filter(readable=False).count() == 2


@pytest.mark.parametrize(
    "record",
    [
        Record("task-events", 0, 0, None, None, []),
        Record("task-events", 0, 0, b"\xff", b"", [("ce_type", b"\xff\0")]),
        Record("task-events", 0, 0, b"k", b"{}", [("other", b"x")]),
        Record("task-events", 0, 0, b"k", b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", [("ce_type", b"x.v1")]),
        replace(record_of(event()), headers=[h for h in record_of(event()).headers if h[0] != "ce_id"]),
        replace(record_of(event()), value=b'{"task": 1}'),
    ],
    ids=["nothing at all", "no text", "no CloudEvent", "too deep", "no id", "not its schema"],
)
def test_no_record_stops_audit_and_the_next_one_flows(audit, record):
    good = event()

    audit.handle_records([record, record_of(good, offset=1)])
    audit.handle_records([record, record_of(good, offset=1)])

    assert sorted(AuditRecord.objects.values_list("readable", flat=True)) == [False, True]


def test_data_nested_at_every_depth_is_recorded_or_unreadable_and_never_stops_audit(audit):
    for depth in range(80, 1200, 40):
        value = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        audit.handle_records([replace(retyped(event(), "x.y.v1"), value=value, offset=depth)])

    assert AuditRecord.objects.count() == 28


def test_a_group_that_keeps_no_unreadable_records_says_so_and_goes_on(chores, effect):
    good = event()

    with structlog.testing.capture_logs() as logs:
        outcome = chores.handle_records([GARBAGE, record_of(good, offset=8)])

    assert effect.of() == [good.id]
    assert outcome == Outcome(handled=1)
    assert [
        (line["group"], line["partition"], line["offset"]) for line in logs if line["event"] == "record_unreadable"
    ] == [("chores", 1, 7)]


def test_a_type_of_a_newer_producer_is_recorded_by_audit(audit):
    audit.handle_records([retyped(event(), "task.archived.v7")])

    assert list(AuditRecord.objects.values_list("type", "readable")) == [("task.archived.v7", True)]


def test_a_type_that_a_group_did_not_subscribe_to_is_skipped_unread(chores, effect):
    outcome = chores.handle_records(
        [
            retyped(event(), "task.archived.v7"),
            retyped(event(), "task.completed.v1"),
            replace(GARBAGE, headers=[]),
        ]
    )

    assert outcome == Outcome()
    assert effect.of() == []
    assert HandledEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_failing_record_of_audit_is_transient_and_keeps_nothing(audit, monkeypatch):
    monkeypatch.setattr(audit.group, "unreadable", _fail)

    with pytest.raises(Transient, match="RuntimeError: the disk is full"):
        audit.handle_records([GARBAGE])

    assert (AuditRecord.objects.count(), HandledEvent.objects.count()) == (0, 0)


def _fail(*_):
    raise RuntimeError("the disk is full")


def stored(pump, group):
    return sum(offset for (name, _, _), offset in pump.broker.stored.items() if name == group)


@pytest.mark.django_db(transaction=True)
class TestRunning:
    """The loop itself, in a thread, as in a worker."""

    def run(self, consumer, until):
        with in_background(consumer.run) as running:
            came = wait_until(until, seconds=10)
            consumer.stop.set()
            running.result(10)
        return came

    def test_it_handles_what_is_there_and_stores_where_it_stands(self, pump, chores, effect):
        life = life_of_one_subject(3)
        send(pump, *map(outgoing, life))

        assert self.run(chores, lambda: _soon(stored(pump, "chores") == 3))

        assert effect.of() == [one.id for one in life]
        assert pump.broker.lag("chores", ["task-events"]) == 0

    def test_a_failure_that_may_heal_holds_the_batch_and_what_comes_behind_it(self, pump, new_group, effect):
        group = new_group("chores")
        first, second = life_of_one_subject(2)
        failures = [Transient("one"), Transient("two")]
        seen_while_waiting = []

        @group.on(TaskEvent.CREATED, TaskEvent.UPDATED)
        def fail_twice(one):
            if failures:
                seen_while_waiting.append((stored(pump, "chores"), one.id))
                send(pump, outgoing(second)) if len(failures) == 2 else None
                raise failures.pop()
            effect.apply(one)

        send(pump, outgoing(first))
        consumer = GroupConsumer(group, broker=pump.broker)

        assert self.run(consumer, lambda: _soon(stored(pump, "chores") == 2))

        assert seen_while_waiting == [(0, first.id), (0, first.id)]
        assert effect.of() == [first.id, second.id]

    def test_offsets_are_stored_only_after_the_commit(self, pump, chores, monkeypatch):
        one = event()
        at_store = []
        real = consumer_module.crash.at
        monkeypatch.setattr(
            consumer_module.crash,
            "at",
            lambda point: at_store.append((point, stored(pump, "chores"))) or real(point),
        )
        send(pump, outgoing(one))

        self.run(chores, lambda: _soon(stored(pump, "chores") == 1))

        assert at_store == [
            ("handling.before_commit", 0),
            ("handling.after_commit", 0),
            ("consumer.before_store", 0),
        ]

    def test_a_stopped_group_ends_the_loop_with_nothing_stored(self, pump, new_group, settings):
        settings.MAX_PARKED_IN_A_ROW = 1
        group = new_group("chores")
        group.on(TaskEvent.CREATED)(_fail)
        send(pump, outgoing(event()))

        with pytest.raises(GroupStopped, match="Group chores parked 1 events in a row"):
            GroupConsumer(group, broker=pump.broker).run()

        assert stored(pump, "chores") == 0
        assert pump.broker.members["chores"] == []

    def test_a_broker_that_failed_for_good_ends_the_loop(self, pump, chores, monkeypatch):
        monkeypatch.setattr("apps.events.brokers.memory.MemoryConsumer.poll", _broken)

        with pytest.raises(BrokerFailed):
            chores.run()

        assert pump.broker.members["chores"] == []

    def test_what_the_broker_lost_is_made_good_at_the_start(self, pump, chores, effect):
        one = event()
        append(one)
        OutboxEntry.objects.all().delete()  # relayed, and the broker forgot it

        assert self.run(chores, lambda: _soon(chores.reconciled))

        assert effect.of() == [one.id]


@pytest.mark.django_db(transaction=True)
class TestWaiting:
    """A batch that cannot be handled yet is held, by a member that stays one and takes no more."""

    @pytest.fixture
    def batches(self, new_group, effect):
        """A group whose first batches fail; the sizes of all that came."""
        group, sizes = new_group("chores"), []

        def declare(*, failures, meanwhile=lambda: None):
            @group.on_batch(TaskEvent.CREATED)
            def apply(events):
                sizes.append(len(events))
                if len(sizes) <= failures:
                    meanwhile()
                    raise Transient("not yet")
                effect.apply_batch(events)

            return group, sizes

        return declare

    def run(self, consumer, pump, effect, count):
        with in_background(consumer.run) as running:
            came = wait_until(lambda: _soon(len(effect.of()) >= count), seconds=20)
            consumer.stop.set()
            running.result(10)
        return came

    def spread_over_all_partitions(self):
        """Events of which every partition of the memory broker has one."""
        by_partition = {}
        while len(by_partition) < PARTITIONS:
            one = event()
            by_partition[zlib.crc32(one.key.encode()) % PARTITIONS] = one
        return by_partition

    def test_what_was_taken_away_while_it_waited_is_neither_handled_nor_stored(self, pump, batches, effect):
        members = []
        group, sizes = batches(
            failures=1, meanwhile=lambda: members.append(pump.broker.consumer("chores", ["task-events"]))
        )
        events = self.spread_over_all_partitions()
        send(pump, *map(outgoing, events.values()))

        assert self.run(GroupConsumer(group, broker=pump.broker), pump, effect, PARTITIONS // 2)

        assert sizes == [PARTITIONS, PARTITIONS // 2]
        assert set(effect.of()) == {events[number].id for number in (0, 2)}
        assert {number for (_, _, number), offset in pump.broker.stored.items() if offset} == {0, 2}

    def test_without_asking_what_is_its_own_it_handles_what_is_anothers(self, pump, batches, effect, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(MemoryConsumer, "owns", lambda member, record: True)
        members = []
        group, sizes = batches(
            failures=1, meanwhile=lambda: members.append(pump.broker.consumer("chores", ["task-events"]))
        )
        send(pump, *map(outgoing, self.spread_over_all_partitions().values()))

        assert self.run(GroupConsumer(group, broker=pump.broker), pump, effect, PARTITIONS)

        assert sizes == [PARTITIONS, PARTITIONS]

    @pytest.mark.parametrize(
        ("pause", "sizes_in_hand"),
        [(MemoryConsumer.pause, [1, 1, 1]), (lambda member: None, [1, 2, 3])],
        ids=["paused", "the negative control"],
    )
    def test_while_it_waits_it_takes_no_more(self, pump, batches, effect, monkeypatch, pause, sizes_in_hand):
        monkeypatch.setattr(MemoryConsumer, "pause", pause)
        monkeypatch.setattr(consumer_module.Backoff, "next_delay", lambda backoff: 0.0)
        group, sizes = batches(failures=2, meanwhile=lambda: send(pump, outgoing(event())))
        send(pump, outgoing(event()))

        assert self.run(GroupConsumer(group, broker=pump.broker), pump, effect, 3)

        assert sizes[:3] == sizes_in_hand

    def test_afterwards_it_takes_what_came(self, pump, batches, effect):
        group, _ = batches(failures=1, meanwhile=lambda: send(pump, outgoing(event())))
        send(pump, outgoing(event()))

        assert self.run(GroupConsumer(group, broker=pump.broker), pump, effect, 2)

        assert stored(pump, "chores") == 2

    def test_while_it_waits_it_comes_round_and_stays_a_member(self, pump, chores, monkeypatch):
        monkeypatch.setattr(consumer_module, "POLL_SECONDS", 0.02)
        beats, polls = [], []
        monkeypatch.setattr(consumer_module.heartbeat, "beat", beats.append)
        monkeypatch.setattr(MemoryConsumer, "poll", lambda member, limit, *, timeout: polls.append(limit) or _nothing())
        chores.ticked_at = 0.0

        chores._wait(pump.broker.consumer("chores", ["task-events"]), 0.2)

        assert len(beats) == len(polls) >= 3
        assert (set(beats), set(polls)) == ({"worker-chores"}, {1})
        assert chores.ticked_at > 0

    def test_told_to_stop_it_waits_no_longer(self, pump, chores):
        chores.stop.set()

        assert chores._wait(pump.broker.consumer("chores", ["task-events"]), 3600) == []


def _nothing():
    threading.Event().wait(0.02)
    return []


@pytest.mark.django_db(transaction=True)
class TestAnotherCluster:
    """Kafka was lost with what it had taken; a fresh one stands in its place."""

    @pytest.fixture
    def settled(self, pump, chores):
        reconcile.run(chores.group, broker=pump.broker)
        return chores

    def run_until_handled(self, consumer, effect, count):
        with in_background(consumer.run) as running:
            came = wait_until(lambda: _soon(len(effect.of()) == count), seconds=10)
            consumer.stop.set()
            running.result(10)
        assert came, effect.of()

    def lost_with_the_old(self, pump, *events):
        append(*events)
        pump.relay_once()
        pump.broker.start_anew()

    def test_what_only_the_old_one_had_is_handled_before_the_first_record_of_the_new(self, pump, settled, effect):
        life = life_of_one_subject(3)
        self.lost_with_the_old(pump, *life[:2])
        append(life[2])
        pump.relay_once()

        self.run_until_handled(settled, effect, 3)

        assert effect.of() == [one.id for one in life]
        assert stored(pump, "chores") == 1
        progress = GroupProgress.objects.get(group="chores")
        assert (progress.caught_up, progress.repaired) == (3, 0)
        assert progress.cluster_id == pump.broker.state().cluster_id

    def test_without_catching_up_the_newer_comes_first(self, pump, settled, effect, monkeypatch):
        """The negative control: the same, with the reconcile left to the time when nothing waits."""
        monkeypatch.setattr(reconcile, "catch_up", lambda group, state, **_: Repair(settled=True))
        life = life_of_one_subject(2)
        self.lost_with_the_old(pump, life[0])
        append(life[1])
        pump.relay_once()

        self.run_until_handled(settled, effect, 2)

        assert effect.of() == [life[1].id, life[0].id]

    def test_a_group_that_goes_on_running_notices_by_itself(self, pump, settled, effect):
        life = life_of_one_subject(3)
        send(pump, outgoing(life[0]))
        with in_background(settled.run) as running:
            wait_until(lambda: _soon(stored(pump, "chores") == 1))
            append(life[1])
            OutboxEntry.objects.all().delete()  # the old one took it, and was lost
            pump.broker.start_anew()
            append(life[2])
            pump.relay_once()
            wait_until(lambda: _soon(len(effect.of()) == 3))
            settled.stop.set()
            running.result(10)

        assert effect.of() == [one.id for one in life]

    def test_without_any_record_of_the_new_one_it_is_made_good_too(self, pump, settled, effect, monkeypatch):
        monkeypatch.setattr(reconcile, "run", lambda group, **_: Repair(settled=False))
        one = event()
        with in_background(settled.run) as running:
            wait_until(lambda: _soon(settled.cluster_id))
            append(one)
            OutboxEntry.objects.all().delete()  # the old one took it, and was lost
            pump.broker.start_anew()
            wait_until(lambda: _soon(effect.of()))
            settled.stop.set()
            running.result(10)

        assert effect.of() == [one.id]

    def test_what_the_old_one_took_and_the_outbox_still_has_comes_first_too(self, pump, settled, effect):
        """The relay waits for a whole batch, so its entry stays while the rest of the batch goes to the new one."""
        life = life_of_one_subject(2)
        append(*life)
        pump.broker.start_anew()
        send(pump, outgoing(life[1]))

        self.run_until_handled(settled, effect, 2)

        assert effect.of() == [one.id for one in life]

    def test_more_than_one_step_takes_is_caught_up_before_the_first_record(self, pump, settled, effect, monkeypatch):
        monkeypatch.setattr(reconcile, "REPAIR_LIMIT", 2)
        life = life_of_one_subject(6)
        self.lost_with_the_old(pump, *life[:5])
        append(life[5])
        pump.relay_once()

        self.run_until_handled(settled, effect, 6)

        assert effect.of() == [one.id for one in life]

    def test_while_kafka_does_not_tell_which_it_is_nothing_is_handled(self, pump, settled, effect, monkeypatch):
        life = life_of_one_subject(2)
        self.lost_with_the_old(pump, life[0])
        append(life[1])
        pump.relay_once()
        answers, seen = [BrokerFailed("away"), BrokerFailed("away")], []
        real = pump.broker.state

        def state(topics=()):
            seen.append(effect.of())
            if answers:
                raise answers.pop()
            return real(topics)

        monkeypatch.setattr(pump.broker, "state", state)
        self.run_until_handled(settled, effect, 2)

        assert seen[:3] == [[], [], []]
        assert effect.of() == [one.id for one in life]

    def test_places_in_another_cluster_are_not_stored_in_this(self, pump, settled, effect):
        settled.cluster_id = "the old one"
        send(pump, outgoing(event()))

        self.run_until_handled(settled, effect, 1)

        assert stored(pump, "chores") == 0

    def test_the_periodic_look_takes_a_new_cluster_only_with_all_that_the_old_one_had(self, pump, settled, effect):
        """Or the group would believe itself at home there, with older events still on their way."""
        one = event()
        append(one)
        pump.broker.start_anew()

        assert reconcile.run(settled.group, broker=pump.broker) == Repair(settled=True, handled=1)

        assert effect.of() == [one.id]
        assert OutboxEntry.objects.count() == 1

    def test_on_the_first_cluster_of_its_life_a_group_takes_from_kafka_what_is_there(self, pump, chores, effect):
        append(event())
        pump.relay_once()

        self.run_until_handled(chores, effect, 1)

        assert GroupProgress.objects.values_list("caught_up", "repaired").get(group="chores") == (0, 0)
        assert stored(pump, "chores") == 1


def _broken(*_, **__):
    raise BrokerFailed("fatal")


def _soon(true):
    from time import sleep

    sleep(0.01)
    return true


class Leaky(MemoryConsumer):
    """A consumer that was given a partition while it was paused, and so hands on what stands there."""

    def pause(self):
        pass


@pytest.mark.django_db(transaction=True)
def test_what_slips_through_a_pause_is_handled_after_what_was_held(pump, new_group, effect, monkeypatch):
    monkeypatch.setattr("apps.events.brokers.memory.MemoryConsumer", Leaky)
    group = new_group("chores")
    first, second = life_of_one_subject(2)
    failures = [Transient("not yet")]

    @group.on(TaskEvent.CREATED, TaskEvent.UPDATED)
    def fail_once(one):
        for failure in failures:
            send(pump, outgoing(second))
            failures.remove(failure)
            raise failure
        effect.apply(one)

    send(pump, outgoing(first))
    consumer = GroupConsumer(group, broker=pump.broker)
    with in_background(consumer.run) as running:
        came = wait_until(lambda: _soon(stored(pump, "chores") == 2), seconds=10)
        consumer.stop.set()
        running.result(10)

    assert came
    assert effect.of() == [first.id, second.id]
