"""Writes audit records; nothing else does.

Invariant: called inside the transaction that notes the events as handled, so each event has exactly one record;
each record is the next of its chain, because writers of a chain wait for each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import DatabaseError, connection

from apps.audit import chain, garbage, selectors
from apps.audit.chain import Head, Link
from apps.events import crash, erasure
from apps.events.envelope import Envelope
from apps.events.event_types import ERASING_TYPE
from apps.events.subscriptions import Unreadable

log = structlog.get_logger(__name__)

# Any number, the same in every release: with the chain's number it names the lock of a chain in this database.
CHAIN_LOCKS = 1_635_083_369

UNREADABLE = "unreadable"
_RECORD_TYPES = {
    "chain": "smallint",
    "sequence": "bigint",
    "previous_hash": "bytea",
    "event_id": "uuid",
    "type": "text",
    "subject_type": "text",
    "subject_id": "uuid",
    "subject_version": "bigint",
    "owner_id": "uuid",
    "actor_id": "uuid",
    "source": "text",
    "causation_id": "uuid",
    "occurred_at": "timestamptz",
    "recorded_at": "timestamptz",
    "record_topic": "text",
    "record_partition": "integer",
    "record_offset": "bigint",
    "readable": "boolean",
    "commitment": "bytea",
    "hash": "bytea",
}
_CONTENT_TYPES = {
    "event_id": "uuid",
    "owner_id": "uuid",
    "correlation_id": "text",
    "title": "text",
    "salt": "bytea",
    "text": "text",
}


def _insert_of(table: str, types: Mapping[str, str]) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for kind in types.values())
    return f"INSERT INTO {table} ({', '.join(types)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - our own names


_INSERT_RECORDS = _insert_of("audit_auditrecord", _RECORD_TYPES)
_INSERT_CONTENTS = _insert_of("audit_auditcontent", _CONTENT_TYPES)


class Entry(NamedTuple):
    """What is to be recorded: a fact, or a record nobody could read."""

    event_id: UUID
    type: str
    subject_type: str
    subject_id: UUID | None
    subject_version: int | None
    owner_id: UUID | None
    actor_id: UUID | None
    source: str
    causation_id: UUID | None
    occurred_at: datetime | None
    record_topic: str
    record_partition: int | None
    record_offset: int | None
    readable: bool
    correlation_id: str
    title: str
    data: Any


def append_records(events: Sequence[Envelope]) -> None:
    """One record per event, in order."""
    _append([_entry_of(event) for event in events])


def append_unreadable(found: Sequence[Unreadable]) -> None:
    """Keep what came of records that are no events, so that nothing on a topic goes unseen."""
    _append([_entry_of_unreadable(one) for one in found])


def _append(entries: Sequence[Entry]) -> None:
    entries = _not_yet_recorded(entries)
    if not entries:
        return
    erased = erasure.erased_among({entry.owner_id for entry in entries if entry.owner_id})
    placed = [(chain.chain_of(e.subject_type, e.subject_id, event_id=e.event_id), e) for e in entries]
    now, heads = _heads_for({number for number, _ in placed})
    crash.at("audit.heads_read")
    records, contents = [], []
    for number, entry in placed:
        text = chain.content_text(entry.data, correlation_id=entry.correlation_id)
        salt = chain.new_salt()
        link = _link(
            entry, chain=number, after=heads[number], recorded_at=now, commitment=chain.commitment(text, salt=salt)
        )
        heads[number] = Head(link.sequence, chain.hash_of(link))
        records.append((*link, heads[number].hash))
        if entry.owner_id not in erased or entry.type == ERASING_TYPE:
            contents.append((entry.event_id, entry.owner_id, entry.correlation_id, entry.title, salt, text))
    _insert(_INSERT_RECORDS, records)
    _insert(_INSERT_CONTENTS, contents)


def _not_yet_recorded(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The trail outlives the inbox: what it has is not recorded again, whatever the inbox forgot."""
    known = selectors.recorded_among([entry.event_id for entry in entries])
    if known:
        log.warning("audit_already_recorded", events=len(known), event_id=str(min(known)))
    return [entry for entry in entries if entry.event_id not in known] if known else entries


def _heads_for(chains: Iterable[int]) -> tuple[datetime, dict[int, Head]]:
    """The database's time and the heads of these chains, on which nobody else builds until the transaction ends.

    Locked in sorted order, so that two writers never wait for each other in a circle; read by a statement of its
    own, so that it sees what the writer before committed.
    """
    wanted = sorted(chains)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, c) FROM unnest(%s::int[]) AS c", [CHAIN_LOCKS, wanted])
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    found = selectors.heads(wanted)
    return now, {number: found.get(number, chain.BEGINNING) for number in wanted}


def _link(entry: Entry, *, chain: int, after: Head, recorded_at: datetime, commitment: bytes) -> Link:
    return Link(
        chain=chain,
        sequence=after.sequence + 1,
        previous_hash=after.hash,
        event_id=entry.event_id,
        type=entry.type,
        subject_type=entry.subject_type,
        subject_id=entry.subject_id,
        subject_version=entry.subject_version,
        owner_id=entry.owner_id,
        actor_id=entry.actor_id,
        source=entry.source,
        causation_id=entry.causation_id,
        occurred_at=entry.occurred_at,
        recorded_at=recorded_at,
        record_topic=entry.record_topic,
        record_partition=entry.record_partition,
        record_offset=entry.record_offset,
        readable=entry.readable,
        commitment=commitment,
    )


def _insert(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """One statement with an array a column: quicker than COPY, in whose middle no time limit of PostgreSQL holds.

    A writer frozen there would keep the locks of its chains for ever.
    """
    if not rows:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
    except DatabaseError as reason:
        # Behind its first line PostgreSQL quotes the row, and so what a person wrote: nothing for a log.
        raise type(reason)(str(reason).partition("\n")[0]) from None


def _entry_of(event: Envelope) -> Entry:
    place = event.record
    return Entry(
        event.id,
        event.type,
        event.subject_type,
        event.subject_id,
        event.version,
        event.owner_id,
        event.actor_id,
        event.source,
        event.causation_id,
        event.occurred_at,
        place.topic if place else "",
        place.partition if place else None,
        place.offset if place else None,
        True,
        event.correlation_id,
        chain.title_in(event.data, subject_type=event.subject_type),
        event.data,
    )


def _entry_of_unreadable(found: Unreadable) -> Entry:
    record = found.record
    return Entry(
        event_id=found.stands_for,
        type=UNREADABLE,
        subject_type="",
        subject_id=None,
        subject_version=None,
        owner_id=None,
        actor_id=None,
        source="",
        causation_id=None,
        occurred_at=None,
        record_topic=record.topic,
        record_partition=record.partition,
        record_offset=record.offset,
        readable=False,
        correlation_id="",
        title="",
        data=garbage.kept(record, reason=found.reason),
    )
