"""What a new table means for connections: those of targets that have changed hands carry no other request."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from devdns.core.routes import RouteTable, Target

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from devdns_proxy.context import Context

#: TCP options, as far as this system has them, by which the kernel finds out within about two seconds that an address is gone:
#: unanswered bytes in ms, and probes of a connection on which nothing moves (after s, every s, how many).
HURRIED = {
    getattr(socket, name): value
    for name, value in (("TCP_USER_TIMEOUT", 1_000), ("TCP_KEEPIDLE", 1), ("TCP_KEEPALIVE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 1))
    if hasattr(socket, name)
}  # fmt: skip


def moved(known: Iterable[Target], old: RouteTable, new: RouteTable, hosts: frozenset[str] | None) -> frozenset[Target]:
    """Those of the `known` targets whose routes are other ones in the `new` table.

    A port may be another service's now, also where both tables hold it. `hosts` are all whose routes may differ; None: it is
    not known which, and then all targets may have moved.
    """
    if hosts is None:
        return frozenset(known)
    changed = (
        route
        for host in hosts
        for one, other in ((old, new), (new, old))
        for route in one.at(host)
        if route not in other.at(host)
    )
    return frozenset(known).intersection(target for route in changed for target in route.targets)


def follow(context: Context, old: RouteTable, new: RouteTable, hosts: frozenset[str] | None) -> None:
    """Lets go of what is idle, sends who waits for a connection elsewhere, and hurries who waits for an answer."""
    pool, watches = context.pool, context.watches
    targets = moved({*pool.known(), *context.links.known(), *(watch.target for watch in watches)}, old, new, hosts)
    if not targets:
        return
    for target in targets:
        context.holding.release(pool.let_go(target))
        context.links.let_go(target)
    watches.forget(targets)
    for client in context.clients:
        client.part(targets)


def hurry(transport: asyncio.Transport) -> None:
    """Makes the kernel look whether the other end of a connection still exists: an address may vanish without a word."""
    connected = transport.get_extra_info("socket")
    if connected.family == socket.AF_UNIX:
        return
    with suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in HURRIED.items():
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
