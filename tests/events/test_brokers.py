"""One contract for every broker: what the core needs of a message log, held by memory and by Kafka alike."""

from concurrent.futures import Future
from itertools import islice

import pytest
from confluent_kafka import OFFSET_END, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from apps.events.brokers.base import Broker
from apps.events.brokers.kafka import KafkaBroker, administration, configuration
from apps.events.brokers.memory import MemoryBroker
from apps.events.errors import BrokerFailed
from tests.support.topics import fresh_group, fresh_topic, numbered, read, values, wait_until

NOBODY = "127.0.0.1:1"


@pytest.fixture
def mock_kafka(mock_cluster) -> dict[str, str]:
    return {"bootstrap.servers": mock_cluster}


ALL_BUT_THE_MOCK = [
    "memory",
    pytest.param("real_kafka-consumer", marks=pytest.mark.kafka),
    pytest.param("real_kafka-classic", marks=pytest.mark.kafka),
]
# The mock cluster neither removes records nor deletes topics when it is asked to.
records_may_go = pytest.mark.parametrize("broker", ALL_BUT_THE_MOCK, indirect=True)


@pytest.fixture(params=["mock_kafka-consumer", *ALL_BUT_THE_MOCK])
def broker(request, settings) -> Broker:
    """On the mock cluster joining by the classic protocol takes 3 s: it has one test of its own, below."""
    kind, _, protocol = request.param.partition("-")
    settings.KAFKA_GROUP_PROTOCOL = protocol
    return MemoryBroker() if kind == "memory" else KafkaBroker(request.getfixturevalue(kind))


@pytest.fixture
def classic_cluster(mock_cluster, settings) -> KafkaBroker:
    settings.KAFKA_GROUP_PROTOCOL = "classic"
    return KafkaBroker({"bootstrap.servers": mock_cluster})


@pytest.fixture
def topic(broker) -> str:
    topic = fresh_topic()
    broker.ensure_topics([topic])
    return topic


@pytest.fixture
def removed(broker, request):
    """Takes away all records that a topic has now, as its retention does."""
    if isinstance(broker, MemoryBroker):
        return broker.forget
    admin = AdminClient(broker.connection)

    def remove(topic):
        places = [TopicPartition(topic, number, OFFSET_END) for number in range(4)]
        for done in admin.delete_records(places).values():
            done.result(20)

    return remove


@pytest.fixture
def made_anew(broker):
    """Deletes a topic and creates it again."""
    if isinstance(broker, MemoryBroker):
        return broker.make_anew
    admin = AdminClient(broker.connection)

    def make_anew(topic):
        admin.delete_topics([topic])[topic].result(20)
        assert wait_until(lambda: broker.ensure_topics([topic]) == {topic: "created"})

    return make_anew


def send(broker, *records):
    producer = broker.producer()
    try:
        return producer.send(records, give_up=lambda: False)
    finally:
        producer.close()


def shown_by(tail, expected):
    """The first records of a tail, as soon as they are there."""
    records = (record for record in islice(tail, 200) if record)
    return list(islice(records, expected))


def test_records_of_a_key_keep_their_order_and_stand_in_one_partition(broker, topic):
    deliveries = send(broker, *[numbered(topic, number) for number in range(50)])
    consumer = broker.consumer(fresh_group(), [topic])

    records = read(consumer, 50)
    consumer.close()

    assert values(records) == list(range(50))
    assert len({delivery.partition for delivery in deliveries}) == 1
    assert [delivery.offset for delivery in deliveries] == list(range(50))
    assert [(record.partition, record.offset) for record in records] == [
        (delivery.partition, delivery.offset) for delivery in deliveries
    ]


