"""Every command of ours has the same manners: it says how it exits, keeps stdout for programs, throws no traceback."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import OperationalError, ProgrammingError, connection
from django.utils.connection import ConnectionProxy
from kombu.exceptions import OperationalError as QueueAway
from redis import ConnectionError as RedisAway

from apps.events.errors import BrokerFailed, CouldNotLook, TopicMissing
from apps.events.management.manners import PlatformCommand, fix_for
from tests.support.factories import person

OURS = sorted((name, str(app)) for name, app in get_commands().items() if str(app).startswith("apps."))
APP_OF = dict(OURS)

# What a program may want to read, and how each is asked for the least.
PRINTS_JSON = {
    "checkpoint_audit": [],
    "create_topics": [],
    "dead_letters": ["list"],
    "doctor": [],
    "erase_user": ["grace", "--dry-run"],
    "held": [],
    "list_subscriptions": [],
    "replay_events": ["--group", "audit", "--since", "2000-01-01", "--no-wait"],
    "status": [],
    "sync_schedules": [],
    "verify_audit": [],
    "verify_events": [],
}
CHANGES = {
    "checkpoint_audit",
    "create_topics",
    "dead_letters",
    "erase_user",
    "held",
    "prepare",
    "replay_events",
    "seed",
    "sync_schedules",
}
# Needs PostgreSQL from its first step, and cannot wait for it.
NEEDS_POSTGRESQL = {
    "checkpoint_audit": [],
    "dead_letters": ["list"],
    "erase_user": ["grace", "--dry-run"],
    "held": [],
    "prepare": [],
    "prepare_laptop": [],
    "replay_events": ["--group", "audit", "--since", "2000-01-01"],
    "seed": [],
    "sync_schedules": [],
    "verify_audit": [],
    "verify_events": [],
}
# Without which an argument parser refuses.
LEAST = {**NEEDS_POSTGRESQL, "healthcheck": ["--role", "relay"]}
# Answers without PostgreSQL, waits for it, or says of it that it is away.
BEARS_WITHOUT_POSTGRESQL = {
    "create_topics",
    "doctor",
    "healthcheck",
    "list_subscriptions",
    "relay_outbox",
    "status",
    "tail_topic",
    "tour",
}


def options_of(name: str) -> set[str]:
    parser = load_command_class(APP_OF[name], name).create_parser("manage.py", name)
    return {text for action in parser._actions for text in action.option_strings}


def run(name: str, *arguments: str) -> int:
    """As typed at a terminal; the exit code."""
    try:
        load_command_class(APP_OF[name], name).run_from_argv(["manage.py", name, *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture(autouse=True)
def place_for_checkpoints(tmp_path: Path, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(32)).decode()
    settings.AUDIT_CHECKPOINTS_URL = tmp_path.as_uri()


@pytest.fixture
def postgresql_away(transactional_db: None) -> Iterator[None]:
    assert isinstance(connection, ConnectionProxy)
    connection.close()
    port = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = "1"
    yield
    connection.close()
    connection.settings_dict["PORT"] = port


@pytest.mark.parametrize("name", APP_OF)
def test_a_command_stands_on_the_shared_manners_and_says_how_it_exits(name: str) -> None:
    command = load_command_class(APP_OF[name], name)
    text = command.create_parser("manage.py", name).format_help()

    assert isinstance(command, PlatformCommand)
    assert "\nexit codes:\n  0  " in text
    assert "\n  2  wrong use: nothing was done\n" in text
    assert "\n  3  " in text


def test_these_commands_print_json() -> None:
    assert {name for name in APP_OF if "--json" in options_of(name)} == {*PRINTS_JSON, "tail_topic"}


def test_these_commands_can_be_tried_first() -> None:
    assert {name for name in APP_OF if "--dry-run" in options_of(name)} == CHANGES


@pytest.mark.django_db
@pytest.mark.usefixtures("pump")
@pytest.mark.parametrize("name", PRINTS_JSON)
def test_json_is_one_document_on_stdout(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    person("grace")

    with suppress(CommandError, SystemExit):  # what it looked for may well be wrong here
        call_command(name, *PRINTS_JSON[name], "--json")

    assert isinstance(json.loads(capsys.readouterr().out), dict | list)


@pytest.mark.parametrize("name", APP_OF)
def test_a_wrong_argument_is_answered_by_one_line_and_exit_2(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(name, "--no-such-option")

    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert f"See manage.py {name} --help" in printed.err


def test_of_every_command_it_is_known_what_it_does_without_postgresql() -> None:
    assert set(APP_OF) == {*NEEDS_POSTGRESQL, *BEARS_WITHOUT_POSTGRESQL}


@pytest.mark.usefixtures("postgresql_away")
@pytest.mark.parametrize("name", NEEDS_POSTGRESQL)
def test_without_postgresql_a_command_ends_with_one_line_and_its_fix(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(name, *NEEDS_POSTGRESQL[name])

    lines = capsys.readouterr().err.splitlines()
    assert code == 3
    assert len(lines) == 1
    assert lines[0].startswith("CommandError: PostgreSQL does not answer: ")
    assert "Start the platform with `make run`, or set the address in DATABASE_URL" in lines[0]


@pytest.mark.usefixtures("postgresql_away")
@pytest.mark.parametrize("name", sorted({*NEEDS_POSTGRESQL} & {*PRINTS_JSON}))
def test_a_command_that_could_not_look_still_prints_one_document_that_says_why(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(name, *NEEDS_POSTGRESQL[name], "--json")

    printed = json.loads(capsys.readouterr().out)
    assert code == 3
    assert list(printed) == ["error"]
    assert printed["error"].startswith("PostgreSQL does not answer: ")


@pytest.mark.parametrize(
    "reason",
    [
        BrokerFailed("away"),
        CouldNotLook("away"),
        ImproperlyConfigured("no key"),
        OperationalError("away"),
        psycopg.OperationalError("away"),
        QueueAway("away"),
        RedisAway("away"),
    ],
)
@pytest.mark.parametrize("name", APP_OF)
def test_whatever_is_away_every_command_ends_with_3(
    name: str, reason: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = load_command_class(APP_OF[name], name)

    def away(*args: Any, **options: Any) -> None:
        raise reason

    monkeypatch.setattr(type(command), "handle", away)

    assert run(name, *LEAST.get(name, [])) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(("code", "document"), [(1, {"error": "Found."}), (2, None)])
def test_what_ends_before_its_document_prints_why_unless_it_was_meant_wrongly(
    code: int, document: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> None:
        raise CommandError("Found.", returncode=code)

    monkeypatch.setattr("apps.events.management.commands.create_topics.get_broker", refused)

    assert run("create_topics", "--json") == code
    assert json.loads(capsys.readouterr().out or "null") == document


def test_without_settings_a_command_ends_with_3_and_one_document() -> None:
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": "", "DJANGO_SETTINGS_MODULE": "todo_project.settings.base"}
    command = [sys.executable, "manage.py", "verify_audit", "--json"]

    ended = subprocess.run(command, env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)

    assert ended.returncode == 3
    assert json.loads(ended.stdout)["error"] in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1


def test_without_kafka_a_command_ends_with_one_line_and_its_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away() -> None:
        raise BrokerFailed("Kafka does not answer: Local: Broker transport failure")

    monkeypatch.setattr("apps.events.management.commands.create_topics.get_broker", away)

    assert run("create_topics") == 3
    assert capsys.readouterr().err == (
        "CommandError: Kafka does not answer: Local: Broker transport failure. Start the platform with `make run`, "
        "or set the address in KAFKA_BOOTSTRAP_SERVERS; `manage.py doctor` looks closer.\n"
    )


def test_an_interrupted_command_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("apps.events.management.commands.create_topics.get_broker", interrupted)

    assert run("create_topics") == 130
    assert capsys.readouterr().err == "CommandError: Interrupted.\n"


def test_who_lacks_a_topic_is_not_sent_to_the_address_of_kafka() -> None:
    told = fix_for(TopicMissing("task-events"))

    assert told.startswith("Kafka has no topic task-events. Workers make it again")
    assert "KAFKA_BOOTSTRAP_SERVERS" not in told


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (ProgrammingError('relation "events_event" does not exist\nLINE 1'), "Run `manage.py prepare`"),
        (OperationalError("connection refused\n\tIs the server running?"), "PostgreSQL does not answer: connection"),
    ],
)
def test_what_the_database_says_becomes_one_line(reason: Exception, words: str) -> None:
    assert words in fix_for(reason)
    assert "\n" not in fix_for(reason)


@pytest.mark.django_db
@pytest.mark.usefixtures("pump")
@pytest.mark.parametrize("name", ["prepare", "seed", "sync_schedules"])
def test_a_dry_run_leaves_the_database_as_it_was(name: str) -> None:
    before = _rows()

    call_command(name, "--dry-run")

    assert _rows() == before


def _rows() -> dict[str, int]:
    from django.apps import apps

    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


@pytest.mark.usefixtures("pump")
def test_a_dry_run_of_create_topics_tells_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_topics", "--dry-run", "--json")

    assert set(json.loads(capsys.readouterr().out).values()) == {"would be created"}


@pytest.mark.django_db
def test_an_unknown_dead_letter_is_wrong_use() -> None:
    with pytest.raises(CommandError, match=r"No dead letter 4711\.") as refused:
        call_command("dead_letters", "discard", "4711")

    assert refused.value.returncode == 2
