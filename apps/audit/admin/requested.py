"""A request for a page of the trail: who asks, in which zone, from which place on, and the addresses around it."""

from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from apps.accounts.models import User
from apps.audit.admin.asked import PLACES, whole_number
from apps.audit.admin.trail import Page
from apps.calendar import zones


def reader_of(request: HttpRequest) -> User:
    reader: Any = request.user
    return reader


def zone_of(request: HttpRequest) -> ZoneInfo:
    try:
        return zones.zone(reader_of(request).time_zone)
    except zones.UnknownTimeZone:
        return ZoneInfo("UTC")


def id_in(request: HttpRequest, name: str) -> int | None:
    return whole_number(request.GET.get(name, ""))


def around(request: HttpRequest, page: Page) -> dict[str, str]:
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
    kept = {name: value for name, value in request.GET.items() if value and name not in PLACES}
    return f"?{urlencode({name: value for name, value in (kept | changed).items() if value is not None})}"
