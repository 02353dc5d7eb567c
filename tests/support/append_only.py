"""Lets the flush between transactional tests empty the tables that refuse it from everybody else.

A transactional test ends with TRUNCATE, which these tables refuse by trigger. Only the flush, as their owner,
switches the triggers off and on again; every refusal is tested as the application meets it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import TransactionTestCase

GUARDED_TABLES = [
    "events_event",
    "tasks_task",
    "tasks_tasklist",
    "tasks_tag",
    "audit_auditrecord",
    "audit_auditcontent",
]


@contextmanager
def guards_off() -> Iterator[None]:
    _switch("DISABLE")
    try:
        yield
    finally:
        _switch("ENABLE")


def _switch(word: str) -> None:
    with connection.cursor() as cursor:
        for table in GUARDED_TABLES:
            cursor.execute(f"ALTER TABLE {table} {word} TRIGGER USER")


@pytest.fixture(autouse=True, scope="session")
def flush_past_the_guards() -> Iterator[None]:
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def with_guards_off(self: TransactionTestCase) -> None:
        with guards_off():
            flush(self)

    patch = pytest.MonkeyPatch()
    patch.setattr(TransactionTestCase, "_fixture_teardown", with_guards_off)
    yield
    patch.undo()
