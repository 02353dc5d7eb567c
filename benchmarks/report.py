"""What was measured, as data (docs/benchmarks.json) and as tables in docs/benchmarks.md, between its markers.

Invariant: what is measured again replaces what was measured before of the same part on the same Kafka, and nothing
else; what people wrote around the tables stays.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import page

FIGURES, ROLES, PROTOCOLS, READS, RULES = "figures", "roles", "protocols", "reads", "rules"
MEASURED, LIMIT = "measured", "raw limit, same run"
ALL = "all but the client"
EITHER = "either"  # for what Kafka has no part in
DATA = Path(__file__).parent.parent / "docs" / "benchmarks.json"
REPORT = DATA.with_suffix(".md")


class Cell(NamedTuple):
    """One text of one table."""

    table: str
    row: str
    column: str
    text: str


@dataclass
class Part:
    """A part as it was measured: on which day, on what, and what came of it."""

    day: str
    ground: str
    cells: list[Cell]


# By kind of Kafka, then by part.
Results = dict[str, dict[str, Part]]


@dataclass
class Notebook:
    """Takes down what one part measures, and says it."""

    say: Callable[[str], None]
    cells: list[Cell] = field(default_factory=list)

    def figure(self, what: str, measured: str, limit: str = "", *, table: str = FIGURES) -> None:
        self.cells += [Cell(table, what, MEASURED, measured), Cell(table, what, LIMIT, limit)]
        self.say(f"{what}: {measured}" + (f" (limit: {limit})" if limit else ""))

    def roles(self, column: str, texts: Mapping[str, str]) -> None:
        self.cells += [Cell(ROLES, part, column, text) for part, text in texts.items()]
        self.say(f"{column}: {', '.join(f'{part} {text}' for part, text in texts.items())}")

    def protocol(self, what: str, protocol: str, measured: str) -> None:
        self.cells.append(Cell(PROTOCOLS, what, protocol, measured))
        self.say(f"{protocol}: {what}: {measured}")


def read(file: Path = DATA) -> Results:
    """What was measured before; nothing where there is no file."""
    if not file.exists():
        return {}
    stored: dict[str, dict[str, Any]] = json.loads(file.read_text())
    return {
        kind: {name: Part(part["day"], part["ground"], _flat(part["tables"])) for name, part in parts.items()}
        for kind, parts in stored.items()
    }


def write(
    results: Results, *, titles: Mapping[str, str], order: Iterable[str], data: Path = DATA, report: Path = REPORT
) -> None:
    """Store the results, and put their tables between the report's markers. `order` is that of the parts."""
    places = {name: place for place, name in enumerate(order)}
    ordered = {
        kind: dict(sorted(results[kind].items(), key=lambda part: places.get(part[0], len(places))))
        for kind in sorted(results, key=list(titles).index)
    }
    stored = {
        kind: {
            name: {"day": part.day, "ground": part.ground, "tables": _nested(part.cells)}
            for name, part in parts.items()
        }
        for kind, parts in ordered.items()
    }
    data.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    page.put(report, tables(ordered, titles=titles))


# By table, row and column.
Tables = dict[str, dict[str, dict[str, str]]]


def _nested(cells: Iterable[Cell]) -> Tables:
    nested: Tables = {}
    for table, row, column, text in cells:
        nested.setdefault(table, {}).setdefault(row, {})[column] = text
    return nested


def _flat(nested: Tables) -> list[Cell]:
    return [
        Cell(table, row, column, text)
        for table, rows in nested.items()
        for row, columns in rows.items()
        for column, text in columns.items()
    ]


def tables(results: Results, *, titles: Mapping[str, str]) -> str:
    """Everything measured, in Markdown."""
    sections = [_grounds(results, titles), "### Speed and latency", _side_by_side(results, titles)]
    for kind, parts in results.items():
        if cells := _cells(parts, ROLES):
            cells = sorted(cells, key=lambda cell: cell.row == ALL)
            sections += [f"### Processor time and memory, on {titles[kind]}", _table("role or service", cells)]
    for kind, parts in results.items():
        if cells := _cells(parts, PROTOCOLS):
            sections += [f"### The protocols of a group, on {titles[kind]}", _table("what", cells)]
    for table, title in ((READS, "Reads"), (RULES, "Dates of recurrence rules")):
        if cells := [cell for parts in results.values() for cell in _cells(parts, table)]:
            sections += [f"### {title}", _table("what", cells)]
    return "\n\n".join(sections)


def _grounds(results: Results, titles: Mapping[str, str]) -> str:
    """On which day and what each part was measured; parts of one day and ground together."""
    together: dict[tuple[str, str, str], list[str]] = {}
    for kind, parts in results.items():
        for name, part in parts.items():
            together.setdefault((kind, part.day, part.ground), []).append(name)
    return "\n".join(
        f"- {titles[kind]} ({', '.join(names)}): {day}, {ground}." for (kind, day, ground), names in together.items()
    )


def _side_by_side(results: Results, titles: Mapping[str, str]) -> str:
    """The figures of every kind of Kafka in one table."""
    return _table(
        "what",
        [
            cell._replace(column=f"{titles[kind]}: {cell.column}")
            for kind, parts in results.items()
            for cell in _cells(parts, FIGURES)
        ],
    )


def _cells(parts: Mapping[str, Part], table: str) -> list[Cell]:
    return [cell for part in parts.values() for cell in part.cells if cell.table == table]


def _table(corner: str, cells: Iterable[Cell]) -> str:
    """Rows and columns in the order in which they come."""
    texts = {(cell.row, cell.column): cell.text for cell in cells}
    rows, columns = dict.fromkeys(row for row, _ in texts), dict.fromkeys(column for _, column in texts)
    lines = [[corner, *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(texts.get((row, column), "") for column in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
