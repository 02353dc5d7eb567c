"""What is filtered as a file to download, or why not; and a line in the log of who took it.

Invariant: nothing leaves without its line, also when nobody takes the file to its end.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import structlog
from django.http import HttpRequest, StreamingHttpResponse

from apps.audit.admin import exports
from apps.audit.admin.asked import Asked
from apps.audit.admin.requested import reader_of
from apps.audit.admin.trail import TooManyWays, Trail
from apps.events import context

log = structlog.get_logger(__name__)

# What a file's name says in another way, or need not.
_TOLD_BY_INSTANTS = {"when", "from", "to", "period"}
_LONGEST_PART, _LONGEST_NAME = 40, 150
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
    response.headers["Content-Disposition"] = f'attachment; filename="{_named(trail.asked, request, form)}"'
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
            "filter": _filter(request),
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


def _filter(request: HttpRequest) -> dict[str, str]:
    given: Any = request.GET
    return {name: value for name, value in given.items() if value}


def _named(asked: Asked, request: HttpRequest, form: str) -> str:
    """What is in it and of which time, so that files of different filters have different names."""
    since = f"from-{asked.since:%Y-%m-%dT%H%MZ}" if asked.since else ""
    until = f"until-{min(asked.until, datetime.now(UTC)):%Y-%m-%dT%H%MZ}" if asked.until else ""
    until = until or f"until-{datetime.now(UTC):%Y-%m-%dT%H%MZ}"
    return f"{'_'.join(part for part in ('audit', _filter_in_a_name(request), since, until) if part)}.{form}"


def _filter_in_a_name(request: HttpRequest) -> str:
    """The filter as a part of a file's name; what had to be changed or cut for that is told apart by a digest."""
    given = {name: value for name, value in sorted(_filter(request).items()) if name not in _TOLD_BY_INSTANTS}
    plain = {name: re.sub(r"[^A-Za-z0-9.-]+", "-", value)[:_LONGEST_PART] for name, value in given.items()}
    told = "_".join(f"{name}-{value}" for name, value in plain.items())
    if plain == given and len(told) <= _LONGEST_NAME:
        return told
    return f"{told[:_LONGEST_NAME]}_{sha256(repr(given).encode()).hexdigest()[:8]}"
