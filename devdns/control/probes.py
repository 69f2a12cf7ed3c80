"""The active probes: a task for each target of a live route that says `health`, and what they make of the routes.

What a source states passes through `over` on its way into the store; when a verdict changes, `told` hears which sources
are to be stated again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

from devdns.control.probe import probe
from devdns.core.health import Asked, Pulse, Verdict, asked, felt, judged, pause
from devdns.core.holding import HOLD
from devdns.core.routes import Route

AT_ONCE = 64
#: A tenth more or less, so that probes of one moment do not stay together.
JITTER = 0.1


class Probes:
    """All probes. `told(source, why)` is called in the loop when the routes of a source are to be judged anew.

    `hold` is how many seconds a service may be gone whose route does not say.
    """

    def __init__(self, told: Callable[[str, str], None], ask: Callable[[Asked], Any] = probe) -> None:
        self._told = told
        self._ask = ask
        self.hold = HOLD
        self._wanted: dict[str, frozenset[Asked]] = {}
        self._pulses: dict[Asked, Pulse] = {}
        self._tasks: dict[Asked, asyncio.Task[None]] = {}
        self._doors = asyncio.Semaphore(AT_ONCE)

    def over(self, source: str, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        """The routes of a source as the probes see them; from now on these are probed, and no others of this source."""
        wanted = frozenset(each for route in routes if route.options.health for each in asked(route, self.hold))
        if wanted or source in self._wanted:
            self._follow(source, wanted)
        return tuple(judged(route, self._pulses.__getitem__, self.hold) for route in routes) if wanted else routes

    def _follow(self, source: str, wanted: frozenset[Asked]) -> None:
        """Begins and ends probes. What left and comes back begins anew: it may be another service."""
        self._wanted[source] = wanted
        every = frozenset().union(*self._wanted.values())
        for each in [each for each in self._tasks if each not in every]:
            self._tasks.pop(each).cancel()
            del self._pulses[each]
        for each in wanted - self._tasks.keys():
            self._pulses[each] = Pulse(asyncio.get_running_loop().time())
            self._tasks[each] = asyncio.create_task(self._watch(each), name=f"probe {each.target}{each.path}")

    async def close(self) -> None:
        """Ends all probes."""
        await _ended(self._tasks.values())
        self._tasks.clear()

    async def _watch(self, each: Asked) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            async with self._doors:
                failure = await self._ask(each)
            before = self._pulses[each]
            now = self._pulses[each] = felt(before, failure, clock(), each.hold)
            if now.verdict is not before.verdict or (now.verdict is Verdict.UNKNOWN and now.failures == 1):
                self._tell(each, now.reason or f"{each.path} answers")
            await asyncio.sleep(pause(now, each.interval, clock()) * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 # no secret

    def _tell(self, each: Asked, why: str) -> None:
        for source in [source for source, wanted in self._wanted.items() if each in wanted]:
            self._told(source, f"probe: {why}")


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
