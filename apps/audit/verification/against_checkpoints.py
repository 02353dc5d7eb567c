"""Holds the chains against the signed checkpoints, which nobody can change who can only change the database."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from apps.audit import checkpoints, selectors
from apps.audit.chain import Head
from apps.audit.checkpoints import Checkpoint, CheckpointRefused, CheckpointsAway
from apps.audit.verification.findings import Finding, Wrong

# Of these the signatures and links are checked one by one; the newest alone vouches for every record before it.
MOST_LINKS = 1000

_AT = "SELECT id, hash FROM audit_auditrecord WHERE chain = %s AND sequence = %s"


@dataclass(slots=True)
class Held:
    """Against which checkpoint the chains were held. `unproven` says why there was none to ask."""

    number: int | None = None
    taken_at: datetime | None = None
    unproven: str = ""
    findings: list[Finding] = field(default_factory=list)


def hold(*, whole: bool, known: int | None = None) -> Held:
    """Against the newest checkpoint; with `whole` also each against the one before it.

    `known` is the highest number that was ever seen: fewer there now means that some were taken away.
    """
    try:
        newest = checkpoints.newest()
        held = Held() if newest is None else _held_against(newest)
        if newest is not None and whole:
            _check_links(newest)
    except CheckpointRefused as refused:
        return Held(findings=[Finding(wrong=Wrong.CHECKPOINT_REFUSED, told=str(refused))])
    except (CheckpointsAway, ImproperlyConfigured) as reason:
        return Held(unproven=str(reason))
    if known is not None and (held.number or 0) < known:
        told = f"Checkpoint {known} was there and is gone; the newest is {held.number or 'none'}."
        held.findings.append(Finding(wrong=Wrong.CHECKPOINT_REFUSED, told=told))
    if newest is None:
        held.unproven = "There is no checkpoint yet."
    return held


def _check_links(newest: Checkpoint) -> None:
    for _ in checkpoints.since(max(0, newest.number - MOST_LINKS)):
        pass


def _held_against(newest: Checkpoint) -> Held:
    held = Held(newest.number, newest.taken_at)
    ends = selectors.heads()
    for number, signed in sorted(newest.heads.items()):
        if signed.sequence == 0:
            continue
        end = ends.get(number)
        if end is None or end.sequence < signed.sequence:
            held.findings.append(_cut(number, end, signed, newest))
        elif _hash_at(number, signed.sequence)[1] != signed.hash:
            held.findings.append(_rewritten(number, signed, newest))
    return held


def _cut(number: int, end: Head | None, signed: Head, newest: Checkpoint) -> Finding:
    last = end.sequence if end else 0
    return Finding(
        wrong=Wrong.TAIL_CUT,
        told=f"Chain {number} ends at {last}, but checkpoint {newest.number} of {newest.taken_at:%Y-%m-%d %H:%M:%S} UTC"
        f" was signed when it had {signed.sequence}: records {last + 1} to {signed.sequence} are gone.",
        chain=number,
        sequence=last + 1,
    )


def _rewritten(number: int, signed: Head, newest: Checkpoint) -> Finding:
    agreed = _last_agreed(number, checkpoints.since(max(0, newest.number - MOST_LINKS)))
    first = agreed + 1
    record_id = _hash_at(number, first)[0] if first == signed.sequence else None
    which = f"record {first}" if first == signed.sequence else f"one of the records {first} to {signed.sequence}"
    return Finding(
        wrong=Wrong.REWRITTEN,
        told=f"Chain {number} is not the one that checkpoint {newest.number} signed: {which} was changed and every"
        " hash after it computed anew.",
        chain=number,
        sequence=first,
        record_id=record_id,
    )


def _last_agreed(number: int, signed_before: Iterable[Checkpoint]) -> int:
    """Up to which record the chain is what was signed: the checkpoints before narrow down where it was changed."""
    agreed = 0
    for checkpoint in signed_before:
        head = checkpoint.heads.get(number)
        if head is None or head.sequence <= agreed:
            continue
        if _hash_at(number, head.sequence)[1] != head.hash:
            break
        agreed = head.sequence
    return agreed


def _hash_at(number: int, sequence: int) -> tuple[int | None, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(_AT, [number, sequence])
        found = cursor.fetchone()
        return (found[0], bytes(found[1])) if found else (None, b"")
