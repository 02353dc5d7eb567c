"""The whole platform on one machine: the embedded services, the roles, and what keeps both going.

A library for `make run`, the tour, the tests of faults and the benchmarks: `with Stack(folder, port=…)`.
Invariant: what a stack starts, it ends; whatever is left in its folder lets the next one go on from there.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from apps.dev import database, given, ports, variables
from apps.dev.children import Child, ChildFailed
from apps.dev.roles import Role
from apps.dev.services import Services, Waiting
from apps.dev.state import StateFolder, throw_away_folder

STOP_SECONDS = 30.0
GIVEN_WAIT_SECONDS = 15.0
_READY_SECONDS = 180.0
_WORD_SECONDS = 15.0
_HOPELESS_CRASHES = 3
# They read and write nothing there; where it is, they look up when they are asked how it does.
_WITHOUT_KAFKA = frozenset({"web", "ws", "beat"})


class StackRefused(Exception):
    """The stack cannot run here as asked; the text says why and what to do."""


class Stack:
    """A running platform. `tend` keeps it going and is to be called every now and then.

    `surroundings` are the variables it starts from; `waiting` wraps every wait, so that a supervisor may
    interrupt it there and nowhere else; `say` is told what happens.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        surroundings: Mapping[str, str],
        throw_away: bool = False,
        waiting: Waiting = nullcontext,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.state = StateFolder(folder.resolve())
        self.port = port
        self.env: dict[str, str] = {}
        self.roles: dict[str, Role] = {}
        self._surroundings = surroundings
        self._throw_away = throw_away
        self._waiting = waiting
        self._say = say
        self._services: Services | None = None
        self._preparation: Child | None = None
        # Those of the laptop's people who can sign in with the password that everybody knows.
        self.sign_ins: list[str] = []
        self._metrics: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, reason: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- Start ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and wait for it. Raises `StackRefused`, `FolderInUse` and `ChildFailed`."""
        self.state.lock()
        if left := self.state.end_left_over():
            self._say(f"Ended {left} processes that a killed run had left.")
        self._refuse_taken_ports()
        self._wait_for_given()
        self.state.prepare()
        self._services = Services(self.state, given=self._surroundings, throw_away=self._throw_away)
        if self._services.running:
            self._say(f"Starting {', '.join(each.name for each in self._services.running)} …")
        self._services.start()
        self._record()
        self._services.wait(self._waiting)
        self._publish_variables()
        self._say("Preparing the database …")
        self.roles = self._prepare()
        self._metrics = variables.metrics_ports(self.roles, port=self.port)
        self._publish_variables()
        self._say(f"Starting {', '.join(self.roles)} …")
        self.start_roles(*self.roles)
        self.wait_until_ready()

    def _refuse_taken_ports(self) -> None:
        host = self._surroundings.get("BIND_HOST") or ports.LOOPBACK
        for port in (self.port, self.port + 1):
            if not ports.is_free(port, host=host):
                raise StackRefused(
                    f"Port {port} is taken by another program. The web uses {self.port}, the sockets "
                    f"{self.port + 1}; move both: make run PORT={self.port + 100}"
                )

    def _wait_for_given(self) -> None:
        """Until the services that are given by their address answer: they may have been started a moment ago."""
        deadline = time.monotonic() + GIVEN_WAIT_SECONDS
        told = ""
        while missing := given.unanswered(self._surroundings):
            if time.monotonic() > deadline:
                raise StackRefused(f"{missing}. Start it, or unset the variable: then an embedded one is started.")
            if told != missing:
                self._say(f"Waiting: {missing} …")
                told = missing
            with self._waiting():
                time.sleep(0.2)

    def _publish_variables(self) -> None:
        assert self._services is not None
        surroundings = self._surroundings
        leading = variables.leading_to(self.state, port=self.port, services=self._services, given=surroundings)
        self.env = {**variables.DEFAULTS, **surroundings, **leading}
        # Of those who only use the stack nobody needs the owner, and a terminal beside is one of them.
        self.env.pop("DATABASE_OWNER_URL", None)
        self.state.write_kafka_address(leading["KAFKA_BOOTSTRAP_SERVERS"])
        self.state.write_env(leading | variables.of_metrics_ports(self._metrics))

    @property
    def owner_env(self) -> dict[str, str]:
        """`env` for what works on the tables themselves: preparing, and measuring what a guard costs."""
        assert self._services is not None
        return {**self.env, **self._services.owner_variables}

    def _prepare(self) -> dict[str, Role]:
        """Migrate, seed, and learn the roles of the settings; those are imported over there, not here."""
        printed = self._manage("prepare_laptop", environment=self.owner_env)
        told = json.loads(printed.splitlines()[-1])
        self.sign_ins = told["sign_ins"]
        commands: dict[str, list[str]] = told["roles"]
        return {name: Role(name, command, logs=self.state.logs) for name, command in commands.items()}

    def _manage(self, command: str, *, environment: Mapping[str, str]) -> bytes:
        """What a command of `manage.py` prints. Raises `ChildFailed`."""
        line = [sys.executable, "manage.py", command]
        child = Child("prepare", line, {**environment, "ROLE": "prepare"}, self.state.logs / "prepare.log")
        child.announces = True
        self._preparation = child
        child.start()
        self._record()
        with self._waiting():
            printed = child.announcements.read()
        child.end(by=time.monotonic() + 5)
        self._preparation = None
        if child.exit_code:
            raise ChildFailed(f"{command} failed:\n{child.last_words()}\n(all in {child.log})")
        return printed

    # --- Roles ----------------------------------------------------------------------------------------

    def start_roles(self, *names: str) -> None:
        for name in names:
            self.roles[name].start({**self.env, "METRICS_PORT": str(self._metrics.get(name, 0))})
        self._record()

    def stop_roles(self, *names: str, hurry: Callable[[], bool] = lambda: False) -> None:
        """End roles, all at once; what has not ended after 30 s, or when `hurry` says so, is killed."""
        running = [child for name in names if (child := self.roles[name].child) is not None]
        for child in running:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.runs for child in running) and time.monotonic() < deadline and not hurry():
            time.sleep(0.02)
        for child in running:
            child.end(by=time.monotonic())

    def not_ready(self) -> list[str]:
        return [name for name, role in self.roles.items() if not role.is_ready()]

    def wait_until_ready(self, *, seconds: float = _READY_SECONDS) -> None:
        """Until every role does its work; says what it waits for when that takes long. Raises `ChildFailed`."""
        deadline, next_word = time.monotonic() + seconds, time.monotonic() + _WORD_SECONDS
        while missing := self.not_ready():
            if hopeless := [name for name in missing if self.roles[name].crashes >= _HOPELESS_CRASHES]:
                raise ChildFailed(f"{', '.join(hopeless)} cannot start; the reason is above.")
            if time.monotonic() > deadline:
                words = "\n".join(f"  {name}:\n{self._words_of(name)}" for name in missing)
                raise ChildFailed(f"Not ready after {seconds:g} s:\n{words}")
            if time.monotonic() > next_word:
                next_word += _WORD_SECONDS
                self._say(f"Still waiting for {', '.join(missing)} …")
            self.tend()
            with self._waiting():
                time.sleep(0.05)

    def _words_of(self, name: str) -> str:
        child = self.roles[name].child
        return child.last_words() if child is not None else "    was not started"

    # --- Go on ----------------------------------------------------------------------------------------

    def tend(self) -> None:
        """One look at every child: tell of the crashed, start again what is due."""
        assert self._services is not None
        for told in self._services.crashed():
            self._say(told)
        if back := self._services.restart_due(self._waiting):
            self._record()
            if "kafka" in back:
                self._make_topics()
            self._say(f"{', '.join(back)}: back.")
            if "kafka" in back:
                self._move_to_new_kafka()
        database_hangs = cache(lambda: database.hangs(self.env["DATABASE_URL"]))
        for role in self.roles.values():
            if words := role.hangs(excused=database_hangs) or role.crashed():
                self._say(words)
            if role.is_due:
                self.start_roles(role.name)

    def _make_topics(self) -> None:
        """A fresh Kafka has none, and would get only those that somebody writes to or reads."""
        self._publish_variables()
        try:
            self._manage("create_topics", environment=self.env)
        except ChildFailed as reason:
            self._say(f"{reason}\nKafka lacks topics until `manage.py create_topics` makes them.")

    def _move_to_new_kafka(self) -> None:
        moved = [name for name in self.roles if name not in _WITHOUT_KAFKA]
        self._say("Kafka has a new address: restarting the roles that use it.")
        self.stop_roles(*moved)
        self.start_roles(*moved)

    def _record(self) -> None:
        assert self._services is not None
        roles = [role.child for role in self.roles.values() if role.child is not None]
        preparation = [] if self._preparation is None else [self._preparation]
        children = [*self._services.children, *preparation, *roles]
        self.state.record_processes(child.id for child in children)

    @property
    def data_folder(self) -> Path | None:
        """Where the embedded PostgreSQL keeps its data."""
        postgres = self._services.postgres if self._services else None
        return postgres.data if postgres else None

    # --- Stop -----------------------------------------------------------------------------------------

    def stop(self, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """End the roles, then the services. Safe at any moment, and more than once."""
        if self._preparation is not None:
            self._preparation.stop(seconds=2)
            self._preparation = None
        self.stop_roles(*self.roles, hurry=hurry)
        if self._services is not None:
            self._services.stop()
            self.state.remove_env()
            # On a full disk the file stays; it names what is gone, and that is seen.
            with suppress(OSError):
                self.state.record_processes([])
            if self._throw_away and self._services.postgres is not None:
                self._services.postgres.remove()
            self._services = None
        self.state.unlock()


@contextmanager
def throw_away_stack(
    *, say: Callable[[str], None] = lambda _: None, given: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """A stack of its own in a temporary folder, on free ports, deaf to the variables around it but those given."""
    surroundings = {**variables.neutral(), **variables.UNHURRIED, **(given or {})}
    with (
        throw_away_folder() as folder,
        Stack(folder, port=ports.free_pair(), surroundings=surroundings, throw_away=True, say=say) as stack,
    ):
        yield stack
