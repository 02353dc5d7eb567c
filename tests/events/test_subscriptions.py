"""Groups and what they want."""

import pytest

from apps.events import event_types, subscriptions
from apps.events.event_types import EventType
from apps.events.subscriptions import ConsumerGroup
from apps.tasks.events import TaskEvent

SNAPSHOT = EventType("task.snapshot.v1", "task-updates", snapshot=True)


@pytest.fixture
def snapshot(monkeypatch):
    """A type that is no fact, for the length of the test."""
    monkeypatch.setattr(event_types, "_declared", event_types._declared | {SNAPSHOT.name: SNAPSHOT})
    return SNAPSHOT


@pytest.fixture
def group(monkeypatch):
    monkeypatch.setattr(subscriptions, "_groups", {})
    return ConsumerGroup("chores")


def test_a_group_wants_the_types_it_named(group):
    group.on(TaskEvent.CREATED)(lambda event: None)
    group.on_batch(TaskEvent.DELETED)(lambda events: None)

    assert group.types() == [TaskEvent.CREATED, TaskEvent.DELETED]
    assert group.topics() == ["task-events"]
    assert [group.wants(name) for name in ("task.created.v1", "task.updated.v1", "unknown.v1", "")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_group_of_every_fact_wants_types_that_nobody_declared_yet(group):
    group.on_batch("*")(lambda events: None)

    assert (group.takes_every_fact, group.wants("task.archived.v7")) == (True, True)


def test_a_snapshot_is_no_fact(group, snapshot):
    group.on_batch("*")(lambda events: None)

    assert group.wants(snapshot.name) is False
    assert group.topics() == ["account-events", "notifications", "recurrence-events", "reminders", "task-events"]


def test_a_group_of_every_fact_may_name_a_snapshot_besides(group, snapshot):
    group.on_batch("*")(lambda events: None)
    group.on(snapshot)(lambda event: None)

    assert group.wants(snapshot.name) is True
    assert [subscription.wants(snapshot.name) for subscription in group.subscriptions] == [False, True]
    assert group.topics() == [
        "account-events",
        "notifications",
        "recurrence-events",
        "reminders",
        "task-events",
        "task-updates",
    ]


def test_a_group_cannot_be_declared_twice(group):
    with pytest.raises(ValueError, match="The consumer group chores is declared twice"):
        ConsumerGroup("chores")


def test_an_unknown_group_is_refused_naming_those_there_are(group):
    with pytest.raises(LookupError, match="There is no consumer group 'errands'; there are: chores"):
        subscriptions.group_named("errands")


@pytest.mark.parametrize("named", [(), ("task.created.v1",), ("*", "*")])
def test_a_subscription_to_something_that_is_no_type_is_refused(new_group, named):
    with pytest.raises(ValueError, match=r"event types"):
        new_group("chores").on_batch(*named)
