"""Celery work of series: sweeps, each harmless to run twice or late.

One series that fails holds up no other: it is told in the log, and looked at again later.
"""

import time
from datetime import UTC, datetime
from uuid import UUID

import structlog
from celery import shared_task

from apps.recurrence import selectors, services

log = structlog.get_logger(__name__)

# So many in one round, and so long; the next ring goes on.
MOST_AT_ONCE = 500
BUDGET_SECONDS = 20.0


@shared_task(name="recurrence.make_due")
def make_due() -> None:
    """Round after round, one date of each series in each: who has missed many makes nobody wait."""
    until = time.monotonic() + BUDGET_SECONDS
    failed: set[UUID] = set()
    while due := [pk for pk in selectors.to_look_at(now=datetime.now(UTC), most=MOST_AT_ONCE) if pk not in failed]:
        for series_id in due:
            if time.monotonic() > until:
                return
            if not _made(series_id):
                failed.add(series_id)


def _made(series_id: UUID) -> bool:
    now = datetime.now(UTC)
    try:
        services.make_due(series_id=series_id, now=now)
    except Exception:
        log.exception("series_failed", series_id=str(series_id))
        services.put_off(series_id=series_id, now=now)
        return False
    return True


@shared_task(name="recurrence.repair")
def repair() -> None:
    now = datetime.now(UTC)
    for series_id, (task_id, completed_at) in services.stuck(now=now, most=MOST_AT_ONCE).items():
        try:
            services.repair(series_id=series_id, task_id=task_id, completed_at=completed_at, now=now)
        except Exception:
            log.exception("series_failed", series_id=str(series_id))
