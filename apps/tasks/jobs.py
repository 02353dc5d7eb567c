"""Celery work of tasks: a sweep, harmless to run twice or late."""

from datetime import UTC, datetime

from celery import shared_task

from apps.tasks import idempotency, services


@shared_task(name="tasks.purge")
def purge() -> None:
    now = datetime.now(UTC)
    idempotency.forget_old(now=now)
    services.purge_deleted_tasks(now=now)
