"""Celery beat that says it is alive: the database scheduler with a heartbeat in its loop."""

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler

from apps.events import heartbeat


class Scheduler(DatabaseScheduler):
    def tick(self, *args: Any, **kwargs: Any) -> Any:
        heartbeat.beat("beat")
        return super().tick(*args, **kwargs)
