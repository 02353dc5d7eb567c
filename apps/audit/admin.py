"""The audit trail in the admin: for looking, for everybody; nobody adds, changes or deletes."""

import base64
import json
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.models import User
from apps.audit.models import AuditRecord


@admin.register(AuditRecord)
class AuditRecordAdmin(admin.ModelAdmin):
    list_display = ("recorded_at", "type", "subject_link", "what_changed", "actor", "place")
    list_filter = ("type", "readable", "recorded_at")
    search_fields = ("=event_id", "=subject_id", "=owner_id", "=actor_id", "=content__correlation_id")
    search_help_text = "Searches by a whole id: of the event, the subject, its owner, the actor, or the correlation."
    show_full_result_count = False
    list_per_page = 50
    fields = (
        ("type", "event_id"),
        ("subject", "subject_version"),
        ("owner_id", "actor_id", "actor"),
        ("occurred_at", "recorded_at"),
        ("correlation_id", "causation_id"),
        ("source", "record_topic", "record_partition", "record_offset"),
        "what_changed",
        "formatted_data",
        "readable",
        "raw",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditRecord]:
        name = User.objects.filter(pk=OuterRef("actor_id")).values("username")[:1]
        return super().get_queryset(request).annotate(actor_name=Subquery(name))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="subject")
    def subject(self, record: AuditRecord) -> str:
        return f"{record.subject_type}/{record.subject_id}" if record.subject_id else "-"

    @admin.display(description="subject")
    def subject_link(self, record: AuditRecord) -> str | SafeString:
        """The thing's title as it then was, leading to all that happened to it."""
        if record.subject_id is None:
            return "-"
        thing = (record.data or {}).get(record.subject_type) or {}
        title = (thing.get("title") or thing.get("name")) if isinstance(thing, dict) else None
        return format_html(
            '<a href="?subject_id__exact={}">{}</a> #{}',
            record.subject_id,
            title or "all of it",
            record.subject_version,
        )

    @admin.display(description="actor")
    def actor(self, record: AuditRecord) -> str:
        return getattr(record, "actor_name", None) or str(record.actor_id or "-")

    @admin.display(description="partition @ offset")
    def place(self, record: AuditRecord) -> str:
        if not record.record_topic:
            return "from the log"
        return f"{record.record_partition} @ {record.record_offset}"

    @admin.display(description="what changed")
    def what_changed(self, record: AuditRecord) -> str:
        changes = (record.data or {}).get("changes") or {}
        if not isinstance(changes, dict):
            return "-"
        told = [f"{field}: {_told(change)}" for field, change in changes.items()]
        return "; ".join(told)[:300] or "-"

    @admin.display(description="data")
    def formatted_data(self, record: AuditRecord) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(record.data, indent=2, ensure_ascii=False))

    @admin.display(description="raw bytes")
    def raw(self, record: AuditRecord) -> str:
        data = record.data
        if record.readable or data is None:
            return "-"
        key, value = (base64.b64decode(data[name] or "") for name in ("key", "value"))
        return f"key {key[:200]!r} value {value[:4000]!r}"


def _told(change: Any) -> str:
    if not isinstance(change, dict):
        return str(change)
    return f"{_named(change.get('before'))!r} → {_named(change.get('after'))!r}"


def _named(value: Any) -> Any:
    """A list by its name: nobody knows it by its id."""
    return value.get("name", value) if isinstance(value, dict) else value
