"""The `Upstream` of a lane: it reads what the lane makes of HTTP/2, and knows that there is no socket of its own beneath."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns.core.routes import Target
    from devdns_proxy.context import Context
    from devdns_proxy.exchange import Exchange
    from devdns_proxy.h2up.lane import Lane


class LaneUpstream(Upstream):
    """Responses have a number in HTTP/2, so that none is taken for the answer to another request."""

    __slots__ = ("_lane",)
    shared = True

    def __init__(self, context: Context, target: Target, lane: Lane) -> None:
        super().__init__(context, target)
        self._lane = lane

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind
        self.plain = True
        self._context.pool.add(self)

    def carry(self, client: Exchange) -> None:
        super().carry(client)
        self._early = False
        self.refused = False

    def readable(self) -> bool:
        """True when the service has hung up, as far as the kernel knows."""
        return self._lane.link.ended()

    def eof_received(self) -> None:
        """A lane has no end of its own."""

    def _read_last(self) -> None:
        """What the kernel has is the link's."""
        self._keep = False

    def spoil(self, reason: str) -> None:
        """The service has answered with something that cannot be passed on."""
        if self.client is not None and self._body is not None:
            self._cut(self.client)
        elif self.client is not None:
            self._refuse(self.client, reason)
