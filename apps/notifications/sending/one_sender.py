"""One sender at a time for each worker, and word for it when the worker is told to stop.

Invariant: both live in memory that a worker and the children it forks share, so a child that is killed gives its turn
back, and nothing is left behind. A process that was not forked by a worker shares them with nobody.
"""

import fcntl
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.signals import worker_shutting_down


def _shared_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("todo-sender")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


# Locks of this kind belong to a process, not to what it inherited: the children of one worker exclude each other.
_file = _shared_file()
os.ftruncate(_file, 1)
_told = mmap.mmap(_file, 1)
_in_this_process = threading.Lock()


@contextmanager
def turn() -> Iterator[bool]:
    """Whether it is ours; whoever has it keeps it until the end of their block, or of their process."""
    if not _in_this_process.acquire(blocking=False):
        yield False
        return
    try:
        ours = _locked()
        try:
            yield ours
        finally:
            if ours:
                fcntl.lockf(_file, fcntl.LOCK_UN)
    finally:
        _in_this_process.release()


def _locked() -> bool:
    try:
        fcntl.lockf(_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def told_to_stop() -> bool:
    """Whether the worker whose child this is leaves; its children are not told by anybody else."""
    return _told[0] != 0


@worker_shutting_down.connect
def tell_to_stop(**_: Any) -> None:
    _told[0] = 1


def forget() -> None:
    """As if nobody had been told."""
    _told[0] = 0
