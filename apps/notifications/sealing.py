"""Seals at rest what must be read again, such as the secrets of webhooks and the keys of browsers.

Invariant: what the database holds opens only with a key of the environment. The first of `SEALING_KEYS` seals, all
open, so that a key is changed by putting a new one before it. Where none is named, one is derived from `SECRET_KEY`;
those derived from its fallbacks open, too.

Source: Fernet, https://github.com/fernet/spec; HKDF is RFC 5869.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class SealNotOurs(Exception):
    """No key of this installation opens it: it was sealed elsewhere, or its key was taken away."""

    def __init__(self) -> None:
        super().__init__("It was sealed with a key that this installation does not have. See SEALING_KEYS.")


def seal(text: str) -> bytes:
    """What may be kept of it. Raises `ImproperlyConfigured`, which names no key."""
    return _keys().encrypt(text.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """What was sealed. Raises `SealNotOurs` and `ImproperlyConfigured`."""
    try:
        return _keys().decrypt(bytes(sealed)).decode()
    except InvalidToken:
        raise SealNotOurs from None


def _keys() -> MultiFernet:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return _made(tuple(settings.SEALING_KEYS), secrets)


@lru_cache(maxsize=8)
def _made(named: tuple[str, ...], secrets: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in named or map(_derived, secrets)])
    except ValueError:
        raise ImproperlyConfigured(
            "SEALING_KEYS must be 32 bytes in url-safe base64 each, comma-separated: "
            "`openssl rand -base64 32 | tr +/ -_` makes one."
        ) from None


def _derived(secret: str) -> bytes:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"apps.notifications.sealing").derive(secret.encode())
    return base64.urlsafe_b64encode(key)
