"""Ports: free, taken, and pairs of them."""

import socket

from apps.dev import ports


def test_a_port_somebody_listens_on_is_not_free():
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        assert not ports.is_free(server.getsockname()[1])


def test_a_free_pair_is_two_free_ports_in_a_row():
    port = ports.free_pair()

    assert ports.is_free(port)
    assert ports.is_free(port + 1)
