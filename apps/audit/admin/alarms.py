"""What verifications found wrong with the trail, as its pages tell it until one finds all of it sound.

Invariant: there is an alarm while `selectors.verification_status()` is not sound, whatever its notes hold: they are
only the database's word.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.audit import selectors
from apps.audit.models import AuditVerification

_UNTOLD = "A verification found something, and its note of what cannot be read."


@dataclass(frozen=True, slots=True)
class Alarm:
    """`first` is what was found first, `record_id` the record it is about; `of_record` what was found of each."""

    first: str
    record_id: int | None
    number: int
    of_record: Mapping[int, str]


def alarm() -> Alarm | None:
    runs = selectors.alarming_runs()
    if not runs:
        return None
    found = {told: finding for run in runs for finding in _found(run) if (told := finding["told"])}
    first: Mapping[str, Any] = next(iter(found.values()), {"told": _UNTOLD})
    of_record = {pk: told for told, finding in found.items() if (pk := _record_of(finding)) is not None}
    return Alarm(first["told"], _record_of(first), max(1, len(found)), of_record)


def _found(run: AuditVerification) -> Iterator[Mapping[str, Any]]:
    findings = run.findings if isinstance(run.findings, list) else []
    return (one for one in findings if isinstance(one, dict) and isinstance(one.get("told"), str))


def _record_of(finding: Mapping[str, Any]) -> int | None:
    """The record that is wrong; of what is gone the one it stood before."""
    named = finding.get("record_id") or finding.get("before_record_id")
    return named if isinstance(named, int) else None
