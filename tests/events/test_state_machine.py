"""Everything that may happen around the event core, in any order, held against all promises after every step.

A Hypothesis state machine on real PostgreSQL, with a broker in memory (see `tests/events/machine`): people write,
relays and groups make their steps, processes die or freeze at every crash point, Kafka is away, replaced or loses
records, handlers fail, days pass. At the end all is healed, and then everything must be handled exactly once.

In the suite it is short, and the same at every run. `STATE_MACHINE_EXAMPLES=500` makes it long, of other examples each
time; `STATE_MACHINE_SEED=7` chooses which, and the seed of a long run is printed when it fails, with the steps of the
shortest example that Hypothesis found. To play those again, make a test of them by `live` (below); or put the printed
`@reproduce_failure(…)` over `EventCore`.
"""

import os
import random
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.events import dead_letters, handling, held, inbox, missing, outbox, reconcile, replay
from apps.events.brokers.base import BrokerState, Delivery
from apps.events.consumer import GroupConsumer
from apps.events.relay import Relay
from tests.events.machine.fates import Fate
from tests.events.machine.kafka import FaultyBroker, FaultyConsumer, FaultyProducer
from tests.events.machine.people import PAST_THE_SERVICES
from tests.events.machine.rules import EventCore

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "0"))
SHORT = 8
STEPS = 40

GUARD = "task_has_event"

Step = Callable[[EventCore], object]


