"""What is kept of a request and its answer beside an attempt; pure.

Invariant: it fits PostgreSQL's JSON, is bounded, and has nothing by which somebody could sign in or sign.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

MOST_CHARACTERS = 4096
MOST_ENTRIES = 64
MOST_DEPTH = 4
MOST_ERROR_CHARACTERS = 1000
HIDDEN = "(hidden)"
_CUT = "…"
_SECRET_PARTS = ("authorization", "signature", "cookie", "secret", "password", "token", "crypto-key", "api-key")


def fit(value: Any, *, depth: int = 0) -> Any:
    """As it may be kept: long texts cut, secrets hidden by their names, whatever is no JSON as text."""
    match value:
        case None | bool() | int() | float():
            return value if value is None or math.isfinite(value) else str(value)
        case Mapping() if depth < MOST_DEPTH:
            some = list(value.items())[:MOST_ENTRIES]
            return {text(key, most=200): _unless_secret(str(key), held, depth=depth + 1) for key, held in some}
        case str() | bytes() | Mapping():
            return text(value)
        case Sequence() if depth < MOST_DEPTH:
            return [fit(one, depth=depth + 1) for one in value[:MOST_ENTRIES]]
    return text(value)


def text(value: Any, *, most: int = MOST_CHARACTERS) -> str:
    """What PostgreSQL takes for text: no NUL, no half of a pair of surrogates."""
    plain = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    plain = plain.replace("\x00", "�").encode(errors="replace").decode()
    return plain if len(plain) <= most else plain[: most - 1] + _CUT


def error(reason: BaseException) -> str:
    """In words, of one that was not foreseen with its kind."""
    return text(f"{type(reason).__name__}: {reason}".removesuffix(": "), most=MOST_ERROR_CHARACTERS)


def _unless_secret(name: str, value: Any, *, depth: int) -> Any:
    return HIDDEN if any(part in name.casefold() for part in _SECRET_PARTS) else fit(value, depth=depth)
