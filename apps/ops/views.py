"""Health over HTTP, for probes and people. Anonymous callers get a word per thing, staff the details."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.ops import health as health_checks
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
        name: {"status": finding.status, **(finding.details if told_all else {})}
        for name, finding in sorted(found.findings.items())
    }
    status = 503 if found.status is Status.DOWN else 200
    return _json({"status": found.status, "checks": checks}, status=status)


def _json(content: dict[str, Any], *, status: int = 200) -> JsonResponse:
    return JsonResponse(content, status=status, json_dumps_params={"indent": 2})
