"""Runs a role and notes each job that it has run, a line each: `python -m tests.faults.watched FILE -m MODULE WORDS…`
or `… FILE PROGRAM WORDS…`, as python itself is called.
"""

import os
import runpy
import sys
from typing import Any

from celery import signals


def main(path: str, words: list[str]) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(task: Any, **_: Any) -> None:
        os.write(file, f"{task.name}\n".encode())

    signals.task_postrun.connect(note, weak=False)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
