"""Each event is applied to a group exactly once, whatever happens around it."""

import pytest
from django.db import OperationalError, connection

from apps.events import context, handling, inbox
from apps.events.errors import PoisonEvent, Transient
from apps.events.handling import Outcome
from apps.events.models import DeadLetter, HandledEvent
from apps.tasks.events import TaskEvent
from tests.events.concurrency import at_once
from tests.support.factories import event, life_of_one_subject

BOTH = (TaskEvent.CREATED, TaskEvent.UPDATED)


@pytest.fixture
def group(new_group, effect):
    """A group that applies each event to the countable effect."""
    group = new_group("chores")
    group.on(*BOTH)(effect.apply)
    return group


def test_an_event_is_applied_once_however_often_it_comes(group, effect):
    events = life_of_one_subject(3)

    first = handling.handle(group, events)
    again = handling.handle(group, events)
    alone = handling.handle(group, events[1:2])

    assert effect.of() == [one.id for one in events]
    assert (first, again, alone) == (Outcome(handled=3), Outcome(repeated=3), Outcome(repeated=1))


def test_the_same_event_twice_in_a_batch_is_applied_once(group, effect):
    one, other = event(), event()

    outcome = handling.handle(group, [one, other, one])

    assert effect.of() == [one.id, other.id]
    assert outcome == Outcome(handled=2, repeated=1)


def test_without_the_inbox_an_event_would_be_applied_twice(group, effect, monkeypatch):
    """Negative control of the inbox."""
    monkeypatch.setattr(inbox, "claim", lambda group, events: list(events))
    one = event()

    handling.handle(group, [one])
    handling.handle(group, [one])

    assert effect.of() == [one.id, one.id]


def test_each_group_applies_an_event_for_itself(group, new_group, effect):
    other = new_group("errands")
    other.on_batch(*BOTH)(effect.apply_batch)
    one = event()

    handling.handle(group, [one])
    handling.handle(other, [one])

    assert effect.of() == [one.id, one.id]
    assert set(HandledEvent.objects.values_list("group", flat=True)) == {"chores", "errands"}


def test_nothing_to_handle_is_nothing_done(group, effect):
    assert handling.handle(group, []) == Outcome()
    assert effect.of() == []


@pytest.mark.django_db(transaction=True)
def test_two_consumers_with_the_same_events_apply_each_once(group, effect):
    events = [event() for _ in range(40)]

    outcomes = at_once(lambda: handling.handle(group, events), lambda: handling.handle(group, list(reversed(events))))

    assert sorted(effect.of()) == sorted(one.id for one in events)
    assert sum(outcome.handled for outcome in outcomes) == 40
    assert sum(outcome.repeated for outcome in outcomes) == 40


@pytest.mark.django_db(transaction=True)
def test_a_failure_that_may_heal_rolls_the_batch_back_and_is_raised(new_group, effect):
    group = new_group("chores")
    events = [event(), event()]

    @group.on(*BOTH)
    def apply_then_wait(one):
        effect.apply(one)
        if one is events[1]:
            raise Transient("not yet")

    with pytest.raises(Transient, match="not yet"):
        handling.handle(group, events)

    assert effect.of() == []
    assert (HandledEvent.objects.count(), DeadLetter.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_is_transient_and_the_next_attempt_has_a_connection_again(new_group, effect):
    group = new_group("chores")
    failures = iter([True, False])

    @group.on(*BOTH)
    def apply_then_lose_the_connection(one):
        effect.apply(one)
        if next(failures):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    one = event()
    with pytest.raises(Transient, match="OperationalError: "):
        handling.handle(group, [one])
    nothing = effect.of()
    handling.handle(group, [one])

    assert (nothing, effect.of()) == ([], [one.id])


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_not_had_in_time_is_transient_and_parks_nothing(new_group):
    group = new_group("chores")

    @group.on(*BOTH)
    def wait_too_long(one):
        raise OperationalError("canceling statement due to lock timeout")

    with pytest.raises(Transient, match="lock timeout"):
        handling.handle(group, [event()])

    assert DeadLetter.objects.count() == 0


class Crashed(BaseException):
    """As final as the end of the process."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["handling.before_commit"])
def test_a_crash_before_the_commit_leaves_nothing_and_redelivery_applies_once(group, effect, monkeypatch, point):
    one = event()
    monkeypatch.setattr("apps.events.crash.at", lambda where: _crash_at(where, point))
    with pytest.raises(Crashed):
        handling.handle(group, [one])
    left = (effect.of(), HandledEvent.objects.count())
    monkeypatch.undo()

    handling.handle(group, [one])

    assert left == ([], 0)
    assert effect.of() == [one.id]


@pytest.mark.django_db(transaction=True)
def test_a_crash_after_the_commit_leaves_all_and_redelivery_applies_nothing(group, effect, monkeypatch):
    one = event()
    monkeypatch.setattr("apps.events.crash.at", lambda where: _crash_at(where, "handling.after_commit"))
    with pytest.raises(Crashed):
        handling.handle(group, [one])
    left = effect.of()
    monkeypatch.undo()

    again = handling.handle(group, [one])

    assert (left, effect.of()) == ([one.id], [one.id])
    assert again == Outcome(repeated=1)


def _crash_at(where, point):
    if where == point:
        raise Crashed


@pytest.mark.django_db(transaction=True)
def test_a_group_that_goes_one_by_one_keeps_what_went_well_before_a_failure(new_group, effect):
    group = new_group("chores", one_by_one=True)
    events = [event(), event(), event()]

    @group.on(*BOTH)
    def wait_at_the_second(one):
        effect.apply(one)
        if one is events[1]:
            raise Transient("not yet")

    with pytest.raises(Transient):
        handling.handle(group, events)

    assert effect.of() == [events[0].id]


def test_a_group_by_batch_has_all_of_it_in_one_transaction(new_group, django_assert_num_queries):
    group = new_group("chores", parks=False)
    group.on_batch(*BOTH)(lambda events: None)

    with django_assert_num_queries(3):  # savepoint, inbox, release
        handling.handle(group, [event() for _ in range(200)])


def test_what_a_subscriber_does_is_caused_by_the_event(new_group):
    group = new_group("chores")
    causes = []
    group.on(*BOTH)(lambda one: causes.append(context.current()))
    one = event()

    handling.handle(group, [one])

    assert [(cause.causation_id, cause.correlation_id, cause.traceparent) for cause in causes] == [
        (one.id, "a-correlation", one.traceparent)
    ]


def test_a_subscriber_gets_only_the_types_it_named(new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.UPDATED)(effect.apply)
    group.on_batch(TaskEvent.CREATED)(effect.apply_batch)
    created, updated = life_of_one_subject(2)

    handling.handle(group, [created, updated])

    assert effect.of() == [created.id, updated.id]


def test_a_batch_subscriber_gets_the_events_in_order(new_group, effect):
    group = new_group("chores")
    group.on_batch("*")(effect.apply_batch)
    events = [event() for _ in range(20)]

    handling.handle(group, events)

    assert effect.of() == [one.id for one in events]


def test_a_poison_in_a_batch_does_not_reach_the_others_effects(new_group, effect):
    group = new_group("chores")
    events = [event() for _ in range(9)]

    @group.on_batch("*")
    def refuse_the_fifth(batch):
        effect.apply_batch(batch)
        if events[4] in batch:
            raise PoisonEvent("never")

    outcome = handling.handle(group, events)

    assert effect.of() == [one.id for one in events[:4] + events[5:]]
    assert outcome == Outcome(handled=8, parked=1)
    assert DeadLetter.objects.get().event_id == events[4].id
