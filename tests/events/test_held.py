"""An entry that cannot go to Kafka is held, visibly, with those behind it of its key; everything else flows."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditRecord
from apps.events import handling, held, outbox, reconcile, relay, replay, retention, selectors
from apps.events.brokers.base import GIVEN_UP, Delivery, OutgoingRecord
from apps.events.brokers.kafka import KafkaBroker
from apps.events.brokers.memory import MemoryProducer
from apps.events.errors import GroupBehind, NotHeld
from apps.events.models import Event, HandledEvent, OutboxEntry
from apps.events.subscriptions import group_named
from apps.ops import pipeline
from apps.ops.pipeline import Status
from apps.tasks.events import TaskEvent
from tests.support.factories import append, event, life_of_one_subject, person
from tests.support.topics import fresh_topic

pytestmark = pytest.mark.django_db

INSERT = """
WITH appended AS (
    INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, subject_version,
                              occurred_at, correlation_id, traceparent, data)
    VALUES (gen_random_uuid(), %(type)s, %(topic)s, %(key)s, %(source)s, %(subject_type)s, gen_random_uuid(),
            NULL, %(occurred_at)s::timestamptz, 'c', '', %(data)s::jsonb)
    RETURNING position
)
INSERT INTO events_outboxentry (event_id) SELECT position FROM appended RETURNING event_id
"""
SOUND = {
    "type": "task.created.v1",
    "topic": "task-events",
    "key": "k",
    "source": "/todo",
    "subject_type": "task",
    "occurred_at": "2026-11-20T09:00Z",
    "data": "{}",
}
# As PostgreSQL stores it and Python does not read it; as it cannot be written; as no client of Kafka takes it.
UNREADABLE = f'{{"number": 1{"0" * 5000}}}'
NESTED = "[" * 2000 + "]" * 2000
HUGE = f'{{"text": "{"x" * 1_000_000}"}}'


def raw(**fields):
    """An event as somebody writes it past the one door; its position."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INSERT, SOUND | fields)
        return cursor.fetchone()[0]


def ids(records):
    return [dict(record.headers)["ce_id"].decode() for record in records]


def ids_of(*events):
    return [str(one.id) for one in events]


def reasons():
    return dict(OutboxEntry.objects.filter(held_at__isnull=False).values_list("pk", "refusal"))


class Refusing(MemoryProducer):
    """Kafka that refuses events by their ids, as often as they are offered."""

    def __init__(self, broker, *refused):
        super().__init__(broker)
        self.refused = set(ids_of(*refused))
        self.offered = []

    def send(self, records, *, give_up):
        self.offered.append(ids(records))
        return [
            Delivery(refusal="refused by the test")
            if ids([record])[0] in self.refused
            else super(Refusing, self).send([record], give_up=give_up)[0]
            for record in records
        ]


@pytest.fixture
def kafka(pump):
    """The pump's relay with a producer that refuses what the test says."""
    pump.relay.producer = Refusing(pump.broker)
    return pump.relay.producer


def offer_again(pump):
    pump.relay.offers_again_at = 0.0
    pump.relay_once()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (UNREADABLE, "ValueError"),
        (f'{{"list": {NESTED}}}', "RecursionError"),
        (HUGE, "task.created.v1 would take 1,000,259 bytes"),
    ],
    ids=["that Python cannot read", "too deep to be written", "too large for Kafka"],
)
def test_an_event_that_cannot_be_sent_is_held_with_its_reason_and_others_flow(pump, data, reason):
    before, after = event(), event()
    append(before)
    bad = raw(data=data)
    append(after)

    assert pump.relay_once() == 2

    assert ids(pump.records("task-events")) == sorted_by_partition(pump, before, after)
    assert list(reasons()) == [bad]
    assert reasons()[bad].startswith(reason)
    assert selectors.outbox_status() == selectors.OutboxStatus(depth=0, oldest_age_seconds=0.0, held=1)


def sorted_by_partition(pump, *events):
    stand = ids(pump.records("task-events"))
    return sorted(ids_of(*events), key=stand.index)


