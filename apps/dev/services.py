"""The services that a stack starts because their address is not given: PostgreSQL, Valkey, Kafka.

Invariant: a service whose variable is set is used as it is, and never started, stopped or changed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

from apps.dev.children import Child, ChildFailed
from apps.dev.embedded.kafka import Kafka
from apps.dev.embedded.postgres import Postgres
from apps.dev.embedded.valkey import Valkey
from apps.dev.roles import pause_after
from apps.dev.state import StateFolder

Service = Postgres | Valkey | Kafka
Waiting = Callable[[], AbstractContextManager[None]]

# In the order of starting: PostgreSQL takes the longest to begin, while the others come up by themselves.
_BY_VARIABLE: Mapping[str, type[Service]] = {
    "KAFKA_BOOTSTRAP_SERVERS": Kafka,
    "REDIS_URL": Valkey,
    "DATABASE_URL": Postgres,
}
_STEADY_SECONDS = 30


class Services:
    """What had to be started, in `running`; `variables` lead to all, started or given."""

    def __init__(self, state: StateFolder, *, given: Mapping[str, str], throw_away: bool) -> None:
        self._given = {name: given[name] for name in (*_BY_VARIABLE, "CHANNEL_REDIS_URL") if given.get(name)}
        if "KAFKA_BOOTSTRAP_SERVERS" in self._given:  # and what it is signed in with
            self._given |= {name: value for name, value in given.items() if name.startswith("KAFKA_") and value}
        self._owner_given = {"DATABASE_OWNER_URL": given.get("DATABASE_OWNER_URL", "")}
        if "REDIS_URL" in self._given:
            self._given.setdefault("CHANNEL_REDIS_URL", self._given["REDIS_URL"])
        self.running: list[Service] = [
            kind(state.path, logs=state.logs, throw_away=throw_away)
            for variable, kind in _BY_VARIABLE.items()
            if variable not in self._given
        ]
        self._crashes: dict[str, int] = {}
        self._start_at: dict[str, float] = {}

    @property
    def variables(self) -> dict[str, str]:
        started = {name: value for each in self.running for name, value in each.variables.items()}
        return started | self._given

    @property
    def keeps_kafka(self) -> bool:
        return any(isinstance(each, Kafka) for each in self.running)

    @property
    def owner_variables(self) -> dict[str, str]:
        """What leads to the tables' owner: for what prepares the database, and nothing that serves."""
        if self.postgres is not None:
            return {"DATABASE_OWNER_URL": self.postgres.owner_url}
        return {name: value for name, value in self._owner_given.items() if value}

    @property
    def children(self) -> list[Child]:
        return [each.child for each in self.running if each.child is not None]

    @property
    def postgres(self) -> Postgres | None:
        return next((each for each in self.running if isinstance(each, Postgres)), None)

    def start(self) -> None:
        for service in self.running:
            service.start()

    def wait(self, waiting: Waiting) -> None:
        """Until all answer. Raises `ChildFailed`."""
        for service in self.running:
            with waiting():
                service.wait()

    def crashed(self) -> Iterator[str]:
        """What to tell of those that have just ended by themselves; each is due again after a pause."""
        for service in self.running:
            child = service.child
            if child is None or child.runs or service.name in self._start_at:
                continue
            lived = time.time() - child.started_at
            crashes = 1 if lived > _STEADY_SECONDS else self._crashes.get(service.name, 0) + 1
            self._crashes[service.name] = crashes
            self._start_at[service.name] = time.monotonic() + pause_after(crashes)
            child.end(by=time.monotonic())
            yield f"{service.name} ended; starting it again. Its last words:\n{child.last_words()}"

    def restart_due(self, waiting: Waiting) -> list[str]:
        """Start those that are due again; the names of those that are back."""
        back = []
        for service in self.running:
            if time.monotonic() < self._start_at.get(service.name, float("inf")):
                continue
            del self._start_at[service.name]
            service.start()
            try:
                with waiting():
                    service.wait()
            except ChildFailed:
                service.stop()
                continue
            back.append(service.name)
        return back

    def stop(self) -> None:
        for child in self.children:
            child.ask_to_stop()
        for service in self.running:
            service.stop()
