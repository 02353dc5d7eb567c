"""What a check found, in words and counted by kind. `hold` raises `AssertionError` when it is anything."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """What was found, as sentences; `lost`, `duplicated` and `reordered` of events, and whatever else is wrong."""

    operations: Counter[str] = field(default_factory=Counter)
    events: int = 0
    repeated_records: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        return [*self.lost, *self.duplicated, *self.reordered, *self.other]

    def hold(self) -> None:
        shown = "\n".join(self.findings[:20])
        assert not self.findings, f"{len(self.findings)} findings:\n{shown}"
