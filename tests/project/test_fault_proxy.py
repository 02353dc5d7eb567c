"""The proxy of the fault tests does what it says: what a fault test proves rests on it."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.proxy import Proxy, proxy_to

PATIENCE_SECONDS = 30.0
# Long enough to see that nothing comes.
A_WHILE = 0.3


class Echo:
    """A server that answers what it is sent, and knows what became of its connections."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.received = b""
        self.ended: list[str] = []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self._answer, args=[connection]))
            self.threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while read := connection.recv(65_536):
                    self.received += read
                    connection.sendall(read)
                self.ended.append("closed")
            except ConnectionResetError:
                self.ended.append("reset")

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with proxy_to(echo.address) as forwarder:
        yield forwarder


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connect(proxy) as connection:
        yield connection


def connect(proxy: Proxy) -> socket.socket:
    host, port = proxy.address.split(":")
    connection = socket.create_connection((host, int(port)))
    connection.settimeout(PATIENCE_SECONDS)
    return connection


def asked(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    return read(client, len(words))


def read(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (more := client.recv(count - len(found))):
        found += more
    return found


def says_nothing(client: socket.socket) -> bool:
    client.settimeout(A_WHILE)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_SECONDS)
    return False


def comes_true(what: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_a_healthy_proxy_passes_everything_in_order_and_counts_it(proxy: Proxy, client: socket.socket) -> None:
    words = os.urandom(3_000_000)
    sender = threading.Thread(target=client.sendall, args=[words])
    sender.start()

    found = read(client, len(words))

    sender.join()
    assert found == words
    assert proxy.sent_by_clients == 3_000_000
    assert proxy.open == 1


def test_an_answer_sent_just_before_the_server_closes_arrives_whole(proxy: Proxy) -> None:
    words = os.urandom(500_000)
    with socket.create_server(("127.0.0.1", 0)) as server, connect(proxy) as waiting:
        assert asked(waiting, b"first") == b"first"
        proxy.target = f"127.0.0.1:{server.getsockname()[1]}"
        with connect(proxy) as client:
            taken, _ = server.accept()
            taken.sendall(words)
            taken.close()

            assert read(client, len(words) + 1) == words


def test_silence_keeps_connections_and_bytes_and_healing_lets_them_pass(
    echo: Echo, proxy: Proxy, client: socket.socket
) -> None:
    assert asked(client, b"before ") == b"before "

    proxy.go_silent()
    client.sendall(b"during")
    with connect(proxy) as newcomer:
        newcomer.sendall(b"new")
        assert says_nothing(client)
        assert says_nothing(newcomer)
        assert echo.received == b"before "
        proxy.heal()

        assert read(client, 6) == b"during"
        assert read(newcomer, 3) == b"new"


def test_latency_holds_up_each_way_and_does_not_add_up(proxy: Proxy, client: socket.socket) -> None:
    proxy.latency_seconds = 0.4
    started = time.monotonic()
    for _ in range(10):
        client.sendall(b"x" * 10)
        time.sleep(0.02)

    assert read(client, 100) == b"x" * 100

    # There and back; ten chunks one after the other would be eight seconds.
    assert 0.8 <= time.monotonic() - started < 7


def test_a_reset_ends_both_ends_at_once(echo: Echo, proxy: Proxy, client: socket.socket) -> None:
    assert asked(client, b"before") == b"before"

    assert proxy.reset() == 1

    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert comes_true(lambda: echo.ended == ["reset"])
    assert comes_true(lambda: proxy.open == 0)
    with connect(proxy) as next_one:
        assert asked(next_one, b"after") == b"after"


def test_of_a_half_open_connection_the_server_is_told_and_the_client_is_not(
    echo: Echo, proxy: Proxy, client: socket.socket
) -> None:
    assert asked(client, b"before") == b"before"

    assert proxy.leave_half_open() == 1

    assert comes_true(lambda: echo.ended == ["closed"])
    client.sendall(b"into nothing")
    assert says_nothing(client)
    proxy.heal()
    assert says_nothing(client)
    assert echo.received == b"before"
    with connect(proxy) as next_one:
        assert asked(next_one, b"after") == b"after"


def test_a_connection_that_was_silent_when_it_became_half_open_is_not_told_when_silence_ends(
    echo: Echo, proxy: Proxy, client: socket.socket
) -> None:
    assert asked(client, b"before") == b"before"
    proxy.go_silent()
    client.sendall(b"during")

    proxy.leave_half_open()
    proxy.heal()

    client.sendall(b"after")
    assert says_nothing(client)
    assert echo.received == b"before"


def test_who_is_refused_is_reset_and_who_is_there_stays(proxy: Proxy, client: socket.socket) -> None:
    assert asked(client, b"before") == b"before"

    proxy.refuse()

    with connect(proxy) as newcomer, pytest.raises(ConnectionResetError):
        newcomer.recv(1)
    assert asked(client, b"still") == b"still"
    proxy.heal()
    with connect(proxy) as next_one:
        assert asked(next_one, b"again") == b"again"


def test_a_client_that_is_to_stop_sends_so_many_bytes_and_no_more(echo: Echo, proxy: Proxy) -> None:
    proxy.stop_clients_after(5)
    with connect(proxy) as client:
        client.sendall(b"abc")
        client.sendall(b"defgh")

        assert read(client, 5) == b"abcde"
        assert says_nothing(client)
    assert echo.received == b"abcde"


def test_without_a_server_the_client_is_let_go(echo: Echo, proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        proxy.target = f"127.0.0.1:{gone.getsockname()[1]}"
    with connect(proxy) as client:
        assert client.recv(1) == b""


def test_closing_leaves_neither_thread_nor_socket(echo: Echo) -> None:
    threads, files = threading.active_count(), open_files()
    proxy = Proxy(echo.address)
    stuck, half_open, waiting = connect(proxy), connect(proxy), connect(proxy)
    assert asked(half_open, b"there") == b"there"
    proxy.leave_half_open()
    proxy.go_silent()
    threading.Thread(target=_send_much, args=[stuck]).start()
    waiting.sendall(b"?")

    proxy.close()

    for client in (stuck, half_open, waiting):
        client.close()
    assert comes_true(lambda: threading.active_count() <= threads)
    assert comes_true(lambda: open_files() <= files)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _send_much(client: socket.socket) -> None:
    try:
        client.sendall(b"x" * 20_000_000)
    except OSError:
        return
