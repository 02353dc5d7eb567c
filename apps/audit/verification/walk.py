"""Walks along one chain and holds each record to its hash, its predecessor and its content.

Invariant: reads only, in short steps, and may run while records are written: a chain only ever grows at its end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.audit import chain
from apps.audit.chain import Head, Link
from apps.audit.models import AuditRecord
from apps.audit.verification import judging
from apps.audit.verification.findings import MOST_FINDINGS, Finding, Wrong
from apps.audit.verification.judging import Row
from apps.events import erasure

STEP = 2000
# How far around a record that does not fit its place its own place is looked for.
SWAP_REACH = 1000

# An instant that no calendar has stands for a changed one: as nothing, which gives another hash.
_INSTANT = "CASE WHEN r.{0} >= '0001-01-01Z' AND r.{0} < '10000-01-01Z' THEN r.{0} END"
_INSTANTS = {"occurred_at", "recorded_at"}
_COLUMNS = ", ".join(_INSTANT.format(name) if name in _INSTANTS else f"r.{name}" for name in Link._fields)
_STEP = (
    f"SELECT {_COLUMNS}, r.hash, r.id, c.salt, c.text, c.owner_id, c.correlation_id, c.title"  # noqa: S608 - our names
    " FROM audit_auditrecord r LEFT JOIN audit_auditcontent c ON c.event_id = r.event_id"
    " WHERE r.chain = %s AND r.sequence > %s ORDER BY r.sequence LIMIT %s"
)
_NEIGHBOURS = "SELECT sequence, hash FROM audit_auditrecord WHERE chain = %s AND sequence BETWEEN %s AND %s"


@dataclass(slots=True)
class Stretch:
    """A piece of a chain that was looked at, up to and with `head`."""

    head: Head
    records: int = 0
    erased: int = 0
    findings: list[Finding] = field(default_factory=list)


def walk(number: int, *, after: Head = chain.BEGINNING) -> Iterator[Stretch]:
    """Chain `number` from behind a record to its end, stretch by stretch. `after` is known to be sound."""
    before: Row | None = None
    head = after
    while rows := _read(number, after=head.sequence):
        stretch = Stretch(head, records=len(rows))
        erased = erasure.erased_among({row.link.owner_id for row in rows if row.text is None and row.link.owner_id})
        for row in rows:
            stretch.findings += _against_its_place(row, before, stretch.head)
            stretch.findings += _against_its_content(row, erased)
            stretch.erased += row.text is None
            before, stretch.head = row, Head(row.link.sequence, row.hash)
        head = stretch.head
        yield stretch


def still_there(number: int, head: Head) -> list[Finding]:
    """Whether a chain still holds the record that was its head when it was last found sound."""
    if head == chain.BEGINNING:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_NEIGHBOURS, [number, head.sequence, head.sequence])
        found = cursor.fetchone()
    if found is None:
        told = f"Chain {number} was found sound up to {head.sequence}, and that record is gone."
        return [Finding(wrong=Wrong.TAIL_CUT, told=told, chain=number, sequence=head.sequence)]
    if bytes(found[1]) != head.hash:
        told = f"Chain {number} was found sound up to {head.sequence}, and that record has another hash now."
        return [Finding(wrong=Wrong.REWRITTEN, told=told, chain=number, sequence=head.sequence)]
    return []


def outside() -> list[Finding]:
    """Records where there is no chain: no walk would come by."""
    known = range(chain.CHAINS)
    nowhere = Q(chain__lt=known.start) | Q(chain__gte=known.stop) | Q(chain__in=known, sequence__lt=1)
    found = AuditRecord.objects.filter(nowhere).values_list("pk", "chain", "sequence", "event_id")[:MOST_FINDINGS]
    return [
        Finding(
            wrong=Wrong.MISPLACED,
            told=f"Record {record_id} stands as {sequence} of chain {number}: there is no such place.",
            chain=number,
            sequence=sequence,
            record_id=record_id,
            event_id=event_id,
        )
        for record_id, number, sequence, event_id in found
    ]


def _read(number: int, *, after: int) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(_STEP, [number, after, STEP])
        return [_row(columns) for columns in cursor.fetchall()]


def _row(columns: tuple[Any, ...]) -> Row:
    facts: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in columns]
    width = len(Link._fields)
    return Row(Link(*facts[:width]), *facts[width:])


def _against_its_place(row: Row, before: Row | None, after: Head) -> list[Finding]:
    link, expected = row.link, after.sequence + 1
    found = []
    if link.sequence > expected:
        found.append(_removed(row, expected, link.sequence - 1))
    if told := judging.changed(row):
        return [*found, _displaced(row) or _finding(Wrong.CHANGED, row, told)]
    if told := judging.misplaced(row):
        found.append(_finding(Wrong.MISPLACED, row, told))
    if link.sequence == expected and judging.not_behind(row, after):
        found.append(_rewritten_before(row, before))
    elif before and row.id <= before.id:
        found.append(_finding(Wrong.SWAPPED, row, f"has the id {row.id}, smaller than the one before it in its chain"))
    return found


def _removed(row: Row, first: int, last: int) -> Finding:
    """`row` is the one that stands behind the gap."""
    number = row.link.chain
    one = f"Record {first} of chain {number} is gone."
    several = f"Records {first} to {last} of chain {number} are gone."
    told = one if first == last else several
    return Finding(wrong=Wrong.REMOVED, told=told, chain=number, sequence=first, before_record_id=row.id)


def _displaced(row: Row) -> Finding | None:
    """Whether the record is another one's, put here: its hash then is right for another place."""
    number, here = row.link.chain, row.link.sequence
    with connection.cursor() as cursor:
        cursor.execute(_NEIGHBOURS, [number, here - SWAP_REACH, here + SWAP_REACH])
        hashes = {sequence: bytes(hash_) for sequence, hash_ in cursor.fetchall()}
    for place in range(max(1, here - SWAP_REACH), here + SWAP_REACH + 1):
        if place == here:
            continue
        # The record it was built on may itself have been put elsewhere: then it stands beside.
        for previous in {row.link.previous_hash, *(hashes.get(place + by, chain.BEGINNING.hash) for by in (-1, 0, 1))}:
            if chain.hash_of(row.link._replace(sequence=place, previous_hash=previous)) == row.hash:
                return _finding(Wrong.SWAPPED, row, f"was recorded as {place} of its chain and was put here")
    return None


def _rewritten_before(row: Row, before: Row | None) -> Finding:
    told = "fits its own hash, but the record after it was built on another"
    if before is None:
        return _finding(Wrong.REWRITTEN, row, "does not build on the record that was found sound before it")
    return _finding(Wrong.REWRITTEN, before, told)


def _against_its_content(row: Row, erased: set[UUID]) -> list[Finding]:
    if told := judging.content_gone(row, erased=row.link.owner_id in erased):
        return [_finding(Wrong.CONTENT_GONE, row, told)]
    if told := judging.content_changed(row):
        return [_finding(Wrong.CONTENT_CHANGED, row, told)]
    return []


def _finding(wrong: Wrong, row: Row, told: str) -> Finding:
    link = row.link
    return Finding(
        wrong=wrong,
        told=f"Record {row.id} ({link.sequence} of chain {link.chain}, {link.type}) {told}.",
        chain=link.chain,
        sequence=link.sequence,
        record_id=row.id,
        event_id=link.event_id,
    )
