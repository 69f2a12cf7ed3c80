"""Connections to services that wait for their next request, and the requests that wait for a connection.

A connection is in the pool or carries one request, never both.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Route, Target
from devdns_proxy.lines import Line
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.exchange import Exchange

log = structlog.get_logger()

MAX_TURNS = 10_000
#: With more clients than this, what the loop finds may not fit into one look: libuv reads 1,024 events at a time and looks again
#: within the same turn, so that a true answer could come in the turn of its request.
ONE_LOOK = 500


class Shelf:
    """The connections to one target: the idle ones in the order in which they became so, and how many are open at all."""

    __slots__ = ("idle", "open")

    def __init__(self) -> None:
        self.idle: dict[Upstream, None] = {}
        self.open = 0


class Pool:
    """Idle connections per target, the last used first: the others age and expire. Lines exist while anybody waits."""

    __slots__ = ("_avoided", "_context", "_distrusted", "_shelves", "_turns", "lines")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shelves: dict[Target, Shelf] = {}
        self.lines: dict[Target, Line] = {}
        self._avoided: dict[Target, float] = {}
        self._distrusted: dict[Target, float] = {}
        self._turns: dict[str, int] = {}

    def turn(self, route: Route) -> Target:
        """The target of a route with the fewest requests in hand; equals take turns, and who has just refused comes last."""
        if len(self._turns) > MAX_TURNS:
            self._turns.clear()
        turn = (self._turns.get(route.name, -1) + 1) % len(route.targets)
        chosen = min(route.targets[turn:] + route.targets[:turn], key=self._business)
        self._turns[route.name] = route.targets.index(chosen)
        return chosen

    def _business(self, target: Target) -> tuple[bool, int]:
        """Requests in hand: connections that are not idle, and who waits for one. Counted here, it costs a request nothing."""
        shelf = self._shelves.get(target)
        busy = shelf.open - len(shelf.idle) if shelf is not None else 0
        line = self.lines.get(target)
        return target in self._avoided, busy + (len(line) if line is not None else 0)

    def avoid(self, target: Target, *, for_good: bool = False) -> None:
        """A dial has failed: the other targets of its routes come first, for a while or until it is forgiven."""
        if not (target in self._avoided and self._avoided[target] == inf):
            self._avoided[target] = inf if for_good else self._context.now + self._context.limits.avoid_time

    def forgive(self, target: Target) -> None:
        """It is as good as the others again."""
        self._avoided.pop(target, None)

    def known(self) -> set[Target]:
        """The targets that there are connections to, or that somebody waits for."""
        return {*self._shelves, *self.lines}

    def let_go(self, target: Target) -> list[Exchange]:
        """The target is another's now: no connection to it is used again. Returns who waited for one."""
        shelf = self._shelves.get(target)
        for upstream in tuple(shelf.idle) if shelf is not None else ():
            upstream.transport.close()
        line = self.lines.get(target)
        return line.clear() if line is not None else []

    def distrust(self, target: Target) -> None:
        """It has sent bytes that nobody asked for: what it sends next could be taken for the answer to another request.

        For a while none of its connections carries a second one.
        """
        if target not in self._distrusted:
            log.warning("service sent bytes after its response, its connections are not reused", target=str(target))
        self._distrusted[target] = self._context.now + self._context.limits.distrust_time
        shelf = self._shelves.get(target)
        if shelf is not None:
            for upstream in shelf.idle:
                upstream.transport.abort()
            shelf.idle.clear()

    def take(self, target: Target, *, looked: bool = False) -> Upstream | None:
        """An idle connection, if there is one that the service has neither closed nor spoken on.

        That is looked at each time, and last thing: what it has sent by now would be read as the answer to the next request.
        `looked`: the event loop has found the request just now, and the request may be sent twice. Then a connection that became
        idle before this turn needs no look of ours: the loop had one, and see `Upstream.carry` for what it has not told yet.
        """
        shelf, turn = self._shelves.get(target), self._context.turn
        looked = looked and len(self._context.clients) <= ONE_LOOK
        while shelf is not None and shelf.idle:
            upstream, _ = shelf.idle.popitem()
            if upstream.transport.is_closing():
                continue
            if looked and upstream.plain and upstream.turn != turn:
                upstream.looked = True
                return upstream
            if upstream.readable():
                upstream.transport.abort()
                continue
            return upstream
        return None

    def retake(self, upstream: Upstream, exchange: Exchange) -> bool:
        """Takes the connection that `exchange` had last, as `take` does with `looked`; False when it is not there, or needs a look."""
        idle = upstream.shelf.idle
        if upstream.last is not exchange or upstream not in idle or upstream.transport.is_closing():
            return False
        if upstream.turn == self._context.turn or not upstream.plain or len(self._context.clients) > ONE_LOOK:
            return False
        del idle[upstream]
        upstream.looked = True
        return True

    def wait(self, exchange: Exchange, target: Target) -> Line:
        """Puts a request in line for a connection to `target`; returns the line, to leave it by."""
        line = self.lines.get(target)
        if line is None:
            line = self.lines[target] = Line(self._context, target)
        line.join(exchange)
        return line

    def put(self, upstream: Upstream) -> None:
        """Takes back a connection whose request and response are both complete, or hands it to who waits for one."""
        if self._distrusted and upstream.touched and upstream.target in self._distrusted:
            upstream.transport.abort()
            return
        if self.lines and self._passed_on(upstream):
            return
        idle = upstream.shelf.idle
        if len(idle) >= self._context.limits.pool_size or self._context.draining:
            upstream.transport.close()
            return
        upstream.since, upstream.turn, upstream.looked = self._context.now, self._context.turn, False
        idle[upstream] = None

    def _passed_on(self, upstream: Upstream) -> bool:
        line = self.lines.get(upstream.target)
        if line is None:
            return False
        if line.give(upstream, used=True):
            self.tidy(line)
            return True
        line.settle(upstream)
        return False

    def add(self, upstream: Upstream) -> None:
        """Counts a new connection."""
        shelf = self._shelves.get(upstream.target)
        if shelf is None:
            shelf = self._shelves[upstream.target] = Shelf()
        shelf.open += 1
        upstream.shelf = shelf

    def drop(self, upstream: Upstream) -> None:
        """Forgets a connection that closed, or became a tunnel."""
        shelf = upstream.shelf
        shelf.idle.pop(upstream, None)
        shelf.open -= 1
        if not shelf.open:
            del self._shelves[upstream.target]
        self.settle(upstream)

    def settle(self, upstream: Upstream) -> None:
        """The service has certainly accepted this connection, or it is gone."""
        line = self.lines.get(upstream.target) if self.lines else None
        if line is not None:
            line.settle(upstream)

    def tidy(self, line: Line) -> None:
        """Forgets a line that is over."""
        if line.over and self.lines.get(line.target) is line:
            del self.lines[line.target]

    def expire(self) -> None:
        """Closes what has been idle for too long, before the service does."""
        self._avoided = {target: until for target, until in self._avoided.items() if until > self._context.now}
        self._distrusted = {target: until for target, until in self._distrusted.items() if until > self._context.now}
        oldest = self._context.now - self._context.limits.pool_idle
        for shelf in self._shelves.values():
            while (first := next(iter(shelf.idle), None)) is not None and first.since < oldest:
                del shelf.idle[first]
                first.transport.close()

    def close(self) -> None:
        for line in list(self.lines.values()):
            line.close()
        for shelf in self._shelves.values():
            for upstream in shelf.idle:
                upstream.transport.close()
            shelf.idle.clear()

    @property
    def open(self) -> int:
        """Connections to services, idle or with a request; tunnels are none."""
        return sum(shelf.open for shelf in self._shelves.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return sum(map(len, self.lines.values()))

    def __len__(self) -> int:
        return sum(len(shelf.idle) for shelf in self._shelves.values())
