"""What is measured where."""

import argparse

import pytest

from apps.dev.children import ChildFailed
from apps.dev.embedded import kafka_jars
from benchmarks import __main__ as benchmarks
from benchmarks import parts


def options(*only: str, **others: object) -> argparse.Namespace:
    return argparse.Namespace(**{"only": list(only) or None, "quick": False, "durable": False, **others})


def test_what_takes_long_is_measured_only_when_asked_for() -> None:
    assert benchmarks._parts(options(), kind="mock", beside_mock=False) == [
        "idle",
        "pace",
        "backlog",
        "rest",
        "recurrence",
        "reminders",
        "reads",
        "rules",
    ]
    assert benchmarks._parts(options("trail"), kind="mock", beside_mock=False) == ["trail"]


def test_protocols_are_the_real_brokers_alone() -> None:
    assert benchmarks._parts(options("protocols"), kind="mock", beside_mock=False) == []
    assert benchmarks._parts(options("protocols"), kind="real", beside_mock=False) == ["protocols"]


@pytest.mark.parametrize("part", ["reads", "rules", "trail"])
def test_what_kafka_has_no_part_in_is_measured_once(part: str) -> None:
    assert benchmarks._parts(options(part), kind="mock", beside_mock=False) == [part]
    assert benchmarks._parts(options(part), kind="real", beside_mock=True) == []
    assert benchmarks._parts(options(part), kind="real", beside_mock=False) == [part]


def test_the_second_process_is_asked_for_the_same() -> None:
    words = benchmarks._words(options("pace", "backlog", quick=True))

    assert words == ["--kafka", "real", "--quick", "--only=pace", "--only=backlog", "--beside-mock"]


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that has what Apache Kafka needs, and can get its jars."""
    monkeypatch.setattr(kafka_jars, "lacking", lambda: None)
    monkeypatch.setattr(kafka_jars, "fetch", lambda: None)
    return monkeypatch


def test_where_apache_kafka_can_be_had_both_are_measured(java: pytest.MonkeyPatch) -> None:
    assert benchmarks._kinds() == ["mock", "real"]


def test_where_java_is_missing_the_real_broker_is_left_out_in_one_line(
    java: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    java.setattr(kafka_jars, "lacking", lambda: "Apache Kafka needs Java 17.")

    assert benchmarks._kinds() == ["mock"]

    assert capsys.readouterr().out == "The rows of Apache Kafka are left out: Apache Kafka needs Java 17.\n"


def test_where_its_jars_cannot_be_had_the_real_broker_is_left_out_in_one_line(
    java: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_network() -> None:
        raise ChildFailed("Maven could not get them:\n    [ERROR] no network")

    java.setattr(kafka_jars, "fetch", no_network)

    assert benchmarks._kinds() == ["mock"]

    told = "The rows of Apache Kafka are left out: Maven could not get them: [ERROR] no network\n"
    assert capsys.readouterr().out == told


@pytest.mark.parametrize(
    ("only", "kinds"),
    [([], ["mock", "real"]), (["pace"], ["mock", "real"]), (["protocols"], ["real"]), (["reads"], ["mock"])],
)
def test_a_stack_is_started_only_where_something_is_measured(
    java: pytest.MonkeyPatch, only: list[str], kinds: list[str]
) -> None:
    assert benchmarks._kinds_with_parts(options(*only, kafka="both", beside_mock=False)) == kinds


def test_what_one_kafka_alone_shows_is_not_measured_on_the_other() -> None:
    assert benchmarks._kinds_with_parts(options("protocols", kafka="mock", beside_mock=False)) == []


@pytest.mark.parametrize(
    ("done", "said"), [(6000, ""), (5940, ""), (5939, "**at 99/s only**: "), (600, "**at 10/s only**: ")]
)
def test_a_pace_that_was_not_kept_is_told_first(done: int, said: str) -> None:
    assert parts.pace_reached(done, seconds=60) == said
