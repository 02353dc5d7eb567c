"""Health and metrics over HTTP, for probes, scrapers and people.

Of health anonymous callers get a word per thing, staff the details; metrics are for staff and for who has the token.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from apps.accounts.authentication import BearerAuthentication
from apps.accounts.models import User
from apps.ops import health as health_checks
from apps.ops import scraping
from apps.ops.exposition import CONTENT_TYPE, exposition
from apps.ops.pipeline import Status


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """The process answers; whatever it depends on may be away. For liveness probes."""
    return _json({"status": Status.OK})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """PostgreSQL answers, so changes can be taken. For readiness probes."""
    if health_checks.is_ready():
        return _json({"status": Status.OK})
    return _json({"status": Status.DOWN}, status=503)


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Everything, each thing by its name; 503 only when PostgreSQL is away."""
    found = health_checks.look()
    # Who asks is a question to the database, so it is asked only when the database answers.
    told_all = found.status is not Status.DOWN and request.user.is_active and request.user.is_staff
    checks = {
        name: {"status": condition.status, **(condition.details if told_all else {})}
        for name, condition in sorted(found.conditions.items())
    }
    status = 503 if found.status is Status.DOWN else 200
    return _json({"status": found.status, "checks": checks}, status=status)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """What this role's processes counted and where the pipeline stands, in Prometheus's text format."""
    if not scraping.has_token(request.headers.get("Authorization", "")):
        person = _who_asks(request)
        if person is None:
            return HttpResponse(scraping.REFUSED, status=401, content_type="text/plain", headers=scraping.REALM)
        if not (person.is_active and person.is_staff):
            return HttpResponse("Metrics are for staff.\n", status=403, content_type="text/plain")
    return HttpResponse(exposition(with_state=True), content_type=CONTENT_TYPE)


def _who_asks(request: HttpRequest) -> User | None:
    """By a token of the API, else by the session."""
    try:
        known = BearerAuthentication().authenticate(Request(request))
    except APIException:
        return None
    if known:
        return known[0]
    return request.user if isinstance(request.user, User) else None


def _json(content: dict[str, Any], *, status: int = 200) -> JsonResponse:
    return JsonResponse(content, status=status, json_dumps_params={"indent": 2})