@pytest.mark.parametrize("data", [UNREADABLE, HUGE], ids=["unreadable", "huge"])
def test_without_the_holding_one_malformed_event_stops_all(pump, monkeypatch, data):
    """The negative control: nothing of the batch is relayed, at every attempt."""
    monkeypatch.setattr(relay, "_sort", _sort_without_holding)
    append(event())
    raw(data=data)
    append(event())

    for _ in range(2):
        with pytest.raises(ValueError, match=r"digits|may have"):
            pump.relay_once()

    assert pump.records("task-events") == []
    assert OutboxEntry.objects.count() == 3


def _sort_without_holding(entries, stuck):
    return {entry.position: relay._record_of(entry) for entry in entries}, {}


@pytest.mark.parametrize(("size", "refused"), [(relay.RECORD_MAX_BYTES, False), (1_000_000, True)])
def test_kafkas_client_takes_what_the_relay_lets_pass_and_refuses_a_little_more(mock_cluster, size, refused):
    topic = fresh_topic()
    producer = KafkaBroker({"bootstrap.servers": mock_cluster}).producer()

    (delivery,) = producer.send([OutgoingRecord(topic, b"k", b"x" * (size - 1), [])], give_up=lambda: False)

    producer.close()
    assert bool(delivery.refusal) is refused


def test_later_events_of_a_held_key_wait_behind_it_in_this_batch_and_the_next(pump):
    life = life_of_one_subject(3)
    other = event()
    bad = raw(data=HUGE, key=life[0].key)
    first = append(life[0])[0]
    append(other)
    pump.relay_once()
    second, third = append(*life[1:])

    pump.relay_once()

    assert ids(pump.records("task-events")) == ids_of(other)
    assert reasons() == {
        bad: reasons()[bad],
        first.position: held.BEHIND,
        second.position: held.BEHIND,
        third.position: held.BEHIND,
    }


def test_the_same_key_on_another_topic_is_another_key(pump):
    one = event()
    raw(data=HUGE, key=one.key, topic="account-events")
    append(one)

    pump.relay_once()

    assert ids(pump.records("task-events")) == ids_of(one)


def test_what_kafka_refused_is_offered_alone_until_it_is_taken_and_the_rest_follows_in_order(pump, kafka):
    life = life_of_one_subject(3)
    kafka.refused = set(ids_of(life[0]))
    append(life[0])
    pump.relay_once()
    append(*life[1:])
    offer_again(pump)
    during = ids(pump.records("task-events"))
    kafka.refused = set()

    offer_again(pump)

    assert during == []
    assert kafka.offered[:4] == [ids_of(life[0]), ids_of(life[0]), [], ids_of(life[0])]
    assert ids(pump.records("task-events")) == ids_of(*life)
    assert OutboxEntry.objects.count() == 0


def test_without_waiting_behind_it_a_key_is_out_of_order(pump, kafka, monkeypatch):
    """The negative control: a relay that forgets what is held lets the next version go first."""
    monkeypatch.setattr(held, "keys", set)
    first, second = life_of_one_subject(2)
    kafka.refused = set(ids_of(first))
    append(first)
    pump.relay_once()
    append(second)
    pump.relay_once()
    kafka.refused = set()

    offer_again(pump)

    assert ids(pump.records("task-events")) == ids_of(second, first)


def test_what_is_held_is_not_offered_at_every_round(pump, kafka):
    bad = event()
    kafka.refused = set(ids_of(bad))
    append(bad)

    for _ in range(5):
        pump.relay_once()

    assert kafka.offered == [ids_of(bad)]


def test_more_keys_than_a_batch_has_are_all_offered_as_soon_as_kafka_takes_them(pump, kafka, settings):
    settings.RELAY_BATCH_SIZE = 2
    events = [event() for _ in range(5)]
    kafka.refused = set(ids_of(*events))
    append(*events)
    for _ in range(3):
        pump.relay_once()
    assert len(reasons()) == 5
    kafka.refused = set()

    offer_again(pump)
    for _ in range(2):
        pump.relay_once()

    assert sorted(ids(pump.records("task-events"))) == sorted(ids_of(*events))
    assert OutboxEntry.objects.count() == 0


