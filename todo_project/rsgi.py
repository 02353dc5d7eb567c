"""REST, admin and pages: the entry of the `web` role, which takes a request's body in before it takes a thread.

A WSGI server reads the body in the thread that will answer, so as many slow callers as there are threads stop it for
as long as they like. Here bodies come in on the event loop, bounded in size and time, and Django's WSGI application
runs in a thread when all is there. Answers that are streamed have a thread of their own.
Invariant: no thread of the pool waits for a caller. The heartbeat of the role beats in a thread of that pool: when
all of them are stuck it stops.

Source: RSGI 1.5, granian's own interface; PEP 3333.
"""

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connections
from django.http import StreamingHttpResponse
from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope  # type: ignore[attr-defined]

from apps.events import heartbeat
from todo_project import wsgi  # before all that needs the apps: it loads them
from todo_project.middleware import BODY_TOO_SLOW, UNREADABLE_HEADERS

Headers = list[tuple[str, str]]

_threads = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="web")

_EVERY: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
_VARIABLES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


async def application(scope: Scope, protocol: HTTPProtocol) -> None:
    loop = asyncio.get_running_loop()
    try:
        body = await _body(scope, protocol)
        status, headers, response, content = await loop.run_in_executor(_threads, _answer, scope, body)
        if content is not None:
            protocol.response_bytes(status, headers, content)
        else:
            await _stream(protocol, status, headers, response)
    except ProtocolClosed:
        pass  # the caller is gone, and whoever is gone is told nothing


async def _keep_beating() -> None:
    loop = asyncio.get_running_loop()
    while True:
        await loop.run_in_executor(_threads, heartbeat.beat, "web")
        await asyncio.sleep(heartbeat.FILE_SECONDS)


def _begin(loop: asyncio.AbstractEventLoop) -> None:
    """What granian calls in each worker process before its first request."""
    _beating.append(loop.create_task(_keep_beating()))


def _end(loop: asyncio.AbstractEventLoop) -> None:
    while _beating:
        _beating[-1].cancel()
        loop.run_until_complete(asyncio.gather(_beating.pop(), return_exceptions=True))


_beating: list[asyncio.Task[None]] = []
application.__rsgi_init__ = _begin  # type: ignore[attr-defined]
application.__rsgi_del__ = _end  # type: ignore[attr-defined]


async def _body(scope: Scope, protocol: HTTPProtocol) -> bytes | None:
    """What the caller sends, `None` when it takes too long; of a body that will be refused by its length nothing."""
    length = scope.headers.get("content-length") or ""
    if not length.isdecimal() or not 0 < int(length) <= (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0):
        return b""
    try:
        async with asyncio.timeout(settings.REQUEST_BODY_SECONDS):
            return await protocol()
    except TimeoutError:
        return None


def _answer(scope: Scope, body: bytes | None) -> tuple[int, Headers, Any, bytes | None]:
    """Status, headers and the response; its content too unless that is streamed."""
    started: list[tuple[int, Headers]] = []

    def start_response(status: str, headers: Headers, _exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((int(status[:3]), [(name.lower(), value) for name, value in headers]))
        return io.BytesIO().write

    response: Any = wsgi.application(_environ(scope, body), start_response)
    status, headers = started[0]
    if isinstance(response, StreamingHttpResponse):
        return status, headers, response, None
    try:
        return status, headers, response, b"".join(response)
    finally:
        response.close()


async def _stream(protocol: HTTPProtocol, status: int, headers: Headers, response: StreamingHttpResponse) -> None:
    """In one thread from the first chunk to the last, because a database connection belongs to a thread."""
    transport = protocol.response_stream(status, headers)
    with ThreadPoolExecutor(1, thread_name_prefix="web-stream") as thread:
        run = partial(asyncio.get_running_loop().run_in_executor, thread)
        try:
            chunks: Iterator[bytes] = iter(response)
            while chunk := await run(next, chunks, b""):
                await transport.send_bytes(chunk)
        finally:
            await run(_close, response)


def _close(response: StreamingHttpResponse) -> None:
    response.close()
    connections.close_all()


def _environ(scope: Scope, body: bytes | None) -> dict[str, Any]:
    host, _, port = scope.server.rpartition(":")
    environ = _EVERY | {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body or b""),
        BODY_TOO_SLOW: body is None,
    }
    headers = scope.headers.items()
    # The server leaves out what is not ASCII.
    if unreadable := set(scope.headers.keys()) - {name for name, _ in headers}:
        environ[UNREADABLE_HEADERS] = sorted(unreadable)
    for name, value in headers:
        # `X_Forwarded_Proto` would become the same variable as `X-Forwarded-Proto`, which only the proxy may set.
        if "_" not in name:
            key = _VARIABLES.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
            before = environ.get(key)
            environ[key] = value if before is None else f"{before}{'; ' if name == 'cookie' else ','}{value}"
    return environ
