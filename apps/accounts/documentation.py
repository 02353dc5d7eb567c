"""What OpenAPI says of the accounts' routes beyond their shapes: summaries, examples, special answers.

The answers that every route has in common are added where the document is made.
"""

from typing import Any

from drf_spectacular import authentication as spectacular
from drf_spectacular.utils import OpenApiExample, OpenApiResponse

_TAGS = ["accounts"]
_JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], *, status: str) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


_PAIR = _answer("A pair", {"access": _JWT, "refresh": _JWT}, status="200")
_TOKEN = {
    "id": "019a9f3c-7b1e-7c43-9d0a-6f1f3c0f6a11",
    "url": "http://127.0.0.1:8000/api/v1/tokens/019a9f3c-7b1e-7c43-9d0a-6f1f3c0f6a11/",
    "name": "Backup script",
    "prefix": "todo_pat_Xk3p",
    "scopes": ["read"],
    "created_at": "2026-11-20T09:00:00Z",
    "expires_at": "2027-02-18T09:00:00Z",
    "last_used_at": None,
}

OBTAIN: dict[str, Any] = {
    "operation_id": "auth_token_create",
    "tags": _TAGS,
    "summary": "Sign in with a password: an access and a refresh token",
    "description": "After 5 failures for a username from an address, or 20 from an address, within 15 minutes, "
    "each further one makes you wait twice as long, up to 15 minutes (429 with `Retry-After`).",
    "examples": [_request("Ada", {"username": "ada", "password": "correct horse"}), _PAIR],
}
REFRESH: dict[str, Any] = {
    "operation_id": "auth_refresh_create",
    "tags": _TAGS,
    "summary": "Exchange a refresh token for a new pair",
    "description": "A refresh token is good for one exchange. One that comes a second time may have been stolen: "
    "it ends its sign-in, and all tokens of that sign-in with it.",
    "examples": [_request("The last refresh token", {"refresh": _JWT}), _PAIR],
}
SIGN_OUT: dict[str, Any] = {
    "operation_id": "auth_logout_create",
    "tags": _TAGS,
    "summary": "Sign out: end a sign-in and all its tokens",
    "description": "Without a body it ends the sign-in of the access token. Not possible with a personal token.",
    "examples": [_request("Another sign-in of yours", {"refresh": _JWT})],
}
ME: dict[str, Any] = {"operation_id": "me_retrieve", "tags": _TAGS, "summary": "You"}
CHANGE_ME: dict[str, Any] = {
    "operation_id": "me_partial_update",
    "tags": _TAGS,
    "summary": "Change your names, e-mail address or time zone",
    "description": "A change of the time zone is an event, `account.time_zone_changed.v1`. "
    "A personal token may not change the e-mail address.",
    "examples": [_request("Moving", {"time_zone": "Europe/London"})],
}
TICKET: dict[str, Any] = {
    "operation_id": "ws_ticket_create",
    "tags": _TAGS,
    "summary": "Get a ticket that opens one socket",
    "description": "Good once and for 30 seconds, so that no lasting credential stands in an address. "
    "Not possible with a personal token.",
    "examples": [
        _answer(
            "A ticket",
            {"ticket": "qJ0tq0m3VbXy1n0cN7m2zqT5V8kq0s3YV5u9Yd1mC2E", "expires_in_seconds": 30},
            status="201",
        )
    ],
}
LIST_TOKENS: dict[str, Any] = {
    "tags": _TAGS,
    "summary": "Your personal tokens, newest first",
    "description": "Without those that were revoked; the secrets are not among it. "
    "No route under `tokens/` is open to a personal token.",
}
CREATE_TOKEN: dict[str, Any] = {
    "tags": _TAGS,
    "summary": "Make a personal token; its secret is shown once",
    "description": "At most 20 live ones a person (409).",
    "examples": [
        _request("For a backup", {"name": "Backup script", "scopes": ["read"]}),
        _answer(
            "The secret, once",
            {**_TOKEN, "token": "todo_pat_Xk3p…"},
            status="201",
        ),
    ],
}
RETRIEVE_TOKEN: dict[str, Any] = {
    "tags": _TAGS,
    "summary": "One of your personal tokens, without its secret",
    "examples": [_answer("A token", _TOKEN, status="200")],
}
REVOKE_TOKEN: dict[str, Any] = {
    "tags": _TAGS,
    "summary": "Revoke a personal token",
    "responses": {204: OpenApiResponse(description="It opens nothing any more.")},
}


class SessionScheme(spectacular.SessionScheme):
    """Ours is Django's session, looked at in another way; the document need not tell them apart."""

    target_class = "apps.accounts.authentication.SessionAuthentication"
