"""TLS that is not ours: a connection whose ClientHello names a route with a `tls` target goes to the service as it came.

To its route it is a request like any other: it is held, sent elsewhere, and counted. The hello may be sent again as long as
no byte has come back, since the service has then done nothing with it.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from devdns_proxy.answering import BUSY, LINGER
from devdns_proxy.client import Client
from devdns_proxy.door import TLS
from devdns_proxy.heads import Meaning
from devdns_proxy.tunnel import couple

if TYPE_CHECKING:
    from devdns.core.routes import Route
    from devdns_proxy.context import Context
    from devdns_proxy.problems import Problem
    from devdns_proxy.upstream import Upstream

#: Fatal alerts before there is a version (RFC 8446 section 6): type, version, length, level, description.
INTERNAL_ERROR = b"\x15\x03\x01\x00\x02\x02\x50"
UNRECOGNIZED_NAME = b"\x15\x03\x01\x00\x02\x02\x70"
SCHEME = "tls"


def passes(route: Route | None) -> bool:
    """True for a route whose service speaks TLS with the client itself."""
    return route is not None and bool(route.targets) and route.targets[0].scheme == SCHEME


class Passing(Client):
    """One such connection until the service has answered its hello; two `End`s carry it from then on."""

    __slots__ = ("_written",)

    def __init__(self, context: Context) -> None:
        super().__init__(context, TLS)
        self._written = 0  # bytes that the service has been sent

    def begin_with(self, name: str, hello: bytes) -> None:
        """Takes the connection, of which `hello` has come, to the service of the route for `name`."""
        authority = name.encode("ascii")
        self.meaning = Meaning(
            host=name, authority=authority, fields=b"", request_id=b"", keep=False, own=False, loop=False
        )
        self.method, self.minor, self._target = b"CONNECT", b"1", authority + b":443"
        self._held, self._state, self._since = hello, BUSY, monotonic()
        self.deadline = self._context.now + self._context.limits.reply_time
        with self._edge():
            if not (self._context.view.faults and self._befall()):
                self._dispatch()

    def _compose(self, route: Route) -> bytes:  # noqa: ARG002 # the signature is the exchange's
        """Nothing is said to the service but what the client says."""
        return b""

    def _passes(self) -> bool:
        return True

    def _repeatable(self) -> bool:
        return True

    def _send(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._cut_short = False
        upstream.touched = False
        upstream.transport.set_protocol(Answer(self, upstream))
        self._written = len(self._held)
        upstream.transport.write(self._held)
        self._arm_reply()

    def answered_with(self, upstream: Upstream, data: bytes) -> None:
        """The service has answered: both connections are joined. What the client has sent behind its hello follows it."""
        context = self._context
        context.pool.drop(upstream)
        context.watches.trust(upstream.target)
        self.sent += len(data)
        ahead = self.release(200)[self._written :]
        couple(context, self.transport, upstream.transport, data, ahead)

    def closed(self, upstream: Upstream, error: Exception | None) -> None:
        """The service closed without an answer: another one may do better, or the same one later."""
        self._context.pool.drop(upstream)
        if self._upstream is upstream:
            with self._edge():
                self.lost(upstream, error)

    def _answer(self, problem: Problem) -> None:
        """Ends the connection with an alert: there is no other way to say anything."""
        self._let_go()
        self._failed(problem.status, problem.detail or problem.title)
        self._reason = problem.detail or problem.title
        self._begun = problem.status
        self._write(UNRECOGNIZED_NAME if problem.status == 404 else INTERNAL_ERROR)
        self._end("refused")
        self._state = LINGER
        self.deadline = self._context.now + self._context.limits.linger_time
        self.transport.close()

    def crash(self) -> None:
        self.transport.abort()

    def retire(self) -> None:
        if self._place is not None:
            self._turn_away()


class Answer(asyncio.Protocol):
    """The service's side until its first byte."""

    __slots__ = ("_passing", "_upstream")

    def __init__(self, passing: Passing, upstream: Upstream) -> None:
        self._passing = passing
        self._upstream = upstream

    def data_received(self, data: bytes) -> None:
        self._passing.answered_with(self._upstream, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._passing.closed(self._upstream, exc)
