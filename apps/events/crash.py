"""Named places where a fault test lets a process die as power loss would (SIGKILL to itself), or freeze.

`CRASH_POINT=relay.produced` dies the first time the relay gets there, `relay.produced:3` the third time.
`CRASH_SIGNAL=SIGSTOP` freezes it there instead. Unset, as everywhere but in a fault test, a crash point is one
comparison.
"""

import os
import signal
from itertools import count

_point, _, _times = os.environ.get("CRASH_POINT", "").partition(":")
_signal = signal.Signals[os.environ.get("CRASH_SIGNAL", "SIGKILL")]
_passes = count(1)


def at(point: str) -> None:
    if point == _point and next(_passes) >= int(_times or 1):
        os.kill(os.getpid(), _signal)
