"""Whether a record checks out right now: its own bytes, what it committed to, and its neighbours in the chain.

A look at one record; the whole trail is verified elsewhere. Invariant: changes nothing, reads at most two more rows.
"""

from dataclasses import dataclass

from apps.audit import chain, selectors
from apps.audit.models import AuditRecord
from apps.events import erasure


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


def proof_of(record: AuditRecord) -> Proof:
    near = {record.sequence - 1, record.sequence + 1}
    neighbours = {one.sequence: one for one in AuditRecord.objects.filter(chain=record.chain, sequence__in=near)}
    before, after = neighbours.get(record.sequence - 1), neighbours.get(record.sequence + 1)
    checks = [_own_bytes(record), _content(record), _place(record), _behind(record, before), _ahead(record, after)]
    return Proof(checks, before, after)


def _own_bytes(record: AuditRecord) -> Check:
    if chain.hash_of(record.link) == bytes(record.hash):
        return Check("Its hash is the one its own fields give.", True)
    return Check("Its hash is not the one its fields give: it was changed after it was recorded.", False)


def _content(record: AuditRecord) -> Check:
    if not _has_content(record):
        if record.owner_id and erasure.erased_among({record.owner_id}):
            return Check("What was written has been erased with its owner; the commitment to it stays.", None)
        return Check("What was written is gone, though nobody has been erased.", False)
    content = record.content
    if not content.is_committed_to(bytes(record.commitment)):
        return Check("What was written is not what the record committed to.", False)
    title = chain.title_in(record.data, subject_type=record.subject_type) if record.readable else ""
    if (content.title, content.correlation_id, content.owner_id) != (title, record.correlation_id, record.owner_id):
        return Check("What it is found by (title, request, owner) is not what was written.", False)
    return Check("What was written is what the record committed to.", True)


def _place(record: AuditRecord) -> Check:
    own = chain.chain_of(record.subject_type, record.subject_id, event_id=record.event_id)
    if own == record.chain:
        return Check("It stands in the chain that all records of its subject stand in.", True)
    return Check(f"It stands in chain {record.chain}; its subject's is chain {own}.", False)


def _behind(record: AuditRecord, before: AuditRecord | None) -> Check:
    if record.sequence == 1:
        holds = bytes(record.previous_hash) == chain.BEGINNING.hash
        return Check("It begins its chain." if holds else "It is the first, yet names a record before it.", holds)
    if before is None:
        return Check(f"Record {record.sequence - 1} of its chain is missing.", False)
    if bytes(before.hash) == bytes(record.previous_hash):
        return Check("It names the hash of the record before it.", True)
    return Check("The hash it names as the one before is not that of the record before it.", False)


def _ahead(record: AuditRecord, after: AuditRecord | None) -> Check:
    if after is not None:
        holds = bytes(after.previous_hash) == bytes(record.hash)
        told = "The record after it builds on its hash."
        return Check(told if holds else "The record after it builds on another hash.", holds)
    head = selectors.heads([record.chain]).get(record.chain, chain.BEGINNING)
    if head.sequence > record.sequence:
        return Check(f"Record {record.sequence + 1} of its chain is missing.", False)
    return Check("It is the last of its chain: nothing builds on it yet.", None)


def _has_content(record: AuditRecord) -> bool:
    return hasattr(record, "content")
