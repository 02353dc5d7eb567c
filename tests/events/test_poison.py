"""What can never be handled is set aside with all behind it of its key; everything else flows."""

import pytest
from django.db import connection
from django.test import override_settings

from apps.events import apart, crash, dead_letters, handling
from apps.events.consumer import GroupConsumer
from apps.events.errors import GroupStopped, PoisonEvent, Transient
from apps.events.handling import Outcome
from apps.events.models import DeadLetter, GroupProgress, HandledEvent
from tests.events.concurrency import at_once
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

    handling.handle(group, life[:1])
    handling.handle(group, life[1:])

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


class TestManyFailures:
    """A batch of which much fails: each event is tried apart, in few transactions."""

    def test_every_second_one_is_parked_and_the_others_are_applied_in_order(self, group, effect):
        events = [event() for _ in range(120)]
        subscriber = subscribe(group, Poisonous(effect, *events[::2]))

        outcome = handling.handle(group, events)

        assert outcome == Outcome(handled=60, parked=60)
        assert effect.of() == [one.id for one in events[1::2]]
        assert parked() == [one.id for one in events[::2]]
        assert set(HandledEvent.objects.values_list("event_id", flat=True)) == {one.id for one in events[1::2]}
        assert GroupProgress.objects.get(group="chores").parked_in_a_row == 0
        assert subscriber.tried.count(events[60].id) == 2

    def test_they_come_a_second_time_and_nothing_changes(self, group, effect):
        events = [event() for _ in range(120)]
        subscriber = subscribe(group, Poisonous(effect, *events[::2]))
        handling.handle(group, events)
        tried = len(subscriber.tried)

        assert handling.handle(group, events) == Outcome(repeated=120)
        assert len(subscriber.tried) == tried
        assert (len(effect.of()), len(parked())) == (60, 60)

    def test_a_batch_subscriber_is_given_them_one_at_a_time_too(self, group, effect):
        events, sizes = [event() for _ in range(60)], []

        @group.on_batch("*")
        def refuse_every_third(batch):
            effect.apply_batch(batch)
            sizes.append(len(batch))
            assert not {one.id for one in batch} & {one.id for one in events[::3]}

        outcome = handling.handle(group, events)

        assert outcome == Outcome(handled=40, parked=20)
        assert effect.of() == [one.id for one in events if one not in events[::3]]
        assert sorted(set(sizes)) == [1, 10, 50, 60]

    def test_lives_of_several_go_on_beside_each_other(self, group, effect):
        first, second, third = (life_of_one_subject(20) for _ in range(3))
        mixed = [one for three in zip(first, second, third, strict=True) for one in three]
        subscribe(group, Poisonous(effect, first[3], second[7]))

        outcome = handling.handle(group, mixed)

        assert outcome == Outcome(handled=30, parked=30)
        assert set(effect.of()) == {one.id for one in [*first[:3], *second[:7], *third]}
        letters = DeadLetter.objects.filter(key=first[0].key).order_by("pk")
        assert list(letters.values_list("event_id", flat=True)) == [one.id for one in first[3:]]
        assert {letter.behind_id for letter in letters[1:]} == {letters[0].pk}

    def test_without_telling_keys_apart_a_later_event_would_overtake(self, group, effect, monkeypatch):
        """Negative control: within a transaction the order of a key is kept by holding up what is behind a failure."""
        monkeypatch.setattr(apart, "_key", lambda one: (one.topic, str(one.id)))
        life = life_of_one_subject(3)
        subscribe(group, Poisonous(effect, life[0]))

        handling.handle(group, life)

        assert effect.of() == [one.id for one in life[1:]]

    def test_a_failure_that_heals_at_the_second_attempt_parks_nothing(self, group, effect):
        events, failures = [event() for _ in range(3)], iter([True, True, False])

        def fail_twice(one):
            effect.apply(one)
            if one is events[1] and next(failures):
                raise ValueError("for a while")

        subscribe(group, fail_twice)

        assert handling.handle(group, events) == Outcome(handled=3)
        assert effect.of() == [one.id for one in events]

    @override_settings(MAX_PARKED_IN_A_ROW=3)
    def test_a_stop_in_the_midst_leaves_what_is_behind_as_it_was(self, group, effect):
        events = [event() for _ in range(8)]
        subscriber = subscribe(group, Poisonous(effect, *events[2:7]))

        with pytest.raises(GroupStopped, match="Group chores parked 3 events in a row"):
            handling.handle(group, events)

        assert effect.of() == [one.id for one in events[:2]]
        assert parked() == [one.id for one in events[2:5]]
        assert set(HandledEvent.objects.values_list("event_id", flat=True)) == {one.id for one in events[:2]}
        assert subscriber.tried.count(events[5].id) == 0

    @override_settings(MAX_PARKED_IN_A_ROW=3)
    def test_the_count_goes_on_from_one_batch_to_the_next(self, group, effect):
        bad = [event() for _ in range(3)]
        subscribe(group, Poisonous(effect, *bad))
        handling.handle(group, bad[:2])

        with pytest.raises(GroupStopped):
            handling.handle(group, bad[2:])

        assert parked() == [one.id for one in bad]

    def test_a_crash_before_the_commit_leaves_nothing_and_one_after_it_all(self, group, effect, monkeypatch):
        events = [event() for _ in range(4)]
        subscribe(group, Poisonous(effect, events[1]))
        monkeypatch.setattr(crash, "at", crash_at("handling.before_commit"))
        with pytest.raises(Crashed):
            handling.handle(group, events)
        left = (effect.of(), parked(), HandledEvent.objects.count(), GroupProgress.objects.count())
        monkeypatch.setattr(crash, "at", crash_at("handling.after_commit"))
        with pytest.raises(Crashed):
            handling.handle(group, events)
        monkeypatch.undo()

        assert left == ([], [], 0, 0)
        assert (len(effect.of()), parked()) == (3, [events[1].id])
        assert handling.handle(group, events) == Outcome(repeated=4)


