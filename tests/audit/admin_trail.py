"""Makes records of the trail for tests of its pages, by the door the audit group uses, and asks the pages for them."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.test import Client

from apps.audit.models import AuditContent, AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.brokers.base import Record
from apps.events.envelope import Envelope
from tests.support.append_only import guards_off
from tests.support.factories import erasure_of, event, log_only, task_data

LIST = "/admin/audit/auditrecord/"


def recorded(*events: Envelope) -> list[AuditRecord]:
    """The records of events, in the order given."""
    handling.handle(group, list(events))
    kept = {one.event_id: one for one in AuditRecord.objects.select_related("content")}
    return [kept[one.id] for one in events]


def record(**fields: Any) -> AuditRecord:
    return recorded(event(**fields))[0]


def titled(title: str, **fields: Any) -> AuditRecord:
    return record(data=task_data(title=title), **fields)


def changed(**changes: tuple[Any, Any]) -> AuditRecord:
    """A record of `task.updated.v1` with these fields before and after."""
    told = {name: {"before": before, "after": after} for name, (before, after) in changes.items()}
    return record(version=2, data={**task_data(), "changes": told})


def unreadable(value: bytes = b"\xff<script>", reason: str = "garbage") -> AuditRecord:
    handling.record_unreadable(group, [(Record("task-events", 3, 14, b"k", value, [("h", b"<b>")]), reason)])
    return AuditRecord.objects.get(readable=False)


def erase(record: AuditRecord) -> None:
    """As after the erasure of its owner: that stands in log and trail, and what was written is gone."""
    assert record.owner_id is not None
    erasure = erasure_of(record.owner_id)
    log_only(erasure)
    recorded(erasure)
    with guards_off():
        AuditContent.objects.filter(record__event_id=record.event_id).delete()


def recorded_at(record: AuditRecord, at: datetime) -> None:
    """As if it had been recorded then."""
    with guards_off(), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditrecord SET recorded_at = %s WHERE id = %s", [at, record.pk])


def shown(client: Client, **query: Any) -> list[int]:
    """The ids of the records on a page of the list."""
    response = client.get(LIST, query)
    assert response.status_code == 200
    return [row.record.pk for row in response.context["rows"]]


def page_of(client: Client, record: AuditRecord) -> str:
    response = client.get(f"{LIST}{record.pk}/change/")
    assert response.status_code == 200
    return response.content.decode()
