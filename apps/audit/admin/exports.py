"""Writes what is filtered as CSV or JSON, page by page as it is read.

Invariant: memory does not grow with what is written, and no statement or transaction lasts for the whole of it: each
page goes on from the id before. What is recorded meanwhile is not in it. A cell that a spreadsheet would run is text.
"""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audit import selectors
from apps.audit.admin.rows import what, who
from apps.audit.admin.trail import Trail
from apps.audit.kept import Kept
from apps.audit.models import AuditRecord

MAX_EXPORTED = 100_000
MAX_EXPORTED_OF_A_TIME = 1_000_000
COLUMNS = (
    *("id", "recorded_at", "occurred_at", "actor", "what", "title"),
    *("owner", "type", "readable", "erased", "kept", "event_id", "subject_type"),
    *("subject_id", "subject_version", "owner_id", "actor_id", "correlation_id", "causation_id"),
    *("source", "chain", "sequence", "hash", "previous_hash", "commitment"),
    *("record_topic", "record_partition", "record_offset", "data"),
)
_CHUNK = 1000
# How a formula begins, also in full width (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")


def limit(trail: Trail) -> int:
    """How many records may be exported at once: more when it was said from when or until when."""
    return MAX_EXPORTED_OF_A_TIME if trail.asked.since or trail.asked.until else MAX_EXPORTED


def as_csv(trail: Trail, counted: Callable[[int], None]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)  # so that spreadsheets take it for UTF-8
    for one in _records(trail, counted):
        yield "".join(writer.writerow([_cell(value) for value in row.values()]) for row in one)


def as_json(trail: Trail, counted: Callable[[int], None]) -> Iterator[str]:
    yield "["
    between = "\n"
    for one in _records(trail, counted):
        yield between + ",\n".join(json.dumps(row, ensure_ascii=False) for row in one)
        between = ",\n"
    yield "\n]\n"


def defused(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" \u00a0\u200b\ufeff").startswith(_FORMULA) else text


def _records(trail: Trail, counted: Callable[[int], None]) -> Iterator[list[dict[str, Any]]]:
    before: int | None = None
    while True:
        page = trail.page(before=before, size=_CHUNK)
        if page.records:
            names = selectors.names_of(each for one in page.records for each in (one.actor_id, one.owner_id))
            kept = selectors.kept_of(page.records)
            yield [_told(one, names, kept[one.pk]) for one in page.records]
            counted(len(page.records))
        if page.older is None:
            return
        before = page.older


def _told(one: AuditRecord, names: dict[UUID, str], kept: Kept) -> dict[str, Any]:
    return {
        "id": one.pk,
        "recorded_at": _instant(one.recorded_at),
        "occurred_at": _instant(one.occurred_at),
        "actor": who(one.actor_id, names, readable=one.readable),
        "what": what(one),
        "title": one.content.title if kept is Kept.WHOLE else None,
        "owner": names.get(one.owner_id) if one.owner_id else None,
        "type": one.type,
        "readable": one.readable,
        "erased": kept is Kept.ERASED,
        "kept": kept.value,
        "event_id": _text(one.event_id),
        "subject_type": one.subject_type,
        "subject_id": _text(one.subject_id),
        "subject_version": one.subject_version,
        "owner_id": _text(one.owner_id),
        "actor_id": _text(one.actor_id),
        "correlation_id": one.correlation_id,
        "causation_id": _text(one.causation_id),
        "source": one.source,
        "chain": one.chain,
        "sequence": one.sequence,
        "hash": bytes(one.hash).hex(),
        "previous_hash": bytes(one.previous_hash).hex(),
        "commitment": bytes(one.commitment).hex(),
        "record_topic": one.record_topic,
        "record_partition": one.record_partition,
        "record_offset": one.record_offset,
        "data": one.data,
    }


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case str():
            return defused(value)
    return json.dumps(value, ensure_ascii=False)


def _instant(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def _text(identity: UUID | None) -> str | None:
    return str(identity) if identity else None


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text
