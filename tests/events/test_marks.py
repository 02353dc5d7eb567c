"""A group that begins, or begins to want a type, is given what the log remembers of it: nothing lost, and in order."""

import threading

import pytest
from django.db import connection, transaction

from apps.events import consumer, event_types, marks, outbox, reconcile, subscriptions
from apps.events.brokers.base import BrokerState
from apps.events.consumer import GroupConsumer
from apps.events.event_types import EventType
from apps.events.missing import Laps
from apps.events.models import Event, GroupMark, GroupProgress
from apps.events.reconcile import Repair
from apps.tasks.events import TaskEvent
from tests.events.concurrency import in_background
from tests.support.factories import append, backdated_event, event, life_of_one_subject
from tests.support.topics import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def release(new_group, effect):
    """Declares `chores` as a release has it: its members want these types."""

    def declare(*types):
        subscriptions._groups.pop("chores", None)
        group = new_group("chores")
        group.on(*types)(effect.apply)
        return group

    return declare


@pytest.fixture
def old(release, pump):
    """Members of the release before, on their cluster since long."""
    group = release(TaskEvent.CREATED)
    reconcile.run(group, broker=pump.broker)
    return group


@pytest.fixture
def new(old, release):
    """Members of the release that wants changes too."""
    return release(TaskEvent.CREATED, TaskEvent.UPDATED)


def relayed(pump, *events):
    append(*events)
    while pump.relay_once():
        pass


def consume_until_handled(group, pump, effect, events):
    """Run a member of the group until the effects of these events are there; the order they came in."""
    consumer = GroupConsumer(group, broker=pump.broker)
    with in_background(consumer.run) as running:
        came = wait_until(lambda: _soon({one.id for one in events} <= set(effect.of())), seconds=20)
        consumer.stop.set()
        running.result(20)
    assert came, effect.of()
    return [effect_of for effect_of in effect.of() if effect_of in {one.id for one in events}]


def look_until_passed(group, pump, type_name):
    """Reconcile until the mark of a type has passed all that is committed: other sessions hold it back for a while."""
    last = Event.objects.latest("position").transaction_id

    def passed():
        reconcile.run(group, broker=pump.broker)
        return mark_of(type_name) > last

    assert wait_until(passed, seconds=30)


def _soon(true):
    threading.Event().wait(0.01)
    return true


def kept(laps, found):
    laps.keep(found)
    return found


def append_and_wait(one, appended, may_commit):
    with transaction.atomic():
        outbox.append(one)
        appended.set()
        may_commit.wait(20)


def mark_of(type_name):
    return GroupMark.objects.get(group="chores", type=type_name).settled_transaction_id


def counts():
    return GroupProgress.objects.values_list("repaired", "caught_up").get(group="chores")


