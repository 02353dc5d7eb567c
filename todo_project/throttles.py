"""Who asks too often waits: a person by who they are, anybody else by their address.

Invariant: nothing outside this process is asked, so no REST write waits for Redis; each process counts for
itself, what is counted has a bounded size, and a fault in the counting lets the request pass.
"""

import threading
import time
from collections import OrderedDict
from typing import Any

import structlog
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.accounts.addresses import client_address

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
MAX_KEYS = 20_000


class SlidingCount:
    """Counts per key over the last minute, by two counters: this minute's, and what is left of the one before.

    Close to a true sliding window when requests come evenly, and of the same size whatever the rate.
    The least recently seen of more than `max_keys` keys is forgotten.
    """

    def __init__(self, *, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()  # the minute, its count, the one before

    def __len__(self) -> int:
        return len(self._counts)

    def wait(self, key: str, *, limit: int, now: float) -> float | None:
        """Count a request at `now` (seconds). `None`, or not counting it, in how many seconds to come again."""
        minute, into = divmod(now, WINDOW_SECONDS)
        with self._lock:
            count, before = self._at(key, int(minute))
            weighed = count + before * (1 - into / WINDOW_SECONDS)
            if weighed >= limit:
                return self._seconds_until_room(count, before, into, limit)
            self._counts[key] = (int(minute), count + 1, before)
            self._counts.move_to_end(key)
            if len(self._counts) > self._max_keys:
                self._counts.popitem(last=False)
        return None

    def _at(self, key: str, minute: int) -> tuple[int, int]:
        seen, count, before = self._counts.get(key, (minute, 0, 0))
        if seen == minute:
            return count, before
        return (0, count) if seen == minute - 1 else (0, 0)

    @staticmethod
    def _seconds_until_room(count: int, before: int, into: float, limit: int) -> float:
        rest = WINDOW_SECONDS - into
        if count >= limit or not before:
            return max(rest, 1.0)
        # `before` weighs less every second; there is room when both are below the limit.
        return max(min(rest, WINDOW_SECONDS * (1 - (limit - count) / before) - into), 1.0)


_counted = SlidingCount()


def seconds_to_wait(key: str, *, limit: int) -> float | None:
    """Count one more for a key. `None` lets it pass."""
    try:
        return _counted.wait(key, limit=limit, now=time.monotonic())
    except Exception:
        log.exception("throttle_failed_open")
        return None


class PersonRate(BaseThrottle):
    """`THROTTLE_PERSON_PER_MINUTE` requests of one person, by whatever credential."""

    _wait: float | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return True
        limit = settings.THROTTLE_PERSON_PER_MINUTE
        self._wait = seconds_to_wait(f"person {request.user.pk}", limit=limit)
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait


class AddressRate(BaseThrottle):
    """`THROTTLE_ADDRESS_PER_MINUTE` requests of nobody in particular from one address."""

    _wait: float | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.user.is_authenticated:
            return True
        self._wait = seconds_to_wait(
            f"address {client_address(request.META)}", limit=settings.THROTTLE_ADDRESS_PER_MINUTE
        )
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait
