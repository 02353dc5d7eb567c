"""Judges one record by what stands in it and beside it. Pure: the verifier and the admin's proof ask the same.

Each question answers `None` when all is well, else what is wrong, in words that follow "Record 7 …".
"""

import json
from typing import NamedTuple
from uuid import UUID

from apps.audit import chain
from apps.audit.chain import Head, Link
from apps.audit.models import AuditRecord


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


def row_of(record: AuditRecord) -> Row:
    """The record with its content, which is read if it was not yet."""
    content = getattr(record, "content", None)
    if content is None:
        return Row(record.link, bytes(record.hash), record.pk, None, None, None, None, None)
    return Row(
        link=record.link,
        hash=bytes(record.hash),
        id=record.pk,
        salt=bytes(content.salt),
        text=content.text,
        owner_id=content.owner_id,
        correlation_id=content.correlation_id,
        title=content.title,
    )


def changed(row: Row) -> str | None:
    if chain.hash_of(row.link) == row.hash:
        return None
    return "no longer says what it said: its hash is of other bytes"


def misplaced(row: Row) -> str | None:
    link = row.link
    own = chain.chain_of(link.subject_type, link.subject_id, event_id=link.event_id)
    return None if own == link.chain else f"stands in chain {link.chain}, and all of its subject in chain {own}"


def not_behind(row: Row, before: Head) -> str | None:
    """`before` is the head that it should be built on: the record with the sequence before."""
    return None if row.link.previous_hash == before.hash else "was not built on the record before it"


def content_gone(row: Row, *, erased: bool) -> str | None:
    """`erased`: whether its owner is."""
    if row.text is not None or erased:
        return None
    return "has lost its content, and nobody was erased"


def content_changed(row: Row) -> str | None:
    if row.text is None or row.salt is None:
        return None
    if chain.commitment(row.text, salt=row.salt) != row.link.commitment:
        return "holds other content than it is committed to"
    try:
        told = json.loads(row.text)
        title = chain.title_in(told["data"], subject_type=row.link.subject_type)
        found_by = (row.link.owner_id, told["correlation_id"], title)
    except (LookupError, RecursionError, TypeError, ValueError):
        return "holds content that cannot be read"
    if (row.owner_id, row.correlation_id, row.title) != found_by:
        return "would be found under another title, owner or correlation"
    return None
