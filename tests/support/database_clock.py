"""Lets the clock that PostgreSQL shows stand where a test puts it, for every connection of this process.

What is due is asked of the database. Functions of our own, found before PostgreSQL's by these connections alone, answer
`now()` and its like with the instant that the test gave; columns' defaults go on by the real clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created

_CLOCKS = ("now", "statement_timestamp", "transaction_timestamp", "clock_timestamp")
_READ = "coalesce(nullif(current_setting('test.instant', true), '')::timestamptz, pg_catalog.{0}())"
_PATH = "test_clock, pg_catalog, public"
_instant: list[str] = []


@contextmanager
def database_clock(instant: datetime) -> Iterator[None]:
    """Inside, the clock stands at `instant`, until `set_to` moves it."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS test_clock CASCADE")
        cursor.execute("CREATE SCHEMA test_clock")
        for name in _CLOCKS:
            cursor.execute(
                f"CREATE FUNCTION test_clock.{name}() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
                f"$$ SELECT {_READ.format(name)} $$"
            )
    connection_created.connect(_take_up)
    try:
        set_to(instant)
        yield
    finally:
        connection_created.disconnect(_take_up)
        _instant.clear()
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('test.instant', '', false)")
            cursor.execute("RESET search_path")
            cursor.execute("DROP SCHEMA test_clock CASCADE")


def set_to(instant: datetime) -> None:
    """For this connection, and for those that are opened from now on."""
    _instant[:] = [instant.isoformat()]
    _take_up(connection=connection)


def _take_up(connection: Any, **_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', %s, false)", [_PATH])
        cursor.execute("SELECT set_config('test.instant', %s, false)", _instant)
