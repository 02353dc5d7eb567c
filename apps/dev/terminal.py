"""Takes Ctrl-C for the supervisor alone, so that `make run` ends with its exit status.

A terminal sends Ctrl-C to the whole foreground group. `make` would end by the signal, whatever its child made
of it; so the supervisor becomes a foreground group of its own, as a shell's job does, and hands it back.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STANDARD_INPUT = 0


@contextmanager
def foreground() -> Iterator[None]:
    """Hold the terminal, if there is one and it is our starter's now."""
    try:
        before = os.tcgetpgrp(_STANDARD_INPUT)
    except OSError:
        before = None
    if before is None or before != os.getpgrp() or before == os.getpid():
        yield
        return
    # Writing to or taking the terminal from the background must not stop us; nor Ctrl-Z, which our starter
    # would not notice.
    for number in (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    try:
        os.setpgid(0, 0)
        os.tcsetpgrp(_STANDARD_INPUT, os.getpgrp())
        yield
    finally:
        with suppress(OSError):
            os.tcsetpgrp(_STANDARD_INPUT, before)
