"""The keys that checkpoints are signed with and held against, from the environment alone.

Invariant: no key comes from the database. A signature is believed only of a key that this installation names: the one
it signs with, or one of those it used before.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32


class UnknownKey(Exception):
    """A signature names a key that this installation does not."""


class BadSignature(Exception):
    """The signature is not that key's over these bytes."""


def key_from_text(text: str, *, name: str) -> bytes:
    """The 32 bytes of a key in base64. Raises `ImproperlyConfigured`, which names the variable and no key."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"{name} must be {KEY_BYTES} bytes in base64: `openssl rand -base64 32` makes one.")
    return key


def id_of(public_key: bytes) -> str:
    """What checkpoints call a key: the first 16 hexadecimal digits of the SHA-256 of the public key's 32 bytes."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class Signer:
    """Signs with `AUDIT_SIGNING_KEY`. Raises `ImproperlyConfigured` when there is none, or none that can be."""

    def __init__(self) -> None:
        if not settings.AUDIT_SIGNING_KEY:
            raise ImproperlyConfigured("AUDIT_SIGNING_KEY is not set: `openssl rand -base64 32` makes one.")
        seed = key_from_text(settings.AUDIT_SIGNING_KEY, name="AUDIT_SIGNING_KEY")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._private.public_key().public_bytes_raw()
        self.key_id = id_of(self.public_key)

    def sign(self, content: bytes) -> bytes:
        return self._private.sign(content)


class Verifier:
    """Holds signatures against every key that this installation names. Raises `ImproperlyConfigured` for a bad one."""

    def __init__(self) -> None:
        named = [key_from_text(text, name="AUDIT_VERIFYING_KEYS") for text in settings.AUDIT_VERIFYING_KEYS]
        if settings.AUDIT_SIGNING_KEY:
            named.append(Signer().public_key)
        self._keys = {id_of(key): Ed25519PublicKey.from_public_bytes(key) for key in named}

    def check(self, signature: bytes, content: bytes, *, key_id: str) -> None:
        """Raises `UnknownKey` and `BadSignature`."""
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey(key_id)
        try:
            key.verify(signature, content)
        except InvalidSignature:
            raise BadSignature from None
