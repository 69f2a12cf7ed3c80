"""A connection in TLS to a service, until the handshake tells which version of HTTP it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from devdns_proxy.h2up.link import Link
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns.core.routes import Target
    from devdns_proxy.context import Context


class Either(asyncio.Protocol):
    """Offers the connection to nobody before the handshake is done: `chosen` is who has it from then on."""

    chosen: Upstream | Link

    def __init__(self, context: Context, target: Target) -> None:
        self._context = context
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        spoken = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        self.chosen = (Link if spoken == "h2" else Upstream)(self._context, self._target)
        transport.set_protocol(self.chosen)
        self.chosen.connection_made(transport)
