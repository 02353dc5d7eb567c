"""A person in Berlin on a Monday, and a weekly task of theirs."""

import pytest
from rest_framework.test import APIClient

from tests.recurrence.rest.monday import MONDAY
from tests.support.factories import person
from tests.support.repeating import repeating, the_series


@pytest.fixture(autouse=True)
def on_monday(time_machine):
    time_machine.move_to(MONDAY, tick=False)


@pytest.fixture
def ada(db):
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def api(ada):
    client = APIClient()
    client.force_login(ada)
    return client


@pytest.fixture
def task(ada, pump):
    return repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())


@pytest.fixture
def series(task):
    return the_series()
