"""Who may read `/metrics`, and the small server by which roles other than web answer it.

Invariant: a token is compared in constant time, and without one set nobody has it; a port that cannot be had stops no
role.
"""

import hmac
import os
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from django.conf import settings

from apps.ops.exposition import CONTENT_TYPE, exposition

log = structlog.get_logger(__name__)

PATH = "/metrics"
REALM = {"WWW-Authenticate": "Bearer"}
REFUSED = "Send `Authorization: Bearer` with the token that METRICS_TOKEN holds.\n"
_serving: list[ThreadingHTTPServer] = []


def has_token(authorization: str) -> bool:
    """Whether the header carries the scraper's token."""
    scheme, _, given = authorization.partition(" ")
    known = settings.METRICS_TOKEN
    return bool(known) and scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), known.encode())


class _Answer(BaseHTTPRequestHandler):
    """One request a connection, and seconds for it: a caller that stops holds no thread for long."""

    timeout = 5
    server_version = "metrics"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0].rstrip("/") != PATH:
            self._send(HTTPStatus.NOT_FOUND, f"There is only {PATH} here.\n".encode())
        elif not has_token(self.headers.get("Authorization", "")):
            self._send(HTTPStatus.UNAUTHORIZED, REFUSED.encode(), headers=REALM)
        else:
            self._send(HTTPStatus.OK, exposition(with_state=False), content_type=CONTENT_TYPE)

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        *,
        content_type: str = "text/plain; charset=utf-8",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": content_type,
            "Content-Length": str(len(content)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape every few seconds is no news."""


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in settings.BIND_HOST else socket.AF_INET


def serve(role: str) -> None:
    """Answer on METRICS_PORT from a thread, once a process. The web answers at its own address."""
    if role == "web" or not settings.METRICS_PORT or _serving:
        return
    try:
        server = _Server((settings.BIND_HOST, settings.METRICS_PORT), _Answer)
    except OSError as reason:
        log.error("metrics_not_served", port=settings.METRICS_PORT, reason=str(reason))  # noqa: TRY400
        return
    _serving.append(server)
    # Children of the pool would hold the port when their parent is gone.
    os.register_at_fork(after_in_child=server.socket.close)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
