"""Every connection carries its limits; what works in batches has each statement planned for the tables as they are."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Queue
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.faults.pipeline import wait_until
from tests.faults.proxy import proxy_to
from tests.faults.urls import database_url, led_to, place_of
from todo_project.databases import OWNER_LIMITS, connection_settings
from todo_project.postgresql.base import DatabaseWrapper

URL = "postgresql://todo_app:a%40b@db:5433/todo?sslmode=require"
LIMITS = "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"


def test_a_url_is_told_to_django_with_the_limits_of_what_serves():
    told = connection_settings(URL)

    assert {name: told[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "CONN_MAX_AGE")} == {
        "NAME": "todo",
        "USER": "todo_app",
        "PASSWORD": "a@b",
        "HOST": "db",
        "PORT": "5433",
        "CONN_MAX_AGE": 600,
    }
    assert told["OPTIONS"]["options"] == LIMITS
    assert told["OPTIONS"]["sslmode"] == "require"


def test_what_works_in_batches_has_its_statements_planned_each_time():
    assert connection_settings(URL, in_batches=True)["OPTIONS"]["options"] == (
        f"{LIMITS} -c plan_cache_mode=force_custom_plan"
    )


def test_the_owner_only_waits_no_longer_for_a_lock():
    assert connection_settings(URL, limits=OWNER_LIMITS)["OPTIONS"]["options"] == "-c lock_timeout=5s"


def test_anything_but_a_url_of_postgresql_is_refused():
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must read postgresql://"):
        connection_settings("mysql://todo@db/todo")


@pytest.mark.parametrize(("role", "planned"), [("worker-audit", True), ("relay", True), ("web", False), ("ws", False)])
def test_the_roles_that_work_in_batches_are_the_workers_and_the_relay(role, planned):
    ask = "from todo_project.settings import base; print(base.DATABASES['default']['OPTIONS']['options'])"
    environment = os.environ | {"ROLE": role, "ENV_FILE": "", "SECRET_KEY": "x", "DATABASE_URL": URL}

    told = subprocess.run(
        [sys.executable, "-c", ask], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )

    assert ("plan_cache_mode=force_custom_plan" in told.stdout) is planned


Opener = Callable[[dict[str, Any]], DatabaseWrapper]


@pytest.fixture
def opened(transactional_db: None) -> Iterator[Opener]:
    """Makes connections to the tests' database by settings such as `connection_settings` makes; any thread has them."""
    made: list[DatabaseWrapper] = []

    def opened(chosen: dict[str, Any]) -> DatabaseWrapper:
        made.append(DatabaseWrapper({**connection.settings_dict, **chosen}))
        made[-1].inc_thread_sharing()
        return made[-1]

    yield opened
    for each in made:
        each.close()
        each.close_pool()


def told(by: BaseDatabaseWrapper, statement: str = "SHOW transaction_timeout") -> Any:
    with by.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def _lives(process: int) -> bool:
    return bool(told(connection, f"SELECT count(*) FROM pg_stat_activity WHERE pid = {process}"))


@contextmanager
def _stopped_in_a_statement(opened: Opener, **options: str) -> Iterator[int]:
    """The process of a session whose client is in a transaction and has sent half a statement."""
    others = "-c statement_timeout=1s -c idle_in_transaction_session_timeout=1s"
    with proxy_to(place_of(database_url())) as proxy:
        proxy.stop_clients_after(20_000)
        chosen = connection_settings(led_to(database_url(), proxy.address))
        del chosen["OPTIONS"]["transaction_timeout"]
        chosen["OPTIONS"] |= {"options": others, **options}
        stopped, processes = opened(chosen), Queue[int]()

        def send() -> None:
            with suppress(DatabaseError, InterfaceError), stopped.cursor() as cursor:
                cursor.execute("BEGIN")
                processes.put(told(stopped, "SELECT pg_backend_pid()"))
                # What it asks arrives, the parameter does not: to PostgreSQL the session is active.
                cursor.execute("SELECT length(%s::text)", ["x" * 100_000])

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield processes.get(timeout=20)
        finally:
            proxy.reset()
            thread.join(10)


class TestTheLimitOfATransaction:
    def test_every_connection_of_what_serves_has_it_and_the_owner_has_none(self, opened: Opener) -> None:
        url = database_url()

        plain = opened(connection_settings(url))
        pooled = opened(connection_settings(url, pool_size=2))
        of_the_owner = opened(connection_settings(url, limits=OWNER_LIMITS))

        assert [told(each) for each in (plain, pooled, of_the_owner)] == ["45s", "45s", "0"]

    def test_every_connection_of_a_pool_has_it_and_one_that_was_used_before(self, opened: Opener) -> None:
        first, second = (opened(connection_settings(database_url(), pool_size=2)) for _ in range(2))
        assert first.pool is second.pool

        assert [told(first), told(second)] == ["45s", "45s"]
        first.close()
        assert told(first) == "45s"

    def test_a_client_that_stops_in_the_middle_of_a_statement_is_ended_by_it(self, opened: Opener) -> None:
        with _stopped_in_a_statement(opened, transaction_timeout="1s") as process:
            wait_until(lambda: not _lives(process), "its session is ended", seconds=20)

    def test_without_it_such_a_client_stays_whatever_other_limits_there_are(self, opened: Opener) -> None:
        with _stopped_in_a_statement(opened) as process:
            time.sleep(3)
            assert _lives(process)

    def test_a_server_that_does_not_know_it_is_met_without_it(self, opened: Opener) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA before_17")
            cursor.execute(
                "CREATE VIEW before_17.pg_settings AS"
                " SELECT * FROM pg_catalog.pg_settings WHERE name <> 'transaction_timeout'"
            )
        try:
            chosen = connection_settings(database_url())
            chosen["OPTIONS"]["options"] += " -c search_path=before_17,pg_catalog,public"

            assert told(opened(chosen)) == "0"
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP SCHEMA before_17 CASCADE")
