"""Records whose bytes the client cannot read, by whoever may write: passed by, and what is behind them comes."""

import pytest
from confluent_kafka import KafkaError, Producer
from django.test import override_settings
from structlog.testing import capture_logs

from apps.audit.models import AuditRecord
from apps.events import reconcile
from apps.events.brokers.kafka import KafkaBroker, damage
from apps.events.brokers.kafka.damage import Damage
from apps.events.consumer import GroupConsumer
from apps.events.models import GroupProgress
from apps.events.subscriptions import group_named
from tests.events.concurrency import in_background
from tests.support.factories import append, life_of_one_subject
from tests.support.topics import fresh_group, fresh_prefix, fresh_topic, numbered, read, wait_until

BAD = KafkaError._BAD_COMPRESSION
PLACE = ("task-events", 0)
# More than the client is willing to make of one batch, and a few KB on the topic.
BOMB = bytes(90_000_000)


@pytest.fixture(params=["mock", pytest.param("real", marks=pytest.mark.kafka)])
def connection_of_kafka(request):
    if request.param == "real":
        return request.getfixturevalue("real_kafka")
    return {"bootstrap.servers": request.getfixturevalue("mock_cluster")}


@pytest.fixture
def broker(connection_of_kafka):
    with override_settings(KAFKA_GROUP_PROTOCOL="consumer"):
        yield KafkaBroker(connection_of_kafka, prefix=fresh_prefix())


@pytest.fixture
def topic(broker):
    topic = fresh_topic()
    broker.ensure_topics([topic])
    return topic


def explode(broker, topic, *, records, partition=0):
    """All of them in one batch."""
    bombs = Producer(
        {
            "bootstrap.servers": broker.connection["bootstrap.servers"],
            "message.max.bytes": 1_000_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
            "batch.size": 2_000_000_000,
            "compression.codec": "zstd",
            "linger.ms": 3000,
        }
    )
    for _ in range(records):
        bombs.produce(broker.prefix + topic, BOMB, b"k", partition=partition)
    assert bombs.flush(60) == 0


def send(broker, partition, *records):
    ends = Producer({"bootstrap.servers": broker.connection["bootstrap.servers"]})
    for record in records:
        ends.produce(broker.prefix + record.topic, record.value, record.key, partition=partition)
    assert ends.flush(30) == 0


def test_records_behind_bytes_that_cannot_be_read_come_after_what_stands_for_these(broker, topic):
    send(broker, 0, numbered(topic, 1))
    explode(broker, topic, records=2)
    send(broker, 0, numbered(topic, 2))
    consumer = broker.consumer(fresh_group(), [topic])
    with capture_logs() as logs:
        records = read(consumer, 4, seconds=40)
    missed = consumer.missed_records()
    consumer.store(records)
    consumer.close()

    told = [(one["offset"], one["last"]) for one in logs if one["event"] == "record_skipped"]
    assert [(record.offset, record.value, bool(record.damage)) for record in records] == [
        (0, b"1", False),
        (1, None, True),
        (2, None, True),
        (3, b"2", False),
    ]
    assert (told, missed) == ([(1, 1), (2, 2)], True)


def test_a_client_that_only_complains_of_bad_bytes_never_comes_past_them(broker, topic, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(damage, "BAD_BYTES", set())
    explode(broker, topic, records=2)
    send(broker, 0, numbered(topic, 2))
    consumer = broker.consumer(fresh_group(), [topic])

    records = read(consumer, 1, seconds=10)
    consumer.close()

    assert records == []


def clock():
    now = [0.0]
    return now, Damage(now=lambda: now[0])


def test_bytes_are_bad_when_the_client_says_so_again_and_again_at_the_same_place():
    now, damaged = clock()
    answers = []
    for seconds in (0.0, 1.0, 2.9, 3.0):
        now[0] = seconds
        answers.append(damaged.offsets_to_pass(PLACE, offset=7, code=BAD))

    assert answers == [0, 0, 0, 1]


def test_of_a_batch_of_many_more_and_more_are_passed():
    now, damaged = clock()
    for _ in range(damage.ATTEMPTS - 1):
        damaged.offsets_to_pass(PLACE, offset=7, code=BAD)
    now[0] = damage.STANDS_SECONDS

    assert [damaged.offsets_to_pass(PLACE, offset=7, code=BAD) for _ in range(11)] == [1] * 8 + [2, 4, 8]


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._CRIT_SYS_RESOURCE,
        KafkaError.INVALID_MSG,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.OFFSET_OUT_OF_RANGE,
    ],
)
def test_what_another_try_may_heal_is_never_passed_by(code):
    now, damaged = clock()
    answers = []
    for seconds in range(100):
        now[0] = float(seconds)
        answers.append(damaged.offsets_to_pass(PLACE, offset=7, code=code))

    assert set(answers) == {0}


def test_a_record_that_was_read_begins_the_count_anew():
    now, damaged = clock()
    for _ in range(damage.ATTEMPTS):
        damaged.offsets_to_pass(PLACE, offset=7, code=BAD)
    damaged.moves(PLACE)
    now[0] = 100.0

    assert [damaged.offsets_to_pass(PLACE, offset=7, code=BAD) for _ in range(2)] == [0, 0]


@pytest.mark.django_db(transaction=True)
def test_a_group_goes_on_behind_bad_bytes_and_audit_names_their_place(broker, pump):
    group = group_named("audit")
    broker.ensure_topics(group.topics())
    reconcile.run(group, broker=broker)
    life = life_of_one_subject(2)
    consumer = GroupConsumer(group, broker=broker)
    for partition in range(4):
        explode(broker, "task-events", records=1, partition=partition)
    append(*life)
    with in_background(consumer.run) as running:
        pump.relay.broker = broker
        pump.relay_once()
        came = wait_until(lambda: AuditRecord.objects.count() == 6, seconds=60)
        caught_up = wait_until(lambda: broker.lag("audit", group.topics()) == 0, seconds=20)
        consumer.stop.set()
        running.result(20)

    damaged = AuditRecord.objects.filter(readable=False).order_by("record_partition")
    assert (came, caught_up) == (True, True)
    assert [(one.record_topic, one.record_partition, one.record_offset) for one in damaged] == [
        ("task-events", number, 0) for number in range(4)
    ]
    assert damaged[0].data["because"].startswith("Offsets 0 to 0 cannot be read: ")
    assert (damaged[0].data["key"], damaged[0].data["value"]) == (None, None)
    facts = AuditRecord.objects.filter(readable=True).order_by("id").values_list("event_id", flat=True)
    assert list(facts) == [one.id for one in life]
    assert GroupProgress.objects.get(group="audit").repaired == 0
