"""A subscription with a condition: events that do not meet it have no effect, and share a transaction."""

import pytest

from apps.events import handling, subscriptions
from apps.events.handling import Outcome
from apps.events.models import HandledEvent
from apps.events.subscriptions import ConsumerGroup
from apps.tasks.events import TaskEvent
from tests.support.factories import event, task_data

pytestmark = pytest.mark.django_db


def titled(title):
    return event(data=task_data(title=title))


@pytest.fixture
def group(monkeypatch):
    """Acts on chores alone, one by one; remembers what it was given in which transaction."""
    monkeypatch.setattr(subscriptions, "_groups", {})
    group = ConsumerGroup("chores", one_by_one=True)
    group.given, group.parts = [], []

    @group.on(TaskEvent.CREATED, when=lambda one: one.data["task"]["title"].startswith("chore"))
    def do_chore(one):
        group.given.append(one.data["task"]["title"])

    handle = handling._handle_in_one_transaction
    monkeypatch.setattr(
        handling,
        "_handle_in_one_transaction",
        lambda group, events: group.parts.append(len(events)) or handle(group, events),
    )
    return group


def test_what_has_an_effect_has_a_transaction_of_its_own_in_order(group):
    titles = ["plain", "plain", "chore 1", "chore 2", "plain", "plain", "plain", "chore 3"]

    outcome = handling.handle(group, [titled(title) for title in titles])

    assert group.given == ["chore 1", "chore 2", "chore 3"]
    assert group.parts == [2, 1, 1, 3, 1]
    assert outcome == Outcome(handled=8)
    assert HandledEvent.objects.filter(group="chores").count() == 8


def test_given_again_nothing_has_an_effect(group):
    events = [titled("plain"), titled("chore")]
    handling.handle(group, events)

    outcome = handling.handle(group, events)

    assert (group.given, outcome) == (["chore"], Outcome(repeated=2))


def test_a_condition_that_fails_parks_the_event_and_no_other(group):
    def bad(one):
        raise ValueError("no title")

    group.on(TaskEvent.UPDATED, when=bad)(group.given.append)
    odd, plain = event(version=2), titled("plain")

    outcome = handling.handle(group, [plain, odd, titled("chore")])

    assert (outcome.handled, outcome.parked) == (2, 1)
