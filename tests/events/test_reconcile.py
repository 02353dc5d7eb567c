"""What a group lost on the way is found, handled and counted; what is only late is left alone."""

import threading
import time
from dataclasses import replace

import pytest
from django.db import connection, transaction

from apps.events import event_types, handling, inbox, outbox, reconcile
from apps.events.brokers.base import BrokerState
from apps.events.errors import BrokerFailed
from apps.events.missing import Laps
from apps.events.models import DeadLetter, Event, GroupMark, GroupProgress, OutboxEntry
from apps.events.reconcile import Repair
from apps.tasks.events import TaskEvent
from tests.events.concurrency import in_background
from tests.support.factories import append, event, life_of_one_subject

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    return group


@pytest.fixture
def settled(group, pump):
    """The group has been looked at once, on this broker: from now on a repair is a repair."""
    reconcile.run(group, broker=pump.broker)
    return group


def lose(*events):
    """Append, and let the entries go as if Kafka had taken and dropped the records."""
    append(*events)
    OutboxEntry.objects.filter(event__event_id__in=[one.id for one in events]).delete()


def mark():
    """The group's mark, the same for all its types."""
    (settled,) = set(GroupMark.objects.filter(group="chores").values_list("settled_transaction_id", flat=True))
    return settled


def counts(group):
    return GroupProgress.objects.values_list("repaired", "caught_up").get(group=group.name)


def test_a_lost_event_is_handled_and_counted_as_a_repair(settled, pump, effect):
    one = event()
    lose(one)

    found = reconcile.run(settled, broker=pump.broker)

    assert found == Repair(settled=True, handled=1)
    assert effect.of() == [one.id]
    assert counts(settled) == (1, 0)


def test_looking_again_finds_nothing(settled, pump, effect):
    one = event()
    lose(one)
    reconcile.run(settled, broker=pump.broker)

    assert reconcile.run(settled, broker=pump.broker) == Repair(settled=True, handled=0)
    assert effect.of() == [one.id]
    assert counts(settled) == (1, 0)


def test_a_key_is_repaired_oldest_version_first(settled, pump, effect):
    life = life_of_one_subject(5)
    lose(*life)

    reconcile.run(settled, broker=pump.broker)

    assert effect.of() == [one.id for one in life]


def test_in_a_healthy_system_nothing_is_repaired(settled, pump):
    append(*life_of_one_subject(4))
    pump.run()

    assert reconcile.run(settled, broker=pump.broker) == Repair(settled=True, handled=0)
    assert counts(settled) == (0, 0)


def test_what_waits_in_the_outbox_is_only_late(settled, pump, effect):
    append(event())

    assert reconcile.run(settled, broker=pump.broker) == Repair(settled=True, handled=0)
    assert effect.of() == []


def test_what_waited_in_the_outbox_is_not_passed_by_the_mark(settled, pump, effect):
    one = event()
    append(one)
    reconcile.run(settled, broker=pump.broker)
    OutboxEntry.objects.all().delete()

    reconcile.run(settled, broker=pump.broker)

    assert effect.of() == [one.id]


def test_while_the_group_lags_nothing_is_repaired(settled, pump, effect):
    append(event())
    pump.relay_once()

    found = reconcile.run(settled, broker=pump.broker)

    assert found == Repair(settled=False, reason="The group is 1 records behind.")
    assert (effect.of(), counts(settled)) == ([], (0, 0))


def test_what_comes_just_before_the_look_is_late_and_not_lost(settled, pump, effect, monkeypatch):
    """Seen missing, then seen to have no lag: in this order."""
    look, late = Laps.look, event()
    monkeypatch.setattr(Laps, "look", lambda *words, **named: relay_one(pump, late) or look(*words, **named))

    found = reconcile.run(settled, broker=pump.broker)

    assert found == Repair(settled=False, reason="The group is 1 records behind.")
    assert (effect.of(), counts(settled)) == ([], (0, 0))


def test_asked_for_the_lag_before_the_look_it_would_be_taken_for_lost(settled, pump, effect, monkeypatch):
    """The negative control: the lag that was, before it came."""
    look, late, before = Laps.look, event(), pump.broker.lag("chores", ["task-events"])
    monkeypatch.setattr(Laps, "look", lambda *words, **named: relay_one(pump, late) or look(*words, **named))
    monkeypatch.setattr(pump.broker, "lag", lambda *words, **named: before)

    reconcile.run(settled, broker=pump.broker)

    assert (effect.of(), counts(settled)) == ([late.id], (1, 0))


