"""Checks a username and password, for whichever door asks: the page, the admin, the API.

Invariant: no door of ours looks at a password before the back-off let the attempt through.
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from apps.accounts import backoff
from apps.accounts.addresses import client_address
from apps.accounts.models import MAX_USERNAME_LENGTH, User


class PasswordBackend(ModelBackend):
    """Django's own, slowed down for who fails. Raises `SignInHeldBack`.

    Whether nobody has the username, the password is wrong or the person was deactivated, the answer and the
    work are the same.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **more: Any
    ) -> User | None:
        if request is None or username is None or password is None:
            return super().authenticate(request, username, password, **more)
        address = client_address(request.META)
        if len(username) <= MAX_USERNAME_LENGTH:  # a longer one is nobody's; to normalize it would only make it grow
            username = User.normalize_username(username)
        backoff.begin_attempt(username=username, address=address)
        user = super().authenticate(request, username, password, **more)
        if user is None:
            backoff.failed(address=address)
        else:
            backoff.succeeded(username=username, address=address)
        return user
