"""Dead letters are freed in the order of their key, or given up, by a decision of a person."""

import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.events import dead_letters, handling
from apps.events.dead_letters import Failure
from apps.events.errors import DeadLetterNotParked
from apps.events.models import DeadLetter, HandledEvent
from apps.tasks.events import TaskEvent
from tests.events.concurrency import in_background, waits_for_a_lock
from tests.support.factories import event, life_of_one_subject

pytestmark = pytest.mark.django_db


class Mendable:
    """A subscriber that fails for the events it is told to, until that is mended."""

    def __init__(self, effect):
        self.effect = effect
        self.broken = set()

    def __call__(self, one):
        self.effect.apply(one)
        if one.id in self.broken:
            raise ValueError("still broken")


@pytest.fixture
def chores(new_group, effect):
    """A group and its subscriber."""
    group = new_group("chores")
    return group, group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(Mendable(effect))


@pytest.fixture
def life(chores):
    """Three events of one key, all parked because of the first; the cause is mended."""
    group, subscriber = chores
    events = life_of_one_subject(3)
    subscriber.broken = {events[0].id}
    handling.handle(group, events)
    subscriber.broken = set()
    return events


def letters():
    return list(DeadLetter.objects.order_by("id"))


def statuses():
    return [letter.status for letter in letters()]


def test_a_replay_applies_the_event_and_those_behind_it_in_order(life, effect):
    assert dead_letters.replay(letters()[0].pk) == 3

    assert effect.of() == [one.id for one in life]
    assert statuses() == ["replayed"] * 3
    assert {letter.resolved_at is not None for letter in letters()} == {True}


def test_after_a_replay_redelivery_changes_nothing_and_the_key_flows(chores, life, effect):
    group, _ = chores
    dead_letters.replay(letters()[0].pk)
    fourth = event(subject_id=life[0].subject_id, version=4)

    handling.handle(group, [*life, fourth])

    assert effect.of() == [one.id for one in [*life, fourth]]


def test_replaying_one_in_the_middle_frees_the_key_from_its_oldest_on(life, effect):
    assert dead_letters.replay(letters()[1].pk) == 3

    assert effect.of() == [one.id for one in life]


def test_a_replay_that_fails_again_leaves_all_parked(chores, life, effect):
    chores[1].broken = {life[0].id}

    with pytest.raises(ValueError, match="still broken"):
        dead_letters.replay(letters()[0].pk)

    assert effect.of() == []
    assert statuses() == ["parked"] * 3
    assert HandledEvent.objects.count() == 0


def test_a_replay_keeps_what_went_well_before_it_failed(chores, life, effect):
    chores[1].broken = {life[1].id}

    with pytest.raises(ValueError, match="still broken"):
        dead_letters.replay(letters()[0].pk)

    assert effect.of() == [life[0].id]
    assert statuses() == ["replayed", "parked", "parked"]


def test_discarding_the_first_applies_those_behind_it(life, effect):
    assert dead_letters.discard(letters()[0].pk) == 2

    assert effect.of() == [one.id for one in life[1:]]
    assert statuses() == ["discarded", "replayed", "replayed"]


def test_discarding_one_in_the_middle_applies_nothing_yet(life, effect):
    assert dead_letters.discard(letters()[1].pk) == 0

    assert effect.of() == []
    assert statuses() == ["parked", "discarded", "parked"]


def test_what_was_discarded_stays_out_when_the_others_are_replayed(life, effect):
    dead_letters.discard(letters()[1].pk)

    assert dead_letters.replay(letters()[0].pk) == 2
    assert effect.of() == [life[0].id, life[2].id]


def test_what_was_discarded_is_not_applied_by_redelivery(chores, life, effect):
    dead_letters.discard(letters()[0].pk)
    before = effect.of()

    handling.handle(chores[0], life)

    assert effect.of() == before


@pytest.mark.parametrize("decide", [dead_letters.replay, dead_letters.discard], ids=["replay", "discard"])
def test_deciding_twice_is_refused(life, effect, decide):
    letter = letters()[0]
    dead_letters.replay(letter.pk)
    before = effect.of()

    with pytest.raises(DeadLetterNotParked, match=f"{letter.event_id}.* is replayed, not parked"):
        decide(letter.pk)

    assert effect.of() == before


def test_a_key_that_was_parked_before_can_be_parked_again(chores, life):
    group, subscriber = chores
    dead_letters.replay(letters()[0].pk)
    fourth = event(subject_id=life[0].subject_id, version=4)
    subscriber.broken = {fourth.id}

    handling.handle(group, [fourth])

    assert statuses() == ["replayed"] * 3 + ["parked"]


