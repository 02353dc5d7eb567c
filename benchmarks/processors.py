"""Who spends the processors and holds the memory: per role and service, from /proc.

A process's own seconds and those of the children it has buried are counted with its oldest ancestor below this
process, so that PostgreSQL's backends are PostgreSQL and a server's workers are the web.
"""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# The roots that have a name: a process and what it is called here.
Names = Mapping[int, str]
# What is called by no name: a client, started by the benchmark.
CLIENT = "client"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """What went between two moments: seconds, processor seconds by part, and the processors that programs had which
    are none of ours.
    """

    took: float
    seconds: dict[str, float]
    others: float

    def each(self, count: int) -> dict[str, float]:
        """Seconds for each of so many."""
        return {part: spent / max(1, count) for part, spent in self.seconds.items()}

    def share(self) -> dict[str, float]:
        """Per cent of one processor."""
        return {part: spent / self.took * 100 for part, spent in self.seconds.items()}


class Watch:
    """Looks at the clocks when it is made; `spent` says what has gone since.

    Roles are not to be stopped meanwhile. Programs that were started and ended meanwhile are the client.
    """

    def __init__(self, names: Callable[[], Names]) -> None:
        self._names = names
        self._before = seconds_by_part(names())
        self._busy, self._own, self._buried = _busy_seconds(), time.process_time(), _buried_seconds()
        self._started = time.monotonic()

    def spent(self) -> Spent:
        took, after = time.monotonic() - self._started, seconds_by_part(self._names())
        seconds = {part: spent - self._before.get(part, 0.0) for part, spent in after.items()}
        seconds[CLIENT] = seconds.get(CLIENT, 0.0) + _buried_seconds() - self._buried
        ours = sum(seconds.values()) + time.process_time() - self._own
        return Spent(took, seconds, max(0.0, _busy_seconds() - self._busy - ours) / took)


@dataclass
class Held:
    """Memory in MB: `pss` counts what processes share once, `rss` with each of them; `peak` is of rss, each process's
    own highest so far.
    """

    pss: float = 0.0
    rss: float = 0.0
    peak: float = 0.0


def seconds_by_part(names: Names) -> dict[str, float]:
    """User and system seconds so far."""
    spent: defaultdict[str, float] = defaultdict(float)
    for _, part, seconds in _ours(names):
        spent[part] += seconds
    return dict(spent)


def memory_by_part(names: Names) -> dict[str, Held]:
    """What each part holds now. Reading it costs the kernel a walk over every page: do it rarely."""
    held: defaultdict[str, Held] = defaultdict(Held)
    for number, part, _ in _ours(names):
        try:
            now = _megabytes(Path(f"/proc/{number}/smaps_rollup"))
            highest = _megabytes(Path(f"/proc/{number}/status"))
        except OSError:
            continue  # ended while we looked
        each = held[part]
        each.pss += now.get("Pss", 0.0)
        each.rss += now.get("Rss", 0.0)
        each.peak += highest.get("VmHWM", 0.0)
    return dict(held)


def together(by_part: Mapping[str, Held]) -> Held:
    """What all parts but the client hold."""
    ours = [each for part, each in by_part.items() if part != CLIENT]
    return Held(sum(each.pss for each in ours), sum(each.rss for each in ours), sum(each.peak for each in ours))


def _megabytes(file: Path) -> dict[str, float]:
    """The lines `Name:  123 kB` of a file of /proc."""
    lines = (line.split() for line in file.read_text().splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines}


def _ours(names: Names) -> Iterator[tuple[int, str, float]]:
    """The number, the part and the seconds of every process below this one."""
    processes = {number: (parent, seconds) for number, parent, seconds in _processes()}
    parents = {number: parent for number, (parent, _) in processes.items()}
    for number, (_, seconds) in processes.items():
        if (root := below(number, os.getpid(), parents)) is not None:
            yield number, names.get(root, CLIENT), seconds


def _processes() -> Iterator[tuple[int, int, float]]:
    """The number, the parent and the seconds of every process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended while we looked
        yield int(folder.name), int(fields[1]), sum(map(int, fields[11:15])) / _TICKS


def below(number: int, top: int, parents: Mapping[int, int]) -> int | None:
    """The ancestor of a process, or itself, whose parent is `top`."""
    while number in parents and parents[number] != top:
        number = parents[number]
    return number if number in parents else None


def _busy_seconds() -> float:
    """What the whole machine's processors have worked so far, for whomever."""
    user, nice, system, _idle, _waiting, *other = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + sum(other[:3])) / _TICKS


def _buried_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
