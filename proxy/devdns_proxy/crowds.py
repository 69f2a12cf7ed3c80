"""How many connections one client address may hold, so that no client takes the descriptors of all.

An address at its limit gets room by losing the oldest of its connections that waits for the client: for a request, for the rest
of one, or for it to read. Where all of them wait for services, a new one is refused. Tunnels do not count.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from devdns_proxy.limits import Limits


class Member(Protocol):
    """A connection that counts: a client's, or one that was handed to the application of our own names."""

    @property
    def transport(self) -> asyncio.Transport | None: ...

    def waits(self) -> bool:
        """True when it is the client's turn."""
        ...


class Crowds:
    """The connections that carry requests, by address and in the order they came."""

    __slots__ = ("_crowds", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._crowds: dict[str, dict[Member, None]] = {}

    def enter(self, client: Member, address: str) -> bool:
        """Counts a new connection; False when its address has no room."""
        crowd = self._crowds.get(address)
        if crowd is None:
            crowd = self._crowds[address] = {}
        elif len(crowd) >= self._limits.connections_elsewhere and not self._room(crowd, address):
            return False
        crowd[client] = None
        return True

    def _room(self, crowd: dict[Member, None], address: str) -> bool:
        if len(crowd) < self._limits.connections_loopback and ip_address(address.partition("%")[0]).is_loopback:
            return True
        lost = next((each for each in crowd if each.waits()), None)
        if lost is None:
            return False
        del crowd[lost]
        if lost.transport is not None:
            lost.transport.abort()
        return True

    def leave(self, client: Member, address: str) -> None:
        """A connection is closed, or carries no requests any more."""
        crowd = self._crowds.get(address)
        if crowd is not None and client in crowd:
            del crowd[client]
            if not crowd:
                del self._crowds[address]

    def __len__(self) -> int:
        return sum(len(crowd) for crowd in self._crowds.values())
