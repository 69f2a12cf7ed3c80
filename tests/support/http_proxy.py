"""A proxy on port 0 in this loop, backends beside it, and a client that writes and reads raw bytes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from devdns.core.config import Config
from devdns.core.frames import Hello, TableView
from devdns.core.names import Zones, parse_claim
from devdns.core.routes import Options, Route, RouteTable, State, parse_target
from devdns_proxy.limits import Limits
from devdns_proxy.server import Proxy

BOUND = 10.0
INSTANCE = "i-test"
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def route(name, *targets, state=State.LIVE, reason="", **options) -> Route:
    claim = parse_claim(name, Zones())
    return Route(
        host=claim.host,
        prefix=claim.prefix,
        targets=tuple(parse_target(target) for target in targets),
        source="manual",
        origin="a test",
        state=state,
        reason=reason,
        options=Options(**options),
    )


#: A live route that refuses is not hoped for: what its answer says is known at once.
UNHELD = Limits(refused_hold=0.0)


def view_of(*routes: Route, instance: str = INSTANCE, hold: float = 15.0) -> TableView:
    return TableView(Hello(1, instance, Config(hold=hold)), RouteTable(routes))


def listening(host: str = "127.0.0.1") -> socket.socket:
    listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setblocking(False)
    return listener


class Running:
    """A started proxy: its view (assign `table`), its port, and raw conversations with it."""

    def __init__(self, proxy: Proxy, view: TableView, port: int) -> None:
        self.proxy = proxy
        self.view = view
        self.port = port

    def route(self, *routes: Route) -> None:
        self.view.swap(RouteTable(routes, generation=self.view.table.generation + 1))

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def connect(self) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", self.port))

    async def say(self, data: bytes) -> bytes:
        """Sends `data` and returns everything up to the end of the connection."""
        async with await self.connect() as wire:
            await wire.send(data)
            return await wire.rest()


class Wire:
    """One raw connection; every wait has a bound."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(BOUND):
            await self.writer.drain()

    async def head(self) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.readexactly(size)

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.readuntil(mark)

    async def rest(self) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.read()

    async def response(self) -> tuple[bytes, bytes]:
        """Head and body of a response with a Content-Length."""
        head = await self.head()
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        return head, await self.exactly(length)


@asynccontextmanager
async def running(
    *routes: Route, web: str | Path = "web.sock", limits: Limits | None = None, hold: float = 15.0
) -> AsyncIterator[Running]:
    """A proxy with these routes; `hold` is the one of its settings."""
    view = view_of(*routes, hold=hold)
    proxy = Proxy(view, str(web), limits)
    listener = listening()
    await proxy.start([listener])
    try:
        yield Running(proxy, view, listener.getsockname()[1])
    finally:
        await proxy.drain(0.0)


class Backend:
    """A raw service: `conversation` is called per connection; `seen` collects what `head` read."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.seen: list[bytes] = []
        self.closed = asyncio.Event()


@asynccontextmanager
async def backend(
    conversation: Callable[[Backend, Wire], Awaitable[None]],
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Backend]:
    """A service of raw bytes: `conversation(backend, wire)` runs once per connection and closes it by returning."""
    listener = listening(host)
    self = Backend(listener.getsockname()[1])
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        self.connections += 1
        try:
            await conversation(self, Wire(reader, writer))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.closed.set()
            writer.close()

    server = await asyncio.start_server(serve, sock=listener, ssl=tls)
    try:
        yield self
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(*responses: bytes) -> Callable[[Backend, Wire], Awaitable[None]]:
    """A conversation that reads heads and answers with `responses` in turn, the last one for ever."""

    async def conversation(self: Backend, wire: Wire) -> None:
        for count in range(1_000_000):
            self.seen.append(await wire.head())
            await wire.send(responses[min(count, len(responses) - 1)])

    return conversation


@asynccontextmanager
async def stage(*responses: bytes, limits: Limits | None = None, **options) -> AsyncIterator[tuple[Running, Backend]]:
    """A proxy whose only route, `api`, leads to a service that answers with `responses` in turn, the last one for ever."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(backend(answering(*responses)))
        proxy = await stack.enter_async_context(running(route("api", service.port, **options), limits=limits))
        yield proxy, service


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: api.dev.test\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: api.dev.test\r\nConnection: close\r\n\r\n"
