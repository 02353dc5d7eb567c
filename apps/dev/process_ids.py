"""Who a process is, beyond its number: numbers are used again, a number with its start time is not.

Invariant: nothing here signals a process unless it is shown to be the one that was started by us.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that leads its own group; `started` is the kernel's text for its start."""

    number: int
    started: str


def _stat_fields(number: int) -> list[str] | None:
    """The fields of /proc/N/stat after the name (which may hold blanks): state, ppid, pgrp, … (proc(5))."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _listed(*columns: str, number: int | None = None) -> list[list[str]]:
    which = ["-A"] if number is None else ["-p", str(number)]
    command = ["ps", *which, "-o", ",".join(f"{column}=" for column in columns)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return [line.split(None, len(columns) - 1) for line in lines]


def started(number: int) -> str | None:
    """When the process started, or `None` if it is gone or only waits to be reaped."""
    if _LINUX:
        fields = _stat_fields(number)
        return None if fields is None or fields[0] in "ZX" else fields[19]
    rows = _listed("stat", "lstart", number=number)
    return None if not rows or rows[0][0].startswith("Z") else rows[0][1]


def identify(number: int) -> ProcessId:
    return ProcessId(number, started(number) or "")


def command_line(number: int) -> str:
    """The command of a process, empty if it is gone."""
    if _LINUX:
        with suppress(OSError):
            return Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    return " ".join(" ".join(row) for row in _listed("command", number=number))


def group_members(leader: int) -> list[int]:
    """The living processes of a group, its leader among them if it lives."""
    if _LINUX:
        numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        stats = ((number, _stat_fields(number)) for number in numbers)
        return [number for number, stat in stats if stat and stat[0] not in "ZX" and int(stat[2]) == leader]
    rows = _listed("pid", "pgid", "stat")
    return [int(row[0]) for row in rows if int(row[1]) == leader and not row[2].startswith("Z")]


def lives(process: ProcessId) -> bool:
    """Whether the process or what it left of its group is still there.

    A group's number stays taken while it has members, so members without a leader are the leader's orphans;
    a leader with another start time means that the number was given to somebody else.
    """
    now = started(process.number)
    return now == process.started if now else bool(group_members(process.number))


def signal_group(process: ProcessId, number: signal.Signals) -> None:
    if lives(process):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.number, number)


def wait_until(true: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def end_groups(processes: Iterable[ProcessId], *, seconds: float) -> None:
    """Ask all to end, and end what has not after `seconds`."""
    asked = [process for process in processes if lives(process)]
    for process in asked:
        signal_group(process, signal.SIGTERM)
    wait_until(lambda: not any(lives(process) for process in asked), seconds=seconds)
    for process in asked:
        signal_group(process, signal.SIGKILL)
