"""Signed checkpoints of the chains' heads, kept outside the database, each linked to the one before.

Invariant: a checkpoint that this module hands out has been verified: its signature, its name, and, in `since`, its link
to the one before. What was signed once is never signed away: heads that went back are refused.

The object is one line of JSON in one form only: sorted keys, no spaces, UTF-8. Its `signature` (Ed25519, base64) is
over that form of all the rest; `previous` is the SHA-256 of the object before, as `sha256sum` prints it.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from apps.audit import signing
from apps.audit.chain import Head
from apps.audit.checkpoint_store import CheckpointsAway, NumberTaken, configured_store, name_of

__all__ = ["Checkpoint", "CheckpointRefused", "CheckpointsAway", "Head", "HeadsWentBack", "newest", "since", "write"]

FORMAT = 1
NO_PREVIOUS = "0" * 64
_FIELDS = {"format", "number", "source", "taken_at", "heads", "previous", "key", "signature"}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHAIN = re.compile(r"0|[1-9][0-9]{0,3}")
_ATTEMPTS = 10


Heads = Mapping[int, Head]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was signed. `previous` and `digest` are hexadecimal: of the object before, and of this one's own bytes."""

    number: int
    taken_at: datetime
    heads: Heads
    previous: str
    key_id: str
    source: str
    digest: str

    @property
    def name(self) -> str:
        return name_of(self.number)


class CheckpointRefused(Exception):
    """An object is not what was signed; `name` says which, `reason` what is wrong with it."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"Checkpoint {name_of(number)}: {reason}")
        self.number = number
        self.name = name_of(number)
        self.reason = reason


class HeadsWentBack(Exception):
    """Chains are shorter than, or differ from, what was signed: the trail was cut or rewritten. Nothing is signed."""

    def __init__(self, since: Checkpoint, chains: Mapping[int, str]) -> None:
        told = "; ".join(f"chain {chain}: {what}" for chain, what in sorted(chains.items()))
        super().__init__(f"The trail is not what checkpoint {since.name} signed: {told}.")
        self.checkpoint = since
        self.chains = chains


def write(heads: Heads | Callable[[], Heads], *, now: datetime, dry_run: bool = False) -> Checkpoint | None:
    """Sign the heads as the next checkpoint; `None` when nothing moved since the newest.

    Where two may write at once, `heads` is a function: it is asked after the newest checkpoint has been read, so heads
    that only grow cannot be behind it. They must be those of committed records. `dry_run` keeps nothing.

    Raises `HeadsWentBack`, `CheckpointRefused` (of the newest), `CheckpointsAway` and `ImproperlyConfigured`.
    """
    signer = signing.Signer()
    for _ in range(_ATTEMPTS):
        last = newest()
        current = heads() if callable(heads) else heads
        if last is not None:
            _refuse_heads_that_went_back(current, since=last)
        if dict(current) == (dict(last.heads) if last else {}):
            return None
        number = last.number + 1 if last else 1
        content = _signed(current, number=number, previous=last.digest if last else NO_PREVIOUS, now=now, by=signer)
        try:
            if not dry_run:
                configured_store().create(number, content)
        except NumberTaken:
            continue
        return _verified(number, content, by=signing.Verifier())
    raise CheckpointsAway(f"{settings.AUDIT_CHECKPOINTS_URL}: others took every number that was tried.")


def newest() -> Checkpoint | None:
    """The one with the highest number, verified by itself. Raises `CheckpointRefused` and `CheckpointsAway`."""
    store = configured_store()
    number = store.newest_number()
    return _verified(number, store.read(number), by=signing.Verifier()) if number else None


def since(number: int) -> Iterator[Checkpoint]:
    """All after a number, in order; 0 for all. The one with that number must still be there: the next links to it.

    Raises `CheckpointRefused` at the first that is missing or not what was signed, and `CheckpointsAway`.
    """
    store, verifier = configured_store(), signing.Verifier()
    last = max(store.newest_number(), number)
    before: Checkpoint | None = None
    for each, content in store.read_many(max(number, 1), last):
        checkpoint = _verified(each, content, by=verifier)
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


# --- Bytes --------------------------------------------------------------------------------------------


def canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _signed(heads: Heads, *, number: int, previous: str, now: datetime, by: signing.Signer) -> bytes:
    content: dict[str, Any] = {
        "format": FORMAT,
        "number": number,
        "source": settings.EVENT_SOURCE,
        "taken_at": now.astimezone(UTC).isoformat(timespec="microseconds"),
        "heads": {str(chain): {"sequence": head.sequence, "hash": head.hash.hex()} for chain, head in heads.items()},
        "previous": previous,
        "key": by.key_id,
    }
    return canonical({**content, "signature": base64.b64encode(by.sign(canonical(content))).decode()})


def _verified(number: int, content: bytes | None, *, by: signing.Verifier) -> Checkpoint:
    """What the object of a number says, once all of it has been checked. Raises `CheckpointRefused`."""
    if content is None:
        raise CheckpointRefused(number, "it is missing.")
    try:
        told = json.loads(content)
        in_form = isinstance(told, dict) and set(told) == _FIELDS and canonical(told) == content
    except (ValueError, RecursionError):
        raise CheckpointRefused(number, "it is not JSON.") from None
    if not in_form:
        raise CheckpointRefused(number, "it does not have the form of a checkpoint.")
    _refuse_bad_signature(number, told, by=by)
    return _read(number, told, digest=hashlib.sha256(content).hexdigest())


def _refuse_bad_signature(number: int, told: dict[str, Any], *, by: signing.Verifier) -> None:
    try:
        signature = base64.b64decode(str(told["signature"]), validate=True)
        by.check(signature, canonical({k: v for k, v in told.items() if k != "signature"}), key_id=str(told["key"]))
    except signing.UnknownKey as key:
        raise CheckpointRefused(
            number, f"it is signed with the unknown key {key}. If it was ours, name it in AUDIT_VERIFYING_KEYS."
        ) from None
    except (signing.BadSignature, binascii.Error, ValueError):
        raise CheckpointRefused(number, "its signature is not over what it says.") from None


def _read(number: int, told: dict[str, Any], *, digest: str) -> Checkpoint:
    if told["format"] != FORMAT:
        raise CheckpointRefused(number, f"its format is {told['format']!r}; this release reads {FORMAT}.")
    if told["number"] != number:
        raise CheckpointRefused(number, f"it is number {told['number']!r}, under another's name.")
    if told["source"] != settings.EVENT_SOURCE:
        raise CheckpointRefused(number, f"it is of another installation, {told['source']!r}.")
    try:
        heads = {_chain(chain): _head(head) for chain, head in told["heads"].items()}
        taken_at, previous = _instant(told["taken_at"]), _digest(told["previous"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CheckpointRefused(number, "it does not have the form of a checkpoint.") from None
    return Checkpoint(
        number=number,
        taken_at=taken_at,
        heads=heads,
        previous=previous,
        key_id=told["key"],
        source=told["source"],
        digest=digest,
    )


def _chain(text: str) -> int:
    if not _CHAIN.fullmatch(text):
        raise ValueError
    return int(text)


def _head(told: Mapping[str, Any]) -> Head:
    sequence = told["sequence"]
    if type(sequence) is not int or sequence < 0:
        raise ValueError
    return Head(sequence, bytes.fromhex(_digest(told["hash"])))


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError
    return text


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError
    return instant
