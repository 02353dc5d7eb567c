"""Tampers with the trail as somebody could who owns the database: with its guards switched off."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from apps.audit import chain
from apps.audit.models import AuditRecord
from tests.support.append_only import guards_off


def sql(statement: str, parameters: list[Any] | None = None) -> None:
    with guards_off(), connection.cursor() as cursor:
        cursor.execute(statement, parameters or [])


def change(record: AuditRecord, column: str, value: Any) -> None:
    sql(f"UPDATE audit_auditrecord SET {column} = %s WHERE id = %s", [value, record.pk])


def remove(*records: AuditRecord) -> None:
    ids = [record.pk for record in records]
    events = [record.event_id for record in records]
    sql("DELETE FROM audit_auditcontent WHERE event_id = ANY(%s)", [events])
    sql("DELETE FROM audit_auditrecord WHERE id = ANY(%s)", [ids])


def swap(one: AuditRecord, other: AuditRecord, *columns: str) -> None:
    """Exchange the values of columns between two records."""
    names = ", ".join(columns)
    for record, source, aside in ((one, other, 1_000_000), (other, one, 0)):
        values = [getattr(source, column) for column in columns]
        # By way of a place far away: no two records may stand in one for a moment.
        values[columns.index("sequence")] += aside
        marks = ", ".join(["%s"] * len(columns))
        sql(f"UPDATE audit_auditrecord SET ({names}) = ROW({marks}) WHERE id = %s", [*values, record.pk])
    sql("UPDATE audit_auditrecord SET sequence = sequence - 1000000 WHERE sequence > 1000000")


def rewrite_from(record: AuditRecord, **changes: Any) -> None:
    """Change a record and compute its hash, and every hash after it in its chain, anew."""
    for column, value in changes.items():
        change(record, column, value)
    previous = bytes(record.previous_hash)
    for each in AuditRecord.objects.filter(chain=record.chain, sequence__gte=record.sequence).order_by("sequence"):
        link = each.link._replace(previous_hash=previous)
        previous = chain.hash_of(link)
        sql(
            "UPDATE audit_auditrecord SET previous_hash = %s, hash = %s WHERE id = %s",
            [link.previous_hash, previous, each.pk],
        )


@contextmanager
def without(constraint: str) -> Iterator[None]:
    """Let the database take what it refuses, as its owner could; for good, in this test's database."""
    table = "ALTER TABLE audit_auditrecord"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint])
        (definition,) = cursor.fetchone()
        cursor.execute(f"{table} DROP CONSTRAINT {constraint}")
    yield
    with guards_off(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditrecord")
        cursor.execute(f"{table} ADD CONSTRAINT {constraint} {definition}")
