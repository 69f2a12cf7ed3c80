"""The request in hand when its developer wants trouble: late, answered with a fault, or cut, as `devdns chaos` was told."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from devdns.core.chaos import Fault, verdict
from devdns_proxy import refusals
from devdns_proxy.door import PLAIN, Door
from devdns_proxy.tunnel import reset
from devdns_proxy.waiting import Waiting

if TYPE_CHECKING:
    from devdns_proxy.context import Context


class Troubled(Waiting):
    """`_delay` is the timer of a request that is late on purpose, None while it is not."""

    __slots__ = ("_delay",)

    def __init__(self, context: Context, door: Door = PLAIN) -> None:
        super().__init__(context, door)
        self._delay: asyncio.TimerHandle | None = None

    def _befall(self) -> bool:
        """Lets happen what was asked for, once for each request; False when this one goes on as it is."""
        context = self._context
        route = context.route(self.meaning.host, self._target)
        chaos = context.view.faults.get(route.name) if route is not None else None
        if route is None or chaos is None:
            return False
        fault = verdict(chaos, time.time(), random.random)
        if fault is Fault.PASS:
            return False
        self._route = route
        if fault is Fault.LATE:
            self._delay = context.loop.call_later(chaos.latency, self._go_on)
        elif fault is Fault.RESET:
            reset(self.transport)
        else:
            self._answer(refusals.on_purpose(route, self._path(), chaos))
        return True

    def _go_on(self) -> None:
        self._delay = None
        with self._edge():
            self._dispatch()

    def _let_go(self) -> None:
        delay, self._delay = self._delay, None
        if delay is not None:
            delay.cancel()
        super()._let_go()
