"""The embedded services, really run: who may enter, what survives, what a killed run leaves."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer

from apps.dev import process_ids, reach
from apps.dev.embedded.postgres import Postgres
from apps.dev.embedded.valkey import Valkey
from apps.dev.ports import LOOPBACK
from apps.dev.state import throw_away_folder


@contextmanager
def open_folder() -> Iterator[Path]:
    with throw_away_folder() as path:
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        yield path


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One server for those who only ask it something."""
    with open_folder() as path:
        service = started(Postgres(path, logs=path, throw_away=True))
        yield service
        service.remove()


@pytest.fixture
def valkey(folder: Path) -> Iterator[Valkey]:
    service = Valkey(folder, logs=folder)
    service.start()
    service.wait()
    yield service
    service.stop()


def started(service: Postgres) -> Postgres:
    service.start()
    service.wait()
    return service


def answer(service: Postgres, question: str) -> object:
    return answer_at(service.owner_url, question)


def answer_at(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


POWERS = "SELECT (rolname, rolsuper, rolcreatedb, rolcreaterole)::text FROM pg_roles WHERE rolname = current_user"


def test_the_owner_may_create_databases_the_platform_may_not_and_neither_is_superuser(postgres):
    assert answer_at(postgres.owner_url, POWERS) == "(todo,f,t,f)"
    assert answer_at(postgres.url, POWERS) == "(todo_app,f,f,f)"
    assert postgres.variables == {"DATABASE_URL": postgres.url}
    assert answer(postgres, "SELECT current_database()") == "todo"
    assert answer(postgres, "SELECT lower('ÄÖÜ')") == "äöü"


def test_the_log_of_the_server_holds_nothing_of_what_failed(postgres):
    """A session's key opens its owner's door; PostgreSQL would quote it in the DETAIL and the STATEMENT of an error."""
    with psycopg.connect(postgres.owner_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE kept (session_key text PRIMARY KEY)")
        owner.execute("GRANT INSERT ON kept TO todo_app")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("INSERT INTO kept VALUES ('the-key-of-ada')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO kept VALUES ('the-key-of-ada')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO kept VALUES (%s)", ["the-key-of-ada"])

    log = postgres.child.log.read_text()
    assert log.count("duplicate key value violates unique constraint") == 2
    assert "the-key-of-ada" not in log


def test_a_wrong_password_does_not_enter(postgres):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=LOOPBACK, port=postgres.port, user="todo", password="guessed", dbname="todo")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=LOOPBACK, port=postgres.port, user="todo_app", password="guessed", dbname="todo")


