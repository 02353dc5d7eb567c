"""What a verification may find, and what it reports."""

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from apps.audit.chain import Head

# More of them say no more; the first is the one that counts.
MOST_FINDINGS = 100


class Wrong(StrEnum):
    """What was done to the trail."""

    CHANGED = "changed"
    CONTENT_CHANGED = "content changed"
    CONTENT_GONE = "content gone"
    REMOVED = "removed"
    TAIL_CUT = "tail cut"
    SWAPPED = "swapped"
    MISPLACED = "misplaced"
    REWRITTEN = "rewritten"
    EVENT_MISSING = "event missing"
    NOT_AS_LOGGED = "not as logged"
    CHECKPOINT_REFUSED = "checkpoint refused"
    CANNOT_BE_READ = "cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: what, where, and in words. What is gone stood before the record `before_record_id`."""

    wrong: Wrong
    told: str
    chain: int | None = None
    sequence: int | None = None
    record_id: int | None = None
    before_record_id: int | None = None
    event_id: UUID | None = None

    def as_dict(self) -> dict[str, Any]:
        return {name: str(value) if isinstance(value, UUID) else value for name, value in asdict(self).items()}


@dataclass(slots=True, kw_only=True)
class Report:
    """What one verification did and found.

    `records` were looked at; of `erased` ones the content is rightly gone. `heads` is where each chain stood at its
    end. `waiting` events are in the log and not recorded yet, which is no fault of the trail; `unlogged` records
    came by Kafka of events that the log does not have: written onto the topic by another's hand. `checkpoint` is
    the number of the newest signed one that the trail was held against, `None` when there is none; `unproven` says
    why not, and `could_not_ask` that there may be one, which was out of reach. `log_position` is up to where the log
    was found recorded for good. Not `complete` when time was up first.
    """

    whole: bool
    started_at: datetime
    seconds: float = 0.0
    records: int = 0
    erased: int = 0
    waiting: int = 0
    unlogged: int = 0
    checkpoint: int | None = None
    checkpoint_at: datetime | None = None
    unproven: str = ""
    could_not_ask: bool = False
    complete: bool = True
    heads: dict[int, Head] = field(default_factory=dict)
    log_position: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The finding about the oldest record; what names no record comes last."""
        return min(self.findings, key=_age, default=None)

    def add(self, *found: Finding) -> None:
        """Once each, as many as say something."""
        fresh = [finding for finding in found if finding not in self.findings]
        self.findings.extend(fresh[: MOST_FINDINGS - len(self.findings)])

    def as_dict(self) -> dict[str, Any]:
        return {
            "sound": self.sound,
            "whole": self.whole,
            "first": self.first.as_dict() if self.first else None,
            "findings": [finding.as_dict() for finding in self.findings],
            "records": self.records,
            "erased": self.erased,
            "waiting": self.waiting,
            "unlogged": self.unlogged,
            "checkpoint": self.checkpoint,
            "checkpoint_at": self.checkpoint_at.isoformat() if self.checkpoint_at else None,
            "unproven": self.unproven,
            "could_not_ask": self.could_not_ask,
            "heads": heads_as_json(self.heads),
            "started_at": self.started_at.isoformat(),
            "seconds": round(self.seconds, 3),
        }


def _age(finding: Finding) -> tuple[float, bool, int, int]:
    at = finding.record_id or finding.before_record_id
    nowhere = finding.chain is None
    return (at or math.inf, finding.record_id is not None, -1 if nowhere else finding.chain or 0, finding.sequence or 0)


def heads_as_json(heads: dict[int, Head]) -> dict[str, list[Any]]:
    return {str(number): [head.sequence, head.hash.hex()] for number, head in sorted(heads.items())}


def heads_from_json(kept: dict[str, list[Any]]) -> dict[int, Head]:
    return {int(number): Head(sequence, bytes.fromhex(hash_)) for number, (sequence, hash_) in kept.items()}
