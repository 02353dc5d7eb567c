"""The client, against a server of a few lines."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import load


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.1 if self.path == "/api/v1/slowly" else 0.0)
        self.send_response(201 if self.path == "/api/v1/tasks/" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("rate", [0, 100])
def test_every_answer_is_counted_once_with_its_latency(port: int, rate: float) -> None:
    request = load.creation(port, {"Authorization": "Bearer nobody"})

    counted = load.run(request, port=port, expected=b"201", connections=2, seconds=0.2, rate=rate)

    assert counted.done > 0
    assert (counted.refused, len(counted.milliseconds)) == (0, counted.done)


def test_an_answer_of_another_status_is_a_refusal(port: int) -> None:
    request = load.creation(port, {}).replace(b"/api/v1/tasks/", b"/api/v1/nothing")

    counted = load.run(request, port=port, expected=b"201", connections=1, seconds=0.1, rate=0)

    assert counted.refused > 0
    assert (counted.done, len(counted.milliseconds)) == (0, counted.refused)


def test_a_request_that_waited_behind_a_slow_one_tells_of_it(port: int) -> None:
    request = load.creation(port, {})
    slow = request.replace(b"/api/v1/tasks/", b"/api/v1/slowly")

    counted = load.run(slow, port=port, expected=b"404", connections=1, seconds=1.0, rate=20)

    # Due after 50 ms, sent after 100 ms, answered after 200 ms: 150 ms late, though it took 100 ms.
    assert sorted(counted.milliseconds)[1] >= 150
