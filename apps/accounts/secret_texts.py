"""Secrets that are shown once and kept as a hash: personal tokens and socket tickets.

Invariant: a secret has 256 random bits, so a plain hash of it can be looked up and not turned round.
"""

import hashlib
import secrets

PERSONAL_TOKEN_PREFIX = "todo_pat_"  # noqa: S105 - the beginning of every token, so that scanners know a leaked one
SHOWN_CHARACTERS = len(PERSONAL_TOKEN_PREFIX) + 4
_RANDOM_BYTES = 32


def new_personal_token() -> str:
    return PERSONAL_TOKEN_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def new_ticket() -> str:
    """43 characters that may stand in an address."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
