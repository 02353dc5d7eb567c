"""The JSON Web Tokens of a sign-in: how they are written and what is read from one.

Invariant: one algorithm and one key of our own (`SIMPLE_JWT`); a token names its sign-in in `family`, and only
that row decides whether it still opens anything.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from apps.accounts.models import SignIn

FAMILY = "family"


class NotOurToken(Exception):
    """The text is no token of ours of the wanted kind, or it has expired."""


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: UUID
    sign_in_id: UUID
    token_id: UUID


def pair_of(sign_in: SignIn) -> dict[str, str]:
    """The refresh token that is good next, and an access token for ten minutes."""
    refresh = RefreshToken()
    refresh[api_settings.USER_ID_CLAIM] = str(sign_in.user_id)
    refresh[FAMILY] = str(sign_in.pk)
    refresh[api_settings.JTI_CLAIM] = str(sign_in.token_id)
    refresh.set_exp(from_time=sign_in.refreshed_at)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def read_access(text: str) -> Claims:
    """Raises `NotOurToken`. A token comes with every request of its ten minutes; its signature is checked once."""
    claims, expires_at = _verified_access(text)
    if expires_at <= time.time():
        raise NotOurToken("Token is expired")
    return claims


@lru_cache(maxsize=4096)
def _verified_access(text: str) -> tuple[Claims, int]:
    token = _verified(AccessToken, text)
    return _claims_of(token), token["exp"]


def read_refresh(text: str) -> Claims:
    """Raises `NotOurToken`."""
    return _claims_of(_verified(RefreshToken, text))


def _verified(kind: type[Token], text: str) -> Any:
    try:
        return kind(text)  # type: ignore[arg-type]  # the stub wants a token where the text belongs
    except (TokenError, ValueError, AttributeError, TypeError) as reason:
        raise NotOurToken(str(reason)) from reason


def _claims_of(token: Any) -> Claims:
    try:
        return Claims(
            user_id=UUID(token[api_settings.USER_ID_CLAIM]),
            sign_in_id=UUID(token[FAMILY]),
            token_id=UUID(token[api_settings.JTI_CLAIM]),
        )
    except (KeyError, ValueError, AttributeError, TypeError) as reason:
        raise NotOurToken(str(reason)) from reason
