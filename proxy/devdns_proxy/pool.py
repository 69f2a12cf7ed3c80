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


class Pool:
    """Idle connections per target, the last used first: the others age and expire. Lines exist while anybody waits."""

    __slots__ = ("_avoided", "_context", "_distrusted", "_idle", "_open", "_turns", "lines")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._idle: dict[Target, list[Upstream]] = {}
        self.lines: dict[Target, Line] = {}
        self._open: dict[Target, int] = {}
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
        busy = self._open.get(target, 0) - len(self._idle.get(target, ()))
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
        return {*self._open, *self.lines}

    def let_go(self, target: Target) -> list[Exchange]:
        """The target is another's now: no connection to it is used again. Returns who waited for one."""
        for upstream in self._idle.pop(target, ()):
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
        for upstream in self._idle.pop(target, ()):
            upstream.transport.abort()

    def take(self, target: Target) -> Upstream | None:
        """An idle connection, if there is one that the service has neither closed nor spoken on.

        That is looked at each time, and last thing: what it has sent by now would be read as the answer to the next request.
        """
        idle = self._idle.get(target)
        while idle:
            upstream = idle.pop()
            if upstream.transport.is_closing():
                continue
            if upstream.readable():
                upstream.transport.abort()
                continue
            return upstream
        return None

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
        idle = self._idle.setdefault(upstream.target, [])
        if len(idle) >= self._context.limits.pool_size or self._context.draining:
            upstream.transport.close()
            return
        upstream.since = self._context.now
        idle.append(upstream)

    def _passed_on(self, upstream: Upstream) -> bool:
        line = self.lines.get(upstream.target)
        if line is None:
            return False
        given = line.give(upstream, used=True)
        line.settle(upstream)
        return given

    def add(self, upstream: Upstream) -> None:
        """Counts a new connection."""
        self._open[upstream.target] = self._open.get(upstream.target, 0) + 1

    def drop(self, upstream: Upstream) -> None:
        """Forgets a connection that closed, or became a tunnel."""
        left = self._open.pop(upstream.target) - 1
        if left:
            self._open[upstream.target] = left
        self.settle(upstream)
        idle = self._idle.get(upstream.target, [])
        if upstream in idle:
            idle.remove(upstream)

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
        for target, idle in list(self._idle.items()):
            while idle and idle[0].since < oldest:
                idle.pop(0).transport.close()
            if not idle:
                del self._idle[target]

    def close(self) -> None:
        for line in list(self.lines.values()):
            line.close()
        for idle in self._idle.values():
            for upstream in idle:
                upstream.transport.close()
        self._idle.clear()

    def __len__(self) -> int:
        return sum(len(idle) for idle in self._idle.values())
