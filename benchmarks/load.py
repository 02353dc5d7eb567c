"""A person at REST on many keep-alive connections, on loopback, bounded in count and time.

`python -m benchmarks.load PORT USERNAME PASSWORD CONNECTIONS SECONDS RATE` prints one JSON object: how many changes
were answered with 201, how many were not, and every latency in milliseconds. RATE 0 is as fast as it goes.
"""

import http.client
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode

HOST = "127.0.0.1"


@dataclass
class Counted:
    done: int = 0
    refused: int = 0
    milliseconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: int, milliseconds: float) -> None:
        with self.lock:
            self.milliseconds.append(milliseconds)
            if status == http.client.CREATED:
                self.done += 1
            else:
                self.refused += 1


def sign_in(port: int, *, username: str, password: str) -> dict[str, str]:
    """The headers of a signed-in browser."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request("GET", "/sign-in/")
    cookies = _cookies(connection.getresponse(), {})
    name = next(name for name in cookies if "csrf" in name)
    form = urlencode({"username": username, "password": password, "csrfmiddlewaretoken": cookies[name]})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"{name}={cookies[name]}"}
    connection.request("POST", "/sign-in/", form, headers)
    cookies = _cookies(connection.getresponse(), cookies)
    connection.close()
    return {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": cookies[name],
        "Content-Type": "application/json",
        "Accept": "application/json",
    }


def _cookies(response: http.client.HTTPResponse, before: dict[str, str]) -> dict[str, str]:
    response.read()
    found = dict(before)
    for line in response.headers.get_all("Set-Cookie") or []:
        found |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
    return found


def create_tasks(
    port: int, headers: dict[str, str], *, until: float, every: float, first: float, counted: Counted
) -> None:
    """One connection: a task now, or one every so many seconds from `first` on (monotonic)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    due = first
    while time.monotonic() < until:
        if every:
            time.sleep(max(0.0, due - time.monotonic()))
            due += every
        body = json.dumps({"title": "Measured", "priority": "low", "due_at": "2030-01-01T09:00:00Z"})
        started = time.monotonic()
        connection.request("POST", "/api/v1/tasks/", body, headers)
        response = connection.getresponse()
        response.read()
        counted.add(response.status, (time.monotonic() - started) * 1000)
    connection.close()


def run(port: int, username: str, password: str, *, connections: int, seconds: float, rate: float) -> Counted:
    headers = sign_in(port, username=username, password=password)
    counted, start = Counted(), time.monotonic()
    every = connections / rate if rate else 0.0
    threads = [
        threading.Thread(
            target=create_tasks,
            args=[port, headers],
            kwargs={
                "until": start + seconds,
                "every": every,
                "first": start + number * every / connections,
                "counted": counted,
            },
        )
        for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counted


if __name__ == "__main__":
    _port, _username, _password, _connections, _seconds, _rate = sys.argv[1:]
    result = run(
        int(_port), _username, _password, connections=int(_connections), seconds=float(_seconds), rate=float(_rate)
    )
    print(json.dumps({"done": result.done, "refused": result.refused, "milliseconds": result.milliseconds}))
