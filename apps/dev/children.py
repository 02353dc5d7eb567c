"""A child process of the supervisor: started in a session of its own, ended with its whole group.

Invariant: a child does not outlive the process that started it. On Linux the kernel signals it when the
parent is gone, however it went (prctl(2), PR_SET_PDEATHSIG); elsewhere the next run ends what was left.
Invariant: a child meets every signal as a fresh process does, whatever its parent ignores or has blocked.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from apps.dev import log_lines, process_ids
from apps.dev.process_ids import ProcessId

PROJECT = Path(__file__).resolve().parent.parent.parent
_PR_SET_PDEATHSIG = 1
# Loaded here and not in the child: between fork and exec nothing may wait for a lock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class ChildFailed(Exception):
    """A child ended, or was not ready in time; the text carries its last words."""


def _as_new_and_dying_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """What the child does before exec. It runs after the change of user, which would clear the setting."""

    def between_fork_and_exec() -> None:
        # An ignored signal stays ignored over exec, and `nohup`, cron and `command &` of a script leave some ignored:
        # what should end the child would never reach it (signal(7), POSIX's sh on asynchronous lists).
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return between_fork_and_exec


@dataclass
class Child:
    """One running child. `stop_signal` is what makes it end well, also when its parent dies."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    folder: Path = PROJECT
    user: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    announces: bool = False
    started_at: float = field(default=0.0, init=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _id: ProcessId | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, with its outputs in the log; standard output in a pipe when it `announces` something."""
        if threading.current_thread() is not threading.main_thread():
            # The kernel's "parent" is the thread: a child of a short-lived thread would die with that thread.
            raise RuntimeError("Children are started by the main thread only.")
        user = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        with self.log.open("ab", buffering=0) as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                self.command,
                env=dict(self.environment),
                cwd=self.folder,
                # A pipe that is never written to: its end tells the child that the parent is gone.
                stdin=subprocess.PIPE if self.announces else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.announces else log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_as_new_and_dying_with(os.getpid(), self.stop_signal),  # noqa: PLW1509 - no threads here
                **user,
            )
        self.started_at = time.time()
        self._id = process_ids.identify(self._process.pid)

    @property
    def id(self) -> ProcessId:
        assert self._id is not None, f"{self.name} was not started."
        return self._id

    @property
    def announcements(self) -> IO[bytes]:
        assert self._process is not None and self._process.stdout is not None
        return self._process.stdout

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal, `None` while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        return log_lines.last_of(self.log)

    def ask_to_stop(self) -> None:
        """Tell the child alone: it knows best how to end its own children."""
        if self._process is not None and self.runs:
            self._process.send_signal(self.stop_signal)

    def end(self, *, by: float, last_signal: signal.Signals = signal.SIGKILL) -> None:
        """Wait until `by` (monotonic), then end whatever is left of its group."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.send_signal(last_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.id.number, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def stop(self, *, seconds: float = 30) -> None:
        self.ask_to_stop()
        self.end(by=time.monotonic() + seconds)
