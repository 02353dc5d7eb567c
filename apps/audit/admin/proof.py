"""Whether a record checks out right now: its own bytes, what it committed to, and its neighbours in the chain.

A look at one record; the whole trail is verified elsewhere, by the same judgement. Invariant: changes nothing, judges
nothing itself, reads at most two more rows.
"""

from dataclasses import dataclass

from apps.audit import chain, selectors
from apps.audit.chain import Head
from apps.audit.kept import Kept
from apps.audit.models import AuditRecord
from apps.audit.verification import judging
from apps.audit.verification.judging import Row


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `holds` is `None` where there is nothing to hold against."""

    told: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Proof:
    """Every check, and the neighbours in the chain, where there are any."""

    checks: list[Check]
    before: AuditRecord | None
    after: AuditRecord | None

    @property
    def sound(self) -> bool:
        return all(check.holds is not False for check in self.checks)


def proof_of(record: AuditRecord, *, kept: Kept) -> Proof:
    near = {record.sequence - 1, record.sequence + 1}
    neighbours = {one.sequence: one for one in AuditRecord.objects.filter(chain=record.chain, sequence__in=near)}
    before, after = neighbours.get(record.sequence - 1), neighbours.get(record.sequence + 1)
    row = judging.row_of(record)
    checks = [
        _check("Its hash is the one its own fields give.", judging.changed(row)),
        _content(row, kept),
        _check("It stands in the chain that all records of its subject stand in.", judging.misplaced(row)),
        _behind(row, before),
        _ahead(row, after),
    ]
    return Proof(checks, before, after)


def _check(told: str, wrong: str | None) -> Check:
    """What holds, or what is wrong with the record."""
    return Check(told, True) if wrong is None else Check(f"It {wrong}.", False)


def _content(row: Row, kept: Kept) -> Check:
    erased = kept is Kept.ERASED
    wrong = judging.content_gone(row, erased=erased) or judging.content_changed(row)
    if erased and wrong is None:
        return Check("What was written has been erased with its owner; the commitment to it stays.", None)
    return _check("What was written is what the record committed to.", wrong)


def _behind(row: Row, before: AuditRecord | None) -> Check:
    sequence = row.link.sequence
    if sequence == chain.BEGINNING.sequence + 1:
        return _check("It begins its chain.", judging.not_behind(row, chain.BEGINNING))
    if before is None:
        return Check(f"Record {sequence - 1} of its chain is missing.", False)
    return _check("It was built on the record before it.", judging.not_behind(row, _head(before)))


def _ahead(row: Row, after: AuditRecord | None) -> Check:
    own = Head(row.link.sequence, row.hash)
    if after is not None:
        wrong = judging.not_behind(judging.row_of(after), own)
        return Check(f"The record after it {wrong or 'was built on it'}.", wrong is None)
    head = selectors.heads([row.link.chain]).get(row.link.chain, chain.BEGINNING)
    if head.sequence > own.sequence:
        return Check(f"Record {own.sequence + 1} of its chain is missing.", False)
    return Check("It is the last of its chain: nothing builds on it yet.", None)


def _head(record: AuditRecord) -> Head:
    return Head(record.sequence, bytes(record.hash))
