"""Raw TCP of one proxy process: who may come in by which door, what waits, what is relayed, and what a new table means for them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Route, State
from devdns_proxy.departures import hurry_socket
from devdns_proxy.raw.counters import RawCounters
from devdns_proxy.raw.relay import PIECE, Relay

if TYPE_CHECKING:
    from devdns_proxy.context import Context

Place = tuple[str, int]
log = structlog.get_logger()


class RawTraffic:
    """Shared by the raw TCP connections of one event loop. `relays` are those that are joined, with the name and target of their route.

    `view` is the one buffer for what passes: it is read and written within one call.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.view = memoryview(bytearray(PIECE))
        self.relays: dict[Relay, Route] = {}
        self.counters = RawCounters(self.relays.keys())
        self.waiting: set[asyncio.Task[None]] = set()
        self.leaders: set[str] = set()
        self.turns = 0
        self._news: dict[str, asyncio.Event] = {}
        self._routes: dict[Place, Route] = {}
        self._known: object = None
        self._idle = asyncio.Event()

    def start(self) -> None:
        self.context.view.listeners.append(self.turned)

    def route(self, place: Place) -> Route | None:
        """The route of a place where clients come in, by the table in force."""
        table = self.context.view.table
        if table is not self._known:
            self._known = table
            self._routes = {(route.address, route.port): route for route in table.every_raw() if route.address}
        return self._routes.get(place)

    def over(self, relay: Relay) -> None:
        """A relay has ended."""
        del self.relays[relay]
        self.counters.closed(relay)
        if not self.relays:
            self._idle.set()

    @property
    def room(self) -> bool:
        """True when one more connection may come in."""
        return len(self.relays) + len(self.waiting) < self.context.limits.connections_loopback

    async def news(self, host: str, within: float) -> None:
        """Waits until something has changed for those who wait for `host`, or `within` seconds have passed."""
        event = self._news.setdefault(host, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), within)
        except TimeoutError:
            return

    def tell(self, host: str) -> None:
        """Who waits for `host` looks again."""
        event = self._news.pop(host, None)
        if event is not None:
            event.set()

    def turned(self, hosts: frozenset[str] | None) -> None:
        """Another table is in force, where the routes of `hosts` (None: all) may be other ones."""
        try:
            for host in tuple(self._news):
                if hosts is None or host in hosts:
                    self.tell(host)
            for relay, route in list(self.relays.items()):
                if hosts is None or route.host in hosts:
                    self._follow(relay, route)
        except Exception:  # the edge of a change: the table is in force, and whoever brought it goes on
            log.exception("raw TCP does not follow the table")

    def _follow(self, relay: Relay, route: Route) -> None:
        """A service that went down: what it ended is cut, so that nobody takes that for a whole answer; else the kernel looks whether it is there."""
        now = self.context.view.table.get(route.claim)
        if now is None or now.state is State.LIVE:
            return
        if relay.outward.ended:
            relay.cut()
        else:
            hurry_socket(relay.service)

    async def drain(self, grace: float) -> None:
        """Gives up what waits, and what is open `grace` seconds to end by itself, then cuts it: most of it never ends by itself."""
        for task in list(self.waiting):
            task.cancel()
        if self.relays:
            self._idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace)
        for relay in list(self.relays):
            relay.cut()
        if self.turned in self.context.view.listeners:
            self.context.view.listeners.remove(self.turned)
