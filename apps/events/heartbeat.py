"""A loop's sign of life: the age of a file it touches as it works.

Alive means doing work, so the loop itself writes it; a process that is up while its loop hangs grows old here.
Without `HEARTBEAT_DIR` nothing is written.
"""

import time
from pathlib import Path

from django.conf import settings

_INTERVAL_SECONDS = 1.0
_last: dict[str, float] = {}


def beat(role: str) -> None:
    """Say that the loop of `role` has just come round. Cheap enough to call every time."""
    now = time.monotonic()
    if not settings.HEARTBEAT_DIR or now - _last.get(role, -_INTERVAL_SECONDS) < _INTERVAL_SECONDS:
        return
    _last[role] = now
    Path(settings.HEARTBEAT_DIR, role).touch()
