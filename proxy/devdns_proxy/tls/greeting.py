"""A connection on the TLS listener until its client can be served: its ClientHello decides who speaks with it.

It counts among the connections of its client from the first moment, and its time is bounded. What is not TLS at all is told so
in plain HTTP.
"""

from __future__ import annotations

import asyncio
import re
from math import inf
from ssl import SSLContext
from typing import TYPE_CHECKING

import structlog

from devdns_proxy import refusals
from devdns_proxy.client import Client
from devdns_proxy.door import TLS
from devdns_proxy.rendering import rendered
from devdns_proxy.tls.client_hello import HANDSHAKE, Hello, Unfinished
from devdns_proxy.tls.encrypted import Encrypted
from devdns_proxy.tls.passing import INTERNAL_ERROR, Passing, passes
from devdns_proxy.tunnel import half_close

if TYPE_CHECKING:
    from devdns_proxy.context import Context

REQUEST = re.compile(rb"[A-Z]{3,20} (?:/|http)")
log = structlog.get_logger()


class Greeting(asyncio.Protocol):
    """`deadline` is when `expire` is called; `transport` is None after its end."""

    __slots__ = ("_address", "_context", "_hello", "_name", "_reading", "_spoken", "deadline", "transport")
    transport: asyncio.Transport

    def __init__(self, context: Context) -> None:
        self._context = context
        self._hello = b""
        self._reading = Hello()
        self._name: str | None = None
        self._spoken = False  # somebody else deals with what comes, or nobody
        self.deadline = context.now + context.limits.hello_time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind
        peer = transport.get_extra_info("peername")
        self._address = peer[0].removeprefix("::ffff:")
        self._context.greetings.add(self)
        if not self._context.crowds.enter(self, self._address):
            self.transport.abort()  # without TLS it cannot be told why

    def data_received(self, data: bytes) -> None:
        if self._spoken:
            return
        try:
            self._listen(data)
        except Exception:  # the edge of a connection: nothing that a client sends may stop another
            log.exception("greeting failed")
            self.transport.abort()

    def _listen(self, data: bytes) -> None:
        self._hello = hello = self._hello + data if self._hello else data
        if hello[0] != HANDSHAKE:
            self._send_away(hello)
            return
        try:
            self._name = self._reading.name(hello)
        except Unfinished:
            if len(hello) > self._context.limits.hello:
                self._close(INTERNAL_ERROR)
            return
        self._spoken = True
        self.deadline = self._context.now + self._context.limits.head_time
        context, name = self._context, self._name
        if context.view.hello is not context.hello:
            context.renew()
        if name is not None and passes(context.route(name, b"/")):
            self._pass(name)
            return
        zone = context.zones.of(name) if name is not None else None
        context.wardrobe.find(name, zone, self._shake)

    def _pass(self, name: str) -> None:
        """Its service speaks TLS itself."""
        self._leave()
        passing = Passing(self._context)
        self.transport.set_protocol(passing)
        passing.connection_made(self.transport)
        passing.begin_with(name, self._hello)

    def _shake(self, settings: SSLContext | None) -> None:
        """Begins the handshake with these settings."""
        transport = self.transport
        if transport.is_closing():
            return
        if settings is None:
            self._close(INTERNAL_ERROR)
            return
        encrypted = Encrypted(transport, settings, self._name, self._open, self)
        transport.set_protocol(encrypted)
        hello, self._hello = self._hello, b""
        encrypted.data_received(hello)

    def _open(self, encrypted: Encrypted) -> None:
        """The handshake is done: who speaks the protocol that was agreed upon takes over."""
        context = self._context
        self._leave()
        http2 = context.http2
        protocol = http2(context) if http2 is not None and encrypted.agreed == "h2" else Client(context, TLS)
        encrypted.set_protocol(protocol)
        protocol.connection_made(encrypted)

    def _send_away(self, data: bytes) -> None:
        """Tells who speaks plain HTTP here where to go; says nothing to anybody else."""
        self._spoken = True
        if not REQUEST.match(data):
            self.transport.close()
            return
        problem = refusals.not_tls(data, self.transport.get_extra_info("sockname")[1])
        self.deadline = self._context.now + self._context.limits.linger_time
        self.transport.write(rendered(problem, data, self._context.date, keep=False, bodiless=False))
        half_close(self.transport)

    def _close(self, alert: bytes) -> None:
        self._spoken = True
        self.transport.write(alert)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # the signature is asyncio's
        self._leave()

    def _leave(self) -> None:
        self._context.greetings.discard(self)
        self._context.crowds.leave(self, self._address)

    def expire(self) -> None:
        """Its time is over."""
        self.deadline = inf
        self.transport.abort()

    def waits(self) -> bool:
        """True: a client in its handshake has nothing to lose yet."""
        return True
