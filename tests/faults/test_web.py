"""Callers who send slowly, or are gone in the middle: the web goes on answering the others."""

import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings

from apps.dev import ports
from apps.dev.children import Child
from tests.faults.pipeline import Pipeline, wait_until

CALLERS = 24
BODY_SECONDS = 3
SMALL = {"WEB_WORKERS": "1", "WEB_THREADS": "2", "REQUEST_BODY_SECONDS": str(BODY_SECONDS)}
# The first of a body that is to be a hundred bytes: a form, whose token is looked for before anybody is signed in.
BEGINNING = (
    "POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    f"Cookie: {settings.CSRF_COOKIE_NAME}={'a' * 32}\r\nContent-Length: 100\r\n\r\nusername=a"
).encode()


def status_of(port: int, *, patience: float) -> int | None:
    """What the web answers when asked whether it is alive, `None` when it does not within the time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        connection.request("GET", "/health/live/")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


@contextmanager
def slow_callers(port: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as all_of_them:
        callers = [all_of_them.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(CALLERS)]
        for caller in callers:
            caller.sendall(BEGINNING)
        time.sleep(0.5)  # until the server has taken them all up
        yield callers


def started(pipeline: Pipeline, command: list[str], port: int) -> Child:
    web = pipeline.run("web", command, role="web", **SMALL)
    wait_until(lambda: status_of(port, patience=1) == 200, "the web answers", seconds=20)
    return web


def web_on(port: int) -> list[str]:
    """The role's own command, on a port and with a size of the test's own."""
    command = list(settings.ROLES["web"])
    command[command.index("--port") + 1] = str(port)
    command[command.index("--workers") + 1] = "1"
    return command


def wsgi_on(port: int) -> list[str]:
    """The same server and application by the interface that reads a body in the thread that answers."""
    target = ["--interface", "wsgi", "todo_project.wsgi:application", "--blocking-threads", "2"]
    return [sys.executable, "-m", "granian", *target, "--host", "127.0.0.1", "--port", str(port), "--no-ws"]


def test_slow_bodies_hold_no_thread_and_are_refused_when_their_time_is_over(pipeline: Pipeline) -> None:
    port = ports.free_pair()
    started(pipeline, web_on(port), port)

    with slow_callers(port) as callers:
        sent_at = time.monotonic()
        assert [status_of(port, patience=1) for _ in range(20)] == [200] * 20
        while time.monotonic() < sent_at + BODY_SECONDS - 1:
            callers[0].sendall(b"a")  # a byte now and then is no excuse
            time.sleep(0.25)
        for caller in callers:
            caller.settimeout(5)
        answers = [caller.recv(4096) for caller in callers]

    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}
    assert all(b"x-correlation-id: " in answer for answer in answers)


def test_by_wsgi_the_same_callers_stop_the_web(pipeline: Pipeline) -> None:
    """The negative control: with a thread per body the check above goes red, for as long as the callers like."""
    port = ports.free_pair()
    started(pipeline, wsgi_on(port), port)

    with slow_callers(port):
        time.sleep(BODY_SECONDS)
        assert status_of(port, patience=2) is None

    wait_until(lambda: status_of(port, patience=1) == 200, "the web answers once they are gone", seconds=10)


def test_callers_who_are_gone_in_the_middle_of_a_body_leave_nothing_behind(pipeline: Pipeline) -> None:
    port = ports.free_pair()
    web = started(pipeline, web_on(port), port)

    with slow_callers(port):
        pass
    wait_until(lambda: status_of(port, patience=1) == 200, "the web answers", seconds=5)

    lines = [json.loads(line) for line in web.log.read_text().splitlines() if line.startswith("{")]
    assert [line for line in lines if line["level"] in {"error", "critical"}] == []


def test_an_answer_that_is_not_read_holds_no_thread(pipeline: Pipeline) -> None:
    port = ports.free_pair()
    started(pipeline, web_on(port), port)
    ask = (
        b"GET /static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    )

    with ExitStack() as all_of_them:
        for _ in range(CALLERS):
            caller = all_of_them.enter_context(socket.socket())
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", port))
            caller.sendall(ask)
        time.sleep(0.5)
        assert [status_of(port, patience=1) for _ in range(20)] == [200] * 20
