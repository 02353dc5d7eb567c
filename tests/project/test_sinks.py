"""The receivers of the tests: what they say they were given is what was sent, whatever they answer."""

import socket
from datetime import UTC, datetime

import pytest
import requests
from django.db import connection

from tests.support import database_clock
from tests.support.sinks import http_sink


@pytest.fixture
def sink(tmp_path):
    with http_sink(tmp_path) as sink:
        yield sink


def post(sink, key, timeout=30):
    headers = {"webhook-id": key}
    return requests.post(f"{sink.url}/hook", data=f"of {key}", headers=headers, timeout=timeout).status_code


def test_what_comes_is_noted_with_its_key_and_place(sink):
    answered = post(sink, "a")

    (one,) = sink.given()
    assert (answered, one.key, one.place, one.body, one.answered) == (201, "a", "/hook", "of a", 201)


@pytest.mark.parametrize(
    ("mode", "answers"),
    [("status:503", [503, 503, 503]), ("flaps", [500, 201, 500]), ("fails:2", [500, 500, 201])],
)
def test_it_answers_as_it_is_told(sink, mode, answers):
    sink.mode = mode

    assert [post(sink, "a") for _ in answers] == answers
    assert [one.answered for one in sink.given()] == answers


@pytest.mark.parametrize("mode", ["dies", "hang"])
def test_what_it_takes_and_never_answers_is_noted(sink, mode):
    sink.mode = mode

    with pytest.raises(requests.RequestException):
        post(sink, "a", timeout=1)

    assert [(one.key, one.answered) for one in sink.given()] == [("a", 0)]


def test_it_is_gone_with_its_test(tmp_path):
    with http_sink(tmp_path) as sink:
        place = ("127.0.0.1", sink.port)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=5)


@pytest.mark.django_db
@pytest.mark.parametrize("clock", ["now", "statement_timestamp", "clock_timestamp", "transaction_timestamp"])
def test_the_databases_clock_stands_where_a_test_puts_it(clock):
    instant = datetime(2031, 3, 4, 5, 6, tzinfo=UTC)
    with connection.cursor() as cursor:
        with database_clock.database_clock(instant):
            cursor.execute(f"SELECT {clock}()")
            inside = cursor.fetchone()[0]
        cursor.execute(f"SELECT {clock}()")
        after = cursor.fetchone()[0]

    assert inside == instant
    assert after.year < 2031