def test_the_platform_may_make_nothing_in_the_database(postgres):
    with psycopg.connect(postgres.url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE made AS SELECT 42 AS number")

    assert answer(postgres, "SELECT to_regclass('made') IS NULL") is True


def test_data_of_the_release_with_one_role_goes_on_with_two_and_the_old_password_opens_nothing(folder):
    """The one role stays the owner of its tables; the platform gets another."""
    first = started(Postgres(folder, logs=folder, throw_away=True))
    with psycopg.connect(first.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    with first.administer() as connection:
        connection.execute("DROP ROLE todo_app")
    first.stop()
    passwords = first.folder / "passwords.json"
    was = json.loads(passwords.read_text())
    passwords.write_text(json.dumps({role: was[role] for role in ("postgres", "todo")}))

    second = started(Postgres(folder, logs=folder, throw_away=True))

    assert answer_at(second.owner_url, "SELECT number FROM kept") == 42
    assert answer_at(second.url, "SELECT current_user::text") == "todo_app"
    assert passwords.stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=LOOPBACK, port=second.port, user="todo", password=was["todo"], dbname="todo")
    second.remove()


def test_a_password_that_was_written_down_and_not_told_to_the_server_is_told_at_the_next_start(folder):
    first = started(Postgres(folder, logs=folder, throw_away=True))
    first.stop()
    passwords = first.folder / "passwords.json"
    passwords.write_text(json.dumps({**json.loads(passwords.read_text()), "todo": "another", "todo_app": "other"}))

    second = started(Postgres(folder, logs=folder, throw_away=True))

    assert answer_at(second.owner_url, "SELECT 1") == 1
    assert answer_at(second.url, "SELECT 2") == 2
    second.remove()


def test_the_server_does_not_run_as_root_and_its_data_is_closed_to_others(postgres):
    assert postgres.data.stat().st_mode & 0o777 == 0o700
    assert postgres.data.stat().st_uid == (reach.unprivileged_user() or os.geteuid())


def test_the_server_listens_on_loopback_only(postgres):
    command = process_ids.command_line(postgres.child.id.number)

    assert answer(postgres, "SHOW listen_addresses") == "127.0.0.1"
    assert " unix_socket_directories= " in command


def test_the_data_survives_a_stop_and_a_second_server(folder):
    first = started(Postgres(folder, logs=folder))
    with psycopg.connect(first.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    first.stop()
    second = started(Postgres(folder, logs=folder))

    assert answer(second, "SELECT number FROM kept") == 42
    second.remove()


def test_the_server_that_a_killed_run_left_is_ended_and_its_data_goes_on(folder):
    left = started(Postgres(folder, logs=folder, throw_away=True))
    with psycopg.connect(left.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    assert left.child is not None

    second = started(Postgres(folder, logs=folder, throw_away=True))

    assert left.child.runs is False
    assert answer(second, "SELECT number FROM kept") == 42
    second.remove()


def test_a_lock_file_that_names_somebody_elses_process_is_removed_and_that_process_left_alone(folder):
    first = started(Postgres(folder, logs=folder, throw_away=True))
    lock = first.data / "postmaster.pid"
    text = lock.read_text()
    first.stop()
    lock.write_text("\n".join([str(os.getpid()), *text.splitlines()[1:]]) + "\n")

    second = started(Postgres(folder, logs=folder, throw_away=True))

    assert answer(second, "SELECT 1") == 1
    second.remove()


def test_a_server_that_was_killed_starts_again_with_its_data_and_on_its_port(folder):
    killed = started(Postgres(folder, logs=folder, throw_away=True))
    url = killed.owner_url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    assert killed.child is not None
    killed.child.ask_to_stop()
    os.kill(killed.child.id.number, signal.SIGKILL)
    killed.child.end(by=0)

    started(killed)

    assert killed.owner_url == url
    assert answer(killed, "SELECT number FROM kept") == 42
    killed.remove()


def test_binaries_that_cannot_be_reached_are_copied_complete(folder, monkeypatch):
    monkeypatch.setattr(reach, "reachable", lambda path, *, user: "site-packages" not in str(path))
    service = started(Postgres(folder, logs=folder, throw_away=True))

    assert str(folder) in process_ids.command_line(service.child.id.number).split(" ")[0]
    assert answer(service, "SELECT 1") == 1
    service.remove()
    assert not service.folder.exists()


def test_valkey_wants_its_password(valkey):
    with socket.create_connection((LOOPBACK, valkey.port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


def test_valkey_never_evicts_and_keeps_what_it_was_told(valkey):
    with redis.Redis.from_url(valkey.url(database=0)) as client:
        client.set("kept", "42")
        policy = client.config_get("maxmemory-policy")
    valkey.stop()
    valkey.start()
    valkey.wait()

    assert policy == {"maxmemory-policy": "noeviction"}
    with redis.Redis.from_url(valkey.url(database=0)) as client:
        assert client.get("kept") == b"42"


def test_kafka_takes_a_record_and_hands_it_out(fresh_kafka):
    producer = Producer({"bootstrap.servers": fresh_kafka.address})
    producer.produce("greetings", b"hello", key=b"k")
    assert producer.flush(10) == 0

    consumer = Consumer({"bootstrap.servers": fresh_kafka.address, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["greetings"])
    message = consumer.poll(15)
    consumer.close()

    assert message is not None
    assert (message.key(), message.value()) == (b"k", b"hello")


def test_kafka_ends_when_nobody_holds_its_input_any_more(fresh_kafka):
    fresh_kafka.child._process.stdin.close()

    assert process_ids.wait_until(lambda: not fresh_kafka.child.runs, seconds=5)
    assert fresh_kafka.child.exit_code == 0
