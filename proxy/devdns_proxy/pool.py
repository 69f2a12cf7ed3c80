"""Connections to services that wait for their next request.

A connection is in the pool or carries one request, never both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devdns.core.routes import Route, Target
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context

MAX_TURNS = 10_000


class Pool:
    """Idle connections per target, the last used first: the others age and expire."""

    __slots__ = ("_context", "_idle", "_turns")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._idle: dict[Target, list[Upstream]] = {}
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

    def put(self, upstream: Upstream) -> None:
        """Takes back a connection whose request and response are both complete."""
        idle = self._idle.setdefault(upstream.target, [])
        if len(idle) >= self._context.limits.pool_size or self._context.draining:
            upstream.transport.close()
            return
        upstream.since = self._context.now
        idle.append(upstream)

    def drop(self, upstream: Upstream) -> None:
        """Forgets a connection that closed while it was idle."""
        idle = self._idle.get(upstream.target, [])
        if upstream in idle:
            idle.remove(upstream)

    def expire(self) -> None:
        """Closes what has been idle for too long, before the service does."""
        oldest = self._context.now - self._context.limits.pool_idle
        for target, idle in list(self._idle.items()):
            while idle and idle[0].since < oldest:
                idle.pop(0).transport.close()
            if not idle:
                del self._idle[target]

    def close(self) -> None:
        for idle in self._idle.values():
            for upstream in idle:
                upstream.transport.close()
        self._idle.clear()

    def __len__(self) -> int:
        return sum(len(idle) for idle in self._idle.values())
