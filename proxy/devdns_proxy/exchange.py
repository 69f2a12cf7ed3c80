"""The request in hand: its route, its way to a service, the retry rule, and what the service's answer means for the client.

One per client connection and reused for each of its requests: there is no request object. `Client` reads requests and
keeps the connection; `Upstream` reads the response, writes it and tells this side what it saw.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Route, State, Target
from devdns_proxy import refusals
from devdns_proxy.counters import NO_ROUTE
from devdns_proxy.framing import Body, FramingRefused
from devdns_proxy.heads import IDEMPOTENT, Meaning
from devdns_proxy.pool import DialFailed, dial
from devdns_proxy.problems import Problem
from devdns_proxy.rendering import rendered
from devdns_proxy.replies import Reply
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context

log = structlog.get_logger()

#: Between requests; a request in hand; discarding what still comes after the last response; not ours any more.
READY, BUSY, LINGER, GONE = range(4)
MAX_RETRIES = 2
LIVE = State.LIVE  # an enum member costs more to look up than the route it belongs to


class Exchange(asyncio.Protocol):
    """What is public is for `Upstream`, `join` and the clock in `Context`.

    `plain`: the response may be written as it is, to an HTTP/1.1 client that keeps its connection. `deadline`: when
    `expire` is called. `paused`: the client does not keep up. `_body` is what is still to come of the request's body, None when it is whole.
    """

    __slots__ = (
        "_begun",
        "_block",
        "_body",
        "_context",
        "_dialing",
        "_head",
        "_held",
        "_keep",
        "_retries",
        "_route",
        "_state",
        "_target",
        "_tried",
        "_upstream",
        "deadline",
        "meaning",
        "method",
        "minor",
        "paused",
        "plain",
        "transport",
    )
    transport: asyncio.Transport
    meaning: Meaning

    def __init__(self, context: Context) -> None:
        self._context = context
        self._state = READY
        self._held = b""
        self.paused = False
        self._body: Body | None = None
        self._upstream: Upstream | None = None
        self._dialing: asyncio.Task[None] | None = None
        self._route: Route | None = None
        self._begun = False
        self._keep = True
        self._retries = 0
        self._tried: list[Target] = []
        self._head = self._block = self._target = b""
        self.method = self.minor = b""
        self.plain = False
        self.deadline = context.now + context.limits.head_time

    # What the connection does; see `Client`

    def steer(self) -> None:
        """Reads on or stops reading, as far as the service takes the body."""
        raise NotImplementedError

    def _proceed(self) -> None:
        """The response is written and the connection may carry another request."""
        raise NotImplementedError

    def _linger(self) -> None:
        """The response is written and was the last one."""
        raise NotImplementedError

    def expire(self) -> None:
        """The deadline has passed."""
        raise NotImplementedError

    def retire(self) -> None:
        """The proxy stops: an idle connection closes now, a busy one after its response."""
        raise NotImplementedError

    # The way to a service

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

    def _path(self) -> str:
        """The raw path: the target up to its query."""
        return self._target.partition(b"?")[0].decode("latin-1")

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
        own_id = b"" if meaning.request_id else self._context.request_id()
        # join, because it is measured at half the time of a format
        return b"".join(
            (self.method, b" ", target, b" HTTP/1.1\r\nHost: ", authority, b"\r\n", fields, own_id, b"\r\n")
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
        """Tries the targets of the route in turn: of this request nothing has reached any of them (the retry rule)."""
        while True:
            try:
                return await dial(self._context, target)
            except DialFailed:
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
        self._route = route
        return next((target for target in route.targets if target not in self._tried), None)

    def _send(self, upstream: Upstream) -> None:
        self._upstream = upstream
        upstream.carry(self)
        upstream.transport.write(self._head)
        if self.paused:
            upstream.transport.pause_reading()
        if self._body is not None:
            self._arm_reply()
            if self._held:
                data, self._held = self._held, b""
                self._feed(upstream, self._body, data)
            self.steer()

    def _feed(self, upstream: Upstream, body: Body, data: bytes) -> None:
        """Sends a piece of the request body on; a broken framing ends both connections."""
        try:
            out, rest = body.feed(data)
        except FramingRefused as refused:
            self._refuse(Problem(400, refusals.TITLES[400], str(refused)))
            return
        if out and not upstream.transport.is_closing():
            upstream.transport.write(out)
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

    # The response, as told by the upstream

    def begin(self, status: int, *, keep: bool = True) -> None:
        """The final head is about to be written; from now on only truncation can tell the client of trouble."""
        self._begun = True
        self._keep = keep
        self.deadline = inf
        route = self._route
        self._context.counters.answered(route.host + route.prefix if route is not None else NO_ROUTE, status)

    def may_keep(self) -> bool:
        """True when the connection can carry another request after this one."""
        return self.meaning.keep and self._body is None and not self._context.draining

    def sent_whole(self) -> bool:
        """True when the service has been sent the whole request."""
        return self._body is None

    def interim(self, reply: Reply) -> None:
        """Passes a 1xx on; HTTP/1.0 knows none."""
        if self.minor == b"1":
            self.transport.write(reply.head + b"\r\n")

    def finish(self) -> None:
        """The response is written; the next request may begin."""
        self._upstream = None
        self._context.counters.in_flight -= 1
        if self._keep and self._body is None:
            self._state = READY
            self._proceed()
        else:
            self._linger()

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

    def truncate(self) -> None:
        """The response broke off: the connection ends before it looks complete."""
        self._upstream = None
        self.deadline = self._context.now + self._context.limits.stall_time
        if self.minor == b"0":
            self.transport.abort()  # only a reset tells an HTTP/1.0 client that a body without length is cut
        else:
            self.transport.close()

    def release(self, status: int) -> bytes:
        """Hands the transport to a tunnel; returns the bytes the client sent ahead."""
        ahead, self._held = self._held, b""
        self._upstream = None
        self.begin(status)
        self.steer()
        self._context.counters.in_flight -= 1
        self._retire()
        return ahead

    def _retire(self) -> None:
        """Lets the connection go: it is closed, or somebody else's."""
        self._state = GONE
        self._context.forget(self)

    # Answers of our own

    def _fail(self, reason: str, *, timed_out: bool = False) -> None:
        if self._route is not None and not self.transport.is_closing():
            self._answer(refusals.unreachable(self._route, self._path(), reason, timed_out=timed_out))

    def _answer(self, problem: Problem) -> None:
        """Answers the request in hand with a problem; the connection lives on if its body is already here."""
        if self._upstream is None:
            self._skip_body()
        self._let_go()
        keep = self.may_keep()
        self.begin(problem.status, keep=keep)
        bodiless = self.method == b"HEAD"
        self._write(rendered(problem, self._block, self._context.date, keep=keep, bodiless=bodiless))
        self.finish()

    def _skip_body(self) -> None:
        """Discards what has come of a body that nobody wants; if that is all of it, the next request can be found."""
        if self._body is None:
            return
        try:
            _, rest = self._body.feed(self._held)
        except FramingRefused:
            rest = b""
        self._held = rest
        if self._body.done:
            self._body = None

    def _refuse(self, problem: Problem) -> None:
        """Answers what cannot be understood, and closes: nobody knows where the next request would begin."""
        self._let_go()
        begun = self._begun and self._state == BUSY
        if self._state == BUSY:
            self._context.counters.in_flight -= 1
        if not begun:
            self._context.counters.answered(NO_ROUTE, problem.status)
            self._write(rendered(problem, b"", self._context.date, keep=False, bodiless=False))
        self._linger()

    def _write(self, data: bytes) -> None:
        self._context.counters.sent += len(data)
        self.transport.write(data)

    def _let_go(self) -> None:
        """Nothing more is wanted from the service."""
        dialing, self._dialing = self._dialing, None
        if dialing is not None:
            dialing.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.leave()