def test_what_was_given_up_waiting_for_is_not_held(pump, monkeypatch):
    one = event()
    append(one)
    monkeypatch.setattr(
        MemoryProducer, "send", lambda self, records, *, give_up: [Delivery(refusal=GIVEN_UP) for _ in records]
    )

    assert pump.relay_once() == 0

    assert reasons() == {}
    assert OutboxEntry.objects.count() == 1


def test_a_crash_after_kafka_took_the_first_leaves_the_others_to_the_next_relay(pump, kafka, monkeypatch):
    life = life_of_one_subject(3)
    kafka.refused = set(ids_of(life[0]))
    append(*life)
    kafka.refused = set(ids_of(*life))
    pump.relay_once()
    kafka.refused = set()
    monkeypatch.setattr(held, "let_go", lambda keys: None)
    offer_again(pump)
    monkeypatch.undo()

    offer_again(pump)

    assert ids(pump.records("task-events")) == ids_of(*life)
    assert OutboxEntry.objects.count() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"data": "[]"},
        {"data": "null"},
        {"data": '"text"'},
        {"type": ""},
        {"key": ""},
        {"source": ""},
        {"subject_type": ""},
        {"topic": ""},
        {"topic": "no topic"},
        {"occurred_at": "infinity"},
        {"occurred_at": "-infinity"},
        {"occurred_at": "10000-01-01T00:00Z"},
        {"occurred_at": "0001-01-01T00:00Z BC"},
    ],
    ids=str,
)
def test_the_database_refuses_a_row_that_no_reader_of_the_log_could_bear(fields):
    with pytest.raises(DatabaseError, match="event_can_be_read"):
        raw(**fields)

    assert (Event.objects.count(), OutboxEntry.objects.count()) == (0, 0)


def test_a_sound_row_passes():
    assert raw() == OutboxEntry.objects.get().pk


@pytest.mark.django_db(transaction=True)
def test_without_the_refusal_such_a_row_stops_every_read_of_the_log(pump):
    """The negative control: not even what stands before it can be read."""
    append(event())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event DROP CONSTRAINT event_can_be_read")
    try:
        bad = raw(occurred_at="infinity")
        with pytest.raises(DatabaseError, match="timestamp too large"):
            outbox.oldest(10)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events_event DISABLE TRIGGER USER")
            cursor.execute("DELETE FROM events_event WHERE position = %s", [bad])
            cursor.execute("ALTER TABLE events_event ENABLE TRIGGER USER")
            _add_the_constraint(cursor)


def _add_the_constraint(cursor):
    constraint = next(each for each in Event._meta.constraints if each.name == "event_can_be_read")
    with connection.schema_editor() as editor:
        editor.add_constraint(Event, constraint)


# --- Giving one up -----------------------------------------------------------------------------------------


