"""One POST to a stranger's server, that costs and tells no more than it must (server-side request forgery).

Invariants: a name is resolved once, every address it has is judged by `targets`, and what is called is one of them,
not the name; TLS is checked against the name. Nothing is followed, no proxy or credential is taken from the
environment, and the whole exchange, from the name to the last byte, ends when its time is over, however slowly the
other side speaks. Of what it answers, a bounded part is read and a smaller one kept.

It knows no database, so that it may run on any thread.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from typing import Any

from apps.notifications.calls import targets
from apps.notifications.calls.bounded import Bounded, Deadline
from apps.notifications.calls.targets import Address, Target
from apps.notifications.sending import kept_notes

MAX_READ_BYTES = 64 * 1024
MAX_HEAD_BYTES = 16 * 1024
MAX_KEPT_CHARACTERS = 4096
MAX_KEPT_HEADER_CHARACTERS = 200
MAX_ADDRESSES_TRIED = 3
# What decides is the status; whoever speaks slowly after it is listened to for so long.
BODY_SECONDS = 2.0
# Of a server that we tell people about; what it wants to set, and who it says it is for, is nothing to keep.
KEPT_HEADERS = ("content-type", "content-length", "retry-after", "location", "server", "date")
USER_AGENT = "todo-platform/1"


class Unanswered(Exception):
    """No answer came; whether the request arrived is known only where `sent` is false."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said. `body` is its beginning as text; `retry_after` is in seconds, if it named any."""

    status: int
    headers: dict[str, str]
    body: str
    truncated: bool
    seconds: float
    retry_after: float | None
    address: str = ""

    def as_json(self) -> dict[str, Any]:
        """To keep beside an attempt."""
        body = {"body": self.body, "truncated": self.truncated}
        return {"status": self.status, "headers": self.headers, **body, "address": self.address}


def post(url: str, *, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
    """Send one POST and read the answer, whatever its status. Raises `NotAllowed` and `Unanswered`."""
    target = targets.parse(url)
    deadline = Deadline(seconds)
    sent = False
    try:
        addresses = _resolve(target, deadline)
        targets.check_addresses(target, addresses)
        with _connect(target, addresses, deadline) as plain:
            address = str(plain.getpeername()[0])
            connection = _secured(plain, target, deadline) if target.is_encrypted else plain
            with connection:
                sent = True
                answer = _exchange(connection, target, headers=headers, body=body, deadline=deadline)
                return replace(answer, address=address)
    except TimeoutError:
        raise Unanswered(f"{target.host} did not answer within {seconds:g} s.", sent=sent) from None
    except ssl.SSLError as reason:
        told = getattr(reason, "verify_message", "") or reason.reason or "the connection was cut"
        raise Unanswered(f"No trusted connection to {target.host}: {told}.", sent=sent) from None
    except http.client.RemoteDisconnected:
        raise Unanswered(f"{target.host} closed the connection without an answer.", sent=sent) from None
    except http.client.HTTPException as reason:
        raise Unanswered(f"{target.host} did not answer by HTTP ({type(reason).__name__}).", sent=sent) from None
    except OSError as reason:
        told = reason.strerror or type(reason).__name__
        raise Unanswered(f"The connection to {target.host} failed: {told}.", sent=sent) from None


def _resolve(target: Target, deadline: Deadline) -> list[Address]:
    """All addresses of the name, asked for once.

    Resolvers take no time limit; on a thread of its own, one that hangs is left behind, and ends by itself.
    """
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except OSError as reason:
            found.append(reason)
        except UnicodeError:
            found.append(OSError("its name cannot be asked for"))

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(deadline.left())
    if not found:
        raise TimeoutError
    if isinstance(found[0], OSError):
        told = found[0].strerror or str(found[0])
        raise Unanswered(f"The name {target.host} was not found: {told}.", sent=False)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found[0]))


def _connect(target: Target, addresses: list[Address], deadline: Deadline) -> socket.socket:
    """A connection to the first address that takes one; each but the last gets a fair share of the time."""
    tried = addresses[:MAX_ADDRESSES_TRIED]
    for position, address in enumerate(tried):
        others = len(tried) - position - 1
        connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left() / (others + 1))
            connection.connect((str(address), target.port))
            return connection
        except OSError:
            connection.close()
            if not others:
                raise
    raise TimeoutError


def _secured(plain: socket.socket, target: Target, deadline: Deadline) -> ssl.SSLSocket:
    plain.settimeout(deadline.left())
    return trust().wrap_socket(plain, server_hostname=target.host)


@cache
def trust() -> ssl.SSLContext:
    """The authorities that this machine believes; certificates and names are checked."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _exchange(
    connection: socket.socket, target: Target, *, headers: Mapping[str, str], body: bytes, deadline: Deadline
) -> Answer:
    client = http.client.HTTPConnection(target.host, target.port)
    client.auto_open = 0
    client.sock = Bounded(connection, deadline, most_bytes=MAX_READ_BYTES + MAX_HEAD_BYTES)
    ours = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
    client.request("POST", target.path, body=body, headers={"Host": _host_header(target), **ours, **headers})
    with client.getresponse() as response:
        deadline.shorten(BODY_SECONDS)
        read, truncated = _beginning(response)
        return Answer(
            status=response.status,
            headers=_kept(response),
            body=kept_notes.text(read, most=MAX_KEPT_CHARACTERS),
            truncated=truncated or len(read) > MAX_KEPT_CHARACTERS,
            seconds=round(deadline.spent, 3),
            retry_after=_retry_after(response.getheader("Retry-After")),
        )


def _host_header(target: Target) -> str:
    return target.origin.partition("://")[2]


def _beginning(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """As much of the body as we read, and whether there was more, or it broke off.

    Once the status is there it counts, also when the rest never comes.
    """
    read = b""
    try:
        while len(read) < MAX_READ_BYTES:
            piece = response.read1(MAX_READ_BYTES - len(read))
            if not piece:
                return read, False
            read += piece
    except (OSError, http.client.HTTPException):
        return read, True
    return read, True


def _kept(response: http.client.HTTPResponse) -> dict[str, str]:
    found = {name: response.getheader(name) for name in KEPT_HEADERS}
    return {
        name: kept_notes.text(value, most=MAX_KEPT_HEADER_CHARACTERS)
        for name, value in found.items()
        if value is not None
    }


def _retry_after(text: str | None) -> float | None:
    """Seconds from now, of either form that RFC 9110 has (10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
