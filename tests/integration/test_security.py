"""A broker that is closed to strangers: the settings that open it, and what is said when they are wrong."""

import os
import subprocess
import sys

import pytest

from apps.dev.children import PROJECT
from apps.dev.embedded import kafka_jars
from apps.dev.embedded.apache_kafka import ApacheKafka
from apps.dev.embedded.kafka_security import Secured, authority
from apps.events.brokers.kafka import KafkaBroker
from apps.events.errors import BrokerFailed
from tests.support.topics import fresh_group, fresh_topic, numbered, read, values

pytestmark = pytest.mark.skipif(not kafka_jars.available(), reason=kafka_jars.lacking() or "")

RIGHT, WRONG = "the-right-password", "some-wrong-password"


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed-kafka")
    kafka = ApacheKafka(folder, logs=folder, throw_away=True, secured=Secured("todo", RIGHT))
    try:
        kafka.start()
        kafka.wait()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def password(tmp_path):
    """As a mounted secret is."""
    file = tmp_path / "password"
    file.write_text(RIGHT + "\n")
    return file


def command(*words, closed, password, **changed):
    """A command of `manage.py` with the variables of a server."""
    variables = closed.variables | {"KAFKA_SASL_PASSWORD_FILE": str(password), "EVENT_BROKER": "kafka", **changed}
    del variables["KAFKA_SASL_PASSWORD"]
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "todo_project.settings.base"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_with_user_password_and_authority_topics_are_made_and_records_go_through(closed, password):
    made = command("create_topics", closed=closed, password=password)
    again = command("create_topics", closed=closed, password=password)
    broker = KafkaBroker({"bootstrap.servers": closed.address, **closed.client_settings})
    topic = fresh_topic()
    broker.ensure_topics([topic])
    producer, consumer = broker.producer(), broker.consumer(fresh_group(), [topic])
    producer.send([numbered(topic, number) for number in range(3)], give_up=lambda: False)
    records = read(consumer, 3)
    producer.close()
    consumer.close()

    assert (made[0], again[0], values(records)) == (0, 0, [0, 1, 2])
    assert "task-events: created" in made[1]
    assert "task-events: there" in again[1]


def test_a_wrong_password_is_told_within_seconds_and_never_shown(closed, password):
    password.write_text(WRONG)

    status, out, err = command("create_topics", closed=closed, password=password)

    assert (status, out) == (3, "")
    assert "SASL authentication error: Authentication failed" in err
    assert WRONG not in err


def test_another_authority_is_told_within_seconds(closed, password, tmp_path):
    Secured("todo", RIGHT).broker_settings(tmp_path)

    status, out, err = command(
        "create_topics", closed=closed, password=password, KAFKA_SSL_CA_LOCATION=str(authority(tmp_path))
    )

    assert (status, out) == (3, "")
    assert "broker certificate could not be verified" in err


def test_in_the_open_nobody_comes_in(closed):
    with pytest.raises(BrokerFailed, match="Kafka does not answer"):
        KafkaBroker({"bootstrap.servers": closed.address}).state(timeout=3)


def test_roles_that_wait_with_a_wrong_password_say_why_once_and_show_nothing_secret(closed, caplog, capfd):
    settings = {"bootstrap.servers": closed.address, **closed.client_settings, "sasl.password": WRONG}
    asked = []
    producer = KafkaBroker(settings).producer()
    deliveries = producer.send([numbered("a-topic", 0)], give_up=lambda: len(asked.append(1) or asked) > 30)
    producer.close()

    told = caplog.text + "".join(capfd.readouterr())
    assert [delivery.refusal for delivery in deliveries] == ["given up waiting"]
    assert 1 <= told.count("SASL authentication error: Authentication failed") <= 2
    assert WRONG not in told
    assert RIGHT not in closed.child.log.read_text()


def test_nothing_secret_stands_among_the_arguments_or_in_files_that_others_may_read(closed):
    assert RIGHT not in " ".join(closed.child.command)
    holding = [path for path in closed.folder.rglob("*") if path.is_file() and RIGHT.encode() in path.read_bytes()]
    assert [path.name for path in holding] == ["server.properties"]
    modes = {path.name: path.stat().st_mode & 0o777 for path in closed.folder.iterdir() if path.suffix == ".pem"}
    assert modes == {"ca.pem": 0o600, "server.pem": 0o600}
    assert holding[0].stat().st_mode & 0o777 == 0o600
