"""The proxy of one process: accepts on the sockets it is given and lets go of them in order."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import web

from devdns.core.figures import Family
from devdns.core.frames import TableView
from devdns.core.sightings import Sightings
from devdns_proxy import figures, own
from devdns_proxy.access_log import AccessLog
from devdns_proxy.client import Client
from devdns_proxy.context import Context
from devdns_proxy.counters import Counters
from devdns_proxy.failures import troubles
from devdns_proxy.h2.trunk import Trunk
from devdns_proxy.limits import Limits, fitting
from devdns_proxy.own_wire import connections
from devdns_proxy.raw.server import RawServer
from devdns_proxy.raw.traffic import RawTraffic
from devdns_proxy.tls.greeting import Greeting
from devdns_proxy.tls.leaf_link import follow
from devdns_proxy.unix_targets import siblings

BACKLOG = 4_096
#: Seconds that WebSockets and event streams get at the end of a drain: they never end by themselves, and their clients connect again.
STREAM_GRACE = 1.0
#: Seconds that requests to our own names get at the end of a drain: the open ones are event streams, which never end.
OWN_GRACE = 0.2
#: Seconds for control to make its first certificates.
LEAF_TIME = 5.0
log = structlog.get_logger()


class Proxy:
    """Serves the routes of `view`; connections for devdns's own names are relayed to the Unix socket `web`."""

    def __init__(
        self, view: TableView, web_socket: str, limits: Limits | None = None, leaves_socket: str = "leaves.sock"
    ) -> None:
        self._view = view
        self._limits = limits
        self._private = siblings(web_socket)
        self._leaves_socket = leaves_socket
        self._following: asyncio.Task[None] | None = None
        self._application = own.application(view, web_socket)
        self._servers: dict[str, list[asyncio.Server]] = {}
        self._doors: dict[str, list[RawServer]] = {}
        self._context: Context | None = None
        self._raw: RawTraffic | None = None
        self._log: AccessLog | None = None
        self._runner: web.AppRunner | None = None

    @property
    def context(self) -> Context:
        """What the connections share; there is none before `start`."""
        if self._context is None:
            raise RuntimeError("the proxy has not been started")
        return self._context

    @property
    def counters(self) -> Counters:
        return self.context.counters

    def families(self) -> tuple[Family, ...]:
        """What `/metrics` shows; nothing before `start`."""
        context, log = self._context, self._log
        counted = figures.families(context.counters) + figures.of_pool(context.pool) if context is not None else ()
        raw = self._raw.counters.families() if self._raw is not None else ()
        return counted + raw + (log.families() if log is not None else ())

    def sightings(self, life: str) -> Sightings:
        """What is seen of services, as control is told it."""
        if self._context is None:
            return Sightings("proxy", life=life)
        return Sightings("proxy", troubles(self._context), tuple(self._context.failures), life)

    def log_requests(self, path: str) -> None:
        """Before `start`: from then on every request has a line in the file. Raises OSError when it cannot be opened."""
        self._log = AccessLog(path)

    async def start(self, sockets: list[socket.socket], secure: list[socket.socket] | None = None) -> None:
        """Accepts on `sockets`, which are bound, and speaks TLS on the `secure` ones; other processes may accept on the same ones."""
        runner = self._runner = web.AppRunner(
            self._application,
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=OWN_GRACE,
        )
        await runner.setup()
        server = runner.server
        if server is None:
            raise RuntimeError("the application of our own names has no server")
        limits = fitting(self._limits or Limits(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        context = self._context = Context(self._view, connections(server), limits, self._private, http2=Trunk)
        if self._log is not None:
            context.access = self._log.note
        context.start()
        self._raw = RawTraffic(context)
        self._raw.start()
        await self.open(sockets)
        if secure:
            await self._dress()
            await self.open(secure, secure=True)

    async def _dress(self) -> None:
        """Follows control's certificates; returns when the first ones are there, or will not be soon."""
        wardrobe = self.context.wardrobe
        self._following = asyncio.create_task(follow(wardrobe, self._leaves_socket))
        if not os.path.exists(self._leaves_socket):  # noqa: ASYNC240, PTH110 # one look, at a file of this machine
            return  # a control that signs nothing
        try:
            await asyncio.wait_for(wardrobe.ready.wait(), LEAF_TIME)
        except TimeoutError:
            log.warning("no certificates yet", seconds=LEAF_TIME)

    async def open(self, sockets: list[socket.socket], place: str = "", *, secure: bool = False) -> None:
        """Accepts on further sockets until `close` with the same `place`."""
        loop, context = asyncio.get_running_loop(), self.context
        kind = Greeting if secure else Client
        for each in sockets:
            server = await loop.create_server(partial(kind, context), sock=each, backlog=BACKLOG)
            self._servers.setdefault(place, []).append(server)

    async def open_raw(self, sockets: list[socket.socket], place: str) -> None:
        """Accepts raw TCP on doors until `close` with the same `place`."""
        if self._raw is None:
            raise RuntimeError("the proxy has not been started")
        self._doors.setdefault(place, []).extend(RawServer(self._raw, each) for each in sockets)

    def close(self, place: str) -> None:
        """Accepts no more there."""
        for door in self._doors.pop(place, ()):
            door.close()
        for server in self._servers.pop(place, ()):
            server.close()

    async def drain(self, grace: float) -> None:
        """Stops accepting, ends idle connections at once and what never ends soon, waits up to `grace` seconds for requests, then cuts them."""
        context = self._context
        if context is None:
            return
        for place in {*self._servers, *self._doors}:
            self.close(place)
        context.retire()
        context.loop.call_later(min(grace, STREAM_GRACE), context.end_streams)
        if self._raw is not None:
            await self._raw.drain(min(grace, STREAM_GRACE))
        if not context.idle:
            with suppress(TimeoutError):
                await asyncio.wait_for(context.empty.wait(), grace)
        context.cut()
        context.stop()
        await self._clean_up()

    async def _clean_up(self) -> None:
        if self._following is not None:
            self._following.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._log is not None:
            self._log.close()
