"""What sweeps do with many at once, and one by one where that fails: a bad one holds up nobody.

Invariant: inside the caller's transaction. What comes of one is kept whole or not at all; one that is left out is
logged and counted. What may heal by itself, such as a lost connection, is the whole sweep's error.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, transaction

from apps.events.errors import Transient
from apps.notifications import metrics
from apps.notifications.models import Notification
from apps.notifications.services.news import News
from apps.notifications.services.telling import tell

log = structlog.get_logger(__name__)

One = TypeVar("One")
Made = TypeVar("Made")

_HEALS = (OperationalError, InterfaceError, Transient)


def each(
    them: Sequence[One], act: Callable[[One], Made], *, sweep: str, named: Callable[[One], str]
) -> list[tuple[One, Made]]:
    """Each with what came of it, without those of which an error came; `named` says which one it was."""
    try:
        with transaction.atomic():
            return [(one, act(one)) for one in them]
    except _HEALS:
        raise
    except Exception:  # noqa: BLE001 - which of them it was, and what, is found out one by one
        return [(one, made) for one in them for made in _alone(one, act, sweep=sweep, named=named)]


def told(news: Sequence[News], *, sweep: str, now: datetime) -> tuple[list[Notification], set[str]]:
    """The notifications that are new, and of what could not be told the `once`."""
    try:
        with transaction.atomic():
            return tell(news, now=now), set()
    except _HEALS:
        raise
    except Exception:  # noqa: BLE001 - which of them it was, and what, is found out one by one
        well = each(news, lambda one: tell([one], now=now), sweep=sweep, named=lambda one: one.once)
    done = {one.once for one, _ in well}
    return [row for _, rows in well for row in rows], {one.once for one in news if one.once not in done}


def _alone(one: One, act: Callable[[One], Made], *, sweep: str, named: Callable[[One], str]) -> list[Made]:
    try:
        with transaction.atomic():
            return [act(one)]
    except _HEALS:
        raise
    except Exception:
        log.exception("sweep_left_one_out", sweep=sweep, which=named(one))
        metrics.left_out.labels(sweep).inc()
        return []
