"""What a refused or failed request is told: an RFC 9457 problem under /api/, a page elsewhere.

A person who follows a link without being signed in is led to signing in.

Invariant: under /api/ every answer of 400 and above is a problem with a status, a code, a sentence that says
what to do, and the correlation id to ask us about it; nothing of our insides stands in it.

Source: RFC 9457; `type` is `about:blank`, so `title` is the status's own phrase, and `code` tells problems of
one status apart. Pointers are RFC 6901 JSON Pointers as URI fragments.
"""

import json
import math
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.encoding import escape_uri_path
from django.utils.http import urlencode
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.serializer_helpers import ReturnDict
from rest_framework.views import set_rollback

from apps.events import context

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"

# How long a caller does well to wait: a lock is had soon, a database comes back later.
LOCK_RETRY_SECONDS = 1
OUTAGE_RETRY_SECONDS = 5

_SENTENCES = {
    400: "The request could not be read.",
    401: "Sign in first: send `Authorization: Bearer <token>` (POST /api/v1/auth/token/ gives one), or use /sign-in/.",
    403: "You may not do this.",
    404: "There is nothing at this address, or it is not yours.",
    500: "This is our fault. Nothing was changed; tell us the correlation id.",
    503: "Too busy to do this just now. Nothing was changed; try again.",
}

# What REST framework says of itself, in words that say what to do.
_CLEARER: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: _SENTENCES[401],
    exceptions.NotFound: _SENTENCES[404],
}


class TemporarilyUnavailable(exceptions.APIException):
    """The database did not answer in time, or not at all. The transaction was rolled back."""

    status_code = 503
    default_detail = _SENTENCES[503]
    default_code = "temporarily_unavailable"

    def __init__(self, *, wait: int) -> None:
        super().__init__()
        self.wait = wait


class RequestTooLarge(exceptions.APIException):
    status_code = 413
    default_code = "request_too_large"


class ProblemResponse(Response):
    """A problem as JSON has its own media type; the browsable API shows it like any other answer."""

    @property
    def rendered_content(self) -> Any:
        if self.accepted_renderer.format == "json":
            self.content_type = CONTENT_TYPE
        return super().rendered_content