def test_a_consumer_doubts_which_cluster_it_reads_at_first_and_not_while_nothing_happens(broker, topic):
    send(broker, numbered(topic, 1))
    consumer = broker.consumer(fresh_group(), [topic])
    read(consumer, 1)
    at_first = [consumer.doubts_cluster(), consumer.doubts_cluster()]
    send(broker, numbered(topic, 2))
    read(consumer, 1)
    later = consumer.doubts_cluster()
    consumer.close()

    assert (at_first, later) == ([True, False], False)


def test_key_value_and_headers_arrive_as_they_were_sent(broker, topic):
    from apps.events.brokers.base import OutgoingRecord

    headers = [("ce_type", "grüße".encode()), ("empty", b""), ("raw", bytes(range(256)))]
    send(broker, OutgoingRecord(topic, "schlüssel".encode(), b"\0value\xff", headers))
    consumer = broker.consumer(fresh_group(), [topic])

    record = read(consumer, 1)[0]
    consumer.close()

    assert (record.topic, record.key, record.value) == (topic, "schlüssel".encode(), b"\0value\xff")
    assert record.headers == headers
    assert record.stored_at > 1_700_000_000_000


def test_a_record_of_every_key_is_read_once(broker, topic):
    send(broker, *[numbered(topic, number, key=f"key-{number}".encode()) for number in range(40)])
    consumer = broker.consumer(fresh_group(), [topic])

    records = read(consumer, 40)
    more = consumer.poll(10, timeout=0.2)
    consumer.close()

    assert sorted(values(records)) == list(range(40))
    assert more == []


def test_the_next_consumer_goes_on_behind_what_was_stored(broker, topic):
    group = fresh_group()
    send(broker, *[numbered(topic, number) for number in range(6)])
    first = broker.consumer(group, [topic])
    first.store(read(first, 6)[:4])
    first.close()

    second = broker.consumer(group, [topic])
    records = read(second, 2)
    second.close()

    assert values(records) == [4, 5]


def test_what_was_read_and_not_stored_comes_again(broker, topic):
    group = fresh_group()
    send(broker, *[numbered(topic, number) for number in range(3)])
    first = broker.consumer(group, [topic])
    before = values(read(first, 3))
    first.close()

    second = broker.consumer(group, [topic])
    again = values(read(second, 3))
    second.close()

    assert (before, again) == ([0, 1, 2], [0, 1, 2])


def test_the_lag_counts_what_is_not_stored(broker, topic):
    group = fresh_group()
    send(broker, *[numbered(topic, number) for number in range(5)])
    at_first = broker.lag(group, [topic])
    consumer = broker.consumer(group, [topic])
    consumer.store(read(consumer, 5)[:3])
    consumer.close()

    assert (at_first, broker.lag(group, [topic])) == (5, 2)


def test_a_place_beyond_the_end_of_a_topic_made_anew_begins_at_its_first_record():
    broker, topic = MemoryBroker(), fresh_topic()
    send(broker, *(numbered(topic, number) for number in range(3)))
    member = broker.consumer("group", [topic])
    in_hand = read(member, 3)
    broker.make_anew(topic)
    send(broker, numbered(topic, 7))

    member.store(in_hand)
    member.close()

    assert broker.lag("group", [topic]) == 1
    assert values(read(broker.consumer("group", [topic]), 1)) == [7]


def test_a_paused_consumer_gets_nothing_and_then_goes_on_where_it_was(broker, topic):
    consumer = broker.consumer(fresh_group(), [topic])
    send(broker, numbered(topic, 0))
    first = read(consumer, 1)
    consumer.pause()
    send(broker, numbered(topic, 1))

    while_paused = consumer.poll(10, timeout=0.5)
    still_owned = consumer.owns(first[0])
    consumer.resume()
    afterwards = read(consumer, 1)
    consumer.close()

    assert (values(first), while_paused, still_owned, values(afterwards)) == ([0], [], True, [1])


def test_two_groups_read_everything_each(broker, topic):
    send(broker, *[numbered(topic, number) for number in range(3)])
    consumers = [broker.consumer(fresh_group(), [topic]) for _ in range(2)]

    read_by_each = [values(read(consumer, 3)) for consumer in consumers]
    for consumer in consumers:
        consumer.close()

    assert read_by_each == [[0, 1, 2], [0, 1, 2]]


