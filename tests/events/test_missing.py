"""Looking for what a group was not given takes bounded steps, however large the log, and misses nothing between."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.events import handling, missing, reconcile
from apps.events.missing import Laps
from apps.events.models import Event, GroupMark, OutboxEntry
from apps.events.reconcile import Repair
from apps.tasks.events import TaskEvent
from tests.support.factories import append, backdated_event, event, life_of_one_subject, log_only
from tests.support.patience import unhurried
from tests.support.plans import executed, forget_statistics, nodes, rows_read

COUNT = 40_000
# Every tenth is of another type, the rest is handled; two rows a transaction, and all of it an hour old.
_FILL = """
INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, occurred_at, recorded_at,
                          correlation_id, traceparent, data, transaction_id)
SELECT md5(n::text)::uuid, CASE WHEN n %% 10 = 0 THEN 'task.completed.v1' ELSE 'task.created.v1' END, 'task-events',
       n::text, '/todo', 'task', md5(n::text)::uuid, %(at)s, %(at)s, 'c', '', '{}', n / 2
FROM generate_series(1, %(count)s) n
"""
_HANDLED = """
INSERT INTO events_handledevent ("group", event_id)
SELECT 'chores', event_id FROM events_event WHERE type = 'task.created.v1'
"""


@pytest.fixture
def group(new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    return group


@pytest.fixture
def windows(monkeypatch):
    """As for a log far larger than a statement should read: three positions a window."""
    monkeypatch.setattr(missing, "NEAR_TRANSACTIONS", -1)
    monkeypatch.setattr(missing, "WINDOW", 3)


def runs(group, pump, count):
    laps = Laps()
    return [reconcile.run(group, broker=pump.broker, laps=laps) for _ in range(count)]


@pytest.mark.django_db
def test_what_is_missing_in_several_windows_is_handled_a_window_a_run_in_order(windows, group, pump, effect):
    life = life_of_one_subject(9)
    for one in life:
        log_only(one)
    handling.handle(group, life[:2])
    handling.handle(group, life[4:6])

    found = runs(group, pump, 4)

    assert sum(each.handled for each in found) == 5
    assert (found[0].settled, found[-1].settled) == (False, True)
    assert effect.of()[4:] == [one.id for one in [*life[2:4], *life[6:]]]
    assert reconcile.run(group, broker=pump.broker) == Repair(settled=True)


@pytest.mark.django_db
def test_a_look_for_what_is_old_lets_the_next_look_pass_by_nothing_young(windows, group):
    life = [log_only(one).position for one in life_of_one_subject(9)]
    question = {"types": {"task.created.v1": 0, "task.updated.v1": 0}, "limit": 5, "relayed_or_not": True}
    backdated_event(event(), days=2)

    laps = Laps()
    old = laps.look(group, older_than_seconds=3600, **question)
    every = laps.look(group, **question)

    assert (len(old.positions), every.positions) == (1, life[:3])


@pytest.mark.django_db
def test_a_log_with_nothing_missing_is_walked_in_one_run_as_far_as_the_time_allows(windows, group, pump, monkeypatch):
    life = life_of_one_subject(9)
    for one in life:
        log_only(one)
    handling.handle(group, life)
    marks_before = list(GroupMark.objects.all())
    monkeypatch.setattr(missing, "BUDGET_SECONDS", -1.0)
    out_of_time = reconcile.run(group, broker=pump.broker)
    monkeypatch.setattr(missing, "BUDGET_SECONDS", 30.0)

    assert not out_of_time.settled
    assert out_of_time.reason.startswith("Looked through the log up to -1 of ")
    assert (marks_before, GroupMark.objects.count()) == ([], 0)
    assert reconcile.run(group, broker=pump.broker) == Repair(settled=True)
    assert GroupMark.objects.filter(settled_transaction_id__gt=0).count() == 2


@pytest.mark.django_db
def test_gaps_in_the_positions_are_stepped_over(windows, group, pump, effect, monkeypatch):
    first, second = event(), event()
    log_only(first)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('events_event_position_seq', nextval('events_event_position_seq') + 1000000)")
    log_only(second)
    monkeypatch.setattr(missing, "BUDGET_SECONDS", 20.0)

    found = runs(group, pump, 3)

    assert sum(each.handled for each in found) == 2
    assert found[-1].settled
    assert effect.of() == [first.id, second.id]


@pytest.mark.django_db
def test_what_comes_while_the_log_is_walked_stays_above_the_marks(windows, group, pump, effect):
    """Invariant: the horizon is taken before the first step."""
    old = life_of_one_subject(2)
    for one in old:
        log_only(one)
    laps = Laps()
    looked = laps.look(group, {"task.created.v1": 0, "task.updated.v1": 0}, limit=1)
    waiting = append(event())[0]
    again = laps.look(group, {"task.created.v1": 0, "task.updated.v1": 0}, limit=1)

    assert looked.positions
    assert again.horizon == looked.horizon <= waiting.transaction_id


@pytest.mark.django_db
def test_the_outbox_holds_the_horizon_back_unless_what_waits_there_is_looked_for_too(group):
    waiting = append(event())[0]

    relayed = Laps().look(group, {"task.created.v1": 0}, limit=10)
    all_there_is = Laps().look(group, {"task.created.v1": 0}, limit=10, relayed_or_not=True)

    assert (relayed.positions, relayed.horizon <= waiting.transaction_id) == ([], True)
    assert all_there_is.positions == [waiting.position]


FAR = 4_000
# Each subtransaction that writes takes a number of its own.
_TRANSACTIONS_PASS = f"""
DO $$ BEGIN
    FOR n IN 1..{FAR} LOOP
        BEGIN INSERT INTO passing VALUES (n); EXCEPTION WHEN unique_violation THEN NULL; END;
    END LOOP;
