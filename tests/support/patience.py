"""Time for a test to fill tables on a machine that has much else to do; what the platform asks keeps its limits."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper


@contextmanager
def unhurried() -> Iterator[CursorWrapper]:
    """A cursor whose statements, and whose alone, may take as long as they need."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        try:
            yield cursor
        finally:
            cursor.execute("RESET statement_timeout")