def test_a_tail_from_the_beginning_shows_all_and_stores_nothing(broker, topic):
    send(broker, *[numbered(topic, number) for number in range(3)])
    tail = broker.tail([topic], from_beginning=True)

    shown = values(shown_by(tail, 3))
    tail.close()

    assert shown == [0, 1, 2]


def test_a_tail_shows_what_comes_from_now_on(broker, topic):
    send(broker, numbered(topic, 0))
    tail = broker.tail([topic], from_beginning=False)
    next(tail)
    send(broker, numbered(topic, 1))

    shown = values(shown_by(tail, 1))
    tail.close()

    assert shown == [1]


@records_may_go
def test_records_that_are_gone_before_they_were_read_are_missed(broker, topic, removed):
    group = fresh_group()
    send(broker, *[numbered(topic, number) for number in range(3)])
    first = broker.consumer(group, [topic])
    first.store(read(first, 3)[:2])
    first.close()
    removed(topic)
    send(broker, numbered(topic, 3))

    second = broker.consumer(group, [topic])
    records = read(second, 1)
    missed = [second.missed_records(), second.missed_records()]
    second.close()

    assert (values(records), records[0].offset, missed) == ([3], 3, [True, False])


@records_may_go
def test_a_member_misses_records_that_go_while_it_is_paused(broker, topic, removed):
    consumer = broker.consumer(fresh_group(), [topic])
    send(broker, numbered(topic, 0))
    read(consumer, 1)
    at_first = consumer.missed_records()
    consumer.pause()
    send(broker, numbered(topic, 1))
    removed(topic)
    send(broker, numbered(topic, 2))
    consumer.resume()

    records = read(consumer, 1)
    missed = consumer.missed_records()
    consumer.close()

    assert (at_first, values(records), missed) == (False, [2], True)


@records_may_go
def test_records_that_go_after_they_were_handled_are_not_missed(broker, topic, removed):
    group = fresh_group()
    send(broker, *[numbered(topic, number) for number in range(3)])
    first = broker.consumer(group, [topic])
    first.store(read(first, 3))
    first.close()
    removed(topic)
    lag = broker.lag(group, [topic])
    send(broker, numbered(topic, 3))

    second = broker.consumer(group, [topic])
    records = read(second, 1)
    missed = second.missed_records()
    second.close()

    assert (lag, values(records), missed) == (0, [3], False)


@records_may_go
def test_a_topic_that_is_made_anew_is_another_and_read_from_its_beginning(broker, topic, made_anew):
    group = fresh_group()
    send(broker, *[numbered(topic, number) for number in range(5)])
    first = broker.consumer(group, [topic])
    first.store(read(first, 5))
    first.close()
    before = [broker.state([topic]).identity, broker.state([topic]).identity]
    made_anew(topic)
    send(broker, *[numbered(topic, 10 + number) for number in range(3)])
    lag = broker.lag(group, [topic])

    second = broker.consumer(group, [topic])
    records = read(second, 3)
    second.close()

    assert before[0] == before[1] != broker.state([topic]).identity
    assert (lag, values(records)) == (3, [10, 11, 12])


@pytest.mark.kafka
def test_a_topic_that_is_not_there_yet_is_another_when_it_is(real_kafka):
    broker, topic = KafkaBroker(real_kafka), fresh_topic()
    before = broker.state([topic])

    broker.ensure_topics([topic])

    assert before.cluster_id == broker.state().cluster_id
    assert before.identity != broker.state([topic]).identity


def test_a_broker_knows_its_cluster(broker):
    assert broker.state().cluster_id == broker.state().cluster_id != ""


