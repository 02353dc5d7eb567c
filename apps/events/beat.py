"""Celery beat that says it is alive, and outlives its database: the database scheduler with a heartbeat in its loop.

Invariant: while PostgreSQL is away, from the start or later, the loop goes on, beats, and asks again. Everything that
needs the database happens in a tick: asked for earlier, a signal to stop would find no scheduler and build another.
"""

from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection
from django_celery_beat.schedulers import DatabaseScheduler

from apps.events import heartbeat

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2.0


class Scheduler(DatabaseScheduler):
    _is_set_up = False
    _is_away = False

    def setup_schedule(self) -> None:
        """Nothing yet: the first tick does it."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        heartbeat.beat("beat")
        try:
            if not self._is_set_up:
                connection.ensure_connection()  # what follows would swallow that there is none
                super().setup_schedule()
                self._is_set_up = True
            wait = super().tick(*args, **kwargs)
        except (OperationalError, InterfaceError) as reason:
            self._wait_for_database(reason)
            return RETRY_SECONDS
        self._is_away = False
        return wait

    def _wait_for_database(self, reason: Exception) -> None:
        if not self._is_away:
            log.warning("beat_database_away", reason=str(reason).strip())
        self._is_away = True
        connection.close()
        if self._schedule is None:
            self._initial_read = True  # it was noted as done before it was
