"""Waiting for a connection to a service: first come, first served, by whichever connection is free first.

Many a development server listens with an accept queue of five, and a queue that is full drops what asks for a connection for a
second and more. So connections to a target are opened a few at a time, and the next one once the last have been accepted.

A service that answers at once has few connections busy: they come free sooner than others are opened. docker-proxy passes nothing
on for 10 to 18 ms each time that it gets some, so that 170 requests are through after 11 ms over five, after 65 ms over 170.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Target
from devdns_proxy.dialling import DialFailed, dial

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.exchange import Exchange
    from devdns_proxy.upstream import Upstream

log = structlog.get_logger()


class Line:
    """The requests that wait for a connection to `target`, each with the time it came, and the connections opened for them.

    A new connection is young until a response comes, it is gone, or `settle_time` has passed: nothing
    tells when a service accepts it. A young one that came free and was passed on is brisk: it does for those in line what another
    connection would, until that has taken `brisk_time`. Dials, young and brisk connections together are at most `Limits.opening`.
    """

    __slots__ = ("_brisk", "_context", "_dials", "_hurrying", "_moved", "_tried", "_waiting", "_young", "target")

    def __init__(self, context: Context, target: Target) -> None:
        self.target = target
        self._context = context
        self._waiting: OrderedDict[Exchange, float] = OrderedDict()
        self._dials: set[asyncio.Task[None]] = set()
        self._young: set[Upstream] = set()
        self._brisk: set[Upstream] = set()
        self._hurrying: asyncio.TimerHandle | None = None
        self._tried = False  # whether the brisk have had their time since the line was last empty
        self._moved = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def over(self) -> bool:
        """True when nobody waits and nothing is being opened."""
        return not (self._waiting or self._dials or self._young)

    def join(self, exchange: Exchange) -> None:
        """`exchange` will be told `connected` or `dial_failed`, unless it leaves before."""
        if not self._waiting:
            self._begin()
        self._waiting[exchange] = self._context.loop.time()
        self._open()

    def _begin(self) -> None:
        """Nobody waited until now."""
        self._tried = False
        self._brisk.clear()
        if self._hurrying is not None:
            self._hurrying.cancel()
            self._hurrying = None

    def leave(self, exchange: Exchange) -> None:
        """Its request is answered otherwise, or its client is gone."""
        self._waiting.pop(exchange, None)
        if len(self._dials) > len(self._waiting):
            self._dials.pop().cancel()
        self._context.pool.tidy(self)

    def give(self, upstream: Upstream, *, used: bool = False) -> bool:
        """Hands a connection to the first in line; False when nobody can have it.

        A `used` one may have ended already, or end as the request is on its way: not twice to the same request.
        """
        if upstream.transport.is_closing():
            return False
        exchange = next((each for each in self._waiting if each.takes(upstream)), None)
        if exchange is None or (used and (exchange.retried or upstream.readable())):
            return False
        del self._waiting[exchange]
        self._moved = self._context.loop.time()
        if used and upstream in self._young:
            self._pass_on(upstream)
        exchange.connected(upstream)
        return True

    def _pass_on(self, upstream: Upstream) -> None:
        """A young one serves who is in line; should that take long, more are opened all the same."""
        if self._tried:
            self.settle(upstream)
            return
        self._young.remove(upstream)
        self._brisk.add(upstream)
        if self._hurrying is None:
            self._hurrying = self._context.loop.call_later(self._context.limits.brisk_time, self._hurry)

    def _hurry(self) -> None:
        self._hurrying, self._tried = None, True
        self._brisk.clear()
        self._open()

    def _grow(self, upstream: Upstream) -> None:
        """Its `settle_time` is over."""
        if upstream in self._young:
            self.settle(upstream)

    def settle(self, upstream: Upstream) -> None:
        """The service has accepted this connection and is busy with it, or it is gone: another one may be opened."""
        if upstream in self._young or upstream in self._brisk:
            self._young.discard(upstream)
            self._brisk.discard(upstream)
            self._open()
        self._context.pool.tidy(self)

    def clear(self) -> list[Exchange]:
        """Sends everybody away, in order, and gives up what is being dialled: the target is another's now."""
        waiting = list(self._waiting)
        self._waiting.clear()
        while self._dials:
            self._dials.pop().cancel()
        self._context.pool.tidy(self)
        return waiting

    def close(self) -> None:
        for each in self._dials:
            each.cancel()

    def _open(self) -> None:
        room = self._context.limits.opening - len(self._young) - len(self._brisk)
        while len(self._dials) < min(room, len(self._waiting)):
            self._dials.add(self._context.loop.create_task(self._dial()))

    async def _dial(self) -> None:
        """Opens one connection and gives it, or the reason why there is none, to who is first in line by then."""
        outcome: Upstream | DialFailed
        try:
            upgrade = any(each.meaning.upgrade for each in self._waiting)
            outcome = await dial(self._context, self.target, upgrade=upgrade)
        except DialFailed as failed:
            outcome = failed
        except Exception:  # the edge of a dial: whatever it was, the client gets an answer
            log.exception("dialling failed", target=str(self.target))
            outcome = DialFailed(f"{self.target} cannot be dialled")
        self._dials.discard(asyncio.current_task())
        if isinstance(outcome, DialFailed):
            self._fail(outcome)
        else:
            self._admit(outcome)
        self._open()
        self._context.pool.tidy(self)

    def _admit(self, upstream: Upstream) -> None:
        if not upstream.shared:
            self._young.add(upstream)
            self._context.loop.call_later(self._context.limits.settle_time, self._grow, upstream)
        self._context.watches.recovered(self.target)
        if not self.give(upstream):
            if self.target.scheme == "tls":
                upstream.transport.abort()  # it is worth nothing to a client that comes later
            else:
                self._context.pool.put(upstream)

    def _fail(self, failed: DialFailed) -> None:
        """Tells who waits. That nothing was accepted in time matters only to those for whom nothing has moved since.

        Each is told too whether others got through since it came: a service that is only slow to accept is not given up.
        """
        if failed.passing:
            self._context.watches.begin(self.target, failed)
        else:
            self._context.pool.avoid(self.target)
        if not failed.crowded:
            told = list(self._waiting)
        else:
            before = self._context.loop.time() - self._context.limits.connect_time
            told = [each for each, since in self._waiting.items() if max(since, self._moved) <= before]
        for each in told:
            since = self._waiting.pop(each, None)
            each.dial_failed(failed, moving=since is not None and self._moved > since)
