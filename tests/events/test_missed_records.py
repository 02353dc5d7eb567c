"""What a topic does not give a group any more is handled from the log before the first record that it still gives."""

from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient

from apps.events import event_types, reconcile
from apps.events.brokers.base import BrokerState
from apps.events.brokers.kafka import KafkaBroker
from apps.events.brokers.memory import MemoryConsumer
from apps.events.consumer import GroupConsumer
from apps.events.errors import TopicMissing
from apps.events.models import GroupProgress
from apps.tasks.events import TaskEvent
from tests.events.concurrency import in_background
from tests.support.factories import append, life_of_one_subject
from tests.support.topics import fresh_prefix, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = "task-events"


@pytest.fixture
def chores(pump, new_group, effect):
    """It has been at work on this broker."""
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    reconcile.run(group, broker=pump.broker)
    return GroupConsumer(group, broker=pump.broker)


def relay(pump, *events):
    append(*events)
    pump.relay_once()


def at_work(consumer, condition):
    consumer.stop.clear()
    with in_background(consumer.run) as running:
        came = wait_until(condition, seconds=10)
        consumer.stop.set()
        running.result(10)
    assert came


def test_what_retention_took_before_the_group_came_to_it_is_handled_first(pump, chores, effect):
    life = life_of_one_subject(3)
    relay(pump, *life[:2])
    pump.broker.forget(TOPIC)
    relay(pump, life[2])

    at_work(chores, lambda: len(effect.of()) == 3)

    assert effect.of() == [one.id for one in life]
    progress = GroupProgress.objects.get(group="chores")
    assert (progress.caught_up, progress.repaired) == (3, 0)


def test_a_group_that_does_not_look_for_gaps_handles_the_newer_first(pump, chores, effect, monkeypatch):
    """The negative control: the same, with what lay between left to the time when nothing waits."""
    monkeypatch.setattr(MemoryConsumer, "missed_records", lambda self: False)
    life = life_of_one_subject(2)
    relay(pump, life[0])
    pump.broker.forget(TOPIC)
    relay(pump, life[1])

    at_work(chores, lambda: len(effect.of()) == 2)

    assert effect.of() == [life[1].id, life[0].id]


def test_retention_that_takes_what_the_group_has_handled_is_no_loss(pump, chores, effect):
    life = life_of_one_subject(2)
    relay(pump, life[0])
    at_work(chores, lambda: len(effect.of()) == 1)
    pump.broker.forget(TOPIC)
    relay(pump, life[1])

    at_work(chores, lambda: len(effect.of()) == 2)

    assert effect.of() == [one.id for one in life]
    assert GroupProgress.objects.get(group="chores").caught_up == 0


def test_what_was_on_a_topic_that_was_made_anew_is_handled_first(pump, chores, effect):
    life = life_of_one_subject(3)
    relay(pump, *life[:2])
    pump.broker.make_anew(TOPIC)
    relay(pump, life[2])

    at_work(chores, lambda: len(effect.of()) == 3)

    assert effect.of() == [one.id for one in life]
    assert GroupProgress.objects.get(group="chores").cluster_id == pump.broker.state([TOPIC]).identity


def test_who_does_not_tell_topics_apart_handles_the_newer_first(pump, chores, effect, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(BrokerState, "identity", property(lambda self: self.cluster_id))
    life = life_of_one_subject(2)
    relay(pump, life[0])
    pump.broker.make_anew(TOPIC)
    relay(pump, life[1])

    at_work(chores, lambda: len(effect.of()) == 2)

    assert effect.of() == [life[1].id, life[0].id]


def test_a_group_at_work_notices_that_its_topic_was_made_anew(pump, chores, effect):
    life = life_of_one_subject(3)
    with in_background(chores.run) as running:
        relay(pump, life[0])
        assert wait_until(lambda: len(effect.of()) == 1)
        chores.consumer.pause()
        relay(pump, life[1])
        pump.broker.make_anew(TOPIC)
        relay(pump, life[2])
        chores.consumer.resume()
        assert wait_until(lambda: len(effect.of()) == 3)
        chores.stop.set()
        running.result(10)

    assert effect.of() == [one.id for one in life]


def test_the_identity_of_a_log_is_its_clusters_and_its_topics():
    state = BrokerState("cluster", keeps_records=True, topics=("a", "b"))

    assert BrokerState("cluster", keeps_records=True).identity == "cluster"
    assert state.identity == replace(state).identity
    assert (
        len({state.identity, replace(state, topics=("a", "c")).identity, replace(state, cluster_id="x").identity}) == 3
    )


@pytest.mark.kafka
def test_a_deleted_topic_is_made_again_by_looking_after_a_group(real_kafka, new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    broker = KafkaBroker(real_kafka, prefix=fresh_prefix())
    broker.ensure_topics(event_types.topics())
    reconcile.run(group, broker=broker)
    admin, name = AdminClient(broker.connection), broker.prefix + TOPIC
    admin.delete_topics([name])[name].result(20)
    assert wait_until(lambda: "" in broker.state([TOPIC]).topics)
    with pytest.raises(TopicMissing):
        broker.lag(group.name, group.topics())

    assert wait_until(lambda: reconcile.run(group, broker=broker).settled, seconds=30)
    assert "" not in broker.state(event_types.topics()).topics
    assert broker.lag(group.name, group.topics()) == 0
