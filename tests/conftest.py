"""Fixtures for every room: what runs for real beside the tests' PostgreSQL and Valkey."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from apps.dev.embedded import kafka_jars
from apps.dev.embedded.apache_kafka import ApacheKafka
from apps.dev.embedded.kafka import Kafka
from apps.dev.stack import Stack, throw_away_stack
from apps.events.brokers.kafka import KafkaBroker
from apps.events.errors import BrokerFailed
from tests.support.append_only import flush_past_the_guards
from tests.support.topics import remove_all_of_this_run

__all__ = ["flush_past_the_guards"]

ROOT = Path(__file__).parents[1]
_FOLDERS = re.compile(r"^([A-Z]+)_IN := (.+)$", re.MULTILINE)


def folders_of_marks() -> dict[str, list[Path]]:
    """Where the Makefile looks for the tests of a mark."""
    named = _FOLDERS.findall((ROOT / "Makefile").read_text())
    return {mark.lower(): [ROOT / folder for folder in folders.split()] for mark, folders in named}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test whose mark's target would not find it: it would run nowhere."""
    for mark, folders in folders_of_marks().items():
        for item in items:
            if item.get_closest_marker(mark) and not any(folder in item.path.parents for folder in folders):
                raise pytest.UsageError(
                    f"{item.nodeid} is marked `{mark}`: the Makefile's {mark.upper()}_IN lacks its folder."
                )


@pytest.fixture(scope="session")
def mock_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of librdkafka's mock cluster in a process of its own, the same for the whole session."""
    folder = tmp_path_factory.mktemp("kafka")
    kafka = Kafka(folder, logs=folder)
    kafka.start()
    try:
        kafka.wait()
        yield kafka.address
    finally:
        kafka.stop()


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """How to reach a real broker: the one that the variables of Kafka name, else a throw-away one of the session's."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        try:
            KafkaBroker(settings.KAFKA).state(timeout=5)
        except BrokerFailed as reason:
            pytest.exit(f"KAFKA_BOOTSTRAP_SERVERS: {reason}", returncode=3)
        yield settings.KAFKA
        remove_all_of_this_run(settings.KAFKA)
        return
    if lacking := kafka_jars.lacking():
        pytest.skip(lacking)
    folder = tmp_path_factory.mktemp("real-kafka")
    kafka = ApacheKafka(folder, logs=folder, throw_away=True)
    try:
        kafka.start()
        kafka.wait()
        yield {"bootstrap.servers": kafka.address}
    finally:
        kafka.stop()


@pytest.fixture
def fresh_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A mock cluster of the test's own, to be killed and restarted at will."""
    kafka = Kafka(tmp_path, logs=tmp_path)
    kafka.start()
    try:
        kafka.wait()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def fresh_stack() -> Iterator[Stack]:
    """The whole platform in a throw-away folder: services and roles, to be killed and restarted at will."""
    with throw_away_stack() as stack:
        yield stack
