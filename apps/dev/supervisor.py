"""`make run`: holds a stack at a terminal, from the first line to the last.

Invariant: however it is asked to end (Ctrl-C once or twice, SIGTERM, a closed terminal), it ends everything
and exits 0; a signal takes effect only where the stack waits, so no child is started and forgotten. Under
`nohup` it outlives its terminal, as that asks.
"""

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from apps.dev import terminal
from apps.dev.children import PROJECT, ChildFailed
from apps.dev.log_watch import LogWatch
from apps.dev.people import PEOPLE
from apps.dev.stack import Stack, StackRefused
from apps.dev.state import FolderInUse

_LOOK_SECONDS = 0.2
# A disk that is full, or that is not ours to write on.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


class StopAsked(Exception):
    """Somebody wants the stack to end."""


class StopSignals:
    """Counts the requests to stop, and raises `StopAsked` inside `waiting` blocks only."""

    def __init__(self) -> None:
        self.count = 0
        self._may_raise = False
        numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            numbers.remove(signal.SIGHUP)
        for number in numbers:
            signal.signal(number, self._note)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._may_raise:
            raise StopAsked

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self._may_raise = True
        try:
            if self.count:
                raise StopAsked
            yield
        finally:
            self._may_raise = False


def checkout_folder() -> Path:
    return PROJECT / ".dev"


def say(text: str) -> None:
    # A terminal that was closed is no reason to leave the stack without its supervisor.
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def banner(stack: Stack, *, seconds: float) -> str:
    url = stack.env["PUBLIC_URL"].rstrip("/")
    rows = [
        ("App", f"{url}/"),
        ("API", f"{url}/api/v1/"),
        ("Docs", f"{url}/api/docs/"),
        ("Admin", f"{url}/admin/"),
    ]
    if stack.data_folder:
        people = [each for each in PEOPLE if each.username in stack.sign_ins]
        rows.append(
            ("Sign in", " · ".join(f"{each.username} / {each.password}" for each in people) or "as whom you made")
        )
        rows.append(("Data", str(stack.data_folder)))
    else:
        rows.append(("Data", "in the database that DATABASE_URL names"))
    rows += [("Logs", str(stack.state.logs)), ("Stop", "Ctrl-C")]
    lines = [f"  {name:<8} {value}" for name, value in rows]
    return "\n".join(["", f"Ready in {seconds:.1f} s.", "", *lines, ""])


def _hold(stack: Stack, signals: StopSignals) -> None:
    watch = LogWatch(stack.state.logs)
    while True:
        stack.tend()
        for line in watch.errors():
            say(line)
        with signals.waiting():
            time.sleep(_LOOK_SECONDS)


def run(*, port: int) -> int:
    """Run the stack of this checkout until it is asked to stop. The exit status."""
    began = time.monotonic()
    signals = StopSignals()
    stack = Stack(checkout_folder(), port=port, surroundings=dict(os.environ), waiting=signals.waiting, say=say)
    with terminal.foreground():
        try:
            stack.start()
            with suppress(OSError):
                print(banner(stack, seconds=time.monotonic() - began), flush=True)
            _hold(stack, signals)
        except StopAsked:
            say("\nStopping …")
        except (StackRefused, FolderInUse, ChildFailed) as reason:
            say(f"error: {reason}")
            return 1
        except OSError as reason:
            if reason.errno not in _UNWRITABLE:
                raise
            say(f"error: {stack.state.path} cannot be written: {reason.strerror}. What was committed is kept.")
            return 1
        finally:
            asked = signals.count
            stack.stop(hurry=lambda: signals.count > asked)
    say("Stopped. The data stays; `make run` goes on from here.")
    return 0
