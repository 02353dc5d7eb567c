"""Who is told to stop is gone in time, whatever it is caught in; nobody else is meant by it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from django.conf import settings

from apps.events import leaving, relay, worker

# Caught in C code for ever: a handler of Python's has no say in how that ends.
CAUGHT = "print('caught', flush=True)\nlibc = ctypes.CDLL(None)\nwhile True: libc.sleep(1000)\n"
BEGIN = """
import ctypes, os, signal, sys, time
from apps.events import leaving
leaving.LEAVE_SECONDS = 1.0
signal.signal(signal.SIGTERM, lambda *_: None)
"""
WATCHED = BEGIN + "leaving.when_told(then=lambda: print('then', flush=True), last=lambda: print('last', flush=True))\n"
WITH_A_CHILD = """
child = os.fork()
if not child:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    print('child', os.getpid(), flush=True)
    time.sleep(60)
print('ended', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_whichever_signal_it_is_a_worker_has_as_long_and_is_gone_before_the_kill() -> None:
    granted, to_end = 30.0, 5.0

    assert leaving.LEAVE_SECONDS == settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT == granted - to_end
    assert worker.CLOSE_SECONDS < leaving.LEAVE_SECONDS
    assert relay.STOP_PATIENCE_SECONDS < leaving.LEAVE_SECONDS


class Process:
    def __init__(self, script: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", script], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def lives(self) -> bool:
        return self.popen.poll() is None


@pytest.fixture
def start() -> Iterator[type[Process]]:
    started: list[Process] = []

    class Started(Process):
        def __init__(self, script: str) -> None:
            super().__init__(script)
            started.append(self)

    yield Started
    for process in started:
        process.popen.kill()
        process.popen.communicate()


def test_who_is_caught_hears_it_at_once_and_is_gone_in_time(start: type[Process]) -> None:
    process = start(WATCHED + CAUGHT)
    assert process.line() == "caught"

    process.popen.terminate()

    assert process.line() == "then"
    told = time.monotonic()
    rest = process.popen.communicate(timeout=10)[0].splitlines()
    assert (rest[-1], process.popen.returncode) == ("last", 0)
    assert 0.5 < time.monotonic() - told < 10


def test_a_default_for_the_patience_of_sockets_ends_no_watch(start: type[Process]) -> None:
    impatient = "import socket\nsocket.setdefaulttimeout(0.1)\n"
    process = start(impatient + WATCHED + "import time\ntime.sleep(1)\n" + CAUGHT)
    assert process.line() == "caught"

    process.popen.terminate()

    assert process.line() == "then"


def test_without_the_watch_it_stays(start: type[Process]) -> None:
    """The negative control."""
    process = start(BEGIN + CAUGHT)
    assert process.line() == "caught"

    process.popen.terminate()
    time.sleep(2.5)

    assert process.lives()


def test_a_signal_to_a_child_of_a_fork_is_not_meant_for_its_parent(start: type[Process]) -> None:
    process = start(WATCHED + WITH_A_CHILD + CAUGHT)
    word, number = process.line().split()

    os.kill(int(number), signal.SIGTERM)

    assert word == "child"
    assert [process.line(), process.line()] == ["ended 7", "caught"]
    time.sleep(2.5)
    assert process.lives()
