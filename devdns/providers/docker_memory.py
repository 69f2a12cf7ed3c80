"""What is known of an engine's containers beyond one connection to it: what fell and is held, and what each had last.

While the engine is away nobody tells which containers run: those whose targets refuse a knock are held as down, those
that answer stay as they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import chain

from msgspec.structs import replace

from devdns.core.holding import Holding
from devdns.core.names import Claim
from devdns.core.routes import Route, State, Target
from devdns.providers.docker_engine import Met
from devdns.providers.docker_reach import ASK, STAYS_OPEN, Knock, knock_published

AWAY = "the Docker Engine went away"
KNOCKS_AT_ONCE = 64
#: A target that is merely silent is down when it was so twice: a machine that is busy or just woke up looks alike.
SILENCES = 2


class Memory:
    """`last` are the routes of each container that was up when it was last stated, by its id; None before anything was.

    `beyond`: containers' own addresses were out of reach when one was last knocked at. `met` is what the engine said of itself.
    """

    def __init__(self, hold: float) -> None:
        self.holding = Holding(hold)
        self.last: dict[str, tuple[Route, ...]] | None = None
        self.beyond = False
        self.met: Met | None = None
        self._silent: dict[Target, int] = {}
        self._removed: dict[str, frozenset[str]] = {}  # containers held for -> the owners who claimed beside them

    def had(self, key: str) -> tuple[Route, ...]:
        """The routes of a container when it was last up, or is held for."""
        return self.holding.of(key) or (self.last or {}).get(key, ())

    def keep(self, key: str, routes: tuple[Route, ...]) -> None:
        """What a container that is up has by now, said or not; nothing before anything was said."""
        if self.last is not None and key not in self.holding:
            self.last[key] = routes

    def fall(self, key: str, routes: Iterable[Route], reason: str, now: float) -> None:
        """A container went down."""
        self.holding.fall(key, routes, reason, now)
        (self.last or {}).pop(key, None)

    def bury(self, key: str, up: Iterable[Route]) -> None:
        """A container that is held for was removed. It may be made anew, but is not awaited against a newcomer; `up` claim by now."""
        claims = {route.claim for route in self.holding.of(key)}
        if claims:
            self._removed[key] = frozenset(route.owner for route in up if route.claim in claims)

    def inherit(self, up: Iterable[Route]) -> None:
        """Gives up what is held for containers that were removed, where somebody new claims the same by now."""
        held = {key: self.holding.of(key) for key in self._removed}
        self._removed = {key: rivals for key, rivals in self._removed.items() if held[key]}
        if not self._removed:
            return
        heirs: dict[Claim, set[str]] = {}
        for route in up:
            heirs.setdefault(route.claim, set()).add(route.owner)
        for key, rivals in self._removed.items():
            if any(heirs.get(route.claim, rivals) - rivals for route in held[key]):
                self.holding.rise(key)

    async def look(self) -> tuple[Route, ...] | None:
        """Without the engine: knocks at all that is live by what was said last; returns what holds now, None before anything was said."""
        if self.last is None:
            return None
        clock = asyncio.get_running_loop().time
        live = {key: routes for key, routes in self.last.items() if key not in self.holding}
        targets = {
            target
            for route in chain.from_iterable(live.values())
            if route.state is State.LIVE
            for target in route.targets
        }
        lost = await self._lost(targets)
        for key, routes in live.items():
            if any(lost.intersection(route.targets) for route in routes):
                self.holding.fall(key, routes, AWAY, clock())
                self.last[key] = tuple(map(_given_up, routes))
        held = self.holding.routes(clock())
        stays = chain.from_iterable(routes for key, routes in self.last.items() if key not in held)
        return (*chain.from_iterable(held.values()), *stays)

    async def _lost(self, targets: set[Target]) -> set[Target]:
        doors = asyncio.Semaphore(KNOCKS_AT_ONCE)

        async def ask(target: Target) -> tuple[Target, Knock]:
            async with doors:
                ask = ASK.get(target.scheme, b"")
                return target, await knock_published(target.host, target.port, ask, STAYS_OPEN)

        found = dict(await asyncio.gather(*map(ask, targets)))
        self._silent = {
            target: self._silent.get(target, 0) + 1 for target, knock in found.items() if knock is Knock.SILENT
        }
        return {
            target
            for target, knock in found.items()
            if knock is Knock.REFUSED or self._silent.get(target, 0) >= SILENCES
        }


def _given_up(route: Route) -> Route:
    """What the route is when its hold is over and the engine is still away."""
    return replace(route, state=State.UNREACHABLE, reason=f"{AWAY}, and nothing answers")