def relay_one(pump, one):
    append(one)
    pump.relay_once()


def test_under_a_load_that_never_ends_the_group_is_settled_with_what_was_before(settled, pump, effect, monkeypatch):
    laps = Laps()
    monkeypatch.setattr(pump.broker, "lag", lambda *words, **named: 1)
    relay_one(pump, event())
    first = reconcile.run(settled, broker=pump.broker, laps=laps)
    pump.consume(settled)
    relay_one(pump, event())

    assert not first.settled
    assert reconcile.run(settled, broker=pump.broker, laps=laps) == Repair(settled=True)


def test_looking_anew_each_time_it_would_never_be(settled, pump, effect, monkeypatch):
    """The negative control: something of the last moment is always on its way."""
    monkeypatch.setattr(pump.broker, "lag", lambda *words, **named: 1)
    relay_one(pump, event())
    reconcile.run(settled, broker=pump.broker)
    pump.consume(settled)
    relay_one(pump, event())

    assert not reconcile.run(settled, broker=pump.broker).settled


def test_while_the_outbox_is_old_nothing_is_repaired(settled, pump, effect, monkeypatch):
    lose(event())
    append(event())
    monkeypatch.setattr(reconcile, "OUTBOX_IS_YOUNG_SECONDS", -1.0)

    found = reconcile.run(settled, broker=pump.broker)

    assert (found.settled, found.reason) == (False, "The outbox is 0 s old.")
    assert effect.of() == []


def test_what_is_parked_stays_parked(new_group, pump):
    group = new_group("chores")
    group.on(TaskEvent.CREATED)(_fail)
    one = event()
    lose(one)
    handling.handle(group, [one])

    assert reconcile.run(group, broker=pump.broker) == Repair(settled=True, handled=0)
    assert DeadLetter.objects.get().status == "parked"


def _fail(one):
    raise ValueError("never")


def test_what_a_group_does_not_subscribe_to_is_not_its_loss(new_group, pump, effect):
    group = new_group("chores")
    group.on(TaskEvent.UPDATED)(effect.apply)
    lose(event())

    assert reconcile.run(group, broker=pump.broker) == Repair(settled=True, handled=0)
    assert effect.of() == []


def test_a_group_of_every_fact_gets_types_of_a_newer_release_too(new_group, pump, effect):
    group = new_group("keeper", parks=False)
    group.on_batch("*")(effect.apply_batch)
    lose(event())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, occurred_at,"
            " correlation_id, traceparent, data) VALUES (gen_random_uuid(), 'task.archived.v7', 'task-events', 'k',"
            " '/todo', 'task', gen_random_uuid(), now(), 'c', '', '{}')"
        )

    assert reconcile.run(group, broker=pump.broker).handled == 2


@pytest.mark.parametrize(
    "state",
    [BrokerState("mockCluster-1", keeps_records=False), BrokerState("another cluster", keeps_records=True)],
    ids=["a broker in memory", "another cluster"],
)
def test_what_a_broker_cannot_have_any_more_is_caught_up_and_no_repair(settled, pump, monkeypatch, state):
    lose(event(), event())
    monkeypatch.setattr(pump.broker, "state", lambda topics: state)

    found = reconcile.run(settled, broker=pump.broker)

    assert found == Repair(settled=True, handled=2)
    assert counts(settled) == (0, 2)
    assert GroupProgress.objects.get(group="chores").cluster_id == state.cluster_id


def test_on_the_new_cluster_a_loss_is_a_repair_again(settled, pump, monkeypatch):
    monkeypatch.setattr(pump.broker, "state", lambda topics: BrokerState("another cluster", keeps_records=True))
    reconcile.run(settled, broker=pump.broker)
    lose(event())

    reconcile.run(settled, broker=pump.broker)

    assert counts(settled) == (1, 0)


def test_a_kafka_that_is_away_changes_nothing(settled, pump, effect, monkeypatch):
    lose(event())
    monkeypatch.setattr(pump.broker, "state", _away)

    found = reconcile.run(settled, broker=pump.broker)

    assert found == Repair(settled=False, reason="Kafka does not answer")
    assert effect.of() == []


def test_a_topic_that_a_new_broker_lacks_is_asked_for(settled, pump, monkeypatch):
    asked = []
    monkeypatch.setattr(pump.broker, "state", _away)
    monkeypatch.setattr(pump.broker, "ensure_topics", asked.append)

    reconcile.run(settled, broker=pump.broker)

    assert asked == [event_types.topics()]


