"""The pages of the audit trail: the list, a record, and what is filtered as a file. They translate only.

Invariant: whoever looks needs the permission to view audit records; there is nothing here that writes.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.admin import exports, telling
from apps.audit.admin.asked import Asked, TrailForm
from apps.audit.admin.days import days
from apps.audit.admin.rows import rows
from apps.audit.admin.trail import (
    MAX_WALKED,
    Page,
    TooManyWays,
    Trail,
    about_how_many,
    first_and_last,
    types_in_the_trail,
)
from apps.audit.models import AuditRecord
from apps.calendar import zones
from apps.events import context
from apps.events.read_only import ReadOnly

log = structlog.get_logger(__name__)

SEARCHES = (
    "Searches words of titles and their beginnings (as the thing then was called), a whole username (who did it or"
    " whose it is), a whole id (of the event, its cause, the thing, a person or the request), or an event type."
    " Several words must all hold."
)
_FILES = {"csv": ("text/csv; charset=utf-8", exports.as_csv), "json": ("application/json", exports.as_json)}
_PLACES = {"before", "after"}


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
        zone = _zone_of(request)
        form, trail = _understood(request, zone)
        page = Page([], newer=None, older=None)
        if trail is not None:
            try:
                page = trail.page(before=_id_in(request, "before"), after=_id_in(request, "after"))
            except TooManyWays as reason:
                form.add_error("q", str(reason))
        return self._shown(
            request,
            "admin/audit/trail.html",
            {
                **(extra_context or {}),
                "title": "Audit trail",
                "form": form,
                "rows": rows(page.records, zone=zone),
                "page": page,
                "about": about_how_many() if trail and trail.asked.is_everything else None,
                "searches": SEARCHES,
                "days": _days(form, zone),
                "zone": zone.key,
                "walked": MAX_WALKED,
                **_queries(request, page),
            },
            zone,
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
        pk = int(object_id) if object_id.isdecimal() and len(object_id) < 19 else None
        record = AuditRecord.objects.select_related("content").filter(pk=pk).first() if pk else None
        if record is None:
            raise Http404("The trail has no such record.")
        zone = _zone_of(request)
        told = telling.of_record(record, reader=_reader(request), zone=zone, now=datetime.now(UTC))
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
        if form not in _FILES:
            raise Http404("There is no such form.")
        _, trail = _understood(request, _zone_of(request))
        told = "Correct what is wrong in the filters first." if trail is None else _too_much(trail)
        if told or trail is None:
            self.message_user(request, told, messages.ERROR)
            listed = reverse("admin:audit_auditrecord_changelist")
            return HttpResponseRedirect(f"{listed}?{request.GET.urlencode()}")
        return _file(request, form, trail)

    def _refused(self, request: HttpRequest) -> HttpResponse | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            raise PermissionDenied
        return None if request.method in {"GET", "HEAD"} else HttpResponseNotAllowed(["GET"])

    def _shown(self, request: HttpRequest, template: str, told: dict[str, Any], zone: ZoneInfo) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **told}
        # Rendered here, where the clock is the reader's.
        with timezone.override(zone):
            return TemplateResponse(request, template, context).render()  # type: ignore[return-value]


def _understood(request: HttpRequest, zone: ZoneInfo) -> tuple[TrailForm, Trail | None]:
    """The filters as they were typed, and the trail they leave; none where they cannot be understood."""
    form = TrailForm(request.GET, types=types_in_the_trail(), zone=zone, now=datetime.now(UTC))
    return form, Trail(form.asked()) if form.is_valid() else None


def _too_much(trail: Trail) -> str:
    most = exports.limit(trail)
    try:
        if not trail.has_more_than(most):
            return ""
    except TooManyWays as reason:
        return str(reason)
    if most == exports.MAX_EXPORTED:
        return f"That is more than {most:,} records: say from when to when, and export them in parts."
    return f"That is more than {most:,} records: choose a shorter time."


def _file(request: HttpRequest, form: str, trail: Trail) -> StreamingHttpResponse:
    content_type, written = _FILES[form]
    noted = _Noted(request, form)
    response = StreamingHttpResponse(noted.through(written(trail, noted.count)), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{_named(trail.asked, form)}"'
    response.headers["Cache-Control"] = "no-store"
    return response


class _Noted:
    """Notes in the log who took which records out, and whether all of them went."""

    def __init__(self, request: HttpRequest, form: str) -> None:
        reader = _reader(request)
        self._line = {
            "actor_id": str(reader.pk),
            "username": reader.username,
            "form": form,
            "filter": {name: value for name, value in request.GET.items() if value and name not in _PLACES},
            "correlation_id": context.current().correlation_id,
        }
        self._records = 0

    def count(self, records: int) -> None:
        self._records += records

    def through(self, pieces: Any) -> Any:
        whole = False
        try:
            yield from pieces
            whole = True
        finally:
            log.info("audit_exported", **self._line, records=self._records, whole=whole)


def _named(asked: Asked, form: str) -> str:
    since = f"from-{asked.since:%Y-%m-%dT%H%MZ}" if asked.since else ""
    until = f"until-{min(asked.until, datetime.now(UTC)):%Y-%m-%dT%H%MZ}" if asked.until else ""
    until = until or f"until-{datetime.now(UTC):%Y-%m-%dT%H%MZ}"
    return f"{'_'.join(part for part in ('audit', since, until) if part)}.{form}"


def _queries(request: HttpRequest, page: Page) -> dict[str, str]:
    """The addresses of what is around: the same filters, elsewhere."""
    return {
        "filtered": _query(request),
        "newer": _query(request, after=page.newer) if page.newer is not None else "",
        "older": _query(request, before=page.older) if page.older is not None else "",
        "without_subject": _query(request, subject=None),
        "without_correlation": _query(request, correlation=None),
        "without_period": _query(request, period=None),
    }


def _query(request: HttpRequest, **changed: Any) -> str:
    kept = {name: value for name, value in request.GET.items() if value and name not in _PLACES}
    return f"?{urlencode({name: value for name, value in (kept | changed).items() if value is not None})}"


def _days(form: TrailForm, zone: ZoneInfo) -> Any:
    ends = first_and_last()
    period = form.cleaned_data.get("period", "") if hasattr(form, "cleaned_data") else ""
    return days(period, ends=ends, zone=zone) if ends else None


def _id_in(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _reader(request: HttpRequest) -> User:
    reader: Any = request.user
    return reader


def _zone_of(request: HttpRequest) -> ZoneInfo:
    try:
        return zones.zone(_reader(request).time_zone)
    except zones.UnknownTimeZone:
        return ZoneInfo("UTC")
