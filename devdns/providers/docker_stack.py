"""The containers of one engine as they are now, while the connection lasts.

Subscribed first, listed second; each changed container is inspected once, however many events it made, and knocked at
until it answers. A burst of events is a few statements, not one for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain, islice

from msgspec.structs import replace

from devdns.core.routes import Route
from devdns.core.sources import Refusal, Statement
from devdns.providers.docker_container import COMPOSE, Container, Reach, is_stale
from devdns.providers.docker_engine import Engine
from devdns.providers.docker_hosts import Endpoint, EngineLost
from devdns.providers.docker_labels import PREFIX
from devdns.providers.docker_reach import reach
from devdns.providers.docker_routes import THERE, Plan, Rules, plan, routes

#: Between two statements while news keeps coming; the first after a quiet time is not delayed.
DEBOUNCE = 0.01
#: How long a statement waits for the first knock at what changed, so that it says live at once; the first statement waits for all.
GRACE, FIRST_GRACE = 0.01, 0.5
#: How often the engine's list is compared with what is known: a lost event, or an engine that went silent, shows then.
REVIEW = 30.0
#: A service that listens late is knocked at more and more rarely, and given up on (`Reach.tired`) after `PATIENCE`.
FIRST_KNOCK, LAST_KNOCK, PATIENCE = 0.01, 1.0, 15.0
KNOCKS_AT_ONCE = 64
#: How many containers are inspected for one statement: in a burst the first ones are live before the last ones are known.
SOME = 64


class Seen:
    """One container, what it is to get, how it is reached, and the routes that follow."""

    def __init__(self, container: Container, planned: Plan) -> None:
        self.container = container
        self.plan = planned
        self.found: Mapping[int, Reach] = {}
        self.routes: tuple[Route, ...] = ()
        self.knocked = asyncio.Event()
        self.seeker: asyncio.Task[None] | None = None

    @property
    def place(self) -> tuple[object, ...]:
        """While this is the same, what was found out about reaching it holds."""
        each = self.container
        return each.status, each.started, each.addresses, each.published, each.host_network

    def __repr__(self) -> str:
        return f"<Seen {self.container.name} {self.container.status}, {len(self.routes)} routes>"


class Stack:
    """One connection's worth of knowledge. `open`, then `settled` again and again until it raises `EngineLost`, then `close`."""

    def __init__(self, at: Endpoint, rules: Rules) -> None:
        self._engine = Engine(at, self._hear, self._end)
        self._rules = rules
        self._seen: dict[str, Seen] = {}
        self._sharers: set[str] = set()
        self._mute: dict[str, Refusal] = {}
        self._dirty: dict[str, None] = {}  # as an ordered set: first come, first inspected
        self._news = asyncio.Event()
        self._doors = asyncio.Semaphore(KNOCKS_AT_ONCE)
        self._over: EngineLost | None = None
        self._clock = asyncio.get_running_loop().time
        self._told = self._reviewed = self._clock()

    async def open(self) -> None:
        """Connects and takes in every container. Raises `EngineLost`."""
        await self._engine.connect()
        self._rules = replace(self._rules, ground=self._engine.ground)
        await self._review()
        fresh: list[Seen] = []
        while self._dirty:
            fresh += await self._refresh()
        await _knocked(fresh, FIRST_GRACE)
        self._news.set()

    async def settled(self) -> Statement:
        """Waits for news and says everything anew (perhaps the same). Raises `EngineLost` once the engine is gone."""
        due = self._reviewed + REVIEW
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._news.wait()
        if self._clock() >= due:
            await self._review()
        await asyncio.sleep(self._told + DEBOUNCE - self._clock())
        self._news.clear()
        if self._over:
            raise self._over
        await _knocked(await self._refresh(), GRACE)
        self._told = self._clock()
        return self._statement()

    async def close(self) -> None:
        """Ends the seekers and the connection."""
        self._engine.close()
        seekers = [seen.seeker for seen in self._seen.values() if seen.seeker]
        for seeker in seekers:
            seeker.cancel()
        await asyncio.gather(*seekers, return_exceptions=True)

    def _hear(self, name: str) -> None:
        self._dirty[name] = None
        self._news.set()

    def _end(self, why: EngineLost) -> None:
        self._over = why
        self._news.set()

    def _statement(self) -> Statement:
        """Oldest container first: among equal claims of one source the first one wins."""
        every = sorted(self._seen.values(), key=lambda seen: (seen.container.started, seen.container.id))
        refusals = chain.from_iterable(seen.plan.refusals for seen in every)
        return Statement(tuple(chain.from_iterable(seen.routes for seen in every)), (*refusals, *self._mute.values()))

    async def _review(self) -> None:
        """Marks what the engine's list shows differently from what is known."""
        listed = {str(each.get("Id")): each for each in await self._engine.summaries()}
        self._reviewed = self._clock()
        gone = self._seen.keys() - listed.keys()
        new = {
            name
            for name, each in listed.items()
            if name not in self._seen and _concerns(each.get("State"), each.get("Labels") or ())
        }
        stale = {name for name, seen in self._seen.items() if name in listed and is_stale(seen.container, listed[name])}
        self._dirty |= dict.fromkeys(sorted(gone | new | stale))

    async def _refresh(self) -> list[Seen]:
        """Inspects some of what changed, the rest being news again. Returns what is being knocked at now."""
        names = list(islice(self._dirty, SOME))
        for name in names:
            del self._dirty[name]
        if self._dirty:
            self._news.set()
        found = await asyncio.gather(*(self._engine.inspect(name) for name in names))
        return [seen for name, each in zip(names, found, strict=True) if (seen := self._put(name, each))]

    def _put(self, name: str, found: Container | Refusal | None) -> Seen | None:
        """Takes in what an inspection found. Returns what is being knocked at now."""
        self._mute.pop(name, None)
        old = self._seen.get(name)
        if not isinstance(found, Container):
            self._drop(name)
            if found is not None:
                self._mute[name] = found
            return None
        container = self._joined(found)
        if old and old.container == container:
            return None
        self._drop(name)
        if not _concerns(container.status, container.labels):
            return None
        seen = self._seen[name] = Seen(container, plan(container, self._rules))
        if old and old.place == seen.place:
            seen.found = old.found
        seen.routes = routes(container, seen.plan, seen.found, self._rules)
        if container.shares:
            self._sharers.add(name)
        if container.status != "running" or not seen.plan.ports:
            return None
        seen.seeker = asyncio.create_task(self._seek(seen), name=f"seek {container.name}")
        return seen

    def _drop(self, name: str) -> None:
        """Forgets what was known of a container; those that use its network are to be looked at again."""
        seen = self._seen.pop(name, None)
        self._sharers.discard(name)
        if seen and seen.seeker:
            seen.seeker.cancel()
        users = [other for other in self._sharers if self._seen[other].container.shares == name]
        if users:
            self._dirty |= dict.fromkeys(users)
            self._news.set()

    def _joined(self, container: Container) -> Container:
        """A container that uses another one's network, with that one's addresses and published ports."""
        peer = self._seen.get(container.shares)
        if peer is None:
            return container
        other = peer.container
        return replace(container, addresses=other.addresses, published=other.published, host_network=other.host_network)

    async def _seek(self, seen: Seen) -> None:
        """Knocks until every port is open; a different outcome is news."""
        began, pause = self._clock(), FIRST_KNOCK
        while True:
            async with self._doors:
                found = {port: await reach(seen.container, port, self._rules.ground) for port in seen.plan.ports}
            tired = self._clock() - began > PATIENCE
            found = {port: replace(each, tired=tired and not each.open) for port, each in found.items()}
            if found != seen.found:
                seen.found = found
                seen.routes = routes(seen.container, seen.plan, found, self._rules)
                self._news.set()
            seen.knocked.set()
            if all(each.open for each in found.values()):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_KNOCK)


async def _knocked(fresh: Iterable[Seen], grace: float) -> None:
    """Waits until each has been knocked at once, for `grace` seconds at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(grace):
            for seen in fresh:
                await seen.knocked.wait()


def _concerns(status: object, labels: Iterable[object]) -> bool:
    """Containers that are there, and those that ended and had a name: what `explain` can tell of."""
    return status in THERE or any(str(label).startswith((PREFIX, COMPOSE)) for label in labels)
