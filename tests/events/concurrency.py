"""Runs functions at the same time, each in a thread with a database connection of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection


def with_own_connection(function: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        try:
            return function()
        finally:
            connection.close()

    return call


@contextmanager
def in_background(function: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Start a function; its result or exception is in the future. The block ends when the function has."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(with_own_connection(function))


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Call all of them together; their results in order. Raises what one of them raised."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(30) for future in [pool.submit(with_own_connection(f)) for f in functions]]


def waits_for_a_lock(*, seconds: float = 10) -> bool:
    """Whether some session of this database comes to wait for a lock within the time."""
    import time

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.01)
    return False