END $$
"""


@pytest.fixture
def behind_a_held_one(group, pump, monkeypatch):
    """The group is settled with all but an entry that is held; so long ago that the log would be walked. Its laps."""
    laps = Laps()
    pump.relay.offers_again_at = float("inf")
    reconcile.run(group, broker=pump.broker, laps=laps)
    held = append(event())[0].position
    OutboxEntry.objects.filter(pk=held).update(held_at=timezone.now(), refusal="refused by the test")
    for _ in range(5):
        append(event())
    pump.relay_once()
    pump.consume(group)
    monkeypatch.setattr(missing, "NEAR_TRANSACTIONS", FAR // 2)
    long_after()
    assert reconcile.run(group, broker=pump.broker, laps=laps).settled
    return laps


def long_after():
    """`FAR` transactions later, all of them over: those of other tests, in other databases, are counted along."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS passing (n int)")
        cursor.execute(_TRANSACTIONS_PASS)
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        now = cursor.fetchone()[0]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            if cursor.fetchone()[0] > now:
                return
            time.sleep(0.05)
    raise AssertionError("Another test's transaction stayed open for a minute.")


def walks(group, laps, pump):
    """How many windows of the log a run of the reconcile reads."""
    with CaptureQueriesContext(connection) as asked:
        assert reconcile.run(group, broker=pump.broker, laps=laps).settled
    return len([each for each in asked.captured_queries if "e.position > " in each["sql"]])


@pytest.mark.django_db(transaction=True)
def test_behind_a_held_entry_the_log_is_walked_once_and_the_marks_stay(group, pump, behind_a_held_one):
    held = Event.objects.get(outbox_entry__held_at__isnull=False)

    assert walks(group, behind_a_held_one, pump) == 0
    assert walks(group, Laps(), pump) > 0  # the negative control: who remembers nothing
    assert max(GroupMark.objects.values_list("settled_transaction_id", flat=True)) <= held.transaction_id


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("among", "found"), [(missing._AMONG, 1), ("false", 0)], ids=["as it is", "negative control"])
def test_what_was_held_and_then_lost_is_found(group, pump, behind_a_held_one, monkeypatch, among, found):
    monkeypatch.setattr(missing, "_AMONG", among)
    OutboxEntry.objects.all().delete()  # as if Kafka had taken and dropped it

    assert reconcile.run(group, broker=pump.broker, laps=behind_a_held_one) == Repair(settled=True, handled=found)


@pytest.fixture(params=["without statistics", "with fresh statistics"])
def large_log(request, group):
    """All that the group wants of it is handled."""
    with unhurried() as cursor:
        cursor.execute(_FILL, {"at": timezone.now() - timedelta(hours=1), "count": COUNT})
        cursor.execute(_HANDLED)
        cursor.execute("SELECT brin_summarize_new_values('event_transaction_id')")  # as autovacuum does
        forget_statistics("events_event", "events_handledevent")
        if request.param == "with fresh statistics":
            cursor.execute("ANALYZE events_event")
            cursor.execute("ANALYZE events_handledevent")


def rows_of_the_log(sql):
    """How many rows of the log the executed plan reads, also those it threw away."""
    return sum(rows_read(node) for node in nodes(executed(sql)) if node.get("Relation Name") == "events_event")


def statements_of_a_look(group, types):
    with CaptureQueriesContext(connection) as asked:
        Laps().look(group, types, limit=reconcile.REPAIR_LIMIT)
    return [each["sql"] for each in asked.captured_queries]


@pytest.mark.django_db
@pytest.mark.usefixtures("large_log")
def test_on_a_large_log_no_statement_reads_more_than_a_window(group, monkeypatch):
    monkeypatch.setattr(missing, "NEAR_TRANSACTIONS", 0)
    monkeypatch.setattr(missing, "WINDOW", 5_000)

    read = [rows_of_the_log(sql) for sql in statements_of_a_look(group, {"task.created.v1": 0})]

    assert len(read) > COUNT / 5_000
    assert 4_000 <= max(read) <= 5_000


@pytest.mark.django_db
@pytest.mark.usefixtures("large_log")
def test_without_windows_one_statement_reads_the_whole_log(group, monkeypatch):
    """The negative control: the measure sees what it is to see."""
    monkeypatch.setattr(missing, "NEAR_TRANSACTIONS", 2**62)

    read = [rows_of_the_log(sql) for sql in statements_of_a_look(group, {"task.created.v1": 0})]

    assert max(read) >= COUNT


@pytest.mark.django_db
@pytest.mark.usefixtures("large_log")
def test_with_young_marks_one_statement_reads_little_of_a_large_log(group):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events_event")  # a table of which nothing is known is read whole
    mark = Event.objects.latest("position").transaction_id - 10

    read = [rows_of_the_log(sql) for sql in statements_of_a_look(group, {"task.created.v1": mark})]

    assert max(read) < COUNT / 4
