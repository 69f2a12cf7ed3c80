"""Connections to services that wait for their next request, and the dialling of new ones.

A connection is in the pool or carries one request, never both. Local targets are dialled at 127.0.0.1, then ::1.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

from devdns.core.routes import Route, Target
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context

MAX_TURNS = 10_000
LOCAL = ("127.0.0.1", "localhost")


class DialFailed(Exception):
    """No connection to a target: why, in words, and whether it was the time that ran out."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out


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


async def dial(context: Context, target: Target) -> Upstream:
    """A new connection to `target`; raises `DialFailed` (the first reason) after each of its addresses was tried."""
    if target.scheme != "http":
        raise DialFailed(f"{target.scheme} targets are not supported yet")
    context.counters.dials += 1
    failure: DialFailed | None = None
    for address in await _addresses(context, target):
        try:
            async with asyncio.timeout(context.limits.connect_time):
                return await _connect(context, target, address)
        except TimeoutError:
            seconds = f"{context.limits.connect_time:g} s"
            failure = failure or DialFailed(f"{target} did not accept a connection within {seconds}", timed_out=True)
        except OSError as error:
            failure = failure or DialFailed(f"{target} cannot be reached: {_words(error)}")
            if not isinstance(error, ConnectionRefusedError):
                break
    raise failure or DialFailed(f"{target} has no address")


async def _connect(context: Context, target: Target, address: str) -> Upstream:
    loop = context.loop
    if target.path:
        _, upstream = await loop.create_unix_connection(lambda: Upstream(context, target), target.path)
    else:
        _, upstream = await loop.create_connection(lambda: Upstream(context, target), address, target.port)
    return upstream


async def _addresses(context: Context, target: Target) -> list[str]:
    """The addresses to dial, in order; a name is resolved now and what it must not lead to is refused (SSRF)."""
    if target.path:
        return [target.path]
    if target.host in LOCAL:
        return ["127.0.0.1", "::1"]
    try:
        ip_address(target.host)
    except ValueError:
        return await _resolve(context, target)
    return [target.host]


async def _resolve(context: Context, target: Target) -> list[str]:
    try:
        async with asyncio.timeout(context.limits.connect_time):
            found = await context.loop.getaddrinfo(target.host, target.port, type=1)
    except TimeoutError:
        raise DialFailed(f"the name {target.host} was not resolved in time", timed_out=True) from None
    except OSError as error:
        raise DialFailed(f"the name {target.host} cannot be resolved: {_words(error)}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        parsed = ip_address(address.partition("%")[0])
        if parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast:
            raise DialFailed(f"the name {target.host} leads to {address}, which is not an address of a service")
    return addresses


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused, nothing listens there"
    return (error.strerror or str(error)).lower()
