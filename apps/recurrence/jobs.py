"""Celery work of series: sweeps, each harmless to run twice or late."""

from datetime import UTC, datetime

from celery import shared_task

from apps.recurrence import selectors, services

# So many in one round; the next one goes on.
MOST_AT_ONCE = 500


@shared_task(name="recurrence.make_due")
def make_due() -> None:
    now = datetime.now(UTC)
    for series_id in selectors.to_look_at(now=now, most=MOST_AT_ONCE):
        services.make_due(series_id=series_id, now=now)


@shared_task(name="recurrence.repair")
def repair() -> None:
    services.repair(now=datetime.now(UTC), most=MOST_AT_ONCE)
