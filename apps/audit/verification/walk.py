"""Walks along one chain and holds each record to its hash, its predecessor and its content.

Invariant: reads only, in short steps, and may run while records are written: a chain only ever grows at its end.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from apps.audit import chain, selectors
from apps.audit.chain import Head, Link
from apps.audit.verification.findings import Finding, Wrong

STEP = 2000
# How far around a record that does not fit its place its own place is looked for.
SWAP_REACH = 1000

_COLUMNS = ", ".join(f"r.{name}" for name in Link._fields)
_STEP = (
    f"SELECT {_COLUMNS}, r.hash, r.id, c.salt, c.text, c.owner_id, c.correlation_id, c.title"  # noqa: S608 - our names
    " FROM audit_auditrecord r LEFT JOIN audit_auditcontent c ON c.event_id = r.event_id"
    " WHERE r.chain = %s AND r.sequence > %s ORDER BY r.sequence LIMIT %s"
)
_NEIGHBOURS = "SELECT sequence, hash FROM audit_auditrecord WHERE chain = %s AND sequence BETWEEN %s AND %s"


class Row(NamedTuple):
    """A record as it stands, with what is kept of its content."""

    link: Link
    hash: bytes
    id: int
    salt: bytes | None
    text: str | None
    owner_id: UUID | None
    correlation_id: str | None
    title: str | None


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
        erased = selectors.erased_among({row.link.owner_id for row in rows if row.text is None and row.link.owner_id})
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


def holds(link: Link, hash_: bytes) -> bool:
    """Whether a record still says what it said when it was hashed."""
    return chain.hash_of(link) == hash_


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
        found.append(_removed(link.chain, expected, link.sequence - 1))
    if not holds(link, row.hash):
        return [*found, _displaced(row) or _changed(row)]
    if link.sequence == expected and link.previous_hash != after.hash:
        found.append(_rewritten_before(row, before))
    elif before and row.id <= before.id:
        found.append(_finding(Wrong.SWAPPED, row, f"has the id {row.id}, smaller than the one before it in its chain"))
    return found


def _removed(number: int, first: int, last: int) -> Finding:
    one = f"Record {first} of chain {number} is gone."
    several = f"Records {first} to {last} of chain {number} are gone."
    return Finding(wrong=Wrong.REMOVED, told=one if first == last else several, chain=number, sequence=first)


def _changed(row: Row) -> Finding:
    return _finding(Wrong.CHANGED, row, "no longer says what it said: its hash is of other bytes")


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
            if holds(row.link._replace(sequence=place, previous_hash=previous), row.hash):
                return _finding(Wrong.SWAPPED, row, f"was recorded as {place} of its chain and was put here")
    return None


def _rewritten_before(row: Row, before: Row | None) -> Finding:
    told = "fits its own hash, but the record after it was built on another"
    if before is None:
        return _finding(Wrong.REWRITTEN, row, "does not build on the record that was found sound before it")
    return _finding(Wrong.REWRITTEN, before, told)


def _against_its_content(row: Row, erased: set[UUID]) -> list[Finding]:
    if row.text is None or row.salt is None:
        if row.link.owner_id in erased:
            return []
        return [_finding(Wrong.CONTENT_GONE, row, "has lost its content, and nobody was erased")]
    if chain.commitment(row.text, salt=row.salt) != row.link.commitment:
        return [_finding(Wrong.CONTENT_CHANGED, row, "holds other content than it is committed to")]
    told = json.loads(row.text)
    repeated = (row.owner_id, row.correlation_id, row.title)
    if repeated != (
        row.link.owner_id,
        told["correlation_id"],
        chain.title_in(told["data"], subject_type=row.link.subject_type),
    ):
        return [_finding(Wrong.CONTENT_CHANGED, row, "would be found under another title, owner or correlation")]
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
