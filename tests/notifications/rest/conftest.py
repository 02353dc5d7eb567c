"""A person in Berlin on a Monday, and a client of theirs."""

import pytest
from rest_framework.test import APIClient

from tests.notifications.rest.made import MONDAY
from tests.support.factories import person


@pytest.fixture(autouse=True)
def on_monday(time_machine):
    time_machine.move_to(MONDAY, tick=False)


@pytest.fixture
def ada(db):
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def eve(db):
    return person("eve")


@pytest.fixture
def api(ada):
    client = APIClient()
    client.force_login(ada)
    return client
