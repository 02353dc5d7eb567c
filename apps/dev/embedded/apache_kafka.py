"""Apache Kafka for the laptop: one real broker, its own controller, run by Java.

Where the mock cluster of `kafka.py` stands in for it, this one has everything: files, settings of topics, both
group protocols. Invariant: the address is chosen once and stays, through restarts, with all that was
acknowledged; a data folder that exists is complete.
"""

import base64
import logging
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from apps.dev.children import Child, ChildFailed
from apps.dev.embedded import kafka_jars
from apps.dev.embedded.kafka_security import Secured
from apps.dev.ports import LOOPBACK, free_port
from apps.dev.state import write_private

_JAVA_OPTIONS = (
    *("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"),
    # Half the start; what the second compiler would win later, two processors do not have to spare.
    "-XX:TieredStopAtLevel=1",
    "-Dlog4j2.level=WARN",
)
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENTS",
    "controller.listener.names": "CONTROLLER",
    # Topics are made by who knows their settings. Those of Kafka itself it makes, of few partitions: each costs files.
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # The first member of a group does not wait for others to come. A dead one is missed after 6 s by both protocols:
    # with `classic` the member says how long, with `consumer` the broker.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
    # A broker that was killed and is back may lead again at once.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "4194304",
}
# Acknowledged is on the disk. Without it, in the system's memory: it survives a killed broker, not a power cut.
_DURABLE = {"log.flush.interval.messages": "1"}


class ApacheKafka:
    """A broker whose data lies in `state`; several of them stand beside each other.

    `advertised` (host:port) is the address that clients are told to use, where it is not the one listened on.
    `secured` closes it to strangers, from the first start on. `throw_away` trades the safety of the data for speed.
    """

    name = "kafka"

    def __init__(
        self,
        state: Path,
        *,
        logs: Path,
        throw_away: bool = False,
        port: int | None = None,
        advertised: str | None = None,
        secured: Secured | None = None,
    ) -> None:
        self.folder = state / "apache-kafka"
        self.data = self.folder / "data"
        self.port = port or free_port()
        self.listens_on = f"{LOOPBACK}:{self.port}"
        self.address = advertised or self.listens_on
        self._controller_port = free_port()
        self._log = logs / "kafka.log"
        self._throw_away = throw_away
        self._secured = secured
        self.child: Child | None = None

    @property
    def variables(self) -> dict[str, str]:
        closed = self._secured.variables(self.folder) if self._secured else {}
        return {"KAFKA_BOOTSTRAP_SERVERS": self.address, **closed}

    @property
    def client_settings(self) -> dict[str, str]:
        """What librdkafka needs beside the address."""
        return self._secured.client_settings(self.folder) if self._secured else {}

    # --- Files ----------------------------------------------------------------------------------------

    def make_files(self) -> None:
        """Jars, settings and the data folder; quick when they are there. Raises `ChildFailed`."""
        if lacking := kafka_jars.lacking():
            raise ChildFailed(lacking)
        kafka_jars.fetch()
        for path in (self.folder, self.folder / "tmp"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.data.exists():
            self._format()
        self._write_settings("server.properties", self.data)

    def _write_settings(self, name: str, data: Path) -> Path:
        settings = _SETTINGS | ({} if self._throw_away else _DURABLE)
        settings |= {
            "log.dirs": str(data),
            "listeners": f"CLIENTS://{self.listens_on},CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"CLIENTS://{self.address}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}",
        }
        settings |= self._secured.broker_settings(self.folder) if self._secured else {}
        path = self.folder / name
        write_private(path, "".join(f"{key}={value}\n" for key, value in settings.items()))
        return path

    def _format(self) -> None:
        """A cluster of its own, made in a folder beside and renamed when it is complete."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        settings = self._write_settings("format.properties", unfinished)
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A file and not arguments: arguments are everybody's to read.
        arguments = self.folder / "format.arguments"
        user = [self._secured.user_at_format] if self._secured else []
        write_private(arguments, "\n".join(["format", f"--cluster-id={cluster_id}", f"--config={settings}", *user]))
        command = self._java("kafka.tools.StorageTool", f"@{arguments}")
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, env=self._environment()
        )
        if done.returncode != 0:
            raise ChildFailed(f"Kafka's data could not be set up in {self.folder}:\n{done.stdout}{done.stderr}")
        settings.unlink()
        arguments.unlink()
        unfinished.rename(self.data)

    def _java(self, *words: str) -> list[str]:
        # What its libraries unpack would stay in the system's folder when it is killed.
        unpacked = f"-Djava.io.tmpdir={self.folder / 'tmp'}"
        return [kafka_jars.java() or "java", *_JAVA_OPTIONS, unpacked, "-cp", kafka_jars.classpath(), *words]

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    # --- The broker -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the broker; `wait` tells when it answers. Raises `ChildFailed`."""
        if self.child is None:
            self.make_files()
        command = self._java("kafka.Kafka", str(self.folder / "server.properties"))
        self.child = Child(self.name, command, self._environment(), self._log)
        self.child.start()

    def wait(self, *, seconds: float = 90) -> None:
        """Until it answers what topics there are. Raises `ChildFailed`."""
        assert self.child is not None, "Kafka was not started."
        deadline = time.monotonic() + seconds
        while not self._answers():
            if not self.child.runs:
                raise ChildFailed(f"Kafka did not start:\n{self.child.last_words()}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"Kafka does not answer after {seconds:g} s:\n{self.child.last_words()}")

    def _answers(self) -> bool:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        quiet = logging.getLogger("apache_kafka")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        try:
            # A client of its own for each try: one that was refused waits longer and longer.
            reach: dict[str, Any] = {"bootstrap.servers": self.listens_on, "log_level": "0", **self.client_settings}
            asked = AdminClient(reach, logger=quiet)
            return bool(asked.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(seconds=20)
