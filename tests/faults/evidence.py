"""What each fault test found, gathered for the table that a run ends with.

A test of a fault is marked `@pytest.mark.fault("F4", "relay killed after produce", bound=5)`; `bound` is the promise in
seconds. On a machine that others use too the test allows `FAULTS_PATIENCE` times as much (3 unless told), and what took
longer than promised is a row that reads `late`, not `held`, with how often the bound was passed. A negative control,
with the cure switched off, is marked `control` and has to find something.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from apps.events.brokers.base import Broker
from benchmarks import page as pages
from tests.faults import checker, journal, topics
from tests.faults.verdict import Verdict

PATIENCE = float(os.environ.get("FAULTS_PATIENCE", "3"))


@dataclass
class Evidence:
    """One row. Seconds are from healing, or from the fault where nothing is healed, until all is quiet."""

    fault: str
    what: str
    kafka: str
    seed: str
    bound: float | None = None
    control: bool = False
    operations: int = 0
    unknown: int = 0
    events: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    other: int = 0
    recovery_seconds: float | None = None
    recoveries: int = 0
    late: int = 0
    rounds: int = 0
    notes: list[str] = field(default_factory=list)
    outcome: str = "not finished"

    def recovered(self, seconds: float) -> None:
        """C10. Of several recoveries the longest counts."""
        self.recovery_seconds = max(seconds, self.recovery_seconds or 0.0)
        self.recoveries += 1
        if self.bound is not None:
            self.late += seconds > self.bound
            allowed = self.bound * PATIENCE
            assert seconds <= allowed, f"{seconds:.1f} s; the promise is {self.bound:g}, allowed here {allowed:g}"

    def passed(self) -> None:
        """Nothing wrong was found by the test, or by the control what had to be."""
        self.outcome = "seen" if self.control else "late" if self.late else "held"

    def judge(self, path: Path, broker: Broker | None = None, *, poisons: int = 0) -> Verdict:
        """Check everything of a system at rest and note what was found. Raises `AssertionError`."""
        verdict = self.note(path, broker, poisons=poisons)
        verdict.hold()
        return verdict

    def refute(self, path: Path, broker: Broker | None = None) -> Verdict:
        """The control: the checker must find something. Raises `AssertionError` when all is well."""
        verdict = self.note(path, broker)
        assert verdict.findings, "The cure is switched off, and the checker finds nothing wrong."
        return verdict

    def note(self, path: Path, broker: Broker | None = None, *, poisons: int = 0) -> Verdict:
        records = topics.all_records(broker) if broker else None
        verdict = checker.judge(journal.read(path), records, poisons=poisons)
        self.count(verdict)
        return verdict

    def count(self, verdict: Verdict) -> None:
        self.operations += verdict.operations["ok"]
        self.unknown += verdict.operations["unknown"]
        self.events = verdict.events
        self.count_more(verdict)

    def count_more(self, verdict: Verdict) -> None:
        """What was found beside what `judge` looks at."""
        self.lost += len(verdict.lost)
        self.duplicated += len(verdict.duplicated)
        self.reordered += len(verdict.reordered)
        self.other += len(verdict.other)

    @property
    def recovery(self) -> str:
        if self.recovery_seconds is None:
            return ""
        return f"{self.recovery_seconds:.1f} s" + (f" of {self.bound:g}" if self.bound is not None else "")

    @property
    def result(self) -> str:
        """All of the last column."""
        said = [
            self.outcome + " (control)" * self.control,
            f"bound passed {self.late} of {self.recoveries} times" * bool(self.late),
            f"{self.rounds} rounds" * bool(self.rounds),
            f"{self.other} more findings" * bool(self.other),
        ]
        return ", ".join(filter(None, [*said, *self.notes]))


def table(rows: Sequence[Evidence]) -> list[str]:
    """Markdown; the same on the terminal and in docs/reliability.md."""
    head = ("fault", "what happens", "Kafka", "operations", "lost", "duplicated", "reordered", "recovery", "")
    lines = [" | ".join(["", *head, ""]).strip(), "|" + " --- |" * len(head)]
    for row in sorted(rows, key=lambda each: (int(each.fault[1:]), each.control)):
        operations = f"{row.operations}" + (f" + {row.unknown} unknown" if row.unknown else "")
        counts = [operations, str(row.lost), str(row.duplicated), str(row.reordered)]
        lines.append("| " + " | ".join([row.fault, row.what, row.kafka, *counts, row.recovery, row.result]) + " |")
    return lines


def outcomes(rows: Sequence[Evidence]) -> str:
    """How many rows there are of each outcome."""
    counted = Counter(row.outcome for row in rows)
    return ", ".join(f"{times} {outcome}" for outcome, times in sorted(counted.items()))


def publish(rows: Sequence[Evidence], page: Path, *, about: str) -> None:
    """Write the table between the marks of a page."""
    pages.put(page, "\n".join([about, "", *table(rows)]))


def write_json(rows: Sequence[Evidence], path: Path) -> None:
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1))
