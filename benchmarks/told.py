"""How what was measured of processors and memory is told in a report. Pure."""

import os
import statistics
from collections.abc import Iterable

from benchmarks import processors
from benchmarks.processors import CLIENT, Held
from benchmarks.report import ALL


def median(values: Iterable[float]) -> str:
    return f"{statistics.median(values):.0f}"


def others(taken: float) -> str:
    return f"others had {taken:.1f} of {os.cpu_count()} processors"


def times(seconds: dict[str, float], factor: float) -> dict[str, float]:
    return {part: each * factor for part, each in seconds.items()}


def platform(by_part: dict[str, float]) -> float:
    """Of the platform: the client is none of it."""
    return sum(each for part, each in by_part.items() if part != CLIENT)


def texts(by_part: dict[str, float], form: str) -> dict[str, str]:
    worked = {part: each for part, each in by_part.items() if each or part != CLIENT}
    return {part: form.format(each) for part, each in (worked | {ALL: platform(by_part)}).items()}


def memory(by_part: dict[str, Held]) -> dict[str, str]:
    """PSS, RSS and the highest RSS there ever was."""
    return {
        part: f"{each.pss:.0f} / {each.rss:.0f} / {each.peak:.0f}"
        for part, each in (by_part | {ALL: processors.together(by_part)}).items()
    }
