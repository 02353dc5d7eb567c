"""An effect that can be counted: a table that test groups write into, in the transaction of the handling.

Nothing in it is unique, so that an effect applied twice is seen twice.
"""

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from uuid import UUID

import pytest
from django.db import connection

from apps.events.envelope import Envelope

CREATE = """
CREATE TABLE IF NOT EXISTS test_effect (id bigserial PRIMARY KEY, effect_of uuid NOT NULL, key text, version int)
"""


def apply(event: Envelope) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO test_effect (effect_of, key, version) VALUES (%s, %s, %s)",
            [event.id, event.key, event.version],
        )


def apply_batch(events: Sequence[Envelope]) -> None:
    for event in events:
        apply(event)


def of() -> list[UUID]:
    """The events whose effect stands in the database, in the order it came there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT effect_of FROM test_effect ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM test_effect")


@pytest.fixture(scope="session")
def effects_table(django_db_setup, django_db_blocker) -> None:
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(CREATE)


@pytest.fixture
def effect(effects_table, db) -> Iterator[ModuleType]:
    """This module, with an empty table."""
    clear()
    yield sys.modules[__name__]
    clear()