@pytest.fixture
def asked_for(pump, monkeypatch):
    """The topics that are asked for while one is missing."""
    asked: list[list[str]] = []
    lacking = replace(pump.broker.state(), topics=("", "id-of-another"))
    monkeypatch.setattr(pump.broker, "state", lambda *_: lacking)
    monkeypatch.setattr(
        pump.broker, "ensure_topics", lambda names: asked.append(names) or dict.fromkeys(names, "created")
    )
    return asked


def test_a_topic_that_somebody_deleted_is_made_again(group, pump, asked_for):
    reconcile.run(group, broker=pump.broker)

    assert asked_for == [event_types.topics()]


def test_a_group_that_does_not_look_for_topics_leaves_one_missing(group, pump, asked_for, monkeypatch):
    """The negative control: Kafka answers, and nothing fails."""
    monkeypatch.setattr(reconcile, "_make_missing_topics", lambda broker: None)

    assert reconcile.run(group, broker=pump.broker).settled
    assert asked_for == []


def test_while_all_topics_are_there_none_is_made(settled, pump, monkeypatch):
    asked = []
    monkeypatch.setattr(pump.broker, "ensure_topics", asked.append)

    reconcile.run(settled, broker=pump.broker)

    assert asked == []


def _away(*_):
    raise BrokerFailed("Kafka does not answer")


def test_more_than_one_run_repairs_leaves_the_mark_where_it_was(settled, pump, effect, monkeypatch):
    monkeypatch.setattr(reconcile, "REPAIR_LIMIT", 2)
    events = [event() for _ in range(3)]
    lose(*events)
    before = mark()

    first = reconcile.run(settled, broker=pump.broker)
    between = mark()
    second = reconcile.run(settled, broker=pump.broker)

    assert (first, second) == (Repair(settled=False, handled=2), Repair(settled=True, handled=1))
    assert between == before
    assert effect.of() == [one.id for one in events]


def test_a_mark_beyond_the_database_is_that_of_another_and_is_forgotten(settled, pump, effect):
    """The database was restored from a dump, where transactions are numbered anew."""
    GroupMark.objects.update(settled_transaction_id=2**60)
    one = event()
    lose(one)

    reconcile.run(settled, broker=pump.broker)

    assert effect.of() == [one.id]
    assert mark() < 2**60


@pytest.mark.django_db(transaction=True)
def test_an_event_that_commits_after_the_mark_was_set_is_still_found(settled, pump, effect):
    """Invariant: the mark counts transactions; one still open is never passed."""
    late, early = event(), event()
    appended, may_commit = threading.Event(), threading.Event()

    with in_background(lambda: _lose_slowly(late, appended, may_commit)) as writer:
        appended.wait(10)
        lose(early)
        reconcile.run(settled, broker=pump.broker)
        passed = Event.objects.order_by("-position").values_list("position", flat=True)[0]
        before = effect.of()
        may_commit.set()
        writer.result(10)
    reconcile.run(settled, broker=pump.broker)

    assert before == [early.id]
    assert effect.of() == [early.id, late.id]
    # Negative control: a mark of positions had passed it, and would never look there again.
    assert Event.objects.get(event_id=late.id).position < passed
    assert not Event.objects.filter(position__gt=passed).exists()


def _lose_slowly(one, appended, may_commit):
    with transaction.atomic():
        outbox.append(one)
        OutboxEntry.objects.filter(event__event_id=one.id).delete()
        appended.set()
        may_commit.wait(10)


@pytest.mark.django_db(transaction=True)
def test_the_mark_moves_on_so_that_a_run_stays_short(settled, pump):
    before = mark()
    append(event())
    pump.run()
    row = Event.objects.get()

    # A transaction of any database of the server holds the mark back, and other tests run beside this one.
    until = time.monotonic() + 30
    while (after := _mark_after_a_run(settled, pump)) <= row.transaction_id and time.monotonic() < until:
        time.sleep(0.1)

    assert before <= row.transaction_id < after


def _mark_after_a_run(group, pump):
    reconcile.run(group, broker=pump.broker)
    return mark()


def test_an_event_already_handled_is_not_handled_by_a_repair(settled, pump, effect):
    one = event()
    lose(one)
    inbox.claim(settled, [one])

    reconcile.run(settled, broker=pump.broker)

    assert effect.of() == []
