"""The `ws` role's server: uvicorn, ending well when it is told to stop.

Uvicorn closes what is open and then lets the signal do what it would have done without it, so that a process that did
all it should ends as if it had been killed.
"""

import signal
import sys

import uvicorn


def main() -> None:
    """Takes uvicorn's own arguments."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    uvicorn.main()


if __name__ == "__main__":
    main()
