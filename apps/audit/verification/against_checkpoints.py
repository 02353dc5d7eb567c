"""Holds the chains against the signed checkpoints, which nobody can change who can only change the database."""

from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ImproperlyConfigured

from apps.audit import checkpoints, selectors
from apps.audit.chain import BEGINNING, Head
from apps.audit.checkpoints import Checkpoint, CheckpointRefused, CheckpointsAway
from apps.audit.models import AuditRecord
from apps.audit.verification.findings import Finding, Wrong

# So many of the newest are held against the trail and against each other: each is an object to fetch. The newest alone
# vouches for every record before it.
MOST = 1000


@dataclass(slots=True)
class Held:
    """Against which checkpoint the chains were held. `unproven` says why there was none, or none within reach."""

    number: int | None = None
    taken_at: datetime | None = None
    unproven: str = ""
    could_not_ask: bool = False
    findings: list[Finding] = field(default_factory=list)


def hold(*, whole: bool, known: int | None = None, most: float = MOST) -> Held:
    """Against the newest checkpoint; with `whole` against the newest `most`, and each against the one before it.

    `known` is the highest number that was ever seen: fewer there now means that some were taken away.
    """
    try:
        newest = checkpoints.newest()
        held = _held_against(newest, whole=whole, most=most) if newest else Held(unproven="There is no checkpoint yet.")
    except CheckpointRefused as refused:
        return Held(findings=[Finding(wrong=Wrong.CHECKPOINT_REFUSED, told=str(refused))])
    except (CheckpointsAway, ImproperlyConfigured) as reason:
        return Held(unproven=str(reason), could_not_ask=True)
    if known is not None and (held.number or 0) < known:
        told = f"Checkpoint {known} was there and is gone; the newest is {held.number or 'none'}."
        held.findings.append(Finding(wrong=Wrong.CHECKPOINT_REFUSED, told=told))
    return held


def disagreements(checkpoint: Checkpoint) -> dict[int, Head]:
    """The chains that no longer hold the record that was signed as their head, with that head."""
    signed = {number: head for number, head in checkpoint.heads.items() if head.sequence}
    held = selectors.heads_at({number: head.sequence for number, head in signed.items()})
    return {number: head for number, head in signed.items() if held.get(number) != head}


def _held_against(newest: Checkpoint, *, whole: bool, most: float) -> Held:
    held = Held(newest.number, newest.taken_at)
    if not whole and not disagreements(newest):
        return held
    agreed: dict[int, int] = {}
    told: set[int] = set()
    # From the oldest on: the first that disagrees, and what the ones before agreed on, narrow down where it was done.
    for checkpoint in checkpoints.since(int(max(0, newest.number - most))):
        wrong = disagreements(checkpoint)
        held.findings += [
            _finding(number, signed, checkpoint, agreed=agreed.get(number, 0))
            for number, signed in wrong.items()
            if number not in told
        ]
        told |= set(wrong)
        agreed |= {n: head.sequence for n, head in checkpoint.heads.items() if n not in told}
    return held


def _finding(number: int, signed: Head, checkpoint: Checkpoint, *, agreed: int) -> Finding:
    end = selectors.heads([number]).get(number, BEGINNING).sequence
    if end < signed.sequence:
        return Finding(
            wrong=Wrong.TAIL_CUT,
            told=f"Chain {number} ends at {end}, but checkpoint {checkpoint.number} of"
            f" {checkpoint.taken_at:%Y-%m-%d %H:%M:%S} UTC was signed when it had {signed.sequence}:"
            f" records {end + 1} to {signed.sequence} are gone.",
            chain=number,
            sequence=end + 1,
        )
    first = agreed + 1
    exactly = first == signed.sequence
    which = f"record {first}" if exactly else f"one of the records {first} to {signed.sequence}"
    return Finding(
        wrong=Wrong.REWRITTEN,
        told=f"Chain {number} is not the one that checkpoint {checkpoint.number} signed: {which} was changed and every"
        " hash after it computed anew.",
        chain=number,
        sequence=first,
        record_id=_id_at(number, first) if exactly else None,
    )


def _id_at(number: int, sequence: int) -> int | None:
    return AuditRecord.objects.filter(chain=number, sequence=sequence).values_list("id", flat=True).first()