class TestATypeIsAdded:
    def test_what_members_of_the_release_before_passed_by_is_given(self, pump, old, new, effect):
        """They read on past the record, store where they stand, and look for nothing of the kind."""
        reconcile.run(new, broker=pump.broker)
        _, update = life_of_one_subject(2)
        relayed(pump, update)
        pump.consume(old)
        look_until_passed(old, pump, "task.created.v1")

        found = reconcile.run(new, broker=pump.broker)

        assert found == Repair(settled=True, handled=1)
        assert effect.of() == [update.id]
        assert counts() == (0, 1)

    def test_one_mark_for_all_types_would_have_passed_it(self, pump, old, new, effect):
        """The negative control."""
        reconcile.run(new, broker=pump.broker)
        relayed(pump, life_of_one_subject(2)[1])
        pump.consume(old)
        look_until_passed(old, pump, "task.created.v1")
        GroupMark.objects.update(settled_transaction_id=mark_of("task.created.v1"))

        assert reconcile.run(new, broker=pump.broker) == Repair(settled=True, handled=0)
        assert effect.of() == []

    def test_what_the_log_has_of_it_comes_before_its_first_record(self, pump, old, new, effect):
        life = life_of_one_subject(4)
        relayed(pump, *life[:3])
        pump.consume(old)
        relayed(pump, life[3])

        assert consume_until_handled(new, pump, effect, life) == [one.id for one in life]
        assert counts() == (0, 3)  # also what is on its way: it may come behind what was passed by

    def test_without_catching_up_a_later_one_comes_first(self, pump, old, new, effect, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(reconcile, "catch_up", lambda group, state, **_: Repair(settled=True))
        life = life_of_one_subject(4)
        relayed(pump, *life[:3])
        pump.consume(old)
        relayed(pump, life[3])

        assert consume_until_handled(new, pump, effect, life) == [life[number].id for number in (0, 3, 1, 2)]

    @pytest.fixture
    def passed_by_late(self, pump, old, new):
        """The new release is settled; a member of the old one, still there, reads on past another change."""
        reconcile.run(new, broker=pump.broker)
        life = life_of_one_subject(3)
        relayed(pump, *life[:2])
        pump.consume(old)
        return life

    def test_whoever_takes_over_a_partition_gives_first_what_its_last_owner_passed_by(
        self, pump, passed_by_late, new, effect
    ):
        relayed(pump, passed_by_late[2])

        came = consume_until_handled(new, pump, effect, passed_by_late)

        assert came == [one.id for one in passed_by_late]

    def test_long_after_the_release_nobody_looks_for_that_any_more(self, pump, passed_by_late, new, effect):
        """The negative control; and from then on it is a repair, and an alarm."""
        GroupMark.objects.update(added_at=None)
        relayed(pump, passed_by_late[2])

        came = consume_until_handled(new, pump, effect, passed_by_late)

        assert came == [passed_by_late[number].id for number in (0, 2, 1)]
        assert counts() == (1, 0)

    def test_a_type_that_was_without_members_for_a_while_is_caught_up_with_again(self, pump, old, new, release, effect):
        """A release is taken back, and comes again."""
        reconcile.run(new, broker=pump.broker)
        GroupMark.objects.update(added_at=None)
        life = life_of_one_subject(3)
        relayed(pump, *life[:2])
        pump.consume(old)
        look_until_passed(old, pump, "task.created.v1")
        relayed(pump, life[2])

        assert consume_until_handled(new, pump, effect, life) == [one.id for one in life]
        assert counts() == (0, 2)
        assert marks.look(new).late == {"task.updated.v1"}

    def test_more_than_one_step_takes_is_given_before_its_first_record(self, pump, old, new, effect, monkeypatch):
        monkeypatch.setattr(reconcile, "REPAIR_LIMIT", 2)
        life = life_of_one_subject(7)
        relayed(pump, *life[:6])
        pump.consume(old)
        relayed(pump, life[6])

        assert consume_until_handled(new, pump, effect, life) == [one.id for one in life]

    def test_a_group_of_every_fact_has_one_mark_for_them_and_one_for_each_snapshot_it_names(
        self, pump, new_group, monkeypatch
    ):
        snapshot = EventType("task.snapshot.v1", "task-updates", snapshot=True)
        monkeypatch.setattr(event_types, "_declared", event_types._declared | {snapshot.name: snapshot})
        group = new_group("keeper", parks=False)
        group.on_batch("*")(lambda events: None)
        reconcile.run(group, broker=pump.broker)
        group.on(TaskEvent.CREATED, snapshot)(lambda event: None)

        found = marks.look(group)

        assert (found.settled.keys(), found.late) == ({"*", "task.snapshot.v1"}, {"task.snapshot.v1"})


class TestAGroupBegins:
    @pytest.fixture
    def life(self, pump):
        """Five changes of a task: of 20, 10, 8 and 3 days ago, the last one just now and in Kafka, as nothing else."""
        life = life_of_one_subject(5)
        for one, days in zip(life, (20, 10, 8, 3), strict=False):
            backdated_event(one, days=days)
        relayed(pump, life[4])
        return life

    @pytest.fixture
    def group(self, release):
        return release(TaskEvent.CREATED, TaskEvent.UPDATED)

    def test_what_kafka_keeps_no_longer_comes_before_its_first_record(self, pump, life, group, effect):
        """What is so old that the inbox would not remember it is not given; what Kafka should have and has not, is
        found by the reconcile.
        """
        came = consume_until_handled(group, pump, effect, life[1:])

        assert came == [life[number].id for number in (1, 2, 4, 3)]
        assert life[0].id not in effect.of()
        assert counts() == (0, 3)

    def test_without_it_the_older_come_last(self, pump, life, group, effect, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(reconcile, "_surely_kept_seconds", lambda state: 1e9)

        came = consume_until_handled(group, pump, effect, life[1:])

        assert came == [life[number].id for number in (4, 1, 2, 3)]

    def test_on_a_broker_in_memory_all_but_the_last_minutes_comes_from_the_log(
        self, pump, life, group, effect, monkeypatch
    ):
        state = BrokerState("mockCluster-1", keeps_records=False)
        monkeypatch.setattr(pump.broker, "state", lambda topics: state)

        came = consume_until_handled(group, pump, effect, life[1:])

        assert came == [one.id for one in life[1:]]
        assert counts() == (0, 3)

    def test_more_than_one_step_takes_comes_before_the_first_record(self, pump, life, group, effect, monkeypatch):
        monkeypatch.setattr(reconcile, "REPAIR_LIMIT", 1)

        came = consume_until_handled(group, pump, effect, life[1:])

        assert came == [life[number].id for number in (1, 2, 4, 3)]

    def test_from_its_second_start_on_a_record_is_not_looked_for_in_the_log(self, pump, life, group, effect):
        """Its marks are where they began, and that makes no type of it late."""
        reconcile.catch_up(group, pump.broker.state())

        assert reconcile.catch_up(group, pump.broker.state()) == Repair(settled=True, handled=0)
        assert marks.look(group) == marks.Marks(
            settled={"task.created.v1": 0, "task.updated.v1": 0}, late=frozenset(), added=frozenset()
        )


class TestALap:
    """What is passed by after a lap was begun is behind it: one that is through, or from before a doubt, is gone."""

    @pytest.fixture
    def lives(self, pump, old, new, effect):
        """Three that a member of the old release passes by, one after the other."""
        reconcile.run(new, broker=pump.broker)
        return [life_of_one_subject(4) for _ in range(3)]

    @staticmethod
    def passed_by(pump, group, *events):
        relayed(pump, *events)
        pump.consume(group)

    @pytest.fixture
    def marks_stand(self, lives, monkeypatch):
        """As while a transaction stays open."""
        monkeypatch.setattr(marks, "move", lambda *words, **how: None)

    def caught_up_twice(self, pump, old, new, lives):
        laps, state = Laps(), pump.broker.state(new.topics())
        self.passed_by(pump, old, lives[0][1])
        first = reconcile.catch_up(new, state, laps=laps)
        self.passed_by(pump, old, lives[1][1])
        return first, reconcile.catch_up(new, state, laps=laps)

    @pytest.mark.usefixtures("marks_stand")
    def test_that_is_complete_is_not_gone_on_with(self, pump, old, new, lives):
        assert self.caught_up_twice(pump, old, new, lives) == (Repair(True, 1), Repair(True, 1))

    @pytest.mark.usefixtures("marks_stand")
    def test_gone_on_with_though_complete_would_say_settled_of_what_it_did_not_see(
        self, pump, old, new, lives, monkeypatch
    ):
        """The negative control."""
        look = Laps.look
        monkeypatch.setattr(Laps, "look", lambda laps, *words, **how: kept(laps, look(laps, *words, **how)))

        assert self.caught_up_twice(pump, old, new, lives) == (Repair(True, 1), Repair(True, 0))

    def given_after_another_assignment(self, pump, old, new, effect, lives):
        """A member gets partitions, begins a lap, loses them and gets them back; the order of the third life."""
        member = GroupConsumer(new, broker=pump.broker)
        self.passed_by(pump, old, lives[0][1], lives[1][1])
        assigned = pump.broker.consumer(new.name, new.topics())
        assert not member._caught_up(assigned)
        assigned.close()
        self.passed_by(pump, old, lives[2][1])
        relayed(pump, lives[2][2])
        assigned = pump.broker.consumer(new.name, new.topics())
        member._handle_until_done(assigned, assigned.poll(10, timeout=0))
        assigned.close()
        return effect.of()

    def test_from_before_an_assignment_is_not_gone_on_with(self, pump, old, new, effect, lives, monkeypatch):
        monkeypatch.setattr(reconcile, "REPAIR_LIMIT", 1)

        came = self.given_after_another_assignment(pump, old, new, effect, lives)

        assert came == [lives[0][1].id, lives[1][1].id, lives[2][1].id, lives[2][2].id]

    def test_from_before_an_assignment_would_let_a_later_one_go_first(self, pump, old, new, effect, lives, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(reconcile, "REPAIR_LIMIT", 1)
        one_for_all = Laps()
        monkeypatch.setattr(consumer, "Laps", lambda: one_for_all)

        came = self.given_after_another_assignment(pump, old, new, effect, lives)

        assert lives[2][2].id in came
        assert lives[2][1].id not in came

    def test_for_one_cluster_is_not_gone_on_with_for_another(self, pump, old, effect, monkeypatch):
        """While a transaction that stays open keeps the marks where they are."""
        laps, appended, may_commit = Laps(), threading.Event(), threading.Event()
        monkeypatch.setattr(reconcile, "REPAIR_LIMIT", 1)
        with in_background(lambda: append_and_wait(event(), appended, may_commit)) as writer:
            assert appended.wait(20)
            relayed(pump, event(), event())
            pump.broker.start_anew()
            first = reconcile.catch_up(old, pump.broker.state(old.topics()), laps=laps)
            relayed(pump, event())
            pump.broker.start_anew()
            state = pump.broker.state(old.topics())
            then = [reconcile.catch_up(old, state, laps=laps) for _ in range(3)]
            may_commit.set()
            writer.result(20)

        assert (first.settled, first.handled) == (False, 1)
        assert [(each.settled, each.handled) for each in then] == [(False, 1), (False, 1), (True, 0)]


class TestMarks:
    def test_a_mark_only_goes_up(self, old):
        before = mark_of("task.created.v1")

        marks.move(old, ["task.created.v1"], to=before - 1, added=())

        assert mark_of("task.created.v1") == before

    def test_a_mark_of_another_database_counts_for_nothing_and_is_replaced(self, old):
        GroupMark.objects.update(settled_transaction_id=2**60)
        found = marks.look(old)

        marks.move(old, ["task.created.v1"], to=20, added=())

        assert found == marks.Marks(settled={"task.created.v1": 0}, late=frozenset(), added=frozenset())
        assert mark_of("task.created.v1") == 20

    def test_a_type_is_young_for_an_hour(self, pump, old, new):
        reconcile.run(new, broker=pump.broker)
        before = marks.look(new).late
        with connection.cursor() as cursor:
            cursor.execute("UPDATE events_groupmark SET added_at = added_at - interval '61 minutes'")

        assert (before, marks.look(new).late) == ({"task.updated.v1"}, frozenset())

    def test_what_one_release_adds_is_nothing_late_for_the_other(self, pump, old, new):
        reconcile.catch_up(new, pump.broker.state())

        assert marks.look(old).late == frozenset()
