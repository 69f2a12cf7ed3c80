"""The resolver as a part: takes bound sockets and a view of the table, answers until it is stopped."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from devdns.core.figures import Family
from devdns.core.frames import TableView
from devdns_resolver.counters import Counters
from devdns_resolver.forward import MAX_EXCHANGES, Forwarder
from devdns_resolver.query_log import QueryLog
from devdns_resolver.responder import Responder
from devdns_resolver.tcp import Connection, Connections
from devdns_resolver.udp import UdpListener
from devdns_resolver.udp_any import udp_listener

MAX_CONNECTIONS = 1_024
#: Descriptors kept free for listeners, logs and the snapshot link.
SPARE_DESCRIPTORS = 64
#: The least that the forwarder has for its exchanges with upstreams.
FEW_EXCHANGES = 32
BACKLOG = 1_024
IDLE = 10.0


class Resolver:
    """Answers DNS from `view`. `connections` and `idle` bound TCP: how many at once, and seconds without a query."""

    def __init__(self, view: TableView, *, connections: int = MAX_CONNECTIONS, idle: float = IDLE) -> None:
        room = _descriptors() - SPARE_DESCRIPTORS - FEW_EXCHANGES
        self._cap = min(connections, room)
        self._responder = Responder(view, exchanges=min(MAX_EXCHANGES, FEW_EXCHANGES + room - self._cap))
        self._idle = idle
        self._udp: dict[str, list[UdpListener]] = {}
        self._servers: dict[str, list[asyncio.Server]] = {}
        self._connections: Connections | None = None

    @property
    def counters(self) -> Counters:
        return self._responder.counters

    def log_queries(self, path: str) -> None:
        """Writes a line of JSON for every reply to the file at `path`; raises OSError when it cannot be opened."""
        self._responder.queries = QueryLog(path)

    def families(self) -> tuple[Family, ...]:
        """What `/metrics` shows."""
        return self.counters.families() + self.forwarder.families()

    @property
    def forwarder(self) -> Forwarder:
        return self._responder.forwarder

    async def start(self, udp: Iterable[socket.socket], tcp: Iterable[socket.socket]) -> None:
        """Takes over bound sockets (TCP ones listening) and answers on them from now on."""
        loop = asyncio.get_running_loop()
        self._connections = Connections(loop, self._responder, cap=self._cap, idle=self._idle)
        await self.open(udp, tcp)

    async def open(self, udp: Iterable[socket.socket], tcp: Iterable[socket.socket], place: str = "") -> None:
        """Answers on further sockets until `close` with the same `place`: a bridge's, as `172.17.0.1/16`."""
        if self._connections is None:
            raise RuntimeError("the resolver has not been started")
        if place:
            self._responder.serve_bridge(place)
        loop, accept = asyncio.get_running_loop(), partial(Connection, self._connections)
        udp = tuple(udp)
        for sock in udp:
            self.forwarder.sources.listeners.add(*sock.getsockname()[:2])
        for sock in tcp:
            sock.setblocking(False)
            self._servers.setdefault(place, []).append(await loop.create_server(accept, sock=sock, backlog=BACKLOG))
        for sock in udp:
            listener = udp_listener(sock, self._responder)
            listener.start(loop)
            self._udp.setdefault(place, []).append(listener)

    def close(self, place: str) -> None:
        """Answers there no more."""
        for listener in self._udp.pop(place, ()):
            listener.stop()
        for server in self._servers.pop(place, ()):
            server.close()

    async def stop(self, grace: float) -> None:
        """Takes no more, gives connections up to `grace` seconds for what they have asked, closes the sockets."""
        for place in {*self._udp, *self._servers}:
            self.close(place)
        if self._connections is not None:
            await self._hang_up(self._connections, grace)
        await self.forwarder.close()
        if self._responder.queries is not None:
            self._responder.queries.close()

    async def _hang_up(self, connections: Connections, grace: float) -> None:
        for connection in connections:
            connection.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await connections.emptied.wait()
        for connection in connections:
            connection.abort()
        connections.close()


def _descriptors() -> int:
    """How many files this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else MAX_CONNECTIONS + SPARE_DESCRIPTORS
