"""Loopback ports: which are free, and which are somebody's."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below those that Linux gives to outgoing connections (from 32768 on): any of those may be taken between two breaths.
_OURS = (12_000, 32_000)


def is_free(port: int, *, host: str = LOOPBACK) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # A port in TIME_WAIT is free for a server, as the server itself will see it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody has at this moment, and that no outgoing connection will be given by the system."""
    return _free(1)


def free_pair() -> int:
    """A free port whose successor is free too: the web's and the sockets'."""
    return _free(2)


def _free(count: int) -> int:
    while True:
        port = random.randrange(*_OURS)
        if all(is_free(port + next_) for next_ in range(count)):
            return port
