"""One HTTP/2 connection to a service, shared by the lanes that requests go over: its beginning and end, and who has it.

Windows: each stream may have `WINDOW` bytes on their way to a client who does not read, and the connection as a whole is never
what a slow client holds up.
"""

from __future__ import annotations

import asyncio
import select
import socket
from typing import TYPE_CHECKING

import structlog

from devdns_proxy.h2up.lane import Lane
from devdns_proxy.h2up.reading import Reading
from devdns_proxy.h2up.sending import GREETING
from devdns_proxy.http2 import wire
from devdns_proxy.http2.wire import Broken
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns.core.routes import Target
    from devdns_proxy.context import Context

log = structlog.get_logger()

MOST_LANES = 100
#: Where the system has no name for it, the loop's own look has to do.
HUNG_UP = getattr(select, "POLLRDHUP", 0)
#: Of a connection on which nothing moves, as far as the system has them. PING would be HTTP/2's own way, but gRPC servers end a
#: connection that asks more often than every five minutes.
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPALIVE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}


class NoHttp2(Exception):
    """The other end is no HTTP/2 service, in words after its name; `passing`: it hung up, as one that is starting does."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


class Link(Reading):
    """A connection to `target`. `ready` is done when the service has said its settings, or raises `NoHttp2`.

    `leaving`: it takes no more streams. `scheme` is what requests say they came by.
    """

    def __init__(self, context: Context, target: Target) -> None:
        super().__init__(context)
        self.target = target
        self.ready: asyncio.Future[None] = context.loop.create_future()
        self.scheme = b"http" if target.scheme == "h2c" else b"https"
        self._eye = select.poll()
        self._lanes: dict[Lane, None] = {}
        self._idle: asyncio.TimerHandle | None = None
        self._over = False

    def __repr__(self) -> str:
        return f"<Link to {self.target}, {len(self._streams)} streams of {len(self._lanes)} lanes>"

    # Lanes

    @property
    def room(self) -> bool:
        """True when another lane may be given."""
        allowed = max(1, min(MOST_LANES, self._most_streams))  # 0 is said for a while: the request will be told
        return not self.leaving and len(self._lanes) < allowed

    def lane(self) -> Upstream:
        """A connection for one request after another."""
        if self._idle is not None:
            self._idle.cancel()
        lane = Lane(self, self.context, self.target)
        self._lanes[lane] = None
        lane.upstream.connection_made(lane)
        return lane.upstream

    def leave(self, lane: Lane) -> None:
        """The lane is not used any more; without one the connection is kept for a while."""
        self._lanes.pop(lane, None)
        if self._lanes:
            return
        if self.leaving:
            self.close()
            return
        self._rest()

    def _rest(self) -> None:
        self._idle = self.context.loop.call_later(self.context.limits.pool_idle, self._expire)

    def _expire(self) -> None:
        if not self._lanes:
            self.close()

    def depart(self, last: int | None = None, why: str = "") -> None:
        """Takes no more streams; requests in hand go on, but for those above `last`, which the service has not looked at."""
        self.leaving = True
        for lane in list(self._lanes):
            if not lane.number:
                lane.part()
            elif last is not None and lane.number > last:
                self._lose(lane, f"it goes away{why}", refused=True)
        if not self._lanes:
            self.close()

    def close(self) -> None:
        """Says so, and ends the connection when what was written has gone out."""
        self.leaving = True
        if not self.transport.is_closing():
            self._send(wire.goaway(0, wire.NO_ERROR, ""))
            self._hang_up()

    def _hang_up(self) -> None:
        self._over = True
        self._untire()
        self.flush()
        self.transport.close()

    def ended(self) -> bool:
        """True when the service has hung up, as far as the kernel knows."""
        if HUNG_UP and not self.leaving and self._eye.poll(0):
            self.leaving = True
        return self.leaving

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind
        connected = transport.get_extra_info("socket")
        self._eye.register(connected.fileno(), HUNG_UP)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE.items():
                connected.setsockopt(socket.IPPROTO_TCP, option, value)
        self.context.links.add(self)
        self._send(GREETING)
        self.flush()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        try:
            self._read(data)
        except Broken as broken:
            self._break(f"broke the rules of HTTP/2 ({broken.reason})", broken.code)
        except Exception:  # the edge of a connection: whatever it was, the clients are told
            log.exception("connection failed", target=str(self.target))
            self._break("sent what was not understood", wire.INTERNAL_ERROR)
        told, self._told = self._told, {}
        for lane in told:
            lane.deliver()

    def _greeted(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)
            self._rest()

    def _break(self, reason: str, code: int) -> None:
        self.leaving = True
        if not self.ready.done():
            self.ready.set_exception(NoHttp2("does not speak HTTP/2: is it http:// there?"))
        if not self.transport.is_closing():
            self._send(wire.goaway(0, code, reason))
            self._hang_up()
        for lane in list(self._lanes):
            self._lose(lane, reason)

    def _lose(self, lane: Lane, reason: str, *, refused: bool = False) -> None:
        lane.lose(ConnectionResetError(reason), refused=refused)
        lane.deliver()

    def connection_lost(self, exc: Exception | None) -> None:
        """Of a request that waited for the end of the turn, nothing was written."""
        self.leaving = self._over = True
        self._untire()
        self.context.links.drop(self)
        if not self.ready.done():
            self.ready.set_exception(NoHttp2("closed the connection without a word of HTTP/2", passing=True))
        for lane in list(self._lanes):
            if lane.number:
                self._lose(lane, str(exc or "the connection was closed"), refused=lane.number > self._written)
            else:
                lane.part()
