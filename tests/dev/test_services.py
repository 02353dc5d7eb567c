"""Which services a stack starts, and which it leaves alone."""

from pathlib import Path

import pytest

from apps.dev.services import Services
from apps.dev.state import StateFolder


def services(folder: Path, given: dict[str, str]) -> Services:
    return Services(StateFolder(folder), given=given, throw_away=True)


@pytest.mark.parametrize(
    ("given", "started"),
    [
        ({}, ["kafka", "valkey", "postgres"]),
        ({"DATABASE_URL": "postgresql://elsewhere/todo"}, ["kafka", "valkey"]),
        ({"REDIS_URL": "redis://elsewhere/0"}, ["kafka", "postgres"]),
        ({"KAFKA_BOOTSTRAP_SERVERS": "elsewhere:9092"}, ["valkey", "postgres"]),
        ({"DATABASE_URL": ""}, ["kafka", "valkey", "postgres"]),
    ],
)
def test_a_service_is_started_unless_its_variable_is_set(tmp_path, given, started):
    assert [each.name for each in services(tmp_path, given).running] == started


def test_what_is_given_is_handed_on_as_it_is(tmp_path):
    given = {
        "DATABASE_URL": "postgresql://elsewhere/todo",
        "REDIS_URL": "redis://elsewhere/0",
        "KAFKA_BOOTSTRAP_SERVERS": "elsewhere:9092",
    }

    assert services(tmp_path, {**given, "PORT": "8000"}).variables == {
        **given,
        "CHANNEL_REDIS_URL": "redis://elsewhere/0",
    }


def test_another_redis_for_channels_stays_another(tmp_path):
    given = {"REDIS_URL": "redis://elsewhere/0", "CHANNEL_REDIS_URL": "redis://elsewhere/1"}

    variables = Services(StateFolder(tmp_path), given=given, throw_away=True)._given

    assert variables == given
