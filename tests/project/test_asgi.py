"""What the `ws` role answers: health over HTTP, and refusals to sockets nobody serves."""

import json
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator
from structlog.testing import capture_logs

from todo_project.asgi import application


def http_scope(path: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> dict[str, Any]:
    named = {"host": "127.0.0.1", **(headers or {})}
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }


async def test_liveness_is_answered_over_asgi_with_the_correlation_id() -> None:
    caller = ApplicationCommunicator(application, http_scope("/health/live", headers={"x-correlation-id": "order-66"}))
    await caller.send_input({"type": "http.request", "body": b""})

    start, body = await caller.receive_output(5), await caller.receive_output(5)
    await caller.wait()

    assert start["status"] == 200
    assert (b"X-Correlation-ID", b"order-66") in start["headers"]
    assert json.loads(body["body"]) == {"status": "ok"}


async def test_a_body_without_end_is_refused_before_it_fills_the_disk() -> None:
    caller = ApplicationCommunicator(application, http_scope("/sign-in/", method="POST"))
    for _ in range(17):
        await caller.send_input({"type": "http.request", "body": b"x" * 65_536, "more_body": True})

    start = await caller.receive_output(5)

    assert start["status"] == 413


@pytest.mark.parametrize("path", ["/", "/ws/v1/", "/nothing"])
async def test_a_socket_of_an_unknown_path_is_refused_in_the_handshake(path: str) -> None:
    caller = WebsocketCommunicator(application, path, headers=[(b"origin", b"http://127.0.0.1:8000")])

    with capture_logs() as lines:
        connected, code = await caller.connect()

    assert (connected, code) == (False, 1000)
    assert [(line["event"], line["path"]) for line in lines] == [("socket_refused", path)]


@pytest.mark.parametrize("headers", [[], [(b"origin", b"https://evil.example")]])
async def test_a_socket_from_another_site_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    connected, _ = await WebsocketCommunicator(application, "/ws/v1/", headers=headers).connect()

    assert connected is False
