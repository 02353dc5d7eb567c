"""The real broker of the laptop: what it keeps, and what it says where it cannot run."""

import os
import signal

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from apps.dev.children import ChildFailed
from apps.dev.embedded import kafka_jars
from apps.dev.embedded.apache_kafka import ApacheKafka
from apps.dev.ports import free_port
from tests.support.topics import wait_until

needs_java = pytest.mark.skipif(not kafka_jars.available(), reason=kafka_jars.lacking() or "")


@pytest.fixture
def broker(tmp_path):
    kafka = ApacheKafka(tmp_path, logs=tmp_path, throw_away=True)
    yield kafka
    kafka.stop()


@pytest.mark.kafka
@pytest.mark.timeout(180)
@needs_java
def test_a_killed_broker_comes_back_at_its_address_with_what_it_acknowledged(broker):
    broker.start()
    broker.wait()
    address = broker.address
    client = {"bootstrap.servers": address, "log_level": 0}
    admin = AdminClient(client)
    admin.create_topics([NewTopic("kept", 1)])["kept"].result(60)
    producer = Producer(client)
    producer.produce("kept", b"a record")
    assert producer.flush(60) == 0

    os.kill(broker.child.id.number, signal.SIGKILL)
    assert wait_until(lambda: not broker.child.runs)
    broker.start()
    broker.wait()

    reader = Consumer(client | {"group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": False})
    reader.subscribe(["kept"])
    record = reader.poll(60)
    reader.close()
    assert (broker.address, record.value(), record.offset()) == (address, b"a record", 0)


@pytest.mark.kafka
@pytest.mark.timeout(180)
@needs_java
def test_clients_are_told_the_advertised_address_and_the_broker_answers_at_its_own(tmp_path):
    elsewhere = f"127.0.0.1:{free_port()}"
    broker = ApacheKafka(tmp_path, logs=tmp_path, throw_away=True, advertised=elsewhere)
    try:
        broker.start()
        broker.wait()
        told = AdminClient({"bootstrap.servers": broker.listens_on, "log_level": 0}).list_topics(timeout=10).brokers[1]
    finally:
        broker.stop()

    assert f"{told.host}:{told.port}" == broker.address == broker.variables["KAFKA_BOOTSTRAP_SERVERS"] == elsewhere
    assert broker.listens_on != elsewhere


def test_without_java_it_says_what_to_install(broker, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(
        ChildFailed, match=r"needs Java 17 or later: no working `java` in JAVA_HOME or on the PATH\. Install"
    ):
        broker.start()

    assert not broker.folder.exists()
    assert kafka_jars.available() is False


def test_an_old_java_is_named(broker, tmp_path, monkeypatch):
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert f"{old} is Java 8." in kafka_jars.lacking()
