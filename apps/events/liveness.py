"""Whether a role does its work: how long its loop may stay away, and whether a server answers.

Quick to import: probes and the supervisor ask it before anything of Django is there.
"""

import http.client
from http import HTTPStatus
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
# Where to ask a server that listens everywhere.
_EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - compared only

# Each turn of a loop may wait once for a connection (5 s) and once for a statement (15 s).
_LIMIT_SECONDS = 30.0
# A turn of a consumer is a whole batch; beyond this its own watchdog ends the process.
_WORKER_LIMIT_SECONDS = 60.0


def limit_seconds(role: str) -> float:
    """The age of a heartbeat beyond which the loop of `role` hangs, in seconds."""
    return _WORKER_LIMIT_SECONDS if role.startswith("worker-") else _LIMIT_SECONDS


def unanswered(bind_host: str, port: int, *, public_url: str, seconds: float) -> str | None:
    """Why the server that listens there does not say that it lives, in one line; `None` when it does.

    It is asked by the name that its callers use, and given so many seconds.
    """
    address = _EVERYWHERE.get(bind_host, bind_host)
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", "/health/live/", headers={"Host": urlsplit(public_url).hostname or LOOPBACK})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as reason:
        return f"No answer from {address}:{port}: {type(reason).__name__} {reason}".strip()
    finally:
        connection.close()
    return None if status == HTTPStatus.OK else f"{address}:{port} answers with status {status}."
