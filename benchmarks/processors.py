"""Who spends the processors: seconds per role and service of a stack, from /proc.

A process's own seconds and those of the children it has buried are counted with its oldest ancestor below this
process, so that PostgreSQL's backends are PostgreSQL and a server's workers are the web.
"""

import os
from collections import defaultdict
from pathlib import Path

from apps.dev.stack import Stack

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds_by_part(stack: Stack) -> dict[str, float]:
    """User and system seconds so far, by role, and for a service by the name of its program."""
    roles = {role.child.id.number: name for name, role in stack.roles.items() if role.child is not None}
    spent: defaultdict[str, float] = defaultdict(float)
    parents, seconds, names = _processes()
    for number in parents:
        if (root := _below(number, os.getpid(), parents)) is not None:
            spent[roles.get(root) or names[root]] += seconds[number]
    return spent


def busy_seconds() -> float:
    """What the whole machine's processors have worked so far, for whomever."""
    user, nice, system, _idle, _waiting, *other = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + sum(other[:3])) / _TICKS


def milliseconds_each(before: dict[str, float], after: dict[str, float], count: int) -> dict[str, float]:
    """What was spent between two readings, for each of so many requests."""
    return {part: (after[part] - before.get(part, 0.0)) * 1000 / max(1, count) for part in after}


def _processes() -> tuple[dict[int, int], dict[int, float], dict[int, str]]:
    """The parent, the seconds and the program of every process."""
    parents, seconds, names = {}, {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # ended while we looked
        number, fields = int(folder.name), stat.rpartition(")")[2].split()
        parents[number] = int(fields[1])
        seconds[number] = sum(map(int, fields[11:15])) / _TICKS
        names[number] = "kafka (mock)" if any(b"kafka" in word for word in words) else stat.split("(")[1].split(")")[0]
    return parents, seconds, names


def _below(number: int, top: int, parents: dict[int, int]) -> int | None:
    """The ancestor of a process, or itself, whose parent is `top`."""
    while number in parents and parents[number] != top:
        number = parents[number]
    return number if number in parents else None
