"""What is filtered as a file to download, or why not; and a line in the log of who took it.

Invariant: nothing leaves without its line, also when nobody takes the file to its end.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import structlog
from django.http import HttpRequest, StreamingHttpResponse

from apps.audit.admin import exports
from apps.audit.admin.asked import Asked
from apps.audit.admin.requested import PLACES, reader_of
from apps.audit.admin.trail import TooManyWays, Trail
from apps.events import context

log = structlog.get_logger(__name__)

FORMS = {"csv": ("text/csv; charset=utf-8", exports.as_csv), "json": ("application/json", exports.as_json)}


def too_much(trail: Trail) -> str:
    """Why this is more than a file should hold; empty when it is not."""
    most = exports.limit(trail)
    try:
        if not trail.has_more_than(most):
            return ""
    except TooManyWays as reason:
        return str(reason)
    if most == exports.MAX_EXPORTED:
        return f"That is more than {most:,} records: say from when to when, and export them in parts."
    return f"That is more than {most:,} records: choose a shorter time."


def download(request: HttpRequest, form: str, trail: Trail) -> StreamingHttpResponse:
    """The file, written while it is read; `form` is one of `FORMS`."""
    content_type, written = FORMS[form]
    noted = _Noted(request, form)
    response = StreamingHttpResponse(noted.through(written(trail, noted.count)), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{_named(trail.asked, form)}"'
    response.headers["Cache-Control"] = "no-store"
    return response


class _Noted:
    """Notes in the log who took which records out, and whether all of them went."""

    def __init__(self, request: HttpRequest, form: str) -> None:
        reader = reader_of(request)
        self._line = {
            "actor_id": str(reader.pk),
            "username": reader.username,
            "form": form,
            "filter": {name: value for name, value in request.GET.items() if value and name not in PLACES},
            "correlation_id": context.current().correlation_id,
        }
        self._records = 0

    def count(self, records: int) -> None:
        self._records += records

    def through(self, pieces: Iterator[str]) -> Iterator[str]:
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
