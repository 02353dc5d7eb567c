"""The pages of preferences: how people want to be told."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.notifications.admin.base import MAX_WORDS, Looking
from apps.notifications.admin.shown import table
from apps.notifications.kinds import KIND_IN_WORDS, Kind
from apps.notifications.models import Preferences
from apps.tasks.admin.base import OwnersFirst, owner_ids
from apps.tasks.admin.filters import whole_id

_BY = {"in_app": "in the inbox", "email": "by e-mail", "push": "by Web Push", "webhook": "by webhook"}


@admin.register(Preferences)
class PreferencesAdmin(Looking):
    list_display = ("owner", "quiet_hours", "digest", "batches", "default", "stale_after_hours", "updated_at")
    list_filter = ()
    search_help_text = "Searches beginnings of usernames, and whole ids. Who is not here has the defaults."
    fieldsets = (
        (None, {"fields": ("owner", "quiet_hours", "digest", "next_digest_at", "batches")}),
        ("Reminders", {"fields": ("default", "stale_after_hours")}),
        ("Switches", {"fields": ("formatted_switches",)}),
        ("Facts", {"fields": ("version", "updated_at")}),
    )

    def get_changelist(self, request: HttpRequest, **options: Any) -> Any:
        return OwnersFirst

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split()[:MAX_WORDS]:
            pk = whole_id(word)
            queryset = queryset.filter(Q(pk__in=owner_ids(word)) | Q(pk__in=[pk] if pk else []))
        return queryset, False

    @admin.display(description="quiet hours", empty_value="none")
    def quiet_hours(self, one: Preferences) -> str | None:
        if one.quiet_from is None or one.quiet_until is None:
            return None
        return f"{one.quiet_from:%H:%M} to {one.quiet_until:%H:%M} ({one.owner.time_zone})"

    @admin.display(description="digest at", empty_value="none")
    def digest(self, one: Preferences) -> str | None:
        return f"{one.digest_at:%H:%M} ({one.owner.time_zone})" if one.digest_at else None

    @admin.display(description="default reminder")
    def default(self, one: Preferences) -> str:
        on_day = f"{one.default_on_day:%H:%M} on a day" if one.default_on_day else "none on a day"
        return f"{one.default_before_due or 'none'} before due, {on_day}"

    @admin.display(description="what differs from the defaults")
    def formatted_switches(self, one: Preferences) -> str | SafeString:
        rows = [
            (
                KIND_IN_WORDS.get(Kind(kind), kind) if kind in Kind.values else kind,
                _BY.get(by, by),
                "on" if on else "off",
            )
            for kind, switches in one.switches.items()
            for by, on in switches.items()
        ]
        return table("switches", ["What", "How", "Is"], rows) if rows else "Nothing."
