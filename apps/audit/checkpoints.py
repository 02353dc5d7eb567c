"""Signed checkpoints of the chains' heads, kept outside the database, each linked to the one before.

Invariant: a checkpoint that this module hands out has been verified: its signature, its name, and, in `since`, its link
to the one before. What was signed once is never signed away: heads that went back are refused.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from django.conf import settings
from django.db import transaction

from apps.audit import selectors, signing
from apps.audit.chain import Head
from apps.audit.checkpoint_form import NO_PREVIOUS, Checkpoint, CheckpointRefused, Heads, signed, verified
from apps.audit.checkpoint_store import CheckpointsAway, NumberTaken, configured_store

__all__ = [
    "Checkpoint",
    "CheckpointRefused",
    "CheckpointsAway",
    "Head",
    "HeadsWentBack",
    "bring_up_to_date",
    "newest",
    "since",
    "take",
    "write",
]

_ATTEMPTS = 10


class HeadsWentBack(Exception):
    """Chains are shorter than, or differ from, what was signed: the trail was cut or rewritten. Nothing is signed."""

    def __init__(self, since: Checkpoint, chains: Mapping[int, str]) -> None:
        told = "; ".join(f"chain {chain}: {what}" for chain, what in sorted(chains.items()))
        super().__init__(f"The trail is not what checkpoint {since.name} signed: {told}.")
        self.checkpoint = since
        self.chains = chains


def take(*, now: datetime, dry_run: bool = False) -> Checkpoint | None:
    """`write` with the heads of the trail as it is committed. Not to be called inside a transaction.

    Raises `HeadsWentBack` also when a chain went on from other records than those that were signed.
    """
    newest_one, is_new = bring_up_to_date(now=now, dry_run=dry_run)
    return newest_one if is_new else None


def bring_up_to_date(*, now: datetime, dry_run: bool = False) -> tuple[Checkpoint | None, bool]:
    """`take`, and what then is the newest checkpoint, with whether it was written now."""
    return _written(_committed_heads, now=now, dry_run=dry_run)


def _committed_heads(since: Checkpoint | None) -> Heads:
    # Durable: inside a transaction one would see records of one's own that may never be.
    with transaction.atomic(durable=True):
        heads = selectors.heads()
        if since is not None:
            _refuse_heads_that_went_back(heads, since=since)
            there = selectors.heads_at({chain: head.sequence for chain, head in since.heads.items()})
            _refuse_heads_that_went_back(there, since=since)
        return heads


def write(
    heads: Heads | Callable[[Checkpoint | None], Heads], *, now: datetime, dry_run: bool = False
) -> Checkpoint | None:
    """Sign the heads as the next checkpoint; `None` when nothing moved since the newest. `dry_run` keeps nothing.

    They must be those of committed records. Where two may write at once, `heads` is a function: it is asked after the
    newest checkpoint has been read, which it is given, so heads that only grow cannot be behind it.

    Raises `HeadsWentBack`, `CheckpointRefused` (of the newest), `CheckpointsAway` and `ImproperlyConfigured`.
    """
    newest_one, is_new = _written(heads, now=now, dry_run=dry_run)
    return newest_one if is_new else None


def _written(
    heads: Heads | Callable[[Checkpoint | None], Heads], *, now: datetime, dry_run: bool
) -> tuple[Checkpoint | None, bool]:
    signer = signing.Signer()
    for _ in range(_ATTEMPTS):
        last = newest()
        current = heads(last) if callable(heads) else heads
        if last is not None:
            _refuse_heads_that_went_back(current, since=last)
        if dict(current) == (dict(last.heads) if last else {}):
            return last, False
        number = last.number + 1 if last else 1
        content = signed(current, number=number, previous=last.digest if last else NO_PREVIOUS, now=now, by=signer)
        try:
            if not dry_run:
                configured_store().create(number, content)
        except NumberTaken:
            continue
        return verified(number, content, by=signing.Verifier()), True
    raise CheckpointsAway(f"{settings.AUDIT_CHECKPOINTS_URL}: others took every number that was tried.")


def newest() -> Checkpoint | None:
    """The one with the highest number, verified by itself. Raises `CheckpointRefused` and `CheckpointsAway`."""
    store = configured_store()
    number = store.newest_number()
    return verified(number, store.read(number), by=signing.Verifier()) if number else None


def since(number: int) -> Iterator[Checkpoint]:
    """All after a number, in order; 0 for all. The one with that number must still be there: the next links to it.

    Raises `CheckpointRefused` at the first that is missing or not what was signed, and `CheckpointsAway`.
    """
    store, verifier = configured_store(), signing.Verifier()
    last = max(store.newest_number(), number)
    before: Checkpoint | None = None
    for each, content in store.read_many(max(number, 1), last):
        checkpoint = verified(each, content, by=verifier)
        if before is not None or each == 1:
            _refuse_other_link(checkpoint, before)
        if each > number:
            yield checkpoint
        before = checkpoint


def _refuse_other_link(checkpoint: Checkpoint, before: Checkpoint | None) -> None:
    if before is None:
        if checkpoint.previous != NO_PREVIOUS:
            raise CheckpointRefused(checkpoint.number, "it is the first, and names one before it.")
        return
    if checkpoint.previous != before.digest:
        raise CheckpointRefused(checkpoint.number, f"previous is not the digest of {before.name}.")
    if behind := _behind(checkpoint.heads, before.heads):
        chain, what = min(behind.items())
        raise CheckpointRefused(checkpoint.number, f"chain {chain} went back since {before.name}: {what}.")


# --- Heads --------------------------------------------------------------------------------------------


def _refuse_heads_that_went_back(heads: Heads, *, since: Checkpoint) -> None:
    if behind := _behind(heads, since.heads):
        raise HeadsWentBack(since, behind)


def _behind(heads: Heads, signed: Heads) -> dict[int, str]:
    """Per chain that is not what was signed, in words, what is wrong."""
    wrong: dict[int, str] = {}
    for chain, was in signed.items():
        head = heads.get(chain)
        if head is None or head.sequence < was.sequence:
            wrong[chain] = f"ends at {head.sequence if head else 0}, was signed up to {was.sequence}"
        elif head.sequence == was.sequence and head.hash != was.hash:
            wrong[chain] = f"record {was.sequence} has another hash than was signed"
    return wrong