@pytest.mark.timeout(300 if not EXAMPLES else 12 * 3600)
def test_whatever_happens_everything_is_handled_once_and_in_order():
    number = int(os.environ.get("STATE_MACHINE_SEED", "0")) or random.randrange(1, 2**32)
    always = settings(
        max_examples=EXAMPLES or SHORT,
        stateful_step_count=STEPS,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        # An example takes about a second; a short run that fails shall say so, and a long one find the shortest.
        phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    machine = seed(number)(EventCore) if EXAMPLES else EventCore
    print(f"STATE_MACHINE_SEED={number}" if EXAMPLES else "the same examples at every run")

    run_state_machine_as_test(machine, settings=always)


def live(*steps: Step) -> None:
    """An example of these steps, with what holds after each and at the end."""
    machine = EventCore()
    try:
        for step in (lambda machine: machine.begin(tasks=2), *steps):
            step(machine)
            machine.promises_hold()
    except BaseException:
        machine.teardown()
        raise
    machine.teardown()


def write(*commands: tuple[str, int], **how: object) -> Step:
    return lambda machine: machine.write(list(commands), 0, **how)


def relay(number: int = 0, **how: object) -> Step:
    return lambda machine: machine.relay(number, **how)


def consume(group: int = 1, **how: object) -> Step:
    return lambda machine: machine.consume(group, **how)


def both_partitions_again(machine: EventCore) -> None:
    machine.deliver_again(1, 1000, 0)
    machine.deliver_again(1, 1000, 1)


def leave(group: int = 1) -> Step:
    return lambda machine: machine.leave(group, 0)


def thaw(machine: EventCore) -> None:
    machine.thaw(0)


def mend(machine: EventCore) -> None:
    machine.mend_a_group(1)


def poison_the_first(machine: EventCore) -> None:
    machine.poison(1, 0, declared=True)


def kafka(what: str) -> Step:
    return lambda machine: machine.fail_kafka(what)


UPDATE = write(("update", 1))

# Cures, switched off, and steps by which that shows.


def the_inbox_remembers_nothing(patch):
    claim = inbox.claim_ids

    def claim_all(group, ids):
        claim(group, ids)
        return set(ids)

    patch.setattr(inbox, "claim_ids", claim_all)


def anybody_leads(patch):
    patch.setattr(Relay, "_check_leadership", lambda relay, purpose: None)


def nobody_waits_behind_a_dead_letter(patch):
    patch.setattr(dead_letters, "sort_out", lambda group, events: dead_letters.NONE_WAITING)


def no_key_is_locked(patch):
    patch.setattr(dead_letters, "_lock_keys", lambda group, keys: None)


def the_mark_goes_by_what_is_committed(patch):
    patch.setattr(missing, "_RELAYED_HORIZON", "pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


def the_mark_does_not_mind_the_outbox(patch):
    # Nor any other transaction: those of other tests, in other databases, would hold it back too.
    patch.setattr(missing, "_RELAYED_HORIZON", "pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


def the_reconcile_does_not_mind_the_lag(patch):
    patch.setattr(FaultyBroker, "lag", lambda *_, **__: 0)


def the_reconcile_does_not_mind_the_outbox(patch):
    patch.setattr(missing, "_RELAYED", "")


def another_cluster_is_as_good(patch):
    patch.setattr(reconcile, "catch_up", lambda group, state, **_: reconcile.Repair(settled=True))


def a_replay_waits_for_nobody(patch):
    patch.setattr(replay, "wait_until_caught_up", lambda group, **_: None)


def offsets_come_first(patch):
    handle = GroupConsumer.handle_records

    def store_then_handle(consumer, records):
        consumer.consumer.store(records)
        return handle(consumer, records)

    patch.setattr(GroupConsumer, "handle_records", store_then_handle)


def inbox_and_effect_are_two_transactions(patch):
    def in_two(group, events):
        fresh = inbox.claim(group, events)
        with transaction.atomic():
            inbox.apply(group, fresh)
            handling.crash.at("handling.before_commit")
        return handling.Outcome(handled=len(fresh))

    patch.setattr(handling, "_handle_in_one_transaction", in_two)


def what_may_heal_is_parked(patch):
    patch.setattr(handling, "Transient", type("Other", (Exception,), {}))


def a_refusal_is_as_good_as_an_acknowledgement(patch):
    send = FaultyProducer.send
    patch.setattr(
        FaultyProducer,
        "send",
        lambda producer, records, *, give_up: [Delivery() for _ in send(producer, records, give_up=give_up)],
    )


def nobody_waits_behind_what_is_held(patch):
    patch.setattr(held, "keys", set)


def the_relay_goes_on_past_what_it_could_not_see(patch):
    patch.setattr(outbox, "_VISIBLE", "%s::text IS NOT NULL")


def gaps_are_not_seen(patch):
    patch.setattr(FaultyConsumer, "missed_records", lambda consumer: False)


def a_topic_made_anew_is_as_good(patch):
    patch.setattr(BrokerState, "identity", property(lambda state: state.cluster_id))
    gaps_are_not_seen(patch)


CONTROLS = {
    the_inbox_remembers_nothing: (
        [relay(), consume(), both_partitions_again, leave(), consume()],
        "chores has more effects than events",
    ),
    anybody_leads: (
        [
            relay(fate=Fate("relay.selected", "freezes")),
            EventCore.lose_leadership,
            relay(1),
            thaw,
        ],
        "a relay that does not lead writes to Kafka",
    ),
    nobody_waits_behind_a_dead_letter: (
        [poison_the_first, relay(), consume(), mend, write(("update", 0)), relay(), consume()],
        "past a parked one",
    ),
    no_key_is_locked: (
        [
            *(poison_the_first, relay(), consume(), mend, write(("update", 0)), relay()),
            consume(fate=Fate("handling.before_commit", "freezes")),
            lambda machine: machine.decide_about_a_dead_letter(0, discard=True),
            thaw,
        ],
        "waits for nobody",
    ),
    the_mark_goes_by_what_is_committed: (
        [
            write(("create", 0), fate=Fate("machine.before_commit", "freezes")),
            *(relay(), consume()),
            lambda machine: machine.reconcile(1),
            thaw,
        ],
        "the mark of chores passed task.created.v1",
    ),
    the_mark_does_not_mind_the_outbox: (
        [lambda machine: machine.reconcile(1)],
        "the mark of chores passed task.created.v1",
    ),
    the_reconcile_does_not_mind_the_lag: (
        [lambda machine: machine.reconcile(1), relay(), lambda machine: machine.reconcile(1)],
        "events of chores were repaired, and none was lost",
    ),
    the_reconcile_does_not_mind_the_outbox: (
        [relay(), consume(), lambda machine: machine.reconcile(1), UPDATE, lambda machine: machine.reconcile(1)],
        "events of chores were repaired, and none was lost",
    ),
    another_cluster_is_as_good: (
        [relay(), kafka("another"), UPDATE, relay(), consume()],
        "task.created.v1 .* behind a later one",
    ),
    a_replay_waits_for_nobody: (
        [UPDATE, relay(), lambda machine: machine.replay_events(1, 1), consume()],
        "behind a later one",
    ),
    offsets_come_first: (
        [relay(), consume(fate=Fate("handling.before_commit", "dies"))],
        "chores stored 2 on task-events/0, but task.created.v1 is undone",
    ),
    inbox_and_effect_are_two_transactions: (
        [relay(), consume(fate=Fate("handling.before_commit", "dies"))],
        "events without an effect",
    ),
    what_may_heal_is_parked: (
        [lambda machine: machine.fail_for_a_while(1, 999), relay(), consume()],
        "never failed",
    ),
    a_refusal_is_as_good_as_an_acknowledgement: (
        [lambda machine: machine.relay_to_a_kafka_that_takes_a_part(0, 0, 0, "")],
        "left the outbox and was never on Kafka",
    ),
    nobody_waits_behind_what_is_held: (
        [
            lambda machine: machine.relay_to_a_kafka_that_takes_a_part(0, 0, 0, "refused"),
            UPDATE,
            lambda machine: machine.relay_to_a_kafka_that_takes_a_part(0, 0, 0, "refused"),
            relay(),
        ],
        "stands behind a later one",
    ),
    the_relay_goes_on_past_what_it_could_not_see: (
        [
            *(relay(), write(("create", 0), fate=Fate("machine.before_commit", "freezes"))),
            *(write(("create", 2)), write(("create", 4)), relay(size=3), thaw, write(("update", 2)), relay(size=3)),
        ],
        "stands behind a later one",
    ),
    gaps_are_not_seen: (
        [relay(), lambda machine: machine.days_pass(8), UPDATE, relay(), consume()],
        "task.created.v1 .* behind a later one",
    ),
    a_topic_made_anew_is_as_good: (
        [relay(), kafka("task-events"), UPDATE, relay(), consume()],
        "task.created.v1 .* behind a later one",
    ),
}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_with_the_cure_the_machine_is_content_and_without_it_it_is_not(control, monkeypatch):
    """Negative controls: the same steps, with the one cure and without."""
    steps, told = CONTROLS[control]
    live(*steps)

    control(monkeypatch)

    with pytest.raises(AssertionError, match=told):
        live(*steps)


@pytest.mark.parametrize("updates", [1, 5], ids=["a shorter topic", "a longer topic"])
def test_a_batch_in_hand_while_its_topic_is_made_anew_loses_nothing_and_keeps_order(updates):
    """It is stored by its place on the topic that was, so that records of the new one may be passed."""
    live(
        *(relay(), consume(fate=Fate("consumer.before_store", "freezes")), kafka("task-events")),
        *(*[UPDATE] * updates, relay(), thaw, leave(), consume(), UPDATE, relay(), consume()),
    )


def guard(word: str) -> Step:
    """Switch the deferred trigger of tasks."""

    def switch(_: object = None) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE tasks_task {word} TRIGGER {GUARD}")

    return switch


@pytest.fixture
def guard_stands_afterwards():
    yield
    guard("ENABLE")(None)


def raw_writes() -> list[Step]:
    return [partial(EventCore.write_past_the_services, statement=word, number=0) for word in PAST_THE_SERVICES]


def test_a_write_past_the_services_is_refused_in_every_form():
    live(*raw_writes())


@pytest.mark.parametrize("number", [0, 1, 2])
def test_without_the_databases_guard_the_machine_sees_a_raw_write(guard_stands_afterwards, number):
    """Negative control of the deferred trigger."""
    with pytest.raises(AssertionError, match="a write without an event was committed"):
        live(guard("DISABLE"), raw_writes()[number])
