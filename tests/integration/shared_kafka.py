"""The roles as real processes on a Kafka that others may use too: every name is the test's own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from apps.dev.embedded.apache_kafka import ApacheKafka
from apps.events import event_types
from apps.events.brokers.kafka import KafkaBroker
from tests.faults.pipeline import Pipeline
from tests.support.topics import fresh_prefix, wait_until


class GivenKafka:
    """Stands for a service, and starts and stops nothing."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.address = variables["KAFKA_BOOTSTRAP_SERVERS"]
        self.child = None

    def start(self) -> None: ...

    def wait(self) -> None: ...

    def stop(self) -> None: ...


class SharedPipeline(Pipeline):
    """A pipeline on the Kafka of `connection`; what signs in to it stands in the variables already."""

    def __init__(self, folder: Path, *, database_url: str, connection: Mapping[str, str], protocol: str) -> None:
        self.connection = dict(connection)
        self.prefix = fresh_prefix()
        self.protocol = protocol
        super().__init__(folder, database_url=database_url, kafka="real")

    def _kafka(self, *, proxied: bool) -> ApacheKafka:
        assert not proxied
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": self.connection["bootstrap.servers"],
            "KAFKA_PREFIX": self.prefix,
            "KAFKA_GROUP_PROTOCOL": self.protocol,
        }
        return cast("ApacheKafka", GivenKafka(given))

    def _meet_kafka(self) -> None:
        self.broker = KafkaBroker(self.connection, prefix=self.prefix)
        self.broker.ensure_topics(event_types.topics())

    @property
    def admin(self) -> AdminClient:
        return AdminClient({**self.connection, "log_level": 0})

    def begin_again(self, group: str, topics: list[str]) -> None:
        """Take a group that nobody is a member of back to the first records."""
        admin = self.admin
        places = [TopicPartition(self.prefix + topic, number, 0) for topic in topics for number in range(4)]
        asked = [ConsumerGroupTopicPartitions(self.prefix + group, places)]
        done = admin.alter_consumer_group_offsets(asked)
        next(iter(done.values())).result(20)

    def make_anew(self, topic: str) -> None:
        """Delete a topic with all its records, and create it."""
        admin = self.admin
        admin.delete_topics([self.prefix + topic])[self.prefix + topic].result(20)
        assert wait_until(lambda: self.broker.ensure_topics([topic]) == {topic: "created"})

    def manage(self, *words: str) -> dict[str, Any]:
        """What a command of `manage.py` prints with `--json`."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words, "--json"],
            env=self.environment("shell"),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=90,
        )
        return cast("dict[str, Any]", json.loads(done.stdout))
