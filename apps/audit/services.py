"""Writes audit records; nothing else does.

Invariant: called inside the transaction that notes the events as handled, so each event has exactly one record.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.audit.models import AuditRecord
from apps.events.brokers.base import Record
from apps.events.envelope import Envelope


def append_records(events: Sequence[Envelope]) -> None:
    """One record per event, in order."""
    AuditRecord.objects.bulk_create([_record_of(event) for event in events])


def _record_of(event: Envelope) -> AuditRecord:
    place = event.record
    return AuditRecord(
        event_id=event.id,
        type=event.type,
        subject_type=event.subject_type,
        subject_id=event.subject_id,
        subject_version=event.version,
        owner_id=event.owner_id,
        actor_id=event.actor_id,
        source=event.source,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        occurred_at=event.occurred_at,
        data=event.data,
        record_topic=place.topic if place else "",
        record_partition=place.partition if place else None,
        record_offset=place.offset if place else None,
    )


def append_unreadable(stands_for: UUID, record: Record, *, reason: str) -> None:
    """Keep the raw bytes of a record that is no event, so that nothing on a topic goes unseen."""
    AuditRecord.objects.create(
        event_id=stands_for,
        type="unreadable",
        data={"headers": [[name, _shown(value)] for name, value in record.headers]},
        record_topic=record.topic,
        record_partition=record.partition,
        record_offset=record.offset,
        readable=False,
        raw_key=record.key,
        raw_value=record.value,
        unreadable_because=_shown(reason.encode(errors="backslashreplace"))[:2000],
    )


def _shown(value: Any) -> str:
    return str(value.decode(errors="backslashreplace")).replace("\0", "\\0")
