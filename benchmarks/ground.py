"""What is measured on: a throw-away stack of every role, whose services are chosen here, Kafka above all.

Invariant: everything started here is ended and removed with the context, and nothing outside is used or changed.
PostgreSQL notes when each transaction was committed, so that one clock tells of the way from commit to commit.
"""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import confluent_kafka

from apps.dev.embedded import kafka_jars
from apps.dev.embedded.apache_kafka import ApacheKafka
from apps.dev.embedded.kafka import Kafka
from apps.dev.embedded.postgres import Postgres
from apps.dev.embedded.valkey import Valkey
from apps.dev.services import Service
from apps.dev.stack import Stack, throw_away_stack
from apps.dev.state import StateFolder, throw_away_folder
from benchmarks import processors

MOCK, REAL = "mock", "real"
KINDS: dict[str, type[Kafka | ApacheKafka]] = {MOCK: Kafka, REAL: ApacheKafka}
TITLES = {MOCK: "mock Kafka", REAL: "Apache Kafka"}


@dataclass
class Ground:
    """The stack, and the services beside it; `durable` when what is acknowledged is on the disk."""

    kind: str
    durable: bool
    stack: Stack
    services: list[Service | ApacheKafka]

    def names(self) -> processors.Names:
        """The processes of services and roles by what they are called."""
        services = {each.child.id.number: each.name for each in self.services if each.child is not None}
        roles = {role.child.id.number: name for name, role in self.stack.roles.items() if role.child is not None}
        return {**services, **roles}

    def watch(self) -> processors.Watch:
        return processors.Watch(self.names)

    def memory(self) -> dict[str, processors.Held]:
        return processors.memory_by_part(self.names())

    def start_role(self, name: str, **variables: str) -> None:
        """Start a role that is down, with other variables than the stack's where given."""
        usual = self.stack.env
        self.stack.env = {**usual, **variables}
        self.stack.start_roles(name)
        self.stack.env = usual

    def __str__(self) -> str:
        kafka = {
            MOCK: "librdkafka's mock cluster, in memory",
            REAL: f"{kafka_jars.version()}, one node in KRaft mode, replication 1, "
            + ("each record flushed to the disk" if self.durable else "flushed when the system likes (its default)"),
        }
        return (
            f"{os.cpu_count()} processors ({_processor()}), {_memory()} GB, {platform.system()} {platform.machine()}, "
            f"everything on the one machine; Python {platform.python_version()}, "
            f"librdkafka {confluent_kafka.libversion()[0]}; {TITLES[self.kind]}: {kafka[self.kind]}; "
            f"PostgreSQL with fsync {'on' if self.durable else 'off'}"
        )


@contextmanager
def ground(kind: str, *, durable: bool, say: Callable[[str], None]) -> Iterator[Ground]:
    """Services and roles, all up. Raises `ChildFailed`."""
    with throw_away_folder() as folder, ExitStack() as cleanup:
        state = StateFolder(folder)
        state.lock()  # or the next throw-away stack takes the folder for an abandoned one
        cleanup.callback(state.unlock)
        state.prepare()
        kafka = KINDS[kind](folder, logs=state.logs, throw_away=not durable)
        valkey = Valkey(folder, logs=state.logs, throw_away=True)
        postgres = Postgres(folder, logs=state.logs, throw_away=not durable)
        cleanup.callback(postgres.remove)
        _note_commit_times(postgres)
        services: list[Service | ApacheKafka] = [kafka, valkey, postgres]
        say(f"Starting {TITLES[kind]}, valkey, postgres …")
        for service in services:
            service.start()
            cleanup.callback(service.stop)
        for service in services:
            service.wait()
        given = {name: value for service in services for name, value in service.variables.items()}
        given["DATABASE_OWNER_URL"] = postgres.owner_url
        with throw_away_stack(say=say, given=given) as stack:
            yield Ground(kind, durable, stack, services)


def _note_commit_times(postgres: Postgres) -> None:
    postgres.make_files()
    with (postgres.data / "postgresql.conf").open("a") as settings:
        settings.write("track_commit_timestamp = on\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3)
