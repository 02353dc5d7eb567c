"""A connection to a stranger, as an HTTP client needs it, that ends in time however slowly the other side speaks.

Invariant: every step waits no longer than is left of the whole exchange, and no more is read than was allowed. A time
limit for each step, as sockets have it, never ends an answer that comes byte by byte.
"""

import http.client
import io
import socket
import time
from typing import Any


class Deadline:
    """When the exchange is over, by the clock that nobody sets."""

    def __init__(self, seconds: float) -> None:
        self._began = time.monotonic()
        self.seconds = seconds

    @property
    def spent(self) -> float:
        return time.monotonic() - self._began

    def left(self) -> float:
        """Raises `TimeoutError` when nothing is left."""
        left = self.seconds - self.spent
        if left <= 0:
            raise TimeoutError
        return left

    def shorten(self, seconds: float) -> None:
        """Leave no more than so many seconds from now."""
        self.seconds = min(self.seconds, self.spent + seconds)


class Bounded:
    """The connection as the HTTP client needs it: each step within what is left of the time."""

    def __init__(self, connection: socket.socket, deadline: Deadline, *, most_bytes: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._most_bytes = most_bytes

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._connection.settimeout(self._deadline.left())
            view = view[self._connection.send(view[: 64 * 1024]) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._connection, self._deadline, self._most_bytes))

    def close(self) -> None:
        """The response reads on after the client let go; who opened the connection closes it."""


class _Reader(io.RawIOBase):
    """What comes in, within what is left of the time, and of the bytes that head and body may have together."""

    def __init__(self, connection: socket.socket, deadline: Deadline, most_bytes: int) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline
        self._allowance = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._allowance <= 0:
            raise http.client.HTTPException("The answer is longer than we read.")
        self._connection.settimeout(self._deadline.left())
        count = self._connection.recv_into(memoryview(buffer)[: self._allowance])
        self._allowance -= count
        return count
