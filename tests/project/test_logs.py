"""A line has one form, whoever writes it, and no secret in it."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import structlog
import time_machine
from celery.signals import setup_logging
from django.core.exceptions import ImproperlyConfigured

from apps.audit.subscribers import group
from apps.events import context, handling
from tests.support.factories import CAUSE, NOW, event
from todo_project import logs
from todo_project.logs import WithoutChatter, line_formatter, logging_config
from todo_project.whole_lines import WholeLines, whole_lines


@contextmanager
def written(name: str, *, format: str = "json") -> Iterator[StringIO]:
    stream = StringIO()
    sink = logging.StreamHandler(stream)
    sink.setFormatter(line_formatter(role="relay", format=format))
    logger = logging.getLogger(name)
    logger.addHandler(sink)
    logger.setLevel("INFO")
    yield stream
    logger.removeHandler(sink)


def only_line(stream: StringIO) -> dict[str, Any]:
    (text,) = stream.getvalue().splitlines()
    line: dict[str, Any] = json.loads(text)
    return line


def test_our_line_begins_with_what_a_reader_looks_for() -> None:
    with written("tests.ours") as stream, context.caused_by(CAUSE):
        structlog.get_logger("tests.ours").info("relayed", records=3)

    line = only_line(stream)
    assert list(line)[:5] == ["timestamp", "level", "event", "logger", "role"]
    assert line["timestamp"].endswith("Z")
    assert {key: line[key] for key in line if key != "timestamp"} == {
        "level": "info",
        "event": "relayed",
        "logger": "tests.ours",
        "role": "relay",
        "correlation_id": "a-correlation",
        "records": 3,
    }


def test_a_librarys_line_has_the_same_form_and_the_same_ids() -> None:
    with written("tests.library") as stream, context.caused_by(CAUSE):
        logging.getLogger("tests.library").warning("%d of %d", 1, 2, extra={"partition": 4})

    line = only_line(stream)
    assert (line["event"], line["level"], line["role"]) == ("1 of 2", "warning", "relay")
    assert (line["correlation_id"], line["partition"]) == ("a-correlation", 4)


def test_an_exception_stays_within_its_line() -> None:
    with written("tests.failing") as stream:
        try:
            int("no number")
        except ValueError:
            structlog.get_logger("tests.failing").exception("gave_up")

    line = only_line(stream)
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'no number'")


@pytest.mark.parametrize(
    "name",
    ["password", "access_token", "Authorization", "client_secret", "Set-Cookie", "api_key", "sessionkey"],
)
def test_a_value_that_its_name_calls_secret_is_hidden(name: str) -> None:
    with written("tests.secret") as stream:
        structlog.get_logger("tests.secret").info("called", **{name: "swordfish"}, headers={name: "swordfish"})

    line = only_line(stream)
    assert (line[name], line["headers"]) == ("[hidden]", {name: "[hidden]"})


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize(
    "text",
    [
        "connected to redis://:swordfish@127.0.0.1:6379/0",
        "connected to postgresql://todo:swordfish@db/todo",
        "GET /reset/?next=/&token=swordfish",
        "POST /links/swordfish/",
        "GET /password/reset/MQ/swordfish/",
    ],
)
def test_a_credential_within_a_text_is_hidden(text: str, format: str) -> None:
    with written("tests.credential", format=format) as stream:
        logging.getLogger("tests.credential").warning(text)

    assert "swordfish" not in stream.getvalue()
    assert "[hidden]" in stream.getvalue()


def test_a_value_that_is_no_json_is_shown_as_python_does() -> None:
    with written("tests.odd") as stream:
        structlog.get_logger("tests.odd").info("odd", value={1, 2})

    assert only_line(stream)["value"] == "{1, 2}"


EACH: list[dict[str, Any]] = [
    {"group": "audit", "task_id": "1", "correlation_id": "one's own", "seconds_after": 0.5},
    {"group": "audit", "list_id": "2", "access_token": "swordfish", "headers": {"cookie": "swordfish"}},
    {"url": "redis://:swordfish@127.0.0.1:6379/0", "role": "another", "odd": {1}, "said": "two\nlines: ömer\u2028💌"},
    {},
]


@pytest.mark.parametrize("format", ["json", "console"])
@time_machine.travel(NOW, tick=False)
def test_a_line_for_each_of_many_is_what_as_many_calls_would_write(format: str) -> None:
    with written("tests.each", format=format) as stream, context.caused_by(CAUSE):
        for one in EACH:
            structlog.get_logger("tests.each").info("event_handled", **one)
        one_by_one = stream.getvalue()
        stream.truncate(stream.seek(0))
        structlog.get_logger("tests.each").info("event_handled", each=EACH)

    assert stream.getvalue() == one_by_one
    assert one_by_one.count("event_handled") == 4
    assert "swordfish" not in one_by_one


@time_machine.travel(NOW, tick=False)
def test_the_line_of_a_handled_event_is_this() -> None:
    one = event(occurred_at=NOW - timedelta(seconds=1.5))

    with written("apps.events.handling") as stream:
        handling._log_handled(group, [])
        handling._log_handled(group, [one])

    assert stream.getvalue() == (
        '{"timestamp": "2026-11-20T09:00:00Z", "level": "info", "event": "event_handled", '
        '"logger": "apps.events.handling", "role": "relay", "group": "audit", "event_type": "task.created.v1", '
        f'"event_id": "{one.id}", "task_id": "{one.subject_id}", "correlation_id": "a-correlation", '
        '"seconds_after": 1.5}\n'
    )


def test_what_is_written_at_once_is_whole_lines_that_a_pipe_takes_whole() -> None:
    lines = [f"{number} {'ö' * (number % 300)}" for number in range(900)]
    lines[700] = "x" * 10_000
    text = "\n".join(lines)

    parts = list(whole_lines(text, at_most=4096))

    assert "".join(parts) == f"{text}\n"
    assert {part[-1] for part in parts} == {"\n"}
    assert [len(part.encode()) for part in parts if len(part.encode()) > 4096] == [10_001]
    assert len(parts) < 100


def test_every_line_goes_through_what_keeps_lines_whole() -> None:
    class Pipe(StringIO):
        sizes: list[int] = []

        def write(self, text: str) -> int:
            self.sizes.append(len(text.encode()))
            return super().write(text)

    pipe = Pipe()
    sink = WholeLines(pipe)
    sink.setFormatter(line_formatter(role="relay", format="json"))
    logger = logging.getLogger("tests.pipe")
    logger.addHandler(sink)
    logger.setLevel("INFO")

    structlog.get_logger("tests.pipe").info("event_handled", each=[{"number": number} for number in range(500)])
    logger.removeHandler(sink)

    assert [json.loads(line)["number"] for line in pipe.getvalue().splitlines()] == list(range(500))
    assert max(pipe.sizes) <= 4096
    assert WholeLines in map(type, logging.getLogger().handlers)


def test_celery_leaves_logging_as_it_is() -> None:
    before = list(logging.getLogger().handlers)

    answers = setup_logging.send(sender=None, loglevel="INFO", logfile=None, format="", colorize=False)

    assert [answer for _, answer in answers] == [None]
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("connection open", False),
        ("connection closed", False),
        ('%s - "WebSocket %s" 403', False),
        ("Scheduler: Sending due task %s (%s)", False),
        ("Started server process [%d]", True),
        ("beat: Starting...", True),
    ],
)
def test_uvicorn_and_beat_tell_of_themselves_and_not_of_each_socket_and_tick(message: str, kept: bool) -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, message, (), None)

    assert WithoutChatter().filter(record) is kept


def test_an_unknown_level_or_format_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"LOG_LEVEL must be one of DEBUG, INFO, .* not 'LOUD'"):
        logging_config(role="web", level="LOUD", format="json")
    with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT must be json, console or auto, not 'xml'"):
        line_formatter(role="web", format="xml")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("hostile", ["a-" * 200_000, "://" * 100_000, "://a:" * 100_000, "?key=" * 100_000])
def test_a_long_text_from_a_stranger_costs_no_more_than_its_length(hostile):
    assert logs._masks_credentials(None, "info", hostile)
