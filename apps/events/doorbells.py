"""Rings Celery for work that a committed row stands for.

Invariant: a ring is a hint. It is sent after the commit, from a thread of its own, once for all who ask for the same
job at the same time; what becomes of it nobody waits for and nothing depends on, since a sweep finds the row. Only
Celery workers ring: a request never waits for Redis.
"""

import math
import os
import queue
import threading
import time
from functools import partial
from typing import Any

import structlog
from celery import current_app, signals
from django.db import transaction

log = structlog.get_logger(__name__)

# More than that waits only where Redis is away, and then nobody needs it.
_MOST_WAITING = 1000
# A ring that comes so much later than it was for is worth nothing: the next sweep has been.
_EXPIRES_SECONDS = 60
# Clocks of two machines that agree may still differ by a little; a job that comes too early finds nothing.
_AFTER_SECONDS = 0.02
# Rings for one job within a tenth of a second are one.
_PER_SECOND = 10


def ring(job: str, *, seconds: float = 0.0, **arguments: Any) -> None:
    """Have a job run in so many seconds, once this transaction is committed. The queue is the job's first name."""
    if _here.process == os.getpid():
        transaction.on_commit(partial(_here.bell.put, job, time.time() + seconds, arguments))


@signals.worker_init.connect
@signals.worker_process_init.connect
def install(**_: Any) -> None:
    """From here on this process rings. A fork begins with a bell of its own."""
    _here.process, _here.bell = os.getpid(), _Bell()


class _Bell:
    """The thread that talks to Redis, and what it has still to send."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[str, int, dict[str, Any]]] = queue.Queue(_MOST_WAITING)
        self._asked: set[tuple[str, int, str]] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, job: str, at: float, arguments: dict[str, Any]) -> None:
        tenth = 0 if at <= time.time() else math.ceil(at * _PER_SECOND)
        name = (job, tenth, repr(sorted(arguments.items())))
        with self._lock:
            if name in self._asked:
                return
            self._asked.add(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait((job, tenth, arguments))
        except queue.Full:
            self._forget(name)

    def _run(self) -> None:
        while True:
            job, tenth, arguments = self._waiting.get()
            # Who asks from here on asks for another: what they committed may be too late for this one.
            self._forget((job, tenth, repr(sorted(arguments.items()))))
            wait = max(0.0, tenth / _PER_SECOND - time.time())
            try:
                current_app.send_task(
                    job,
                    kwargs=arguments,
                    queue=job.partition(".")[0],
                    countdown=wait + _AFTER_SECONDS if wait else None,
                    expires=wait + _EXPIRES_SECONDS,
                    retry=False,
                    ignore_result=True,
                )
            except Exception as reason:  # noqa: BLE001 - whatever keeps Redis from being told, the sweep comes
                log.info("doorbell_unheard", job=job, because=type(reason).__name__)

    def _forget(self, name: tuple[str, int, str]) -> None:
        with self._lock:
            self._asked.discard(name)


class _Here:
    """The process that rings, and its bell."""

    process: int | None = None
    bell: _Bell


_here = _Here()