def test_two_members_share_the_partitions_and_read_everything_once(broker, topic):
    group = fresh_group()
    members = [broker.consumer(group, [topic]) for _ in range(2)]

    def both_have_some():
        seen.extend(record for member in members for record in member.poll(100, timeout=0.1))
        return all(member.has_assignment() for member in members)

    seen = []
    shared = wait_until(both_have_some)
    send(broker, *[numbered(topic, number, key=f"key-{number}".encode()) for number in range(40)])
    wait_until(lambda: both_have_some() and len(seen) >= 40)
    owners = [{record.partition for record in seen if member.owns(record)} for member in members]
    for member in members:
        member.close()

    assert shared
    assert sorted(values(seen)) == list(range(40))
    assert owners[0].isdisjoint(owners[1])
    assert owners[0] | owners[1] == {0, 1, 2, 3}


def test_partitions_taken_away_while_paused_are_read_when_they_come_back_after_going_on(broker, topic):
    group = fresh_group()
    first = broker.consumer(group, [topic])
    wait_until(lambda: first.poll(1, timeout=0.1) == [] and first.has_assignment())
    first.pause()
    second = broker.consumer(group, [topic])

    def second_has_some():
        polled = [member.poll(1, timeout=0.1) for member in (first, second)]
        return polled == [[], []] and second.has_assignment()

    wait_until(second_has_some)
    first.resume()
    second.close()
    send(broker, *[numbered(topic, number, key=f"key-{number}".encode()) for number in range(40)])

    records = read(first, 40)
    first.close()

    assert sorted(values(records)) == list(range(40))


@pytest.mark.kafka
def test_what_a_topic_keeps_and_when_it_acknowledges_is_told(real_kafka, settings):
    broker, topic = KafkaBroker(real_kafka), fresh_topic()
    settings.KAFKA_PARTITIONS = 2
    broker.ensure_topics([topic])

    told = broker.topic_states()[topic]

    assert (told.partitions, told.replicas, told.least_in_sync) == (2, settings.KAFKA_REPLICATION_FACTOR, 1)
    assert (told.retention_seconds, told.retention_bytes) == (7 * 24 * 3600, -1)
    assert (told.largest_record_bytes, told.compacted, told.unclean_election) == (1_048_576, False, False)


def test_of_three_brokers_two_acknowledge(settings):
    settings.KAFKA_REPLICATION_FACTOR = 3
    of_three = administration.configuration()["min.insync.replicas"]
    settings.KAFKA_REPLICATION_FACTOR = 2

    assert (of_three, administration.configuration()["min.insync.replicas"]) == ("2", "1")


@pytest.mark.kafka
def test_installations_with_prefixes_of_their_own_share_a_cluster(real_kafka, settings):
    settings.KAFKA_GROUP_PROTOCOL = "consumer"
    one, another = (KafkaBroker(real_kafka, prefix=f"{fresh_topic()}-") for _ in range(2))
    group, topic = "audit", "task-events"
    for broker, number in ((one, 1), (another, 2)):
        broker.ensure_topics([topic])
        send(broker, numbered(topic, number))

    readers = [broker.consumer(group, [topic]) for broker in (one, another)]
    read_by_each = [read(reader, 1) for reader in readers]
    for reader, records in zip(readers, read_by_each, strict=True):
        reader.store(records)
        reader.close()

    assert [(values(records), records[0].topic) for records in read_by_each] == [([1], topic), ([2], topic)]
    assert [broker.lag(group, [topic]) for broker in (one, another)] == [0, 0]
    assert list(one.topic_states()) == list(another.topic_states()) == [topic]
    assert values(shown_by(one.tail([topic], from_beginning=True), 1)) == [1]
    assert one.state([topic]).identity != another.state([topic]).identity


def test_by_the_classic_protocol_a_group_goes_on_where_it_was(classic_cluster):
    """Joining takes 3 s on the mock cluster, so this is the only test of it here."""
    topic, group = fresh_topic(), fresh_group()
    classic_cluster.ensure_topics([topic])
    send(classic_cluster, *[numbered(topic, number) for number in range(4)])
    first = classic_cluster.consumer(group, [topic])
    first.store(read(first, 4)[:3])
    first.close()

    assert classic_cluster.lag(group, [topic]) == 1