class Crashed(BaseException):
    """As final as the end of the process."""


def crash_at(point):
    def at(where):
        if where == point:
            raise Crashed

    return at


@pytest.mark.django_db(transaction=True)
class TestApartWithRealCommits:
    @pytest.fixture
    def refused_at_commit(self, effect):
        """The database refuses the commit in which this event's effect stands, and no statement before it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS test_refused (effect_of uuid);"
                " CREATE OR REPLACE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF EXISTS (SELECT FROM test_refused r WHERE r.effect_of = NEW.effect_of)"
                " THEN RAISE EXCEPTION 'not at the commit either'; END IF; RETURN NULL; END $$;"
                " CREATE CONSTRAINT TRIGGER test_at_commit AFTER INSERT ON test_effect DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION test_refuse()"
            )
        one = event()
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO test_refused VALUES (%s)", [one.id])
        yield one
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE test_refused; DROP TRIGGER test_at_commit ON test_effect")

    def test_what_only_the_commit_refuses_is_parked_and_the_others_are_applied(self, group, effect, refused_at_commit):
        life = life_of_one_subject(2)
        events = [event(), refused_at_commit, *life, event()]
        subscribe(group, Poisonous(effect, life[0]))

        outcome = handling.handle(group, events)

        assert outcome == Outcome(handled=2, parked=3)
        assert effect.of() == [events[0].id, events[4].id]
        assert parked() == [refused_at_commit.id, life[0].id, life[1].id]
        assert "not at the commit either" in DeadLetter.objects.get(event_id=refused_at_commit.id).reason

    def test_a_failure_that_may_heal_among_those_tried_apart_rolls_all_of_them_back(self, group, effect):
        events = [event() for _ in range(4)]

        def fail_then_wait(one):
            effect.apply(one)
            if one is events[1]:
                raise ValueError("cannot be")
            if one is events[3]:
                raise Transient("not yet")

        subscribe(group, fail_then_wait)

        with pytest.raises(Transient, match="not yet"):
            handling.handle(group, events)

        assert (effect.of(), parked(), HandledEvent.objects.count()) == ([], [], 0)
        assert GroupProgress.objects.count() == 0

    def test_two_consumers_with_the_same_events_apply_or_park_each_once(self, group, effect):
        events = [event() for _ in range(40)]
        bad = {one.id for one in events[::4]}

        @group.on_batch("*")
        def refuse_some(batch):
            effect.apply_batch(batch)
            assert not {one.id for one in batch} & bad

        at_once(lambda: handling.handle(group, events), lambda: handling.handle(group, list(reversed(events))))

        assert sorted(effect.of()) == sorted(one.id for one in events if one.id not in bad)
        assert sorted(parked()) == sorted(bad)
