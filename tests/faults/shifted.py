"""Runs a role on a machine whose clock is wrong: `python -m tests.faults.shifted SECONDS -m MODULE WORDS…`.

What Python reads of the clock is so many seconds on; PostgreSQL's clock and every other process's are right.
"""

import runpy
import sys
from datetime import UTC, datetime, timedelta

import time_machine


def main(seconds: float, words: list[str]) -> None:
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True).start()
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
