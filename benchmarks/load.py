"""A person at REST on many keep-alive connections, on loopback, bounded in count and time.

`python -m benchmarks.load PORT USERNAME PASSWORD CONNECTIONS SECONDS RATE [PATH]` creates tasks, or reads PATH, and
prints one JSON object: how many requests were answered as they should be, how many were not, every latency and the
processor time of this client in milliseconds. RATE 0 is as fast as it goes; at a rate a request's latency counts
from when it was due, so that one that had to wait behind a slow one tells of it.

It shares the cores with what it measures, so it writes bytes that are made once and reads no more of an answer
than its status and its length.
"""

import http.client
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_PATIENCE_SECONDS = 30.0
_TASK = json.dumps({"title": "Measured", "priority": "low", "due_at": "2030-01-01T09:00:00Z"}).encode()


@dataclass
class Counted:
    done: int = 0
    refused: int = 0
    milliseconds: list[float] = field(default_factory=list)


class Caller:
    """One connection: at most one request on its way. `due_at` is when the next is to be sent, `since` what the latency
    of the one on its way counts from (both monotonic).
    """

    def __init__(self, port: int, *, due_at: float, selector: selectors.BaseSelector) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=_PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_at = due_at
        self.since = 0.0
        self.waits = False
        self._read = b""
        self._length = 0
        selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, request: bytes, *, since: float) -> None:
        self.since, self.waits, self._read, self._length = since, True, b"", 0
        self.socket.sendall(request)

    def read(self) -> bool:
        """Take in what has come; whether the answer is whole. Raises `ConnectionError` when there will be none."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise ConnectionError("The server closed a connection that it had promised to keep.")
        self._read += chunk
        if not self._length:
            head = self._read.find(b"\r\n\r\n")
            if head < 0:
                return False
            self._length = head + 4 + _content_length(self._read[:head])
        self.waits = len(self._read) < self._length
        return not self.waits

    @property
    def status(self) -> bytes:
        return self._read[9:12]


def _content_length(head: bytes) -> int:
    lines = head.lower().split(b"\r\ncontent-length:", 1)
    return int(lines[1].split(b"\r\n", 1)[0])


def sign_in(port: int, *, username: str, password: str) -> dict[str, str]:
    """The header of somebody signed in."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    credentials = json.dumps({"username": username, "password": password})
    connection.request("POST", "/api/v1/auth/token/", credentials, {"Content-Type": "application/json"})
    token = json.loads(connection.getresponse().read())["access"]
    connection.close()
    return {"Authorization": f"Bearer {token}"}


def creation(port: int, headers: dict[str, str]) -> bytes:
    """The bytes of a request that creates a task."""
    also = {"Content-Type": "application/json", "Content-Length": str(len(_TASK))}
    return _head("POST /api/v1/tasks/ HTTP/1.1", port, headers | also) + _TASK


def reading(port: int, path: str, headers: dict[str, str]) -> bytes:
    """The bytes of a request that reads."""
    return _head(f"GET {path} HTTP/1.1", port, headers)


def _head(first: str, port: int, headers: dict[str, str]) -> bytes:
    every = {"Host": f"{HOST}:{port}", "Accept": "application/json", **headers}
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in every.items()), "", ""]).encode()


def run(request: bytes, *, port: int, expected: bytes, connections: int, seconds: float, rate: float) -> Counted:
    """Send a request over and over: on each connection when the last is answered, or so many a second in all."""
    counted, selector, start = Counted(), selectors.DefaultSelector(), time.monotonic()
    every = connections / rate if rate else 0.0
    callers = [
        Caller(port, due_at=start + number * every / connections, selector=selector) for number in range(connections)
    ]
    until = start + seconds
    while (now := time.monotonic()) < until or any(caller.waits for caller in callers):
        if now > until + _PATIENCE_SECONDS:
            raise TimeoutError("Requests were not answered.")
        for caller in callers:
            if not caller.waits and caller.due_at <= now < until:
                caller.send(request, since=caller.due_at if rate else time.monotonic())
                caller.due_at += every
        next_due = min((caller.due_at for caller in callers if not caller.waits), default=until)
        for key, _ in selector.select(min(max(0.0, next_due - time.monotonic()), 1.0)):
            caller = key.data
            if caller.read():
                counted.milliseconds.append((time.monotonic() - caller.since) * 1000)
                counted.done += caller.status == expected
                counted.refused += caller.status != expected
    for caller in callers:
        caller.socket.close()
    selector.close()
    return counted


def main(words: list[str]) -> None:
    port, username, password, connections, seconds, rate, *path = words
    headers = sign_in(int(port), username=username, password=password)
    request = reading(int(port), path[0], headers) if path else creation(int(port), headers)
    before = time.process_time()
    counted = run(
        request,
        port=int(port),
        expected=b"200" if path else b"201",
        connections=int(connections),
        seconds=float(seconds),
        rate=float(rate),
    )
    spent = (time.process_time() - before) * 1000
    print(json.dumps(vars(counted) | {"processor_milliseconds": spent}))


if __name__ == "__main__":
    main(sys.argv[1:])
