"""Who sends a REST request, by its `Authorization: Bearer` header: a JSON Web Token or a personal token.

Invariant: one query tells both whether the credential still holds and whose it is. A personal token reaches
no further than its scopes, whatever the view.
"""

from datetime import UTC, datetime

from rest_framework import authentication
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from apps.accounts import credentials, jwts, selectors
from apps.accounts.models import PersonalToken, SignIn, User
from apps.accounts.secret_texts import PERSONAL_TOKEN_PREFIX

_KEYWORD = b"bearer"


class BearerAuthentication(BaseAuthentication):
    """`request.auth` is the `SignIn` or the `PersonalToken` by which the caller came in."""

    def authenticate(self, request: Request) -> tuple[User, SignIn | PersonalToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != _KEYWORD:
            return None
        try:
            (secret,) = (word.decode("ascii") for word in words[1:])
        except ValueError:
            raise AuthenticationFailed("Write the header as `Authorization: Bearer <token>`.") from None
        if secret.startswith(PERSONAL_TOKEN_PREFIX):
            return _by_personal_token(secret, request)
        return _by_access_token(secret)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """Looks for the CSRF token without reading the body: one that cannot be read must not sign anybody out."""

    def enforce_csrf(self, request: Request) -> None:
        super().enforce_csrf(request._request)  # type: ignore[arg-type]  # noqa: SLF001 - no public way to Django's own


def _by_access_token(text: str) -> tuple[User, SignIn]:
    try:
        claims = jwts.read_access(text)
    except jwts.NotOurToken:
        raise AuthenticationFailed("The access token is not valid or has expired. Refresh it.") from None
    sign_in = selectors.sign_in_of(sign_in_id=claims.sign_in_id, user_id=claims.user_id)
    if sign_in is None:
        raise AuthenticationFailed("This sign-in has ended. Sign in again.")
    return sign_in.user, sign_in


def _by_personal_token(secret: str, request: Request) -> tuple[User, PersonalToken]:
    now = datetime.now(UTC)
    token = selectors.personal_token_of(secret, now=now)
    if token is None:
        raise AuthenticationFailed("The personal token is not known, was revoked or has expired.")
    if not token.may_write and request.method not in SAFE_METHODS:
        raise PermissionDenied("This personal token may only read. Make one with the scope `write`.")
    credentials.note_use(token, now=now)
    return token.user, token
