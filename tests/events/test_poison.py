"""What can never be handled is set aside with all behind it of its key; everything else flows."""

import pytest
from django.test import override_settings

from apps.events import dead_letters, handling
from apps.events.consumer import GroupConsumer
from apps.events.errors import GroupStopped, PoisonEvent, Transient
from apps.events.handling import Outcome
from apps.events.models import DeadLetter, GroupProgress, HandledEvent
from tests.support.factories import as_read, event, life_of_one_subject

pytestmark = pytest.mark.django_db


class Poisonous:
    """A subscriber that fails for chosen events, and counts how often it was tried with each."""

    def __init__(self, effect, *poisons, reason=None):
        self.effect = effect
        self.poisons = {one.id for one in poisons}
        self.reason = reason or ValueError("cannot be")
        self.tried = []

    def __call__(self, one):
        self.tried.append(one.id)
        self.effect.apply(one)
        if one.id in self.poisons:
            raise self.reason


@pytest.fixture
def group(new_group):
    return new_group("chores")


def subscribe(group, subscriber):
    from apps.tasks.events import TaskEvent

    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(subscriber)
    return subscriber


def parked():
    return list(DeadLetter.objects.filter(status="parked").order_by("id").values_list("event_id", flat=True))


def test_an_event_that_fails_for_good_is_parked_with_reason_traceback_and_place(group, effect):
    one = as_read(event(), partition=2, offset=17)
    subscribe(group, Poisonous(effect, one))

    outcome = handling.handle(group, [one])

    letter = DeadLetter.objects.get()
    assert outcome == Outcome(parked=1)
    assert (letter.group, letter.event_id, letter.status, letter.behind) == ("chores", one.id, "parked", None)
    assert letter.reason == "ValueError: cannot be"
    assert "in __call__" in letter.traceback
    assert letter.traceback.endswith("ValueError: cannot be\n")
    assert (letter.topic, letter.key, letter.record_partition, letter.record_offset) == (
        "task-events",
        one.key,
        2,
        17,
    )
    assert effect.of() == []
    assert HandledEvent.objects.count() == 0


def test_an_unforeseen_failure_is_tried_three_times_before_it_is_parked(group, effect):
    one = event()
    subscriber = subscribe(group, Poisonous(effect, one))

    handling.handle(group, [one])

    assert subscriber.tried == [one.id] * 3


def test_a_declared_poison_is_parked_without_another_attempt(group, effect):
    one = event()
    subscriber = subscribe(group, Poisonous(effect, one, reason=PoisonEvent("never")))

    handling.handle(group, [one])

    assert subscriber.tried == [one.id]
    assert DeadLetter.objects.get().reason == "PoisonEvent: never"


def test_the_others_of_the_batch_are_applied_in_order(group, effect):
    events = [event() for _ in range(16)]
    subscribe(group, Poisonous(effect, events[3], events[11]))

    outcome = handling.handle(group, events)

    good = [one.id for one in events if one not in (events[3], events[11])]
    assert effect.of() == good
    assert parked() == [events[3].id, events[11].id]
    assert outcome == Outcome(handled=14, parked=2)


def test_later_events_of_the_key_are_parked_behind_in_order(group, effect):
    life, other = life_of_one_subject(4), event()
    subscribe(group, Poisonous(effect, life[1]))

    outcome = handling.handle(group, [*life[:3], other, life[3]])

    first = DeadLetter.objects.get(event_id=life[1].id)
    assert effect.of() == [life[0].id, other.id]
    assert parked() == [one.id for one in life[1:]]
    behind = DeadLetter.objects.exclude(pk=first.pk)
    assert {(letter.behind_id, letter.reason) for letter in behind} == {(first.pk, f"Behind dead letter {first.pk}.")}
    assert outcome == Outcome(handled=2, parked=3)


def test_events_of_the_key_in_later_batches_are_parked_behind_too(group, effect):
    life = life_of_one_subject(3)
    subscribe(group, Poisonous(effect, life[0]))
    handling.handle(group, life[:1])

    outcomes = [handling.handle(group, [one]) for one in life[1:]]

    assert parked() == [one.id for one in life]
    assert outcomes == [Outcome(parked=1), Outcome(parked=1)]
    assert effect.of() == []


