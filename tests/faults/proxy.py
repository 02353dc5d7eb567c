"""A TCP proxy that stands between two parts and does to their connections what networks do.

It can add latency, reset connections, go silent (a black hole: bytes wait, nobody is told), leave connections
half open (the server's side is closed, the client's is not told), refuse, stop a client in the middle of what it
sends, and have its server exchanged behind it.

Invariant: what passes is passed in order and unchanged; it runs in a thread of its own, and `close` leaves neither a
thread nor a socket. Silence is at the level of the application: the kernels at both ends still acknowledge, which is
what a frozen process or a stuck balancer looks like, and what no TCP time-out ends.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK = 65_536
_CHUNKS_HELD_UP = 64
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """One address in front of `target`; conditions may be changed while connections are open."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.latency_seconds = 0.0
        self.sent_by_clients = 0
        self._refusing = False
        self._stop_after: int | None = None
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _call(self, work: Callable[[], None]) -> None:
        async def within() -> None:
            work()

        self._do(within())

    @property
    def open(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def go_silent(self) -> None:
        """A black hole: connections stay and come about, and nothing passes in either direction."""
        self._call(self._flowing.clear)

    def heal(self) -> None:
        """Bytes that waited pass now, new connections flow. What was reset or half open stays so."""

        def all_flows() -> None:
            self._refusing = False
            self._stop_after = None
            self._flowing.set()

        self._call(all_flows)
        self.latency_seconds = 0.0

    def refuse(self) -> None:
        """Who connects from now on is reset at once."""
        self._refusing = True

    def reset(self) -> int:
        """End every connection with a reset, at both ends; how many."""
        return self._to_each(_Connection.reset)

    def leave_half_open(self) -> int:
        """Close every connection at the server's end only: the client waits for a server that is gone; how many."""
        return self._to_each(_Connection.lose_server)

    def stop_clients_after(self, sent: int) -> None:
        """Let each connection opened from now on send so many bytes; what the client sends then waits for ever."""
        self._stop_after = sent

    def _to_each(self, what: "Callable[[_Connection], None]") -> int:
        met: list[_Connection] = []

        def each() -> None:
            met.extend(self._connections)
            for connection in met:
                what(connection)

        self._call(each)
        return len(met)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            _reset(writer)
            return
        connection = _Connection(reader, writer, stop_after=self._stop_after)
        self._connections.add(connection)
        try:
            # Only `close` cancels, and asyncio would report it as a failure.
            with contextlib.suppress(asyncio.CancelledError):
                await self._flowing.wait()
                await connection.run(self)
        finally:
            self._connections.discard(connection)
            connection.close()

    async def pass_on(self, what: bytes, to: asyncio.StreamWriter, *, read_at: float) -> None:
        """Under the conditions of the moment. Latency holds up what was read, not what comes behind it."""
        if self.latency_seconds:
            await asyncio.sleep(read_at + self.latency_seconds - self._loop.time())
        await self._flowing.wait()
        to.write(what)
        await to.drain()

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for connection in self._connections:
                connection.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)  # a transport lets go of its socket in the next round

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class _Connection:
    """A client's connection and the one to the server that was made for it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, stop_after: int | None = None
    ) -> None:
        self.client = (reader, writer)
        self.server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.may_send = stop_after
        self.server_is_lost = False

    async def run(self, proxy: Proxy) -> None:
        host, _, port = proxy.target.rpartition(":")
        with contextlib.suppress(OSError):
            self.server = await asyncio.open_connection(host, int(port))
            ways = [
                asyncio.ensure_future(self._upwards(proxy, self.server[1])),
                asyncio.ensure_future(self._downwards(proxy, self.server[0])),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)

    async def _upwards(self, proxy: Proxy, server: asyncio.StreamWriter) -> None:
        async with contextlib.aclosing(_as_it_comes(self.client[0])) as chunks:
            async for read_at, read in chunks:
                proxy.sent_by_clients += len(read)
                sent = read if self.may_send is None else read[: self.may_send]
                if self.may_send is not None:
                    self.may_send -= len(sent)
                if not sent or self.server_is_lost:
                    continue
                try:
                    await proxy.pass_on(sent, server, read_at=read_at)
                except OSError:
                    if not self.server_is_lost:  # lost while this waited: the client is not told
                        raise

    async def _downwards(self, proxy: Proxy, server: asyncio.StreamReader) -> None:
        async with contextlib.aclosing(_as_it_comes(server)) as chunks:
            async for read_at, read in chunks:
                await proxy.pass_on(read, self.client[1], read_at=read_at)
        if self.server_is_lost:
            await asyncio.Future()  # the client is never told

    def lose_server(self) -> None:
        self.server_is_lost = True
        if self.server is not None:
            self.server[1].close()

    def _writers(self) -> list[asyncio.StreamWriter]:
        return [end[1] for end in (self.client, self.server) if end is not None]

    def reset(self) -> None:
        for writer in self._writers():
            _reset(writer)

    def close(self) -> None:
        for writer in self._writers():
            writer.close()

    def abort(self) -> None:
        """Without waiting for a peer that may never read again."""
        for writer in self._writers():
            writer.transport.abort()


async def _as_it_comes(reader: asyncio.StreamReader) -> AsyncGenerator[tuple[float, bytes], None]:
    """What is read and when, also while what came before is still held up; bounded."""
    held_up: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_HELD_UP)
    loop = asyncio.get_running_loop()

    async def read() -> None:
        found = b"more"
        while found:
            try:
                found = await reader.read(_CHUNK)
            except OSError:
                found = b""
            await held_up.put((loop.time(), found))

    reading = asyncio.ensure_future(read())
    try:
        while (each := await held_up.get())[1]:
            yield each
    finally:
        reading.cancel()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


@contextlib.contextmanager
def proxy_to(target: str) -> Iterator[Proxy]:
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