@pytest.mark.django_db(transaction=True)
def test_an_event_that_comes_during_a_replay_is_applied_after_it(new_group, effect):
    """The consumer waits for the key's lock; when it has it, nothing is parked any more."""
    group = new_group("chores")
    life = life_of_one_subject(2)
    state = {"mended": False, "consumer_waited": None}

    @group.on(TaskEvent.CREATED, TaskEvent.UPDATED)
    def apply_slowly(one):
        if not state["mended"]:
            raise ValueError("not yet")
        if one.id == life[0].id:
            with in_background(waits_for_a_lock) as waiting:
                state["consumer_waited"] = waiting.result(15)
        effect.apply(one)

    handling.handle(group, life[:1])
    state["mended"] = True

    def replay_then_consume():
        return dead_letters.replay(DeadLetter.objects.get().pk)

    with (
        in_background(replay_then_consume) as replayed,
        in_background(lambda: _after_the_lock(group, life[1])) as late,
    ):
        assert (replayed.result(20), late.result(20).handled) == (1, 1)

    assert state["consumer_waited"] is True
    assert effect.of() == [one.id for one in life]
    assert statuses() == ["replayed"]


def park_while_another_frees_the_key(group, *, patience):
    """Two events of a key: the second is parked, its transaction still open, while the first is discarded.

    How many the discard applied, and whether it had to wait for the parking.
    """
    first, second = life_of_one_subject(2)
    with transaction.atomic():
        dead_letters.park(group, [Failure(first, "because")])
    letter = DeadLetter.objects.get()
    parked = threading.Event()

    def discard_after_the_parking():
        parked.wait(10)
        return dead_letters.discard(letter.pk)

    with in_background(discard_after_the_parking) as discarded:
        with transaction.atomic():
            dead_letters.park(group, [Failure(second, "because")])
            parked.set()
            with in_background(lambda: waits_for_a_lock(seconds=patience)) as waited:
                waited.result(patience + 5)
        return discarded.result(10), waited.result()


@pytest.mark.django_db(transaction=True)
def test_what_is_parked_while_its_key_is_freed_is_freed_with_it(chores):
    assert park_while_another_frees_the_key(chores[0], patience=4) == (1, True)

    assert statuses() == ["discarded", "replayed"]


@pytest.mark.django_db(transaction=True)
def test_without_the_keys_lock_what_is_parked_meanwhile_stays_behind_nothing(chores, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(dead_letters, "_lock_keys", lambda group, keys: None)

    assert park_while_another_frees_the_key(chores[0], patience=1) == (0, False)

    assert statuses() == ["discarded", "parked"]


def _after_the_lock(group, one):
    """Handle as soon as the replay holds the key's lock."""
    from time import sleep

    from django.db import connection

    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            if cursor.fetchone()[0]:
                break
        sleep(0.01)
    return handling.handle(group, [one])


def command(*arguments):
    call_command("dead_letters", *map(str, arguments))


def test_the_command_lists_what_is_parked(life, capsys):
    first = letters()[0]

    command("list")

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].split() == [
        str(first.pk),
        "chores",
        "task.created.v1",
        str(life[0].id),
        "task-events/None@None",
        "parked",
        "ValueError:",
        "still",
        "broken",
    ]
    assert f"parked behind {first.pk}" in lines[1]


def test_the_command_lists_as_json_what_travelled(life, capsys):
    import json

    command("list", "--json")

    listed = json.loads(capsys.readouterr().out)
    assert [row["event_id"] for row in listed] == [str(one.id) for one in life]
    assert listed[0]["envelope"]["data"]["task"]["title"] == "Buy milk"
    assert listed[0]["status"] == "parked"


def test_the_command_says_when_there_are_none(capsys):
    command("list")

    assert capsys.readouterr().out == "No dead letters.\n"


def test_the_command_replays_a_group(life, effect, capsys):
    command("replay", "--group", "chores")

    assert effect.of() == [one.id for one in life]
    assert capsys.readouterr().out == f"replay {letters()[0].pk}: 3 applied.\n"


def test_the_command_replays_several_ids_of_one_key(life, effect):
    command("replay", *[letter.pk for letter in letters()])

    assert effect.of() == [one.id for one in life]


def test_the_command_only_says_what_it_would_do(life, effect, capsys):
    command("replay", "--group", "chores", "--dry-run")

    assert effect.of() == []
    assert statuses() == ["parked"] * 3
    assert capsys.readouterr().out.splitlines()[0] == f"would replay {letters()[0].pk}"


def test_the_command_fails_when_an_event_fails_again(chores, life, capsys):
    chores[1].broken = {life[0].id}

    with pytest.raises(CommandError, match="1 failed again and stay parked"):
        command("replay", letters()[0].pk)

    assert "failed again: ValueError: still broken" in capsys.readouterr().err
    assert statuses() == ["parked"] * 3


def test_the_command_discards_by_id_only(life):
    with pytest.raises(CommandError, match="Say which"):
        command("discard", "--group", "chores")

    assert statuses() == ["parked"] * 3


def test_the_command_refuses_what_is_not_there():
    with pytest.raises(CommandError, match="No dead letter 999"):
        command("replay", 999)


def test_the_command_refuses_what_is_decided(life):
    dead_letters.discard(letters()[0].pk)

    with pytest.raises(CommandError, match="is discarded, not parked"):
        command("replay", letters()[0].pk)


def test_the_command_discards_every_id_it_was_given_and_applies_only_the_rest(life, effect):
    command("discard", letters()[0].pk, letters()[1].pk)

    assert effect.of() == [life[2].id]
    assert statuses() == ["discarded", "discarded", "replayed"]
