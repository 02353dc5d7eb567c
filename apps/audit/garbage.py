"""What is kept of a record that is no event: why, its headers, its key and its value. Pure.

Invariant: however large the record, what is kept is bounded, and cheap to make inside the transaction that the group
holds open; what was left out is told with how much it was and a SHA-256 of the whole, so that it can be proved.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from apps.events.brokers.base import Record

# What a topic of ours takes, so all of what was not made larger by decompressing it.
MOST_BYTES = 1024 * 1024
# In the form of `whole`. Kept as text, in which one byte can take five.
MOST_HEADER_BYTES = 16 * 1024
MOST_REASON = 2000
_LENGTH = 4


def kept(record: Record, *, reason: str) -> dict[str, Any]:
    headers, headers_left = _headers(record.headers)
    key, key_left = _base64(record.key)
    value, value_left = _base64(record.value)
    left = {name: told for name, told in (("headers", headers_left), ("key", key_left), ("value", value_left)) if told}
    data = {
        "because": shown(reason[:MOST_REASON].encode(errors="backslashreplace"))[:MOST_REASON],
        "headers": headers,
        "key": key,
        "value": value,
    }
    return {**data, "left_out": left} if left else data


def _base64(raw: bytes | None) -> tuple[str | None, dict[str, Any] | None]:
    if raw is None:
        return None, None
    return base64.b64encode(raw[:MOST_BYTES]).decode(), _left_out(raw, most=MOST_BYTES)


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[list[list[str]], dict[str, Any] | None]:
    """The first ones, the last of them cut."""
    pairs = [(name.encode(errors="backslashreplace"), value or b"") for name, value in headers]
    room, fit = MOST_HEADER_BYTES, []
    for name, value in pairs:
        room -= 2 * _LENGTH
        if room < 0:
            break
        name_kept = name[:room]
        room -= len(name_kept)
        value_kept = value[:room]
        room -= len(value_kept)
        fit.append([shown(name_kept), shown(value_kept)])
    return fit, _left_out(whole(pairs), most=MOST_HEADER_BYTES)


def whole(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Names and values in turn, each behind its length in four bytes, the greatest first."""
    return b"".join(len(part).to_bytes(_LENGTH, "big") + part for pair in headers for part in pair)


def _left_out(raw: bytes, *, most: int) -> dict[str, Any] | None:
    if len(raw) <= most:
        return None
    return {"bytes": len(raw) - most, "sha256_of_all": hashlib.sha256(raw).hexdigest()}


def shown(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace").replace("\0", "\\0")
