"""The services that are given by their address: whether anybody is there, before anything is begun on them.

Invariant: a connection is opened and closed and nothing is said; an address that is not understood here is left to
who uses it.
"""

import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

_PORTS: Mapping[str, int] = {"KAFKA_BOOTSTRAP_SERVERS": 9092, "REDIS_URL": 6379, "DATABASE_URL": 5432}
_CONNECT_SECONDS = 2.0

Address = tuple[str, int]


def addresses(variable: str, value: str) -> list[Address]:
    """Hosts and ports, without names and passwords. Empty for a path, or what is no address."""
    one_or_more = value.split(",") if variable == "KAFKA_BOOTSTRAP_SERVERS" else [value]
    found = []
    for each in one_or_more:
        try:
            parts = urlsplit("//" + (each.partition("://")[2] or each).strip())
            address = (parts.hostname or "", parts.port or _PORTS[variable])
        except ValueError:
            return []
        if not address[0]:
            return []
        found.append(address)
    return found


def answers(address: Address) -> bool:
    try:
        socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def unanswered(given: Mapping[str, str], *, answers: Callable[[Address], bool] = answers) -> str | None:
    """Which of them leads to nobody, in a clause; `None` when somebody answers at one address of each at least."""
    for variable, value in given.items():
        there = addresses(variable, value) if variable in _PORTS else []
        if there and not any(map(answers, there)):
            return f"{variable} names {' or '.join(f'{host}:{port}' for host, port in there)}, where nobody answers"
    return None
