"""The request in hand: its route, its way to a service, and the retry rule.

One per client connection and reused for each of its requests: there is no request object. `Client` reads requests and
keeps the connection; `Upstream` reads the response, writes it and tells this side what it saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devdns.core.routes import Route, State, Target
from devdns_proxy import departures, refusals
from devdns_proxy.dialling import DialFailed
from devdns_proxy.door import PLAIN, Door
from devdns_proxy.framing import Body, Chunked, FramingRefused, Sized
from devdns_proxy.heads import IDEMPOTENT
from devdns_proxy.holding import PASSING
from devdns_proxy.problems import Problem
from devdns_proxy.troubled import Troubled
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.lines import Line

MAX_RETRIES = 2
LIVE = State.LIVE  # an enum member costs more to look up than the route it belongs to


class Exchange(Troubled):
    """Takes the request in hand to a service of its route, at most `MAX_RETRIES` times after it was written."""

    __slots__ = ("_cut_short", "_dialled", "_head", "_line", "_piece", "_tried", "_tries")
    _dialled: Target

    def __init__(self, context: Context, door: Door = PLAIN) -> None:
        super().__init__(context, door)
        self._head = b""
        self._cut_short = False  # the deadline is that of a service that went down
        self._piece: bytes | None = None  # the body, where it went out whole with the head
        self._tried: list[Target] = []
        self._tries = 0
        self._line: Line | None = None

    def _dispatch(self, *, fresh: bool = False) -> None:
        """Finds the route as it is now, and a connection; `fresh` when one that was idle has just failed us."""
        context, meaning = self._context, self.meaning
        route = context.route(meaning.host, self._target)
        if route is not None and (context.redirects or route.options.redirect) and self._redirect(route):
            return
        if route is None or route.state is not LIVE or meaning.loop:
            self._stay(route)
            return
        self._route = route
        self._head = self._compose(route)
        if route.options.timeout is not None:
            self.deadline = context.now + route.options.timeout
        target = route.targets[0] if len(route.targets) == 1 else context.pool.turn(route)
        upstream = None
        if not (fresh or (meaning.upgrade and target.scheme == "https")):
            upstream = context.pool.take(target, looked=self._found and self._repeatable())
        if upstream is None:
            self._tried, self._tries = [], 0
            self._wait(target)
        else:
            context.counters.reused += 1
            self._send(upstream)

    def _redirect(self, route: Route) -> bool:
        """Sends who came without TLS to where it is spoken; False for who came with it, and where it is spoken nowhere."""
        port = self._context.https_port
        if self._door.secure or port is None:
            return False
        self._route = route
        self._answer(refusals.redirected(self.meaning, self._target, port))
        return True

    def _stay(self, route: Route | None) -> None:
        """There is no way now: waits for one, or answers."""
        if route is not None and route.state in PASSING and not self.meaning.loop and self._hold(route):
            return
        self._answer(self._no_way(route))

    def _no_way(self, route: Route | None) -> Problem:
        context, meaning, path = self._context, self.meaning, self._path()
        if context.hello is None:
            return refusals.not_ready(meaning, path)
        if meaning.loop:
            return refusals.loop(meaning, path)
        if route is None:
            return refusals.unknown_name(meaning, path, context.view.table, context.live_names(), context.zones)
        self._route = route
        if route.state in PASSING and not context.holding.room(self._size()):
            return refusals.too_many(route, path)
        return refusals.down(route, path, self._waited())

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

    def _wait(self, target: Target) -> None:
        """Gets in line for a connection to `target`: new, or one that another request is done with.

        A target that is watched, because it cannot be dialled, is waited for without another dial, or known to be down.
        """
        self._dialled = target
        if target.scheme == "tls" and not self._passes():
            self._pass_by()
            return
        watch = self._context.watches.of(target)
        if watch is not None and self._route is not None:
            if self._hold(self._route, watch.failed):
                return
            if watch.fresh:
                self._fail(watch.failed.reason, timed_out=watch.failed.timed_out)
                return
        self._context.counters.waited += 1
        self._line = self._context.pool.wait(self, target)

    def _passes(self) -> bool:
        """True for what a service that speaks TLS itself is sent as it came."""
        return False

    def _pass_by(self) -> None:
        """A request that we can read is not for such a service: it may come again by TLS, or cannot be answered."""
        route = self._route
        if route is not None and not self._redirect(route):
            self._answer(refusals.passed_through(route, self._path()))

    def connected(self, upstream: Upstream) -> None:
        """The head of the line: sends the request."""
        self._line = None
        with self._edge():
            self._send(upstream)

    def takes(self, upstream: Upstream) -> bool:
        """False where the request offers another protocol, which a connection that is shared cannot become."""
        return not (upstream.shared and upstream.target.scheme == "https" and self.meaning.upgrade)

    def dial_failed(self, failed: DialFailed, *, moving: bool) -> None:
        """Tries the other targets of the route: of this request nothing has reached any of them (the retry rule).

        A target that accepted nothing in time is tried again: the burst that has filled its queue may pass, and by then
        the route may lead elsewhere. While it takes others (`moving`) that is no try at all: the queue is long, and this one is in it.
        """
        self._line = None
        with self._edge():
            self._tries = 0 if moving and failed.crowded else self._tries + 1
            self._try_on(failed)

    def _try_on(self, failed: DialFailed) -> None:
        if not failed.crowded or self._tries == self._context.limits.connect_tries:
            self._tried.append(self._dialled)
            if failed.crowded:
                self._context.watches.give_up(self._dialled, failed)
        route = self._context.route(self.meaning.host, self._target)
        if route is None or route is not self._route:
            self._dispatch(fresh=self.retried)
            return
        another = self._another(route)
        if another is not None:
            self._context.counters.retries += 1
            self._wait(another)
        elif not self._hold(route, failed):
            self._fail(failed.reason, timed_out=failed.timed_out)

    def _another(self, route: Route) -> Target | None:
        """A target not tried yet, and not known to be down."""
        watches = self._context.watches
        return next((each for each in route.targets if each not in self._tried and watches.of(each) is None), None)

    def _send(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._cut_short = False
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
        self._piece = data[: len(data) - len(rest)] if head and body.done else None
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

    def look_again(self) -> None:
        self._leave_line()
        super().look_again()

    def _leave_line(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.leave(self)

    def _let_go(self) -> None:
        self._leave_line()
        super()._let_go()

    def lost(self, upstream: Upstream, error: Exception | None) -> None:
        """The service closed before a response: retried when idempotent, without body, and no byte has come back."""
        self._upstream = None
        if not (upstream.since or upstream.touched):
            self._context.watches.doubt(upstream.target)
        if self.transport.is_closing():
            return
        again, unheard = self._repeatable() and not upstream.touched, self._unheard(upstream)
        if self._retries < MAX_RETRIES and (again or unheard):
            self._retries += 1
            self._context.counters.retries += 1
            self._cut_short = False  # that was the time of the service it was with
            self.deadline = self._context.now + self._context.limits.reply_time
            self._dispatch(fresh=True)
            return
        if unheard:
            self._turned_away(upstream.target)
            return
        words = "closed the connection in the middle of its answer" if upstream.touched else "closed without an answer"
        self._fail(f"{upstream.target} {words}" + (f" ({error})" if error else ""))

    def _turned_away(self, target: Target) -> None:
        """A relay has not reached its service, again and again: as good as a refused dial, and waited for as long."""
        failed = DialFailed(f"{target} closes connections without an answer", passing=True)
        self._dialled = target
        self._context.watches.begin(target, failed)
        self._try_on(failed)

    def _unheard(self, upstream: Upstream) -> bool:
        """True when no byte of the request can have reached the service, and it can be sent again; its body is put back.

        The relay of a published port reads nothing before it has reached the container, and then all that has come; over HTTP/2 the
        service says so.
        """
        unread = upstream.unread and self._route is not None and self._route.relayed
        if upstream.touched or not (upstream.refused or unread):
            return False
        if self.meaning.length or self.meaning.chunked:
            if self._piece is None:
                return False
            self._held = self._piece + self._held
            self._body = Chunked() if self.meaning.chunked else Sized(self.meaning.length or 0)
        return True

    def part(self, targets: frozenset[Target]) -> None:
        upstream = self._upstream
        if upstream is None or upstream.target not in targets or self._begun or upstream.touched:
            return
        route = self._context.route(self.meaning.host, self._target)
        if route is not None and route.state is LIVE and upstream.target in route.targets:
            return
        departures.hurry(upstream.transport)
        if self._forsaken():
            self._cut_short = True
            self.deadline = min(self.deadline, self._context.now + self._context.limits.left_time)

    def _forsaken(self) -> bool:
        """True when the service that was sent the request is down, by its source: no answer will come from there."""
        route = self._context.route(self.meaning.host, self._target)
        return route is not None and route.state in PASSING

    def _part_over(self, upstream: Upstream) -> None:
        """The time is over that a request has whose service went down: waits no longer, unless the service is back there."""
        self._cut_short = False
        route = self._context.route(self.meaning.host, self._target)
        if route is not None and route.state is LIVE and upstream.target in route.targets:
            self._arm_reply()
            return
        upstream.leave()
        self.lost(upstream, None)

    def _repeatable(self) -> bool:
        """True for a request that may reach a service twice."""
        return self.method in IDEMPOTENT and self.meaning.length is None and not self.meaning.chunked

    def bad_reply(self, target: Target, reason: str) -> None:
        """The service answered with something that is not a response."""
        self._upstream = None
        self._fail(f"{target} sent a malformed response: {reason}")
