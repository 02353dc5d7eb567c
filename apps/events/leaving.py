"""A process that is told to stop is gone in time, whatever it is caught in.

Each of our loops may be killed at any point and loses nothing, so who waits for a server that does not answer is not
waited for. The signal comes to a thread through a pipe: also while the main thread is deep in C code, or in a lock.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

# Whoever runs us grants 30 s before the kill. Celery's own patience, `CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT`, is the same
# but for SIGQUIT: after SIGTERM a worker waits for its jobs to their end, and a job's limit is 60 s.
LEAVE_SECONDS = 25.0
_TOLD_TO_STOP = {signal.SIGTERM, signal.SIGINT}


def when_told(*, then: Callable[[], None] = lambda: None, last: Callable[[], None] = lambda: None) -> None:
    """Watch, from the main thread, for SIGTERM and SIGINT, whoever handles them besides.

    `then` is called at once, in the watching thread; `last`, if the process is still there `LEAVE_SECONDS` later,
    before it ends with exit code 0.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    reading.settimeout(None)  # whoever sets a default for all sockets, as Celery's beat does, does not mean this one
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    # A child of a fork would tell us of its own signals.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    watching = threading.Thread(target=_watch, args=[reading, writing, then, last], name="leaving", daemon=True)
    watching.start()


def _watch(reading: socket.socket, _writing: socket.socket, then: Callable[[], None], last: Callable[[], None]) -> None:
    while _TOLD_TO_STOP.isdisjoint(reading.recv(64)):
        pass
    then()
    time.sleep(LEAVE_SECONDS)
    log.warning("left_while_waiting", seconds=LEAVE_SECONDS)
    last()
    os._exit(0)
