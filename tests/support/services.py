"""Starts a throw-away PostgreSQL and Valkey for the tests, before Django reads its settings.

Loaded by `-p tests.support.services` (pyproject.toml). A service is started unless its variable is set, so
the workers of pytest-xdist, which inherit the variables, start none. Invariant: nothing of the laptop's
running stack is touched: neither its variables nor its file are read.
"""

import atexit
import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from apps.dev.embedded.postgres import OWNER, Postgres
from apps.dev.embedded.valkey import Valkey
from apps.dev.state import StateFolder, throw_away_folder

_SETTINGS = {
    "ENV_FILE": "",
    "SECRET_KEY": "only-the-tests-sign-with-this-one-and-it-is-long-enough",
    "JWT_SIGNING_KEY": "only-the-tests-sign-their-tokens-with-this-one-and-it-is-long-enough",
    "EVENT_BROKER": "memory",
    "ROLE": "tests",
    "LOG_LEVEL": "WARNING",
}
# Also when pytest fails before it is configured; a pytest that is killed takes its children with it.
_running = ExitStack()
# What this process has started itself, by name, for tests that kill it.
running: dict[str, Postgres | Valkey] = {}
atexit.register(_running.close)


def _start_missing() -> None:
    missing = [
        service
        for variable, service in (("DATABASE_URL", Postgres), ("REDIS_URL", Valkey))
        if not os.environ.get(variable)
    ]
    os.environ.update(_SETTINGS)
    if not missing:
        return
    state = StateFolder(_running.enter_context(throw_away_folder()))
    state.lock()
    _running.callback(state.unlock)
    state.prepare()
    for kind in missing:
        _start(kind, state.path, state.logs)


def _start(kind: type[Postgres] | type[Valkey], folder: Path, logs: Path) -> None:
    service = kind(folder, logs=logs, throw_away=True)
    _running.callback(service.remove if isinstance(service, Postgres) else service.stop)
    service.start()
    service.wait()
    running[service.name] = service
    variables = service.variables
    if isinstance(service, Postgres):
        # The tests own their databases, and make roles of the application where they need one.
        variables = {"DATABASE_URL": service.owner_url}
        with service.administer() as connection:
            connection.execute(f"ALTER ROLE {OWNER} CREATEROLE")
    for name, value in variables.items():
        os.environ.setdefault(name, value)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper, so that it comes before pytest-django's, which imports the settings."""
    if not early_config.known_args_namespace.help:
        _start_missing()
    return (yield)
