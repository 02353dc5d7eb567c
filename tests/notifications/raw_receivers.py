"""Servers that speak HTTP as badly as a test wants: each connection is given to a function."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class RawReceiver:
    """`behave` gets a connection whose request was read, and that request; `requests` are all of them."""

    def __init__(self, behave: Callable[[socket.socket, bytes], None], *, host: str, port: int) -> None:
        self.behave = behave
        self.requests: list[bytes] = []
        self.connections = 0
        self.tls: ssl.SSLContext | None = None
        self.over = threading.Event()
        self.listener = socket.create_server((host, port))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._listen, daemon=True)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain:
            plain.settimeout(30)
            with self.tls.wrap_socket(plain, server_side=True) if self.tls else plain as connection:
                request = _read(connection)
                self.requests.append(request)
                self.behave(connection, request)

    def stop(self) -> None:
        self.over.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(timeout=35)


def _read(connection: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        piece = connection.recv(65536)
        if not piece:
            return read
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def receiving(
    behave: Callable[[socket.socket, bytes], None], *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[RawReceiver]:
    receiver = RawReceiver(behave, host=host, port=port)
    receiver.threads[0].start()
    try:
        yield receiver
    finally:
        receiver.stop()


def answering(status: str = "200 OK", *headers: str, body: bytes = b"taken") -> Callable[[socket.socket, bytes], None]:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])

    def behave(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

    return behave


def certified(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server with a certificate for these names shows, and what its clients believe."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A test")])
    now = datetime.now(UTC)
    alternatives = [x509.IPAddress(ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, secret = folder / "certificate.pem", folder / "key.pem"
    shown.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(shown, secret)
    return server, ssl.create_default_context(cafile=str(shown))
