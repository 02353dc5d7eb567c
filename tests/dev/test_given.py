"""Services that are given by their address, before anything is begun on them."""

import socket

import pytest

from apps.dev import ports, stack
from apps.dev.given import addresses, unanswered
from apps.dev.stack import Stack, StackRefused


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka", [("kafka", 9092)]),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1, b:2", [("a", 1), ("b", 2)]),
        ("KAFKA_BOOTSTRAP_SERVERS", "SASL_SSL://a:1,[::1]:2", [("a", 1), ("::1", 2)]),
        ("DATABASE_URL", "postgresql://ada:s3cret@db/todo", [("db", 5432)]),
        ("DATABASE_URL", "postgresql://ada:s3cret@db:25060/todo?sslmode=require", [("db", 25060)]),
        ("DATABASE_URL", "postgresql://a:1,b:2/todo", []),
        ("DATABASE_URL", "postgresql:///todo?host=/var/run/postgresql", []),
        ("REDIS_URL", "rediss://:s3cret@cache:6380/0", [("cache", 6380)]),
        ("REDIS_URL", "unix:///run/redis.sock", []),
    ],
)
def test_an_address_is_read_without_name_and_password(variable, value, expected):
    assert addresses(variable, value) == expected


def test_one_of_several_that_answers_is_enough():
    given = {"KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2"}

    assert unanswered(given, answers=lambda address: address == ("b", 2)) is None
    assert (
        unanswered(given, answers=lambda _: False) == "KAFKA_BOOTSTRAP_SERVERS names a:1 or b:2, where nobody answers"
    )


def test_a_stack_on_a_service_that_is_not_there_is_refused_in_a_line_and_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "GIVEN_WAIT_SECONDS", 0.2)
    port = ports.free_port()
    surroundings = {"DATABASE_URL": f"postgresql://ada:s3cret@127.0.0.1:{port}/todo"}

    with pytest.raises(StackRefused) as refusal, Stack(tmp_path, port=ports.free_pair(), surroundings=surroundings):
        pass

    assert str(refusal.value) == (
        f"DATABASE_URL names 127.0.0.1:{port}, where nobody answers. "
        "Start it, or unset the variable: then an embedded one is started."
    )
    assert not (tmp_path / "valkey").exists()


def test_a_service_that_comes_up_a_little_later_is_waited_for(tmp_path):
    said: list[str] = []
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, 0))
        port = server.getsockname()[1]

        def say(words: str) -> None:
            said.append(words)
            server.listen()

        waiting = Stack(
            tmp_path,
            port=ports.free_pair(),
            surroundings={"REDIS_URL": f"redis://{ports.LOOPBACK}:{port}"},
            say=say,
        )
        waiting._wait_for_given()

    assert said == [f"Waiting: REDIS_URL names {ports.LOOPBACK}:{port}, where nobody answers …"]
