"""Takes webhooks and pushes over HTTP: `python -m tests.support.http_receiver FOLDER`."""

import base64
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.support import receiving
from tests.support.receiving import Given

CREATED = 201


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.journal = receiving.Journal(folder / "journal")
        self.modes = receiving.Modes(folder / "mode", good=CREATED)


class Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        key = headers.get("webhook-id") or _key_of_push(headers.get("topic", "")) or self.path
        behaviour = self.server.modes.of(key)
        self.server.journal.note(
            Given(time.time(), key, self.path, headers, _text(body), behaviour.answer, _said(body, headers))
        )
        time.sleep(behaviour.wait_seconds)
        if behaviour.answer == 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        told = b'{"taken": true}' if behaviour.answer < 400 else b'{"taken": false}'
        self.send_response(behaviour.answer)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: Any) -> None:
        """The journal has it."""


def _key_of_push(topic: str) -> str:
    """A push is replaced by one of the same topic: the key, as short as it can be written."""
    return str(UUID(bytes=base64.urlsafe_b64decode(topic + "=="))) if topic else ""


def _said(body: bytes, headers: dict[str, str]) -> str:
    """Of what is encrypted anew each time, only its length is the same."""
    return f"{len(body)} bytes, encrypted" if headers.get("content-encoding") == "aes128gcm" else ""


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


def main(folder: Path) -> None:
    server = Server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiving.announce(folder / "port", server.server_address[1])
    receiving.live_until_told()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