def exception_handler(reason: Exception, context_of_view: dict[str, Any]) -> Response | HttpResponse | None:
    """REST framework's hook. `None`: the fault is ours, Django logs it and `server_error` answers."""
    refusal = _as_api_exception(reason)
    if refusal is None:
        return None
    request: Request = context_of_view["request"]
    if isinstance(refusal, exceptions.NotAuthenticated) and _is_looked_at(request):
        return _to_sign_in(request)
    headers = {}
    if challenge := getattr(refusal, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(refusal, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
    set_rollback()
    return ProblemResponse(_of_refusal(refusal, request), status=refusal.status_code, headers=headers)


def _is_looked_at(request: Request) -> bool:
    """Whether a person follows a link, as from a mail: whoever asks for JSON, or for anything, is a program."""
    renderer = getattr(request, "accepted_renderer", None)
    return request.method == "GET" and getattr(renderer, "format", "") == "api"


def _to_sign_in(request: Request) -> HttpResponse:
    """And from there to where they wanted to go."""
    response = HttpResponseRedirect(f"{reverse('sign-in')}?{urlencode({'next': request.get_full_path()})}")
    patch_vary_headers(response, ["Accept", "Cookie"])
    add_never_cache_headers(response)
    set_rollback()
    return response


def _as_api_exception(reason: BaseException | None) -> exceptions.APIException | None:
    """The refusal an exception amounts to, `None` when it is a fault of ours."""
    refusal: exceptions.APIException | None = None
    match reason:
        case exceptions.APIException():
            refusal = reason
        case Http404():
            refusal = exceptions.NotFound()
        case PermissionDenied():
            refusal = exceptions.PermissionDenied(*reason.args)
        case RequestDataTooBig():
            refusal = RequestTooLarge(str(reason))
        case SuspiciousOperation() | MultiPartParserError():
            refusal = exceptions.ParseError(_SENTENCES[400])
        case OperationalError() | InterfaceError():
            wait = _retry_seconds(reason)
            log.warning("database_unavailable", reason=str(reason).strip(), retry_after_seconds=wait)
            refusal = TemporarilyUnavailable(wait=wait)
    return refusal


def _retry_seconds(reason: Exception) -> int:
    waited_in_vain = (
        psycopg.errors.LockNotAvailable,
        psycopg.errors.QueryCanceled,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.SerializationFailure,
    )
    return LOCK_RETRY_SECONDS if isinstance(reason.__cause__, waited_in_vain) else OUTAGE_RETRY_SECONDS


def _of_refusal(refusal: exceptions.APIException, request: Request) -> dict[str, Any]:
    detail = refusal.detail
    # Members of its own that a refusal brings along, such as the current state after a stale write.
    extra: dict[str, Any] = getattr(refusal, "extra", {})
    if not isinstance(detail, dict | list):
        in_its_own_words = detail == refusal.default_detail
        told = str(_CLEARER.get(type(refusal), detail) if in_its_own_words else detail)
        code = getattr(detail, "code", None) or refusal.default_code
        return _problem(request.path, refusal.status_code, told, code=code, **extra)
    errors = list(_errors(detail, in_query=request.method in {"GET", "HEAD"}))
    codes = {error["code"] for error in errors}
    problem = _problem(
        request.path,
        refusal.status_code,
        "Correct what `errors` names and send the request again.",
        code=codes.pop() if len(codes) == 1 else refusal.default_code,
        errors=errors,
        **extra,
    )
    # With the serializer at hand the browsable API keeps what was typed and puts each error by its field.
    serializer = getattr(detail, "serializer", None)
    return problem if serializer is None else ReturnDict(problem, serializer=serializer)


def _errors(detail: Any, *, in_query: bool, path: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """One entry per wrong value, however deep it stands. A detail may have more to tell in its `extra`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = path if name == api_settings.NON_FIELD_ERRORS_KEY else (*path, str(name))
            yield from _errors(inner, in_query=in_query, path=own)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _errors(inner, in_query=in_query, path=(*path, str(index)) if nested else path)
    else:
        where = {"parameter": path[0] if path else ""} if in_query else {"pointer": _pointer(path)}
        told = {"detail": str(detail), "code": detail.code or "invalid", **getattr(detail, "extra", {})}
        yield {"field": ".".join(path), **where, **told}


def _pointer(path: tuple[str, ...]) -> str:
    return "#" + "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)


def _problem(path: str, status: int, detail: str, *, code: str, **members: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": escape_uri_path(path),
        "code": code,
        "correlation_id": context.current().correlation_id,
        **members,
    }


def too_large(limit: int) -> str:
    return f"The body is larger than the {limit:,} bytes a request may have."


def answer(request: HttpRequest, *, status: int, detail: str, code: str = "") -> HttpResponse:
    """A refusal outside REST framework's views: a problem under /api/, a page elsewhere."""
    phrase = HTTPStatus(status).phrase
    if request.path.startswith(API_PREFIX):
        problem = _problem(request.path, status, detail, code=code or phrase.lower().replace(" ", "_"))
        return HttpResponse(json.dumps(problem), status=status, content_type=CONTENT_TYPE)
    told = {"title": phrase, "detail": detail, "correlation_id": context.current().correlation_id}
    # Without the request: who is signed in is a question to a database that may be what failed.
    return HttpResponse(render_to_string("web/problem.html", told), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    refusal = _as_api_exception(exception)
    if isinstance(refusal, RequestTooLarge):
        return answer(request, status=413, detail=str(refusal.detail))
    return answer(request, status=400, detail=_SENTENCES[400])


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, status=403, detail=str(exception) or _SENTENCES[403])


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, status=404, detail=_SENTENCES[404])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's hook for a form that does not come from a page of ours."""
    detail = "The form has expired or comes from another site. Load the page again and repeat."
    return answer(request, status=403, detail=detail, code="csrf_failed")


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to what nobody expected; a database that is away is expected, wherever it shows."""
    refusal = _as_api_exception(sys.exc_info()[1])
    if isinstance(refusal, TemporarilyUnavailable):
        response = answer(request, status=503, detail=str(refusal.detail), code=refusal.default_code)
        response.headers["Retry-After"] = str(refusal.wait)
        return response
    return answer(request, status=500, detail=_SENTENCES[500])
