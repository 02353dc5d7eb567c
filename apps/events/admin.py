"""The event core in the admin: the log, the outbox and the groups to look at, dead letters to decide about."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from apps.events import dead_letters, event_types
from apps.events.models import DeadLetter, Event, GroupProgress, OutboxEntry
from apps.events.read_only import ReadOnly


@admin.register(Event)
class EventAdmin(ReadOnly):
    list_display = (
        "position",
        "recorded_at",
        "type",
        "subject_type",
        "subject_id",
        "subject_version",
        "actor_id",
    )
    list_filter = ("type", "topic")
    ordering = ("-position",)
    search_fields = ("=event_id", "=subject_id", "=correlation_id")
    search_help_text = "Searches by a whole id: of the event, its subject, or the correlation."
    readonly_fields = ("audit_trail",)

    @admin.display(description="audit trail")
    def audit_trail(self, event: Event) -> str | SafeString:
        """What the trail keeps of it. Snapshots are not kept there."""
        event_type = event_types.find(event.type)
        if event_type is not None and event_type.snapshot:
            return "a snapshot: the trail keeps the fact that caused it"
        address = reverse("admin:audit_auditrecord_of_event", args=[event.event_id])
        return format_html('<a href="{}">Its audit record</a>', address)


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnly):
    list_display = ("pk", "event_type", "waiting_since", "held_at", "refusal")
    list_filter = (("held_at", admin.EmptyFieldListFilter),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxEntry]:
        """Beside each what is told of its event, without its data: an entry whose event is none, or cannot be read,
        is what somebody looks for here.
        """
        events = Event.objects.filter(position=OuterRef("event_id"))
        beside = {"type": events.values("type"), "recorded_at": events.values("recorded_at")}
        return (
            super().get_queryset(request).annotate(**{f"of_{name}": Subquery(found) for name, found in beside.items()})
        )

    @admin.display(description="type")
    def event_type(self, entry: OutboxEntry) -> Any:
        return entry.of_type  # type: ignore[attr-defined]

    @admin.display(description="waiting since")
    def waiting_since(self, entry: OutboxEntry) -> Any:
        return entry.of_recorded_at  # type: ignore[attr-defined]


@admin.register(GroupProgress)
class GroupProgressAdmin(ReadOnly):
    list_display = ("group", "checked_at", "repaired", "caught_up", "parked_in_a_row", "cluster_id")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly):
    list_display = ("id", "group", "type", "event_id", "status", "behind", "parked_at", "why")
    list_filter = ("status", "group", "type")
    search_fields = ("=event_id", "=key")
    search_help_text = "Searches by the whole id of an event, or a whole key."
    actions = ("replay", "discard")
    fields = (
        ("group", "status"),
        ("type", "event_id"),
        ("topic", "key", "record_partition", "record_offset"),
        ("parked_at", "resolved_at", "behind"),
        "reason",
        "formatted_envelope",
        "formatted_traceback",
    )

    @admin.display(description="reason")
    def why(self, letter: DeadLetter) -> str:
        return letter.reason[:120]

    @admin.display(description="event")
    def formatted_envelope(self, letter: DeadLetter) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(letter.envelope, indent=2, ensure_ascii=False))

    @admin.display(description="traceback")
    def formatted_traceback(self, letter: DeadLetter) -> SafeString:
        return format_html("<pre>{}</pre>", letter.traceback)

    def get_actions(self, request: HttpRequest) -> Any:
        return super().get_actions(request) if _is_superuser(request) else {}

    @admin.action(description="Replay: apply the event and those parked behind it")
    def replay(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        self._each(request, queryset.order_by("pk"), dead_letters.replay)

    @admin.action(description="Discard: give the event up, apply those parked behind it")
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        # A discard frees what waits behind it: what is to be discarded too goes first.
        self._each(request, queryset.order_by("-pk"), dead_letters.discard)

    def _each(self, request: HttpRequest, letters: QuerySet[DeadLetter], decide: Any) -> None:
        for letter in letters:
            try:
                applied = decide(letter.pk)
                self.message_user(request, f"{letter.pk}: {applied} applied.", messages.SUCCESS)
            except Exception as reason:  # noqa: BLE001 - whatever a handler raises is what the person wants to read
                self.message_user(request, f"{letter.pk}: {type(reason).__name__}: {reason}", messages.ERROR)


class OnlySuperusers(admin.ModelAdmin):
    """A periodic task can run any job with any arguments, and a schedule decides when: that is for superusers."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _leave_to_superusers(model: type[Model]) -> None:
    theirs = type(admin.site.get_model_admin(model))
    admin.site.unregister(model)
    admin.site.register(model, type(theirs.__name__, (OnlySuperusers, theirs), {}))


for _model in (PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    _leave_to_superusers(_model)
