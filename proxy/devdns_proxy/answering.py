"""What the client is told: the service's response as it begins and ends, or an answer of our own.

One per client connection, for the request in hand; the classes above it add the way to a service (`Exchange`) and the
connection (`Client`).
"""

from __future__ import annotations

import asyncio
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from msgspec.structs import replace

from devdns.core.routes import Route, Target
from devdns_proxy import refusals
from devdns_proxy.counters import LEFT, NO_ROUTE, Tally
from devdns_proxy.door import PLAIN, Door
from devdns_proxy.endings import Ending, How
from devdns_proxy.framing import Body, FramingRefused
from devdns_proxy.heads import Meaning
from devdns_proxy.problems import Problem
from devdns_proxy.rendering import rendered
from devdns_proxy.replies import Reply
from devdns_proxy.tunnel import reset

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.upstream import Upstream

#: Between requests; a request in hand; discarding what still comes after the last response; not ours any more.
READY, BUSY, LINGER, GONE = range(4)


class Answering(asyncio.Protocol):
    """What is public is for `Upstream`, `join` and the clock in `Context`.

    `plain`: the response may be written as it is, to an HTTP/1.1 client that keeps its connection; `parting`: the same for one
    that does not. `deadline`: when
    `expire` is called. `paused`: the client does not keep up. `received` and `sent` are bytes of the connection so far.
    `_found`: the event loop has found what is being read just now. `_begun` is the status of the response that has begun, else 0.
    `_body` is what is still to come of the request's body, None when it is whole. `follows`: the response that has begun is an
    event stream.
    """

    __slots__ = (
        "_address",
        "_begun",
        "_block",
        "_body",
        "_context",
        "_door",
        "_found",
        "_held",
        "_keep",
        "_left",
        "_ours",
        "_own_id",
        "_partner",
        "_reading",
        "_reason",
        "_route",
        "_since",
        "_state",
        "_tallied",
        "_tally",
        "_target",
        "_told",
        "_upstream",
        "deadline",
        "follows",
        "meaning",
        "method",
        "minor",
        "parting",
        "paused",
        "plain",
        "received",
        "sent",
        "transport",
    )
    _address: str
    _tally: Tally
    transport: asyncio.Transport
    meaning: Meaning

    def __init__(self, context: Context, door: Door = PLAIN) -> None:
        self._context = context
        self._door = door
        self._state = READY
        self._held = b""
        self._body: Body | None = None
        self._upstream: Upstream | None = None
        self._route: Route | None = None
        self._begun = 0
        self._reason = ""
        self._ours = False
        self._since = 0.0
        self._tallied: object = self  # the route that `_tally` is of: no route yet
        self.received = self.sent = 0
        self._told = (0, 0)
        self._keep = True
        self._found = self._left = False
        self._reading = True
        self._partner: Upstream | None = None
        self._block = self._target = self._own_id = b""
        self.method = self.minor = b""
        self.paused = False
        self.plain = self.parting = False
        self.follows = False
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

    def part(self, targets: frozenset[Target]) -> None:
        """These targets have changed hands: a request that waits for the answer of one gets none from it, or not for long."""
        raise NotImplementedError

    # The response, as told by the upstream

    def begin(self, status: int, *, keep: bool = True) -> None:
        """The final head is about to be written; from now on only truncation can tell the client of trouble."""
        self._begun = status
        self._keep = keep
        if not self.paused:
            self.deadline = inf

    def may_keep(self) -> bool:
        """True when the connection can carry another request after this one."""
        return self.meaning.keep and self._body is None and not self._context.draining

    def streams(self) -> bool:
        """True when an event stream is on its way to the client."""
        return self._state == BUSY and bool(self._begun) and self.follows

    def sent_whole(self) -> bool:
        """True when the service has been sent the whole request."""
        return self._body is None

    def interim(self, reply: Reply) -> None:
        """Passes a 1xx on; HTTP/1.0 knows none."""
        if self.minor == b"1":
            self._write(reply.head + b"\r\n")

    def finish(self) -> None:
        """The response is written; the next request may begin."""
        self._end("whole")
        self._upstream = None
        if self._keep and self._body is None:
            self._state = READY
            self._proceed()
        else:
            self._linger()

    def answered(self, upstream: Upstream, status: int) -> None:
        """A whole response was written in one piece, to a client that keeps its connection: `begin` and `finish` in one."""
        self._begun = status
        self._end("whole")
        self._upstream = None
        self._state = READY
        if self._held or self._left or self.paused or not self._reading:
            self._proceed()
        else:
            self.deadline = self._context.now + self._context.limits.idle_time
            self._partner = upstream
            self._context.this_turn()  # ends it, so that the next request need not look; new connections do not pay for that

    def truncate(self) -> None:
        """The response broke off: the connection ends before it looks complete."""
        self._failed(502, "its response broke off")
        self._end("cut")
        self._state = LINGER
        self._upstream = None
        self.deadline = self._context.now + self._context.limits.stall_time
        if self.minor == b"0":
            reset(self.transport)  # nothing else tells an HTTP/1.0 client that a body without length is cut
        else:
            self.transport.close()

    def release(self, status: int) -> bytes:
        """Hands the transport to a tunnel; returns the bytes the client sent ahead."""
        ahead, self._held = self._held, b""
        self.begin(status)
        self._end("tunnel")
        self._upstream = None
        self.steer()
        self._retire()
        return ahead

    def _retire(self) -> None:
        """Lets the connection go: it is closed, or somebody else's."""
        self._state = GONE
        partner, self._partner = self._partner, None
        if partner is not None:
            partner.last = None  # else each would keep the other
        self._context.forget(self)
        self._context.counters.closed(self.received, self.sent)

    # What is counted

    @property
    def in_hand(self) -> int:
        """Requests in hand: 0 or 1."""
        return int(self._state == BUSY)

    def _end(self, how: How) -> None:
        """Counts the request in hand, which is over."""
        route = self._route
        if route is not self._tallied:  # few connections ask for more than one route
            self._tallied = route
            self._tally = self._context.counters.tally(route.host + route.prefix if route is not None else NO_ROUTE)
        seconds = monotonic() - self._since
        self._tally.ended(self._begun or LEFT, seconds)
        if self._context.access is not None:
            self._context.access(self._ending(how, seconds))

    def _ending(self, how: How, seconds: float) -> Ending:
        reason, self._reason = self._reason, ""
        received, sent = self._told
        self._told = (self.received, self.sent)
        route, upstream = self._route, self._upstream
        known = bool(self.method)
        return Ending(
            how=how,
            client=self._address,
            method=self.method,
            target=self._target,
            host=self.meaning.host if known else "",
            request_id=self._known_id() if known else b"",
            route=route.host + route.prefix if route is not None else NO_ROUTE,
            service=str(upstream.target) if upstream is not None else "",
            status=self._begun or LEFT,
            seconds=seconds,
            received=self.received - received,
            sent=self.sent - sent,
            reason=reason,
        )

    def _known_id(self) -> bytes:
        """The id of the request in hand, empty while it has none."""
        return self.meaning.request_id or self._own_id.partition(b": ")[2].rstrip()

    # Answers of our own

    def _path(self) -> str:
        """The raw path: the target up to its query."""
        return self._target.partition(b"?")[0].decode("latin-1")

    def _fail(self, reason: str, *, timed_out: bool = False) -> None:
        if self._route is not None and not self.transport.is_closing():
            problem = refusals.unreachable(self._route, self._path(), reason, self._waited(), timed_out=timed_out)
            self._answer(problem)

    def _waited(self) -> float:
        """Seconds that the request in hand has been held for its route."""
        raise NotImplementedError

    def _answer(self, problem: Problem) -> None:
        """Answers the request in hand with a problem; the connection lives on if its body is already here."""
        if self._upstream is None:
            self._skip_body()
        self._let_go()
        keep = self.may_keep()
        self._failed(problem.status, problem.detail or problem.title)
        self._reason = problem.detail or problem.title
        self.begin(problem.status, keep=keep)
        bodiless = self.method == b"HEAD"
        again = problem.retry_after is not None and self.method == b"GET"
        problem = replace(problem, request_id=self._known_id().decode(), reload=again, scheme=self._door.scheme)
        self._write(rendered(problem, self._block, self._context.date, keep=keep, bodiless=bodiless))
        self._ours = True
        self.finish()
        self._ours = False

    def _failed(self, status: int, reason: str) -> None:
        """Keeps in mind what could not be done for a route."""
        if status >= 500 and self._route is not None:
            self._context.failures.note(self._route.name, status, reason)

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
        if self._state != BUSY:
            self._forget_last()
        if not self._begun:
            self._begun, self._reason = problem.status, problem.detail or problem.title
            self._write(rendered(problem, b"", self._context.date, keep=False, bodiless=False))
            self._end("refused")
        else:
            self._end("cut")
        self._linger()

    def _forget_last(self) -> None:
        """There is no request in hand: what the last one was does not count for what is refused now."""
        self._begun, self._route, self._since = 0, None, monotonic()
        self.method = self._target = b""

    def crash(self) -> None:
        """Something is wrong with us: says so if it still can, and ends the connection."""
        if not self.transport.is_closing():
            self._refuse(Problem(500, "This is a fault of devdns", hint="its log says more: devdns logs"))

    def _write(self, data: bytes) -> None:
        self.sent += len(data)
        self.transport.write(data)

    def _let_go(self) -> None:
        """Nothing more is wanted from the service."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.leave()
