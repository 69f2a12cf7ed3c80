"""The request in hand while it waits for its route: it is held, looks again when something has changed, or is answered in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Route
from devdns_proxy import refusals
from devdns_proxy.answering import BUSY, Answering
from devdns_proxy.door import PLAIN, Door
from devdns_proxy.holding import Place, body_size, bound

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.dialling import DialFailed


log = structlog.get_logger()


class Waiting(Answering):
    """`_place` is where the request in hand is held, None while it is not.

    `_stayed` is when it was first held, `_refused` when its live route first refused it: not for this request, where that is before it came.
    """

    __slots__ = ("_place", "_refused", "_retries", "_stayed")

    def __init__(self, context: Context, door: Door = PLAIN) -> None:
        super().__init__(context, door)
        self._place: Place | None = None
        self._stayed = self._refused = 0.0
        self._retries = 0

    def _dispatch(self, *, fresh: bool = False) -> None:
        """Finds the route as it is now, and a connection; `fresh` when one that was idle has just failed us."""
        raise NotImplementedError

    @property
    def retried(self) -> bool:
        """True when a connection that was idle has failed this request: the next one had better be new."""
        return self._retries > 0

    @contextmanager
    def _edge(self) -> Iterator[None]:
        """The edge of a request that had to wait: whatever goes wrong, its client gets an answer, and the others go on."""
        try:
            yield
        except Exception:
            log.exception("request failed", host=self.meaning.host)
            self.crash()

    def _hold(self, route: Route, failed: DialFailed | None = None) -> bool:
        """Holds the request for `route`; False when it may not wait (any longer). `failed`: the route is live, but refused it."""
        context, now = self._context, monotonic()
        if self._stayed < self._since:
            self._stayed, self._refused = now, 0.0
        self._refused = (self._refused or now) if failed is not None else 0.0
        until = bound(route, context.hold(), context.limits, self._stayed, self._refused)
        size, ahead = self._size(), body_size(self.meaning, context.limits.ahead)
        if until <= now or context.draining or not context.holding.room(size):
            return False
        watches = tuple(context.watches.hoped_for(route)) if failed is not None else ()
        if failed is not None and not watches:
            return False
        self._route, self.deadline = route, until
        self._place = Place(size, ahead, failed, watches)
        context.counters.held += 1
        context.holding.take(self, self.meaning.host, self._place)
        self.steer()
        return True

    def _size(self) -> int:
        """Bytes that the request in hand takes, or may take, while it is held: its head, its body, and what has come behind it."""
        return len(self._block) + max(len(self._held), body_size(self.meaning, self._context.limits.ahead))

    def _pile(self) -> None:
        """More has come while the request is held: it counts, and where that is too much, the request is answered."""
        place, route = self._place, self._route
        if place is None or route is None:
            return
        if self._context.holding.grow(place, self._size()):
            self.steer()
            return
        self._context.counters.over += self._unhold()
        self._answer(refusals.too_many(route, self._path()))

    def _unhold(self) -> bool:
        """Gives up the place; False when there was none."""
        place, self._place = self._place, None
        if place is not None:
            self._context.holding.leave(self, self.meaning.host, place)
        return place is not None

    def look_again(self) -> None:
        """Something has changed for this request: it looks for its way as if it had just come."""
        if self._state != BUSY or self._upstream is not None or self.transport.is_closing():
            return
        with self._edge():
            counters, held = self._context.counters, self._unhold()
            self.deadline = self._context.now + self._context.limits.reply_time
            self._dispatch(fresh=self.retried)
            if held and self._place is not None:
                counters.held -= 1  # the same hold goes on
            elif held:
                counters.released += 1
                self.steer()

    def _waited(self) -> float:
        return monotonic() - self._stayed if self._stayed >= self._since else 0.0

    def deaf(self) -> bool:
        """True when nothing is read from the client, so that it may be gone unheard."""
        raise NotImplementedError

    def _hold_over(self) -> None:
        """The time is over: says why nothing came of it."""
        place, route = self._place, self._route
        self._context.counters.over += 1
        self._unhold()
        if place is not None and place.failed is not None:
            self._fail(place.failed.reason, timed_out=place.failed.timed_out)
        elif route is not None:
            self._answer(refusals.down(route, self._path(), self._waited()))

    def _turn_away(self) -> None:
        """The proxy stops: nobody waits any more."""
        route = self._route
        self._context.counters.over += self._unhold()
        if route is not None:
            self._answer(refusals.stopping(route, self._path()))

    def _let_go(self) -> None:
        if self._unhold():
            self._context.counters.given_up += 1
        super()._let_go()
