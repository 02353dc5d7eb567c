"""One address whose server can be exchanged behind it, as a name or a balancer in front of Kafka does."""

import contextlib
import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator


class Forwarder(socketserver.ThreadingTCPServer):
    """Passes every connection on to `target`, whichever it is when the connection begins."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__(("127.0.0.1", 0), _Connection)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever was connected sees the end of the connection, which is all there is to say."""


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Forwarder)
        host, port = self.server.target.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as there, selectors.DefaultSelector() as ready:
            ready.register(self.request, selectors.EVENT_READ, there)
            ready.register(there, selectors.EVENT_READ, self.request)
            while True:
                for key, _ in ready.select():
                    assert isinstance(key.fileobj, socket.socket)
                    if not (read := key.fileobj.recv(65_536)):
                        return
                    key.data.sendall(read)


@contextlib.contextmanager
def forwarding(target: str) -> Iterator[Forwarder]:
    with Forwarder(target) as forwarder:
        serving = threading.Thread(target=forwarder.serve_forever, daemon=True)
        serving.start()
        try:
            yield forwarder
        finally:
            forwarder.shutdown()
            serving.join(5)
