"""After 101: two transports joined byte for byte, with backpressure and half-close both ways (WebSocket and any other upgrade)."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from devdns_proxy.heads import Meaning
from devdns_proxy.replies import Reply, websocket_accept

if TYPE_CHECKING:
    from devdns_proxy.answering import Answering
    from devdns_proxy.context import Context
    from devdns_proxy.upstream import Upstream

#: SO_LINGER on, for no time.
RESET = struct.pack("ii", 1, 0)


def disagreement(meaning: Meaning, reply: Reply) -> str:
    """What is wrong with this 101 as an answer to the offer, in words; empty when both sides agreed."""
    offered = {offer.strip().lower() for offer in meaning.upgrade.split(b",")}
    if not meaning.upgrade:
        return "it switched protocols without being asked"
    if reply.upgrade not in offered:
        return "it switched to a protocol that was not offered"
    if reply.upgrade == b"websocket" and (not meaning.key or reply.accept != websocket_accept(meaning.key)):
        return "its Sec-WebSocket-Accept does not answer the client's key"
    return ""


def half_close(transport: asyncio.Transport) -> None:
    """Ends our side of a connection; where the peer has reset it already, or TLS knows no half, all of it."""
    if not transport.can_write_eof():
        transport.close()
        return
    try:
        transport.write_eof()
    except OSError:  # ENOTCONN: asyncio shuts the socket down at once and lets the error through
        transport.abort()


def reset(transport: asyncio.Transport) -> None:
    """Ends a connection so that the peer sees a fault: an abort alone sends FIN, as the end of what is whole does."""
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


class End(asyncio.Protocol):
    """One end of a tunnel: what `transport` receives goes to the transport of `other`. `near` is the client's end."""

    __slots__ = ("_context", "_near", "_passed", "ended", "other", "transport")
    other: End

    def __init__(self, context: Context, transport: asyncio.Transport, *, near: bool) -> None:
        self.transport = transport
        self.ended = False
        self._near = near
        self._passed = 0
        self._context = context

    @property
    def in_hand(self) -> int:
        return 0

    @property
    def received(self) -> int:
        """Bytes from the client."""
        return self._passed if self._near else 0

    @property
    def sent(self) -> int:
        """Bytes to the client."""
        return 0 if self._near else self._passed

    def data_received(self, data: bytes) -> None:
        self._passed += len(data)
        other = self.other.transport
        if not other.is_closing():
            other.write(data)

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Passes the half-close on; the other direction stays open until it ends too."""
        self.ended = True
        if self.other.ended or self.other.transport.is_closing():
            self.other.transport.close()
            return False
        half_close(self.other.transport)
        return self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._context.forget(self)
        self._context.counters.closed(self.received, self.sent)
        if exc is not None:
            self.other.transport.abort()
        else:
            self.other.transport.close()

    def close(self) -> None:
        """Ends both sides at once."""
        self.transport.abort()
        self.other.transport.abort()


def join(context: Context, client: Answering, upstream: Upstream, reply: Reply, rest: bytes) -> None:
    """Passes the 101 on and joins both connections; what either side sent ahead goes first."""
    near, far = client.transport, upstream.transport
    head = reply.head + b"\r\n" + rest
    client.sent += len(head)
    couple(context, near, far, head, client.release(reply.status))


def couple(context: Context, near: asyncio.Transport, far: asyncio.Transport, first: bytes, ahead: bytes) -> None:
    """Joins a client's connection and a service's: `first` is for the client, `ahead` for the service."""
    one, two = End(context, near, near=True), End(context, far, near=False)
    one.other, two.other = two, one
    near.set_protocol(one)
    far.set_protocol(two)
    context.tunnels.update((one, two))
    context.counters.tunnels += 1
    near.write(first)
    if ahead:
        far.write(ahead)
