"""What the tests of tasks over REST share; whose requests they are, each says as `owner`."""

import pytest
from rest_framework.test import APIClient


@pytest.fixture
def api(owner):
    client = APIClient()
    client.force_login(owner)
    return client
