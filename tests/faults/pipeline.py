"""The roles of the platform as real processes on real services of their own, with a proxy wherever a test wants one.

`FAULTS_KAFKA` is `real` (Apache Kafka, needs Java), `mock` (librdkafka's cluster) or `auto`: real where it can be.
Invariant: every process started here is ended by `close`, also after a failed test.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Literal

from django.conf import settings
from django.db import close_old_connections

from apps.dev.children import Child
from apps.dev.embedded import kafka_jars
from apps.dev.embedded.apache_kafka import ApacheKafka
from apps.dev.embedded.kafka import Kafka
from apps.dev.embedded.valkey import Valkey
from apps.dev.ports import LOOPBACK, free_port
from apps.events import event_types
from apps.events.brokers.kafka import KafkaBroker
from tests.faults import journal as journals
from tests.faults.proxy import Proxy
from tests.faults.urls import led_to, place_of

Service = Literal["postgres", "valkey", "kafka"]


def kafka_kind() -> str:
    """`real` or `mock`. Raises `ValueError` for what `FAULTS_KAFKA` must not say."""
    wanted = os.environ.get("FAULTS_KAFKA", "auto")
    if wanted not in {"auto", "real", "mock"}:
        raise ValueError(f"FAULTS_KAFKA is {wanted!r}: it must be real, mock or auto.")
    return wanted if wanted != "auto" else "mock" if kafka_jars.lacking() else "real"


class Pipeline:
    """Starts roles against the current test database, as a role that owns nothing; it may be told where to die.

    `through` names the services that every role reaches by a proxy: `proxies[name]`. Real Kafka sends its clients
    where its metadata say, so that it has to be in front of the proxy from the beginning; the mock cluster is only
    met through one.
    """

    def __init__(
        self, folder: Path, *, database_url: str, through: tuple[Service, ...] = (), kafka: str | None = None
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.heartbeats = folder / "heartbeats"
        self.heartbeats.mkdir()
        self.kafka_kind = kafka or kafka_kind()
        self.proxies: dict[str, Proxy] = {}
        self.roles: list[Child] = []
        self._cleanup = ExitStack()
        self.valkey = Valkey(folder, logs=self.logs, throw_away=True)
        self.kafka = self._kafka(proxied="kafka" in through)
        for service in (self.kafka, self.valkey):
            service.start()
            self._cleanup.callback(_end, service)
            service.wait()
        if "valkey" in through:
            self._proxy("valkey", f"{LOOPBACK}:{self.valkey.port}")
        if "postgres" in through:
            self._proxy("postgres", place_of(database_url))
        if "kafka" in through and "kafka" not in self.proxies:
            self._proxy("kafka", self.kafka.address)
        self._meet_kafka()

    def _kafka(self, *, proxied: bool) -> Kafka | ApacheKafka:
        if self.kafka_kind == "mock":
            return Kafka(self.folder, logs=self.logs)
        port = free_port()
        advertised = self._proxy("kafka", f"{LOOPBACK}:{port}").address if proxied else None
        return ApacheKafka(self.folder, logs=self.logs, throw_away=True, port=port, advertised=advertised)

    def _proxy(self, name: Service, target: str) -> Proxy:
        proxy = self.proxies[name] = Proxy(target)
        self._cleanup.callback(proxy.close)
        return proxy

    def _meet_kafka(self) -> None:
        self.broker = KafkaBroker({"bootstrap.servers": self.kafka.address})
        self.broker.ensure_topics(event_types.topics())

    def kill_kafka(self) -> None:
        assert self.kafka.child is not None
        kill(self.kafka.child)
        self.kafka.stop()

    def bring_kafka_back(self) -> None:
        """At its address, with its data. The mock has neither: it needs the proxy, and comes back empty."""
        self.kafka.start()
        self.kafka.wait()
        if self.kafka_kind == "mock" and "kafka" in self.proxies:
            self.proxies["kafka"].target = self.kafka.address
        self._meet_kafka()

    def replace_kafka(self) -> None:
        """Kill Kafka with all it had; another, empty one stands in its place, as after a lost disk."""
        self.kill_kafka()
        if isinstance(self.kafka, ApacheKafka):
            shutil.rmtree(self.kafka.data)
            self.kafka.make_files()
        self.bring_kafka_back()

    def generate(
        self, journal: Path, *, seed: str, rate: float = 0, count: int = 0, rest: tuple[str, ...] = ()
    ) -> Child:
        """Start random changes from a process of its own, that meets the database without any proxy."""
        words = [str(journal), seed, str(rate), str(count), *rest]
        command = [sys.executable, "-m", "tests.faults.generator", *words]
        return self.run(f"generator-{seed}", command, DATABASE_URL=self.database_url)

    def load(self, journal: Path, *, seed: str, rate: float = 50) -> Child:
        """Start changes at this rate and wait until they flow; `finish` ends them."""
        before = len(journals.read(journal))
        generator = self.generate(journal, seed=seed, rate=rate)
        wait_until(lambda: len(journals.read(journal)) > before + 20, "changes flow", seconds=60)
        return generator

    def finish(self, generator: Child) -> None:
        generator.ask_to_stop()
        wait_until(lambda: not generator.runs, "the changes end", seconds=60)
        assert generator.exit_code == 0, f"{generator.name} ended with {generator.exit_code}"

    def environment(self, role: str, **extra: str) -> dict[str, str]:
        variables = {
            **os.environ,
            **self.kafka.variables,
            **self.valkey.variables,
            "DJANGO_SETTINGS_MODULE": "todo_project.settings.base",
            "DATABASE_URL": self.database_url,
            "EVENT_BROKER": "kafka",
            "HEARTBEAT_DIR": str(self.heartbeats),
            "LOG_LEVEL": "INFO",
            "ROLE": role,
        }
        for name, kinds in {"postgres": ["DATABASE_URL"], "valkey": list(self.valkey.variables)}.items():
            if name in self.proxies:
                variables |= {kind: led_to(variables[kind], self.proxies[name].address) for kind in kinds}
        if "kafka" in self.proxies:
            variables["KAFKA_BOOTSTRAP_SERVERS"] = self.proxies["kafka"].address
        return variables | extra

    def start(self, role: str, *, name: str | None = None, **extra: str) -> Child:
        """Start a role of the settings, such as `relay` or `worker-audit`; `extra` goes into its environment."""
        child = self.run(name or role, settings.ROLES[role], role=role, **extra)
        self.roles.append(child)
        return child

    def run(self, name: str, command: list[str], *, role: str = "shell", **extra: str) -> Child:
        log = self.logs / f"{name}.log"
        child = Child(name, command, self.environment(role, **extra), log)
        child.start()
        self._cleanup.callback(child.stop, seconds=0)  # how it ends when asked is another test's
        return child

    def log_of(self, child: Child) -> str:
        log = self.logs / f"{child.name}.log"
        return log.read_text() if log.exists() else ""

    def wait_for_word(self, child: Child, word: str, *, seconds: float = 60) -> None:
        wait_until(lambda: word in self.log_of(child), f"{child.name} says {word}", seconds=seconds)

    def stop_roles(self, *, seconds: float = 30) -> None:
        """Ask every role to stop; each ends well and in time."""
        running = [role for role in self.roles if role.runs]
        for role in running:
            role.ask_to_stop()
        for role in running:
            wait_until(partial(_ended, role), f"{role.name} has stopped", seconds=seconds)
            assert role.exit_code == 0, f"{role.name} ended with {role.exit_code}"

    def close(self) -> None:
        self._cleanup.close()


def _end(service: Kafka | ApacheKafka | Valkey) -> None:
    """At once: its data are thrown away."""
    if service.child is not None:
        service.child.stop(seconds=0)
    service.stop()


def _ended(role: Child) -> bool:
    return not role.runs


def kill(child: Child) -> None:
    os.kill(child.id.number, signal.SIGKILL)
    wait_until(lambda: not child.runs, "the killed process is gone", seconds=5)


def freeze(child: Child) -> None:
    os.kill(child.id.number, signal.SIGSTOP)


def thaw(child: Child) -> None:
    os.kill(child.id.number, signal.SIGCONT)


def is_frozen(child: Child) -> bool:
    state = Path(f"/proc/{child.id.number}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "T"


def let_pass(seconds: float) -> None:
    time.sleep(seconds)
    close_old_connections()


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float) -> float:
    """Wait until `condition` holds; how many seconds that took. Fails naming `what` did not come about."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"Not within {seconds} s: {what}.")
        time.sleep(0.02)
    took = time.monotonic() - started
    print(f"{took:6.2f} s until {what}")
    return took
