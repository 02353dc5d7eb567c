"""Celery beat that says it is alive, and outlives its database: the database scheduler with a heartbeat in its loop.

Invariant: while PostgreSQL is away, from the start or later, the loop goes on, beats, and asks again. Everything that
needs the database happens in a tick: asked for earlier, a signal to stop would find no scheduler and build another.
"""

import signal
import sys
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection
from django_celery_beat.schedulers import DatabaseScheduler

from apps.events import heartbeat, leaving

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2.0


class Scheduler(DatabaseScheduler):
    _is_set_up = False
    _is_away = False
    _was_told_how_to_stop = False

    def setup_schedule(self) -> None:
        """Nothing yet: the first tick does it."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        if not self._was_told_how_to_stop:
            self._was_told_how_to_stop = True
            _stop_in_the_middle()
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


def _stop_in_the_middle() -> None:
    """Let a signal to stop end whatever the loop is at. The loop writes what is left to write on its way out.

    Celery's handler would write it itself: in the middle of a statement, for which the connection then waits for ever.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    leaving.when_told()
