"""Counts every request by the name of its route, and how long it took.

Invariant: no label holds what a caller wrote: an address that leads nowhere and a method nobody knows are one each.
"""

import time
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.events import metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"


class CountRequests:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started_at = time.perf_counter()
        response = self.get_response(request)
        route = request.resolver_match.view_name if request.resolver_match else UNMATCHED
        method = request.method if request.method in _METHODS else "other"
        metrics.http_requests.labels(method, route, str(response.status_code)).inc()
        metrics.http_seconds.labels(route).observe(time.perf_counter() - started_at)
        return response
