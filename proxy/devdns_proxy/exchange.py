"""The request in hand: its route, its way to a service, and the retry rule.

One per client connection and reused for each of its requests: there is no request object. `Client` reads requests and
keeps the connection; `Upstream` reads the response, writes it and tells this side what it saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Route, State, Target
from devdns_proxy import refusals
from devdns_proxy.answering import Answering
from devdns_proxy.dialling import DialFailed, dial
from devdns_proxy.framing import Body, FramingRefused
from devdns_proxy.heads import IDEMPOTENT
from devdns_proxy.problems import Problem
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context

log = structlog.get_logger()

MAX_RETRIES = 2
LIVE = State.LIVE  # an enum member costs more to look up than the route it belongs to


class Exchange(Answering):
    """Takes the request in hand to a service of its route, at most `MAX_RETRIES` times after it was written."""

    __slots__ = ("_head", "_retries", "_tried")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._head = b""
        self._retries = 0
        self._tried: list[Target] = []

    def _dispatch(self, *, fresh: bool = False) -> None:
        """Finds the route as it is now, and a connection; `fresh` when one that was idle has just failed us."""
        context, meaning = self._context, self.meaning
        route = context.route(meaning.host, self._target)
        if route is None or route.state is not LIVE or meaning.loop:
            self._answer(self._no_way(route))
            return
        self._route = route
        self._head = self._compose(route)
        if route.options.timeout is not None:
            self.deadline = context.now + route.options.timeout
        target = route.targets[0] if len(route.targets) == 1 else context.pool.turn(route)
        upstream = None
        if not fresh:
            careful = self._body is not None or self.method not in IDEMPOTENT
            upstream = context.pool.take(target, careful=careful)
        if upstream is None:
            self._tried = []
            self._dialing = context.loop.create_task(self._dial(target))
        else:
            self._send(upstream)

    def _no_way(self, route: Route | None) -> Problem:
        context, meaning, path = self._context, self.meaning, self._path()
        if context.hello is None:
            return refusals.not_ready(meaning, path)
        if meaning.loop:
            return refusals.loop(meaning, path)
        if route is None:
            return refusals.unknown_name(meaning, path, context.view.table, context.zones)
        self._route = route
        return refusals.down(route, path)

    def _compose(self, route: Route) -> bytes:
        """The head for the service: the target as it came and Host unchanged, unless the route says otherwise."""
        meaning, options, target = self.meaning, route.options, self._target
        authority, fields = meaning.authority, meaning.fields
        if options.host is not None:
            authority = options.host.encode()
        if options.strip and route.prefix:
            fields += b"X-Forwarded-Prefix: %b\r\n" % route.prefix.encode()
            target = target[len(route.prefix) :]
            target = target if target[:1] == b"/" else b"/" + target
        if not (meaning.request_id or self._own_id):
            self._own_id = self._context.request_id()  # once per request: a retry keeps it
        # join, because it is measured at half the time of a format
        return b"".join(
            (self.method, b" ", target, b" HTTP/1.1\r\nHost: ", authority, b"\r\n", fields, self._own_id, b"\r\n")
        )

    async def _dial(self, target: Target) -> None:
        """Connects to a target of the route and sends the request, or answers why it cannot."""
        try:
            upstream = await self._dial_any(target)
        except DialFailed as failed:
            self._dialing = None
            self._fail(failed.reason, timed_out=failed.timed_out)
        except Exception:  # the edge of a request: whatever it was, the client gets an answer
            log.exception("dialling failed", target=str(target))
            self._dialing = None
            self._fail(f"{target} cannot be dialled")
        else:
            self._dialing = None
            self._send(upstream)

    async def _dial_any(self, target: Target) -> Upstream:
        """Tries the targets of the route in turn: of this request nothing has reached any of them (the retry rule).

        One that timed out is tried again: a burst overflows the short accept queue of many a dev server, and the kernel
        then drops what asks for a connection. By then the route may lead elsewhere.
        """
        tries = 0
        while True:
            try:
                return await dial(self._context, target)
            except DialFailed as failed:
                tries += 1
                if not failed.timed_out or tries == self._context.limits.connect_tries:
                    self._tried.append(target)
                another = self._another()
                if another is None:
                    raise
                self._context.counters.retries += 1
                target = another

    def _another(self) -> Target | None:
        """A target not tried yet, of the route as it is by now."""
        route = self._context.route(self.meaning.host, self._target)
        if route is None or route.state is not LIVE:
            return None
        if route is not self._route:
            self._route, self._head = route, self._compose(route)
        return next((target for target in route.targets if target not in self._tried), None)

    def _send(self, upstream: Upstream) -> None:
        self._upstream = upstream
        upstream.carry(self)
        if self.paused:
            upstream.transport.pause_reading()
        if self._body is None:
            upstream.transport.write(self._head)
            return
        data, self._held = self._held, b""
        self._feed(upstream, self._body, data, self._head)
        self.steer()

    def _feed(self, upstream: Upstream, body: Body, data: bytes, head: bytes = b"") -> None:
        """Sends a piece of the request body on, behind a `head` still to be sent; a broken framing ends both connections."""
        try:
            out, rest = body.feed(data)
        except FramingRefused as refused:
            self._refuse(Problem(400, refusals.TITLES[400], str(refused)))
            return
        if (head or out) and not upstream.transport.is_closing():
            upstream.transport.write(head + out)
        if body.done:
            self._body, self._held = None, rest
            self.steer()
        self._arm_reply()

    def _arm_reply(self) -> None:
        """Until the response begins: time for the rest of the body, then for the service to answer."""
        if self._begun:
            return
        limits = self._context.limits
        allowed = self._route.options.timeout if self._route is not None else None
        seconds = limits.stall_time if self._body is not None else allowed or limits.reply_time
        self.deadline = self._context.now + seconds

    def lost(self, upstream: Upstream, error: Exception | None) -> None:
        """The service closed before a response: retried when idempotent, without body, and no byte has come back."""
        self._upstream = None
        if self.transport.is_closing():
            return
        bodiless = self.meaning.length is None and not self.meaning.chunked
        if bodiless and not upstream.touched and self.method in IDEMPOTENT and self._retries < MAX_RETRIES:
            self._retries += 1
            self._context.counters.retries += 1
            self._dispatch(fresh=True)
            return
        words = "closed the connection in the middle of its answer" if upstream.touched else "closed without an answer"
        self._fail(f"{upstream.target} {words}" + (f" ({error})" if error else ""))

    def bad_reply(self, target: Target, reason: str) -> None:
        """The service answered with something that is not a response."""
        self._upstream = None
        self._fail(f"{target} sent a malformed response: {reason}")
