"""The pages of the audit trail: the list, a record, and what is filtered as a file. They translate only.

Invariant: whoever looks needs the permission to view audit records; there is nothing here that writes.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from apps.audit import selectors, ways
from apps.audit.admin import alarms, details, downloads, links
from apps.audit.admin.asked import PLACES, TIMES, TrailForm, whole_number
from apps.audit.admin.days import days
from apps.audit.admin.requested import around, id_in, reader_of, zone_of
from apps.audit.admin.rows import rows
from apps.audit.admin.trail import Page, TooManyWays, Trail, about_how_many, first_and_last
from apps.audit.models import AuditRecord
from apps.events.read_only import ReadOnly

SEARCHES = (
    "Searches words of titles and their beginnings (as the thing then was called), a whole username (who did it or"
    " whose it is), a whole id (of the event, its cause, the thing, a person or the request), or an event type."
    " Several words must all hold."
)


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnly):
    actions = None
    search_help_text = SEARCHES

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes records, so the right to change them, if somebody has it, opens nothing."""
        return request.user.has_perm("audit.view_auditrecord")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("export/<str:form>/", view(self.export_view), name="audit_auditrecord_export"),
            path("of-event/<uuid:event_id>/", view(self.of_event_view), name="audit_auditrecord_of_event"),
            *super().get_urls(),
        ]

    def changelist_view(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        if refused := self._refused(request):
            return refused
        zone = zone_of(request)
        form, trail = _understood(request, zone, beside=PLACES)
        page = _page(request, form, trail)
        alarm = alarms.alarm()
        told = {
            "title": "Audit trail",
            "form": form,
            "rows": rows(page.records, zone=zone, found=alarm.of_record if alarm else {}),
            "page": page,
            "about": about_how_many() if trail and trail.asked.is_everything else None,
            "searches": SEARCHES,
            "times": TIMES,
            "alarm": alarm,
            "verifications": links.to_verifications(reader=reader_of(request)) if alarm else None,
            "days": _days(form, zone),
            "zone": zone.key,
            "walked": ways.MAX_WALKED,
        }
        return self._shown(
            request, "admin/audit/trail.html", (extra_context or {}) | told | around(request, page), zone
        )

    def change_view(  # type: ignore[override]
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        if refused := self._refused(request):
            return refused
        pk = whole_number(object_id)
        record = AuditRecord.objects.select_related("content").filter(pk=pk).first() if pk else None
        if record is None:
            raise Http404("The trail has no such record.")
        zone = zone_of(request)
        told = details.of_record(record, reader=reader_of(request), zone=zone, now=datetime.now(UTC))
        return self._shown(request, "admin/audit/record.html", {**(extra_context or {}), **told}, zone)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A record has no history: it is one."""
        return HttpResponseRedirect(reverse("admin:audit_auditrecord_change", args=[object_id]))

    def of_event_view(self, request: HttpRequest, event_id: UUID) -> HttpResponseBase:
        """Leads from an event to its record."""
        if refused := self._refused(request):
            return refused
        pk = AuditRecord.objects.filter(event_id=event_id).values_list("pk", flat=True).first()
        if pk is not None:
            return HttpResponseRedirect(reverse("admin:audit_auditrecord_change", args=[pk]))
        self.message_user(request, f"The trail has no record of the event {event_id}, or not yet.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:audit_auditrecord_changelist"))

    def export_view(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """What is filtered, whole, as a file; refused where it is more than a file should hold."""
        if refused := self._refused(request):
            return refused
        if form not in downloads.FORMS:
            raise Http404("There is no such form.")
        asked, trail = _understood(request, zone_of(request))
        if trail is None:
            return self._not_exported(request, asked.reasons())
        if too_much := downloads.too_much(trail):
            return self._not_exported(request, [too_much])
        return downloads.download(request, form, trail)

    def _not_exported(self, request: HttpRequest, wrong: list[str]) -> HttpResponse:
        """Why not, as a page for people and as text for scripts; neither is taken for a file of records."""
        if request.get_preferred_type(["text/plain", "text/html"]) != "text/html":
            text = "\n".join(["Nothing was exported.", *wrong, ""])
            return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
        told = {"title": "Nothing was exported", "wrong": wrong, "filtered": f"?{request.GET.urlencode()}"}
        return self._shown(request, "admin/audit/not_exported.html", told, zone_of(request), status=400)

    def _refused(self, request: HttpRequest) -> HttpResponse | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            raise PermissionDenied
        return None if request.method in {"GET", "HEAD"} else HttpResponseNotAllowed(["GET"])

    def _shown(
        self, request: HttpRequest, template: str, told: dict[str, Any], zone: ZoneInfo, *, status: int = 200
    ) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **told}
        # Rendered here, where the clock is the reader's.
        with timezone.override(zone):
            return TemplateResponse(request, template, context, status=status).render()  # type: ignore[return-value]


def _understood(
    request: HttpRequest, zone: ZoneInfo, *, beside: Collection[str] = ()
) -> tuple[TrailForm, Trail | None]:
    """The filters as they were typed, and the trail they leave; none where they cannot be understood."""
    form = TrailForm(
        request.GET, types=selectors.types_with_subjects(), zone=zone, now=datetime.now(UTC), beside=beside
    )
    return form, Trail(form.asked()) if form.is_valid() else None


def _page(request: HttpRequest, form: TrailForm, trail: Trail | None) -> Page:
    """What is asked for; nothing, and why beside its field, where that cannot be told."""
    if trail is not None:
        try:
            return trail.page(before=id_in(request, "before"), after=id_in(request, "after"))
        except TooManyWays as reason:
            form.add_error("q", str(reason))
    return Page([], newer=None, older=None)


def _days(form: TrailForm, zone: ZoneInfo) -> Any:
    ends = first_and_last()
    period = form.cleaned_data.get("period", "") if hasattr(form, "cleaned_data") else ""
    return days(period, ends=ends, zone=zone) if ends else None