def test_the_embedded_kafka_says_that_it_keeps_nothing(mock_cluster):
    assert KafkaBroker({"bootstrap.servers": mock_cluster}).state().keeps_records is False


def test_a_kafka_that_is_away_says_so():
    away = KafkaBroker({"bootstrap.servers": NOBODY})

    with pytest.raises(BrokerFailed, match="Kafka does not answer"):
        away.state(timeout=0.5)
    with pytest.raises(BrokerFailed, match="Kafka does not answer"):
        away.lag("a-group", ["a-topic"], timeout=0.5)


def test_a_producer_waits_for_a_kafka_that_is_away_until_told_to_give_up():
    asked = []
    producer = KafkaBroker({"bootstrap.servers": NOBODY}).producer()

    deliveries = producer.send([numbered("a-topic", 0)], give_up=lambda: len(asked.append(1) or asked) > 3)
    producer.close()

    assert len(asked) == 4
    assert [delivery.refusal for delivery in deliveries] == ["given up waiting"]


def test_a_record_too_large_for_kafka_is_refused_and_the_next_one_goes(mock_cluster):
    from apps.events.brokers.base import OutgoingRecord

    broker = KafkaBroker({"bootstrap.servers": mock_cluster})
    topic = fresh_topic()
    broker.ensure_topics([topic])

    refused, taken = send(broker, OutgoingRecord(topic, b"k", b"x" * 1_200_000, []), numbered(topic, 1))

    assert "too large" in refused.refusal
    assert (taken.refusal, taken.offset) == (None, 0)


@pytest.fixture
def short_queue(monkeypatch):
    """A producer's own queue holds ten records."""
    monkeypatch.setitem(configuration.PRODUCER, "queue.buffering.max.messages", 10)


def test_what_does_not_fit_into_the_producers_queue_waits_its_turn_and_keeps_its_order(mock_cluster, short_queue):
    broker = KafkaBroker({"bootstrap.servers": mock_cluster})
    topic = fresh_topic()
    broker.ensure_topics([topic])

    deliveries = send(broker, *[numbered(topic, number) for number in range(100)])

    assert [(delivery.refusal, delivery.offset) for delivery in deliveries] == [(None, offset) for offset in range(100)]
    assert values(shown_by(broker.tail([topic], from_beginning=True), 100)) == list(range(100))


def test_a_producer_whose_queue_is_full_while_kafka_is_away_can_be_told_to_give_up(short_queue):
    producer = KafkaBroker({"bootstrap.servers": NOBODY}).producer()

    deliveries = producer.send([numbered("a-topic", number) for number in range(30)], give_up=lambda: True)
    producer.close()

    assert [delivery.refusal for delivery in deliveries] == ["given up waiting"] * 30


class Hanging:
    """An administrator's client whose questions Kafka took and never answers."""

    def describe_topics(self, topics, *, request_timeout):
        return {"a-topic": Future()}

    def describe_configs(self, resources, *, request_timeout):
        return {resource: Future() for resource in resources}

    def create_topics(self, topics, *, operation_timeout):
        return {topic.topic: Future() for topic in topics}


def test_a_kafka_that_hangs_before_an_administrator_has_its_answer_counts_as_away(monkeypatch):
    monkeypatch.setattr(administration, "CREATED_SECONDS", 0.01)

    with pytest.raises(KafkaException, match="_TIMED_OUT"):
        administration.ids(Hanging(), ["a-topic"], timeout=0.01)
    with pytest.raises(BrokerFailed, match="Topic a-topic: Local: Timed out"):
        administration.create(Hanging(), ["a-topic"])
    assert administration.told_settings(Hanging(), ["a-topic"], timeout=0.01) == {}
