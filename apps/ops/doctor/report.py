"""Tells the results: to a person in colour, to a program in JSON. Needs no settings."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from apps.ops.doctor.examination import Check, Level, Result, examine

_MARKS = {Level.WELL: ("✔", "green"), Level.WARNING: ("!", "yellow"), Level.WRONG: ("✘", "bold red")}
_MARKS[Level.NOT_LOOKED_AT] = ("-", "bright_black")


def examine_while_watched(checks: Sequence[Check]) -> list[Result]:
    words = Console(stderr=True)
    if not words.is_terminal:
        return examine(checks)
    with words.status(f"Looking at {len(checks)} things …"):
        return examine(checks)


def count_wrong(results: Sequence[Result]) -> int:
    return sum(result.verdict.level is Level.WRONG for result in results)


def _counted(count: int, level: Level) -> str:
    return f"{count} {level}{'s' if level is Level.WARNING and count != 1 else ''}"


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "well": count_wrong(results) == 0,
        "checks": [
            {
                "name": result.name,
                "level": result.verdict.level,
                "told": result.verdict.told,
                "fix": result.verdict.fix or None,
                "milliseconds": result.milliseconds,
            }
            for result in results
        ],
    }


def draw(results: Sequence[Result], *, console: Console) -> None:
    table = Table.grid(padding=(0, 1))
    for overflow in ("ellipsis", "ellipsis", "fold"):
        table.add_column(no_wrap=overflow == "ellipsis", overflow=overflow)
    for result, after in zip_longest(results, results[1:]):
        mark, colour = _MARKS[result.verdict.level]
        # Told once for several in a row.
        fix = "" if after is not None and after.verdict.fix == result.verdict.fix else result.verdict.fix
        if not console.is_terminal:
            # A pipe has no width, and lines that break are hard to search.
            console.out(f"{mark} {result.name:<22} {result.verdict.told}", highlight=False)
            if fix:
                console.out(f"  {'':<22} → {fix}", highlight=False)
            continue
        dim = colour if result.verdict.level is Level.NOT_LOOKED_AT else ""
        table.add_row(Text(mark, colour), Text(result.name, dim), Text(result.verdict.told, dim))
        if fix:
            table.add_row("", "", Text(f"→ {fix}", colour.removeprefix("bold ")))
    if console.is_terminal:
        console.print(table)
    counts = Counter(result.verdict.level for result in results)
    parts = [_counted(counts[level], level) for level in Level if counts[level]]
    console.out(f"\n{', '.join(parts)}.", highlight=False)
