"""What Django is told of a request that came by RSGI."""

from types import SimpleNamespace

import pytest
from django.test import Client, override_settings

from todo_project.middleware import BODY_TOO_SLOW, UNREADABLE_HEADERS
from todo_project.rsgi import _environ


def scope(*headers: tuple[str, str], path: str = "/api/v1/tasks/"):
    return SimpleNamespace(
        method="POST",
        path=path,
        query_string="a=%20b",
        server="127.0.0.1:8000",
        client="[::1]:4711",
        scheme="http",
        http_version="1.1",
        authority=None,
        headers=SimpleNamespace(
            # As granian's: a value that is not ASCII has a name and is no item.
            items=lambda: [(name, value) for name, value in headers if value.isascii()],
            keys=lambda: [name for name, _ in headers],
        ),
    )


def test_an_environ_says_who_asks_for_what():
    environ = _environ(scope(("content-length", "2"), ("content-type", "text/plain"), ("host", "example.org")), b"ab")

    assert {name: environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR")} == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/tasks/",
        "QUERY_STRING": "a=%20b",
        "REMOTE_ADDR": "::1",
    }
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"], environ["HTTP_HOST"]) == (
        "2",
        "text/plain",
        "example.org",
    )
    assert environ["wsgi.input"].read() == b"ab"
    assert environ[BODY_TOO_SLOW] is False


def test_a_path_reaches_django_as_bytes_in_latin_1():
    assert _environ(scope(path="/täsks/"), b"")["PATH_INFO"].encode("latin-1") == "/täsks/".encode()


def test_a_header_with_an_underscore_cannot_pass_for_the_proxys():
    assert "HTTP_X_FORWARDED_PROTO" not in _environ(scope(("x_forwarded_proto", "https")), b"")
    assert _environ(scope(("x-forwarded-proto", "https")), b"")["HTTP_X_FORWARDED_PROTO"] == "https"


@pytest.mark.parametrize(("name", "joined"), [("x-forwarded-for", "1,2"), ("cookie", "1; 2"), ("host", "1,2")])
def test_a_header_that_comes_twice_is_one_list(name: str, joined: str):
    assert _environ(scope((name, "1"), (name, "2")), b"")[f"HTTP_{name.upper().replace('-', '_')}"] == joined


@override_settings(REQUEST_BODY_SECONDS=7)
def test_a_body_that_did_not_come_in_time_is_refused_with_what_to_do(client: Client):
    client.defaults[BODY_TOO_SLOW] = "yes"

    answer = client.post("/api/v1/tasks/", {}, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert answer.json()["detail"] == "The body did not come within 7 s. Send the request again."


def test_a_header_that_the_server_cannot_read_is_named():
    environ = _environ(scope(("if-match", '"9é"'), ("host", "example.org")), b"")

    assert environ[UNREADABLE_HEADERS] == ["if-match"]
    assert UNREADABLE_HEADERS not in _environ(scope(("if-match", '"9"')), b"")
