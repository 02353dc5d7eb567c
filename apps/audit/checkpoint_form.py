"""A checkpoint as bytes: one line of JSON in one form only, with a signature over all the rest.

Invariant: what `verified` hands out is what somebody with a key of ours signed, for this number and this installation.
Sorted keys, no spaces, UTF-8; `signature` is Ed25519 in base64, `previous` the SHA-256 of the object before, as
`sha256sum` prints it.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from apps.audit import signing
from apps.audit.chain import Head
from apps.audit.checkpoint_store import name_of

FORMAT = 1
NO_PREVIOUS = "0" * 64
_FIELDS = {"format", "number", "source", "taken_at", "heads", "previous", "key", "signature"}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHAIN = re.compile(r"0|[1-9][0-9]{0,3}")

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


def canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(heads: Heads, *, number: int, previous: str, now: datetime, by: signing.Signer) -> bytes:
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


def verified(number: int, content: bytes | None, *, by: signing.Verifier) -> Checkpoint:
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
