"""What all connections of one proxy process share: the view of the routes, memos, pool, counters, the coarse clock."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

import structlog

from devdns.core.frames import Hello, TableView
from devdns.core.names import Zones
from devdns.core.routes import Route
from devdns_proxy import departures, refusals
from devdns_proxy.counters import Counters
from devdns_proxy.crowds import Crowds
from devdns_proxy.endings import Access
from devdns_proxy.failures import Failures
from devdns_proxy.h2up.links import Links
from devdns_proxy.heads import Meaning
from devdns_proxy.holding import Holding
from devdns_proxy.limits import Limits
from devdns_proxy.memo import Memo
from devdns_proxy.places import Origin
from devdns_proxy.pool import Pool
from devdns_proxy.replies import Reply
from devdns_proxy.secure import Trust
from devdns_proxy.tls.leaves import Wardrobe
from devdns_proxy.watches import Watches

if TYPE_CHECKING:
    from devdns_proxy.answering import Answering
    from devdns_proxy.h2.trunk import Trunk
    from devdns_proxy.tls.greeting import Greeting
    from devdns_proxy.tunnel import End

log = structlog.get_logger()

HeadKey = tuple[str, bytes, bytes, bytes]
TICK = 0.25
ORIGINS = 1_024
ALPN = ("h2", "http/1.1")


class Context:
    """Shared by the connections of one event loop; nothing here is locked.

    `private` are the paths of our own sockets, which no route may lead to.
    `now` is the loop's time as of the last tick: deadlines need no more precision than `TICK`, and reading it is free.
    `access`, where there is one, is told of each request that ends.
    `http2` makes the protocol of a connection whose client chose `h2` in its TLS handshake; while it is None, `h2` is not offered.
    `greetings` are connections whose TLS handshake is not done, `wardrobe` has the certificates for it.
    `turn` tells turns of the event loop apart, see `this_turn`.
    `https_port` is where clients find TLS, `redirects` whether they are sent there.
    `epoch` is another object whenever what heads meant before no longer holds.
    """

    def __init__(
        self,
        view: TableView,
        own: Callable[[Crowds, str], asyncio.Protocol],
        limits: Limits | None = None,
        private: tuple[str, ...] = (),
        http2: Callable[[Context], asyncio.Protocol] | None = None,
    ) -> None:
        self.view = view
        self.own = own
        self.limits = limits or Limits()
        self.private = private
        self.heads: Memo[HeadKey, Meaning] = Memo()
        self.epoch = object()
        self.replies: Memo[bytes, Reply] = Memo()
        self.clients: set[Answering] = set()
        self.greetings: set[Greeting] = set()
        self.crowds = Crowds(self.limits)
        self.tunnels: set[End] = set()
        self.trunks: set[Trunk] = set()
        self.counters = Counters(self.clients, self.tunnels)
        self.access: Access | None = None
        self.draining = False
        self.empty = asyncio.Event()
        self.http2 = http2
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        self.wardrobe = Wardrobe(self.loop.time, ALPN if http2 is not None else ALPN[1:])
        self.date = b""
        self.turn = 0
        self._turning = False
        self.pool = Pool(self)
        self.links = Links(self)
        self.holding = Holding(self)
        self.watches = Watches(self)
        self.failures = Failures()
        self.trust = Trust(self.loop.time)
        self.hello: Hello | None = None
        self.https_port: int | None = None
        self.redirects = False
        self.zones = Zones(())
        self._table = view.table
        self._sole: dict[str, Route] = {}
        self._live: tuple[str, ...] | None = None
        self._origins: dict[tuple[str, str], Origin] = {}
        self._ids = b"X-Request-ID: " + os.urandom(10).hex().encode()
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Starts the clock, and listens for other tables."""
        self.view.listeners.append(self.turned)
        self._tick()

    def _set_clock(self) -> None:
        self.now = self.loop.time()
        self.date = b"Date: %b\r\n" % formatdate(usegmt=True).encode()
        self._timer = self.loop.call_later(TICK, self._tick)

    def stop(self) -> None:
        """Stops the clock and closes the idle connections to services."""
        if self._timer is not None:
            self._timer.cancel()
        if self.turned in self.view.listeners:
            self.view.listeners.remove(self.turned)
        self.watches.close()
        self.pool.close()
        self.links.close()

    def forget(self, client: Answering | End) -> None:
        """A connection is closed, or somebody else's; `empty` tells a draining proxy that none is left."""
        self.clients.discard(client)
        self.tunnels.discard(client)
        self._look_for_the_last()

    def forget_trunk(self, trunk: Trunk) -> None:
        """An HTTP/2 connection is closed."""
        self.trunks.discard(trunk)
        self._look_for_the_last()

    @property
    def idle(self) -> bool:
        """True when no connection is left."""
        return not (self.clients or self.tunnels or self.trunks)

    def _look_for_the_last(self) -> None:
        if self.draining and self.idle:
            self.empty.set()

    def retire(self) -> None:
        """The proxy stops: what is idle closes now, and what is busy after its response."""
        self.draining = True
        for greeting in list(self.greetings):
            greeting.expire()
        for trunk in list(self.trunks):
            trunk.retire()
        for client in list(self.clients):
            client.retire()

    def cut(self) -> None:
        """Ends all connections at once."""
        for client in list(self.clients):
            client.transport.abort()
        for trunk in list(self.trunks):
            trunk.transport.abort()
        for end in list(self.tunnels):
            end.close()

    def end_streams(self) -> None:
        """Closes tunnels and event streams, when what was written has gone out: they never end by themselves."""
        for end in list(self.tunnels):
            end.transport.close()
        for client in [client for client in self.clients if client.streams()]:
            client.transport.close()

    def _tick(self) -> None:
        self._set_clock()
        for client in [client for client in self.clients if client.deadline <= self.now]:
            client.expire()
        for trunk in [trunk for trunk in self.trunks if trunk.deadline <= self.now]:
            trunk.expire()
        for greeting in [greeting for greeting in self.greetings if greeting.deadline <= self.now]:
            greeting.expire()
        self.holding.expire()
        self.watches.expire()
        self.pool.expire()

    def this_turn(self) -> int:
        """A number that `turn` has until the loop has called for everything that it found readable, and then no longer.

        Where nobody asks, `turn` may stay the same for many turns: what differs is certainly another turn.

        What is called by `call_soon` comes after that, and before what the loop finds when it looks again.
        """
        if not self._turning:
            self._turning = True
            self.loop.call_soon(self._end_turn)
        return self.turn

    def _end_turn(self) -> None:
        self._turning = False
        self.turn += 1

    def renew(self) -> None:
        """A new hello may bring other zones or another instance: what heads meant before no longer holds."""
        self.hello = self.view.hello
        self.zones = Zones(self.hello.config.zones) if self.hello is not None else Zones(())
        self.heads.clear()
        self.epoch = object()
        self._origins.clear()
        https = self.hello.https if self.hello is not None else ()
        self.https_port = https[0][1] if https else None
        self.redirects = self.hello is not None and self.hello.config.https.redirect

    def route(self, host: str, target: bytes) -> Route | None:
        """The route for a canonical host and a request target, by the table in force.

        A host whose only route has no prefix is remembered until another table is in force: no path needs reading for it.
        """
        table = self.view.table
        if table is not self._table:
            self.turned(None)
        route = self._sole.get(host)
        if route is not None:
            return route
        there = table.at(host)
        if len(there) == 1 and not there[0].prefix:
            self._sole[host] = there[0]
            return there[0]
        return table.lookup(host, target.partition(b"?")[0].decode("latin-1"))

    def turned(self, hosts: frozenset[str] | None) -> None:
        """Another table is in force, where the routes of `hosts` (None: all) may be other ones."""
        old, table = self._table, self.view.table
        if table is old:
            return
        self._table, self._live = table, None
        self._sole.clear()
        try:
            departures.follow(self, old, table, hosts)
            self.holding.turn(table)
        except Exception:  # the edge of a change: the table is in force, and whoever brought it goes on
            log.exception("connections do not follow the table")

    def hold(self) -> float:
        """Seconds that requests wait for a route that does not say."""
        return self.hello.config.hold if self.hello is not None else 0.0

    def live_names(self) -> tuple[str, ...]:
        """The names that a 404 offers, read from the table once: who asks for many unknown names must not slow the others."""
        if self._live is None:
            self._live = refusals.live_names(self._table)
        return self._live

    def origin(self, address: str, scheme: str = "http") -> Origin:
        """Where requests of a client at `address` come from by a door of this scheme, under the hello in force."""
        origin = self._origins.get((address, scheme))
        if origin is None:
            origin = Origin(address, self.hello.instance if self.hello is not None else "", self.zones, scheme)
            if len(self._origins) >= ORIGINS:
                self._origins.clear()
            self._origins[address, scheme] = origin
        return origin

    def request_id(self) -> bytes:
        """The line of a new request id: random per process, counted within it; it has to be unique, not secret."""
        self._count += 1
        return b"%b%012x\r\n" % (self._ids, self._count)