@pytest.fixture
def group(only_new_groups, new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    return group


def give_up(position, pump):
    return held.give_up(position, broker=pump.broker, patience_seconds=0, report=lambda _: None)


def test_what_is_given_up_reaches_every_group_from_the_log_and_those_behind_it_go_on(pump, kafka, group, effect):
    life = life_of_one_subject(3)
    kafka.refused = set(ids_of(life[0]))
    rows = append(life[0])
    pump.relay_once()
    append(*life[1:])
    pump.relay_once()

    assert give_up(rows[0].position, pump) == ["chores"]
    offer_again(pump)
    pump.run()

    assert effect.of() == [one.id for one in life]
    assert ids(pump.records("task-events")) == ids_of(*life[1:])
    assert OutboxEntry.objects.count() == 0


def test_only_the_first_of_a_key_can_be_given_up(pump, kafka, group):
    life = life_of_one_subject(2)
    kafka.refused = set(ids_of(*life))
    first, second = append(*life)
    waiting = append(event())[0]
    pump.relay_once()

    with pytest.raises(NotHeld, match=f"it waits behind {first.position}"):
        give_up(second.position, pump)
    with pytest.raises(NotHeld, match="it is not held"):
        give_up(waiting.position, pump)

    assert HandledEvent.objects.count() == 0
    assert list(reasons()) == [first.position, second.position]


def test_nothing_is_given_up_while_a_group_has_yet_to_handle_what_came_before(pump, kafka, group, effect):
    life = life_of_one_subject(2)
    kafka.refused = set(ids_of(life[1]))
    _, second = append(*life)
    pump.relay_once()

    with pytest.raises(GroupBehind, match="chores is 1 records behind"):
        give_up(second.position, pump)

    assert effect.of() == []
    assert list(reasons()) == [second.position]


UNREADABLE_ONES = pytest.mark.parametrize("data", [UNREADABLE, f'{{"list": {NESTED}}}'], ids=["number", "depth"])


@UNREADABLE_ONES
def test_what_python_cannot_read_is_given_up_as_any_other(pump, group, effect, data):
    bad = raw(data=data)
    pump.relay_once()

    assert give_up(bad, pump) == ["chores"]
    assert reconcile.run(group, broker=pump.broker) == reconcile.Repair(settled=True)
    assert (effect.of(), reasons(), HandledEvent.objects.count()) == ([], {}, 1)


@UNREADABLE_ONES
def test_what_python_cannot_read_stops_no_group_that_catches_up(pump, group, effect, data):
    reconcile.run(group, broker=pump.broker)
    bad, one = raw(data=data), event()
    append(one)
    pump.relay_once()
    pump.broker.start_anew()

    found = reconcile.catch_up(group, pump.broker.state(group.topics()))

    assert (found.settled, found.handled, effect.of(), list(reasons())) == (True, 2, [one.id], [bad])


@UNREADABLE_ONES
def test_what_python_cannot_read_stops_no_replay(pump, group, effect, data):
    raw(data=data)
    one = event()
    append(one)
    OutboxEntry.objects.all().delete()

    events = replay.select(group, since=None, first=None, last=None)

    assert replay.feed(group, events, report=lambda fed: None).handled == 2
    assert effect.of() == [one.id]


def test_as_a_row_of_the_model_it_would_stop_all_of_them(pump):
    """The negative control."""
    append(event())
    raw(data=UNREADABLE)

    with pytest.raises(ValueError, match="Exceeds the limit"):
        list(Event.objects.all())


def test_the_trail_keeps_what_python_cannot_read_as_unreadable(pump):
    bad = raw(data=UNREADABLE)
    audit = group_named("audit")

    handled = handling.handle_logged(audit, outbox.logged([bad])).handled
    again = handling.handle_logged(audit, outbox.logged([bad]))

    kept = AuditRecord.objects.get(event_id=Event.objects.defer("data").get(pk=bad).event_id)
    assert (handled, again.handled, again.repeated) == (1, 0, 1)
    assert (kept.readable, kept.record_topic, kept.record_offset) == (False, "task-events", bad)


def test_a_pointer_at_no_event_is_seen_and_given_up(client, pump, group):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events_outboxentry (event_id) VALUES (-3), (-2)")
    pump.relay_once()
    client.force_login(person("boss", is_staff=True, is_superuser=True))

    told = (selectors.outbox_status().held, command())
    page = client.get("/admin/events/outboxentry/").content.decode()
    groups_of_it = give_up(-3, pump)

    assert told == (2, "".join(f"      {n}  -  -/-  The log has no event at position {n}.\n" for n in (-3, -2)))
    assert "The log has no event at position -3." in page
    assert (groups_of_it, list(reasons())) == ([], [-2])
    assert [row["position"] for row in json.loads(command("--json"))] == [-2]


# --- Where people see it -----------------------------------------------------------------------------------


def command(*arguments):
    out = StringIO()
    call_command("held", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_lists_what_is_held_and_why(pump, kafka):
    life = life_of_one_subject(2)
    kafka.refused = set(ids_of(life[0]))
    first, second = append(*life)
    pump.relay_once()
    append(event())

    assert [(row["position"], row["event_id"], row["why"]) for row in json.loads(command("--json"))] == [
        (first.position, str(life[0].id), "refused by the test")
    ]
    assert command() == f"{first.position:>8}  task.created.v1  task-events/{life[0].key}  refused by the test\n"
    assert second.position not in reasons()


def test_the_command_says_when_nothing_is_held(db):
    assert command() == "Nothing is held.\n"


def test_the_command_gives_one_up_and_a_dry_run_does_not(pump, kafka, group, effect):
    one = event()
    kafka.refused = set(ids_of(one))
    (row,) = append(one)
    pump.relay_once()

    tried = command("give-up", str(row.position), "--dry-run")
    before = (effect.of(), list(reasons()))
    done = json.loads(command("give-up", str(row.position), "--json"))

    assert tried == f"{row.position} would be handed to chores from the log, and not to Kafka.\n"
    assert before == ([], [row.position])
    assert done == {"position": row.position, "groups": ["chores"], "given_up": True}
    assert (effect.of(), list(reasons())) == ([one.id], [])


def test_the_command_refuses_what_is_not_held(pump):
    (row,) = append(event())

    with pytest.raises(CommandError, match="cannot be given up: it is not held") as refusal:
        command("give-up", str(row.position))

    assert refusal.value.returncode == 1
    assert OutboxEntry.objects.count() == 1


def test_health_and_metrics_tell_of_what_is_held(pump, kafka):
    one = event()
    kafka.refused = set(ids_of(one))
    append(one)
    before = pipeline.conditions_of(pipeline.state())["outbox"]
    pump.relay_once()

    during = pipeline.conditions_of(pipeline.state())["outbox"]

    assert (before.status, before.details["held"]) == (Status.OK, 0)
    assert (during.status, during.details["held"], during.details["depth"]) == (Status.DEGRADED, 1, 0)


def test_the_admin_shows_why(client, pump, kafka):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    one, other = event(), event()
    kafka.refused = set(ids_of(one))
    append(one)
    pump.relay_once()
    append(other)

    page = client.get("/admin/events/outboxentry/?held_at__isempty=0").content.decode()

    assert "refused by the test" in page
    assert page.count('class="action-select"') <= 1


# --- Beside the others -------------------------------------------------------------------------------------


def test_what_is_held_is_not_handled_by_the_reconcile_nor_fed_by_a_replay(pump, kafka, group, effect):
    life = life_of_one_subject(2)
    kafka.refused = set(ids_of(life[0]))
    rows = append(*life[:1])
    pump.relay_once()
    append(*life[1:])
    pump.relay_once()

    found = reconcile.run(group, broker=pump.broker)
    events = replay.select(group, since=None, first=rows[0].position, last=None)
    replay.wait_until_caught_up(group, broker=pump.broker, patience_seconds=0, report=lambda _: None)
    outcome = replay.feed(group, events, report=lambda _: None)

    assert found == reconcile.Repair(settled=True)
    assert outcome.handled == 0
    assert effect.of() == []


def test_what_is_held_does_not_go_with_age(pump, kafka, settings):
    one = event()
    kafka.refused = set(ids_of(one))
    append(one)
    pump.relay_once()
    settings.EVENT_RETENTION_DAYS = 0

    assert retention.prune_events() == 0
    assert Event.objects.count() == 1


# --- A backlog ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_was_let_go_goes_before_what_is_new_of_its_key_also_in_a_backlog(pump, kafka, settings):
    settings.RELAY_BATCH_SIZE = 2
    life = life_of_one_subject(3)
    kafka.refused = set(ids_of(life[0]))
    append(life[0], event(), life[1], event(), event(), event())
    for _ in range(2):
        pump.relay_once()
    append(life[2], event())
    in_a_backlog = pump.relay.after
    kafka.refused = set()

    offer_again(pump)
    pump.run()

    of_key = [record for record in pump.records("task-events") if record.key == life[0].key.encode()]
    assert in_a_backlog is not None
    assert ids(of_key) == ids_of(*life)
