"""Requests that wait until their route can take them: how long one may, how many at once, and in what order they go on.

Nothing of them has reached a service, or they may be sent again. They are kept by host, so that a new table costs a look at
the hosts that somebody waits for, and go on a few at a time, so that a release of thousands holds up nobody.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from devdns.core.routes import Route, RouteTable, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devdns_proxy.context import Context
    from devdns_proxy.dialling import DialFailed
    from devdns_proxy.heads import Meaning
    from devdns_proxy.limits import Limits
    from devdns_proxy.waiting import Waiting
    from devdns_proxy.watches import Watch

#: States that pass by themselves: the service is on its way.
PASSING = frozenset((State.STARTING, State.RESTARTING))
#: Requests that go on in one step of the event loop.
STEP = 100
HUNG_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)

Ways = tuple[tuple[Route, ...], ...]


def bound(route: Route | None, usual: float, limits: Limits, since: float, refused: float) -> float:
    """When a request that has waited `since` then must be answered, by the route as it is now; 0 where that is at once.

    `usual` counts where the route names no hold. `refused` is when none of the targets of the live route could be dialled any
    more, 0 while that has not been so: then its service may be starting anew, and gets the time that the route itself names,
    else a shorter one.
    """
    if route is None:
        return 0.0
    hold = usual if route.options.hold is None else route.options.hold
    if route.state in PASSING:
        return since + hold
    if route.state is State.LIVE and refused:
        return since + hold if route.options.hold is not None else min(since + hold, refused + limits.refused_hold)
    return 0.0


def ways(table: RouteTable, host: str) -> Ways:
    """Everything in a table that a look-up of this host can find: equal for two tables where it finds the same."""
    found, parent = [table.at(host)], host
    while parent := parent.partition(".")[2]:
        found.append(table.at("*." + parent))
    return tuple(found)


def body_size(meaning: Meaning, ahead: int) -> int:
    """Bytes that are read of the body of a request while it is held: no more than `ahead`."""
    return ahead if meaning.chunked else min(meaning.length or 0, ahead)


class Place:
    """Where one request waits, with `ahead` bytes of it that are still read, and `size` in all.

    `failed` is why its live route did not take it, `watches` are what tells when it would.
    """

    __slots__ = ("ahead", "failed", "size", "watches")

    def __init__(self, size: int, ahead: int, failed: DialFailed | None, watches: tuple[Watch, ...]) -> None:
        self.size = size
        self.ahead = ahead
        self.failed = failed
        self.watches = watches


class Group:
    """Who waits for one host, in the order they came, and what the table had for it when it was last looked at."""

    __slots__ = ("held", "ways")

    def __init__(self, found: Ways) -> None:
        self.ways = found
        self.held: dict[Waiting, None] = {}


class Holding:
    """All requests of this process that are held. `size` is what they may take, in bytes: heads, bodies up to `Limits.ahead`, and what came behind."""

    __slots__ = ("_context", "_count", "_going", "_groups", "size")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._groups: dict[str, Group] = {}
        self._going: dict[Waiting, None] = {}
        self._count = 0
        self.size = 0

    def __len__(self) -> int:
        return self._count

    def room(self, size: int) -> bool:
        """True when one more request of `size` bytes may be held."""
        return self._count < self._context.limits.held and self._fits(size)

    def _fits(self, size: int) -> bool:
        return self.size + size <= self._context.limits.held_bytes

    def grow(self, place: Place, size: int) -> bool:
        """More has come for a request that is held: `size` bytes in all. False when that is too much."""
        more = max(0, size - place.size)
        if not self._fits(more):
            return False
        place.size += more
        self.size += more
        return True

    def take(self, exchange: Waiting, host: str, place: Place) -> None:
        """Holds a request until the routes of `host` change, a watch of its place calls, or it leaves."""
        group = self._groups.get(host)
        if group is None:
            group = self._groups[host] = Group(ways(self._context.view.table, host))
        group.held[exchange] = None
        self._count += 1
        self.size += place.size
        for watch in place.watches:
            watch.join(exchange)

    def leave(self, exchange: Waiting, host: str, place: Place) -> None:
        """It goes on, is answered, or its client is gone."""
        group = self._groups[host]
        del group.held[exchange]
        if not group.held:
            del self._groups[host]
        self._going.pop(exchange, None)
        self._count -= 1
        self.size -= place.size
        for watch in place.watches:
            watch.leave(exchange)

    def turn(self, table: RouteTable) -> None:
        """Another table is in force: who waits for a host that has other routes now looks again."""
        for host, group in self._groups.items():
            found = ways(table, host)
            if found != group.ways:
                group.ways = found
                self.release(group.held)

    def release(self, exchanges: Iterable[Waiting]) -> None:
        """Lets requests look for their way again, in this order, soon."""
        idle = not self._going
        self._going.update(dict.fromkeys(exchanges))
        if idle and self._going:
            self._context.loop.call_soon(self._step)

    def _step(self) -> None:
        for _ in range(min(STEP, len(self._going))):
            exchange = next(iter(self._going))
            del self._going[exchange]
            exchange.look_again()
        if self._going:
            self._context.loop.call_soon(self._step)

    def expire(self) -> None:
        """Drops those whose client has hung up unheard, because nothing is read from it while more has come than is held of its request."""
        deaf = [exchange for group in self._groups.values() for exchange in group.held if exchange.deaf()]
        for exchange in deaf:
            if hung_up(exchange.transport.get_extra_info("socket").fileno()):
                exchange.transport.abort()


def hung_up(descriptor: int) -> bool:
    """Looks past what is still to be read: the other side of a connection has ended it (Linux; elsewhere only by a reset)."""
    eye = select.poll()
    eye.register(descriptor, getattr(select, "POLLRDHUP", 0))
    return any(event & HUNG_UP for _, event in eye.poll(0))
