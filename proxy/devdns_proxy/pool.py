"""Connections to services that wait for their next request, and the requests that wait for a connection.

A connection is in the pool or carries one request, never both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devdns.core.routes import Route, Target
from devdns_proxy.lines import Line
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.exchange import Exchange

MAX_TURNS = 10_000


class Pool:
    """Idle connections per target, the last used first: the others age and expire. Lines exist while anybody waits."""

    __slots__ = ("_context", "_idle", "_turns", "lines")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._idle: dict[Target, list[Upstream]] = {}
        self.lines: dict[Target, Line] = {}
        self._turns: dict[str, int] = {}

    def turn(self, route: Route) -> Target:
        """Round robin over the targets of a route."""
        if len(self._turns) > MAX_TURNS:
            self._turns.clear()
        turn = self._turns[route.name] = (self._turns.get(route.name, -1) + 1) % len(route.targets)
        return route.targets[turn]

    def take(self, target: Target, *, careful: bool) -> Upstream | None:
        """An idle connection, if there is one. `careful`: not one the service has already closed or spoken on."""
        idle = self._idle.get(target)
        while idle:
            upstream = idle.pop()
            if upstream.transport.is_closing():
                continue
            if careful and upstream.readable():
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

    def drop(self, upstream: Upstream) -> None:
        """Forgets a connection that closed."""
        line = self.lines.get(upstream.target)
        if line is not None:
            line.settle(upstream)
        idle = self._idle.get(upstream.target, [])
        if upstream in idle:
            idle.remove(upstream)

    def tidy(self, line: Line) -> None:
        """Forgets a line that is over."""
        if line.over and self.lines.get(line.target) is line:
            del self.lines[line.target]

    def expire(self) -> None:
        """Closes what has been idle for too long, before the service does."""
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
