"""The containers of one engine as they are now, while the connection lasts.

Subscribed first, listed second. A service that goes down is told at once, by the event alone; what else became of a
container is asked of the engine, once however many events it made. A burst of events is a few statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from msgspec.structs import replace

from devdns.core.routes import Route
from devdns.core.sources import Refusal, Statement
from devdns.providers.docker_causes import KNOCK, Causes
from devdns.providers.docker_container import COMPOSE, Container, is_stale
from devdns.providers.docker_engine import Engine
from devdns.providers.docker_events import Event
from devdns.providers.docker_hosts import Endpoint
from devdns.providers.docker_inquiry import Inquiry
from devdns.providers.docker_labels import PREFIX
from devdns.providers.docker_memory import Memory
from devdns.providers.docker_routes import THERE, Rules, downfall
from devdns.providers.docker_seek import Seekers, Seen

#: Between two statements while news keeps coming; the first after a quiet time, and what fell, is not delayed.
DEBOUNCE = 0.01
#: How long what changed is knocked at before it is told that it starts, so that it says live at once; the first statement waits for all.
GRACE, FIRST_GRACE = 0.01, 0.5
#: How often the engine's list is compared with what is known: a lost event, or an engine that went silent, shows then.
REVIEW = 30.0
#: After a signal that a container may survive it is looked at again.
SIGNALLED = 0.1


class Stack:
    """One connection's worth of knowledge. `connect` and `open`, then `settled` again and again until it raises `EngineLost`, then `close`."""

    def __init__(self, at: Endpoint, rules: Rules, memory: Memory) -> None:
        self._engine = Engine(at, self._hear, self._end, memory.met)
        self._rules = rules
        self._memory = memory
        self._seen: dict[str, Seen] = {}
        self._sharers: set[str] = set()
        self._mute: dict[str, Refusal] = {}
        self._inquiry = Inquiry(self._engine, self._put)
        self._causes = Causes()
        self._news = asyncio.Event()
        self._seekers = Seekers(self._found, beyond=memory.beyond)
        self._reviewer: asyncio.Task[None] | None = None
        self._fell = False
        self._over: BaseException | None = None
        self._clock = asyncio.get_running_loop().time
        self._told = self._clock()

    async def connect(self) -> None:
        """Until the engine answers nothing is known, and nothing in the memory changes. Raises `EngineLost`."""
        await self._engine.connect()

    async def open(self) -> None:
        """Once connected: takes in every container. Raises `EngineLost`."""
        self._rules = replace(self._rules, ground=self._engine.ground)
        await self._review()
        await self._inquiry.drain()
        await _knocked(self._seen.values(), FIRST_GRACE)
        self._inquiry.start(self._ended)
        self._reviewer = asyncio.create_task(self._review_often(), name="review containers")
        self._reviewer.add_done_callback(self._ended)
        self._news.set()

    async def settled(self) -> Statement:
        """Waits for news and says everything anew (perhaps the same). Raises `EngineLost` once the engine is gone."""
        cost = self._clock() - self._told  # of the last statement, and of what was made of it
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._memory.holding.due()):
                await self._news.wait()
        # However much falls, about half of the time at most goes into saying it.
        pause = min(cost, DEBOUNCE) if self._fell else DEBOUNCE
        await asyncio.sleep(self._told + cost + pause - self._clock())
        self._news.clear()
        self._fell = False
        if self._over:
            raise self._over
        self._told = self._clock()
        return self._statement()

    async def close(self) -> None:
        """Ends the tasks and the connection. What came up since the last statement is remembered as what was said is."""
        self._memory.beyond, self._memory.met = self._seekers.beyond, self._engine.met
        for name, seen in self._seen.items():
            if seen.is_there and seen.routes:
                self._memory.keep(name, seen.routes)
        self._engine.close()
        if self._reviewer is not None:
            self._reviewer.cancel()
            await asyncio.gather(self._reviewer, return_exceptions=True)
        await self._inquiry.close()
        await self._seekers.close()

    def _hear(self, event: Event) -> None:
        """Takes in an event: what fell is told before anybody is asked what became of it."""
        self._causes.note(event.id, event.action)
        if event.downfall:
            self._fall(event.id, event.downfall)
        if event.removed:
            self._memory.bury(event.id, self._up())
        if event.doubtful:
            asyncio.get_running_loop().call_later(SIGNALLED, self._ask_of, event.id)
        elif event.hopeful:
            self._ask_of(event.id)
        else:
            self._inquiry.ask((event.id,))  # nobody waits for what is told of a downfall

    def _ask_of(self, *names: str) -> None:
        self._inquiry.ask(names, self._memory.holding.__contains__)

    def _found(self, seen: Seen) -> None:
        """A seeker found something else."""
        self._causes.note(seen.container.id, KNOCK)
        self._news.set()

    def _end(self, why: BaseException) -> None:
        self._over = why
        self._news.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Nobody asks any more: the engine is lost, or ours is the fault."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._end(error)

    def _fall(self, name: str, reason: str) -> None:
        """A service went down, and with it those in its network."""
        seen = self._seen.get(name)
        is_held = name in self._memory.holding
        routes = seen.routes if seen and not is_held else self._memory.had(name)
        if seen:
            seen.fall()
        if routes:
            self._memory.fall(name, routes, reason, self._clock())
            self._fell = True
            self._news.set()
        for user in self._users(name):
            self._fall(user, reason)

    def _users(self, name: str) -> list[str]:
        """The containers that use its network."""
        return [other for other in self._sharers if self._seen[other].container.shares == name]

    def _statement(self) -> Statement:
        """Oldest container first: among equal claims of one source the first one wins."""
        every = sorted(self._seen.values(), key=lambda seen: (seen.container.started, seen.container.id))
        holding = self._memory.holding
        self._memory.inherit(self._up())
        held = holding.routes(self._clock())
        up = {seen.container.id: seen for seen in every if seen.is_there and seen.container.id not in held}
        self._memory.last = {name: seen.routes for name, seen in up.items() if seen.routes}
        holding.yield_to({seen.container.owner for seen in up.values()})
        routes = (
            *chain.from_iterable(map(holding.of, held)),
            *chain.from_iterable(seen.routes for seen in up.values()),
        )
        refusals = (*chain.from_iterable(seen.plan.refusals for seen in every), *self._mute.values())
        return Statement(routes, refusals, causes=self._causes.told(self._owner))

    def _up(self) -> Iterator[Route]:
        """The routes of the containers that are there, each as it was last found."""
        there = (seen for name, seen in self._seen.items() if seen.is_there and name not in self._memory.holding)
        return chain.from_iterable(seen.routes for seen in there)

    def _owner(self, name: str) -> str:
        """Who claims for a container, perhaps one that is gone; empty when it claims nothing."""
        seen = self._seen.get(name)
        held = self._memory.holding.of(name)
        return seen.container.owner if seen else held[0].owner if held else ""

    async def _review(self) -> None:
        """Marks what the engine's list shows differently from what is known, now or of an earlier connection."""
        listed = {str(each.get("Id")): each for each in await self._engine.summaries()}
        gone = (self._seen.keys() | (self._memory.last or {}).keys()) - listed.keys()
        new = {
            name
            for name, each in listed.items()
            if name not in self._seen and _concerns(each.get("State"), each.get("Labels") or ())
        }
        stale = {name for name, seen in self._seen.items() if name in listed and is_stale(seen.container, listed[name])}
        self._ask_of(*sorted(gone | new | stale))

    async def _review_often(self) -> None:
        """Runs while the connection lasts. Raises `EngineLost`."""
        while True:
            await asyncio.sleep(REVIEW)
            await self._review()

    def _put(self, name: str, found: Container | Refusal | None) -> None:
        """Takes in what an inspection found."""
        was_mute, old = self._mute.pop(name, None), self._seen.get(name)
        if not isinstance(found, Container):
            if name not in self._memory.holding:
                self._fall(
                    name, found.reason if found else f"container {old.container.name if old else name[:12]} was removed"
                )
            self._drop(name)
            if found is not None:
                self._mute[name] = found
            if old or found != was_mute:
                self._news.set()
            return
        container = self._joined(found)
        if old and old.container == container and not old.fell:
            return
        self._take(container, old)

    def _take(self, container: Container, old: Seen | None) -> None:
        """A container that is new or is not what it was."""
        name, was_down = container.id, old.fell if old else container.id in self._memory.holding
        why = downfall(container, old.container if old else None)
        if why and not (was_down and container.status not in THERE):  # the event said it already
            self._fall(name, why)
        elif not why:
            self._memory.holding.rise(name)
        self._drop(name)
        if not _concerns(container.status, container.labels):
            self._news.set()
            return
        seen = self._seen[name] = Seen(container, self._rules)
        if old and old.place == seen.place and not was_down:
            seen.find(old.found, self._rules)
        if container.shares:
            self._sharers.add(name)
        if container.status == "running" and seen.plan.ports:
            self._seekers.send(seen, self._rules)
            asyncio.get_running_loop().call_later(GRACE, self._news.set)
        else:
            seen.knocked.set()
            self._news.set()

    def _drop(self, name: str) -> None:
        """Forgets what was known of a container; those that use its network are to be looked at again."""
        users = self._users(name)
        seen = self._seen.pop(name, None)
        self._sharers.discard(name)
        if seen:
            seen.leave()
        if users:
            self._ask_of(*users)

    def _joined(self, container: Container) -> Container:
        """A container that uses another one's network, with that one's addresses and published ports."""
        peer = self._seen.get(container.shares)
        if peer is None:
            return container
        other = peer.container
        return replace(container, addresses=other.addresses, published=other.published, host_network=other.host_network)


async def _knocked(fresh: Iterable[Seen], grace: float) -> None:
    """Waits until each has been knocked at once, for `grace` seconds at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(grace):
            for seen in list(fresh):
                await seen.knocked.wait()


def _concerns(status: object, labels: Iterable[object]) -> bool:
    """Containers that are there, and those that ended and had a name: what `explain` can tell of."""
    return status in THERE or any(str(label).startswith((PREFIX, COMPOSE)) for label in labels)
