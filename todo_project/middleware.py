"""What happens to every request before a view sees it, and to every answer after.

Invariant: whatever the view does, the request runs under one correlation id, which stands in the answer; no
view reads a body beyond the limit; an answer says what its page may load.
"""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import is_valid_path

from apps.accounts.exceptions import SignInHeldBack
from apps.events import context
from todo_project import problems

Answer = Callable[[HttpRequest], HttpResponseBase]

CORRELATION_HEADER = "X-Correlation-ID"

# No page of ours has inline scripts, and none loads anything from elsewhere.
_OWN_ONLY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# Django's admin, the browsable API and Swagger UI write `style` attributes and, here and there, a style
# element; their scripts are files.
_WITH_INLINE_STYLE = _OWN_ONLY | {"style-src": "'self' 'unsafe-inline'"}
_INLINE_STYLE_PATHS = ("/admin/", "/api/")


class Correlation:
    """Runs a request as caused by what its caller named, or by a new cause, and tells the caller which."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.started_at = time.perf_counter()  # type: ignore[attr-defined]
        cause = context.Cause(
            correlation_id=context.accepted_correlation_id(request.headers.get(CORRELATION_HEADER)),
            traceparent=context.accepted_traceparent(request.headers.get("traceparent")),
        )
        with context.caused_by(cause):
            response = self.get_response(request)
        response.headers[CORRELATION_HEADER] = cause.correlation_id
        return response


# In the environ of a request whose body did not come in time.
BODY_TOO_SLOW = "todo.body_too_slow"
# The names of the headers that the server could not read.
UNREADABLE_HEADERS = "todo.unreadable_headers"


class RequestLimits:
    """Refuses what no view should have to think of: a body beyond the limit, of no stated length or too slow, and NULs.

    PostgreSQL's text has no NUL, so one in an address could only ever be an error deep in a query.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.headers.get("Content-Length", "")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        if length.isdecimal() and int(length) > limit:
            return problems.answer(request, status=413, detail=problems.too_large(limit))
        if not length and "Transfer-Encoding" in request.headers:
            return problems.answer(request, status=411, detail="Send the body with a Content-Length.")
        if request.META.get(BODY_TOO_SLOW):
            detail = f"The body did not come within {settings.REQUEST_BODY_SECONDS} s. Send the request again."
            return problems.answer(request, status=408, detail=detail)
        if unreadable := request.META.get(UNREADABLE_HEADERS):
            # To do without one would be to answer another request: a guarded write would go through unguarded.
            detail = f"Headers are ASCII; these are not: {', '.join(unreadable)}."
            return problems.answer(request, status=400, detail=detail)
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return problems.answer(request, status=400, detail="The address contains a NUL character.")
        return self.get_response(request)


class OptionalTrailingSlash:
    """Answers every address with and without its trailing slash; no redirect, which would lose a POST."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.endswith("/") and not is_valid_path(path) and is_valid_path(f"{path}/"):
            request.path_info = f"{path}/"
            request.path = f"{request.path}/"
        return self.get_response(request)


class ContentSecurityPolicy:
    """Tells the browser what a page may load and who may load it."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.strict = _written(_OWN_ONLY)
        self.with_inline_style = _written(_WITH_INLINE_STYLE)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        inline_style = request.path.startswith(_INLINE_STYLE_PATHS)
        policy = self.with_inline_style if inline_style else self.strict
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response


class HeldBackSignIns:
    """Answers for every door that is no REST view, the admin's too, when the back-off holds a sign-in back."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, SignInHeldBack):
            return None
        response = problems.answer(request, status=429, detail=exception.told)
        response.headers["Retry-After"] = str(exception.wait)
        return response


def _written(policy: dict[str, str]) -> str:
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())