def test_without_parking_behind_a_later_event_would_overtake(group, effect, monkeypatch):
    """Negative control: the order of a key is kept by sorting out what must wait."""
    monkeypatch.setattr("apps.events.dead_letters.sort_out", lambda group, events: handling.dead_letters.NONE_WAITING)
    life = life_of_one_subject(2)
    subscribe(group, Poisonous(effect, life[0]))

    handling.handle(group, life)

    assert effect.of() == [life[1].id]


def test_redelivering_parked_events_changes_nothing(group, effect):
    life = life_of_one_subject(3)
    subscriber = subscribe(group, Poisonous(effect, life[0]))
    handling.handle(group, life)
    tried = list(subscriber.tried)

    again = handling.handle(group, life)

    assert again == Outcome(repeated=3)
    assert parked() == [one.id for one in life]
    assert subscriber.tried == tried


def test_a_key_parked_by_one_group_flows_in_another(group, new_group, effect):
    other = new_group("errands")
    one = event()
    subscribe(group, Poisonous(effect, one))
    subscribe(other, effect.apply)

    handling.handle(group, [one])
    handling.handle(other, [one])

    assert effect.of() == [one.id]


@pytest.mark.django_db(transaction=True)
def test_a_group_that_parks_nothing_tries_for_ever(new_group, effect):
    group = new_group("keeper", parks=False)
    one = event()
    subscribe(group, Poisonous(effect, one))

    with pytest.raises(Transient, match="ValueError: cannot be"):
        handling.handle(group, [one])

    assert (DeadLetter.objects.count(), HandledEvent.objects.count(), effect.of()) == (0, 0, [])


@override_settings(MAX_PARKED_IN_A_ROW=3)
def test_too_many_parked_in_a_row_stop_the_group(group, effect):
    events = [event() for _ in range(5)]
    subscribe(group, Poisonous(effect, *events))

    with pytest.raises(GroupStopped, match="Group chores parked 3 events in a row"):
        handling.handle(group, events)

    assert parked() == [one.id for one in events[:3]]


@override_settings(MAX_PARKED_IN_A_ROW=3)
def test_one_success_between_begins_the_count_anew(group, effect):
    bad = [event() for _ in range(4)]
    good = event()
    subscribe(group, Poisonous(effect, *bad))

    handling.handle(group, [*bad[:2], good, *bad[2:]])

    assert len(parked()) == 4
    assert GroupProgress.objects.get(group="chores").parked_in_a_row == 2


@override_settings(MAX_PARKED_IN_A_ROW=3)
def test_what_is_parked_behind_does_not_count_towards_stopping(group, effect):
    life = life_of_one_subject(8)
    subscribe(group, Poisonous(effect, life[0]))

    handling.handle(group, life)

    assert len(parked()) == 8
    assert GroupProgress.objects.get(group="chores").parked_in_a_row == 1


@override_settings(MAX_PARKED_IN_A_ROW=3)
def test_a_stopped_group_does_not_take_one_more_with_each_restart(group, effect, pump):
    events = [event() for _ in range(3)]
    subscribe(group, Poisonous(effect, *events))
    with pytest.raises(GroupStopped):
        handling.handle(group, events)

    with pytest.raises(GroupStopped, match="parked 3 events in a row"):
        GroupConsumer(group, broker=pump.broker).run()

    assert len(parked()) == 3


@override_settings(MAX_PARKED_IN_A_ROW=3)
def test_a_decision_about_one_lets_a_stopped_group_go_on(group, effect):
    events = [event() for _ in range(3)]
    subscribe(group, Poisonous(effect, *events))
    with pytest.raises(GroupStopped):
        handling.handle(group, events)

    dead_letters.discard(DeadLetter.objects.earliest("pk").pk)

    assert GroupProgress.objects.get(group="chores").parked_in_a_row == 0
