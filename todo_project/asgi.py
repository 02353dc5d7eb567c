"""Live updates, and health over HTTP: the entry of the `ws` role.

Invariant: a socket of an unknown path or of another site is refused in the handshake; no body is read beyond
the limit. The event loop that serves the sockets beats: when it hangs, the heartbeat of the role stops.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import re_path

from apps.events import heartbeat

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

log = structlog.get_logger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
django_application = get_asgi_application()


async def refuse_unknown_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Closing before accepting answers the handshake with 403."""
    await receive()
    log.info("socket_refused", path=scope["path"], reason="no such path")
    await send({"type": "websocket.close", "code": 1000})


async def bounded_http(scope: Scope, receive: Receive, send: Send) -> None:
    """Django spools a whole body to disk before its first middleware runs; one without end would fill it."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    taken = 0

    async def receive_bounded() -> dict[str, Any]:
        nonlocal taken
        event = await receive()
        taken += len(event.get("body", b""))
        # Django takes a caller that left for no request at all, and cleans up.
        return event if taken <= limit else {"type": "http.disconnect"}

    await django_application(scope, receive_bounded, send)
    if taken > limit:
        log.info("body_refused", path=scope["path"], bytes_read=taken)
        headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": b"The body is too large."})


async def _keep_beating() -> None:
    while True:
        heartbeat.beat("ws")
        await asyncio.sleep(heartbeat.FILE_SECONDS)


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """From the server's start to its end."""
    await receive()
    beating = asyncio.create_task(_keep_beating())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    beating.cancel()
    await send({"type": "lifespan.shutdown.complete"})


_sockets = URLRouter([re_path(r"", refuse_unknown_socket)])  # type: ignore[arg-type]
application = ProtocolTypeRouter(
    {"http": bounded_http, "websocket": AllowedHostsOriginValidator(_sockets), "lifespan": lifespan}
)
