"""People at the API: signed in by password, by session, by personal token."""

from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from apps.accounts import credentials
from tests.support.factories import person


@pytest.fixture
def ada():
    return person("ada")


@pytest.fixture
def grace():
    return person("grace")


@pytest.fixture
def stranger():
    """A caller whom nobody knows yet."""
    return APIClient()


@pytest.fixture
def browser(ada):
    """Ada by her session."""
    client = APIClient()
    client.force_login(ada)
    return client


@pytest.fixture
def bearer():
    """A caller with a token in the header."""

    def with_token(token):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return with_token


@pytest.fixture
def personal():
    """The secret of a new personal token."""

    def token_of(user, *scopes, **more):
        wanted = {"name": "script", "expires_at": None, "now": datetime.now(UTC), **more}
        return credentials.create_personal_token(user=user, scopes=scopes or ("write",), **wanted).secret

    return token_of
