"""Containers as seen, and the seekers that knock at their ports until they are open.

A service is knocked at often while it starts, for whoever waits for it, and more and more rarely after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from devdns.core.routes import Route
from devdns.providers.docker_container import Container, Reach
from devdns.providers.docker_reach import Relay, published_at, reach
from devdns.providers.docker_relay import Relays
from devdns.providers.docker_routes import THERE, Plan, Rules, plan, routes

#: Between two knocks: five milliseconds at first, then a 150th part of the time spent so far, at most a second.
FIRST_KNOCK, LAST_KNOCK, PART = 0.005, 1.0, 150
#: A service that never listens is given up on (`Reach.tired`), and knocked at all the same.
PATIENCE = 15.0
KNOCKS_AT_ONCE = 64
#: Seekers that may knock at full pace; with more of them each knocks more rarely.
PACE = 8


class Seen:
    """One container, what it is to get, how it is reached, and the routes that follow."""

    def __init__(self, container: Container, rules: Rules) -> None:
        self.container = container
        self.plan: Plan = plan(container, rules)
        self.found: Mapping[int, Reach] = {}
        self.routes: tuple[Route, ...] = ()
        self.knocked = asyncio.Event()
        self.seeker: asyncio.Task[None] | None = None
        self.fell = False
        self.find({}, rules)

    @property
    def place(self) -> tuple[object, ...]:
        """While this is the same, what was found out about reaching it holds."""
        each = self.container
        return each.status, each.started, each.addresses, each.published, each.host_network

    @property
    def is_there(self) -> bool:
        """Whether it speaks for its owner: as far as the engine has told us."""
        return not self.fell and self.container.status in THERE and not self.container.one_off

    def find(self, found: Mapping[int, Reach], rules: Rules) -> None:
        """How its ports are reached, by port."""
        self.found = found
        self.routes = routes(self.container, self.plan, found, rules)

    def fall(self) -> None:
        """An event says that it is down; what it is now is still to be asked."""
        self.fell = True
        self.leave()

    def leave(self) -> None:
        """Nobody needs to know any more how it is reached."""
        if self.seeker is not None:
            self.seeker.cancel()

    def __repr__(self) -> str:
        return f"<Seen {self.container.name} {self.container.status}, {len(self.routes)} routes>"


class Seekers:
    """A task for each container that is knocked at. `told` is called when one found something else.

    `beyond`: the last container was reached by its published port only.
    """

    def __init__(self, told: Callable[[Seen], None], *, beyond: bool) -> None:
        self.beyond = beyond
        self._told = told
        self._doors = asyncio.Semaphore(KNOCKS_AT_ONCE)
        self._busy: set[asyncio.Task[None]] = set()
        self._looks: set[asyncio.Task[bool]] = set()
        self._relays = Relays()
        self._clock = asyncio.get_running_loop().time

    def send(self, seen: Seen, rules: Rules) -> None:
        """Knocks at its ports from now on, until they are open or it `leave`s."""
        seen.seeker = task = asyncio.create_task(self._seek(seen, rules), name=f"seek {seen.container.name}")
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def close(self) -> None:
        """Ends all of them."""
        every = [*self._busy, *self._looks]
        for task in every:
            task.cancel()
        await asyncio.gather(*every, return_exceptions=True)

    async def _seek(self, seen: Seen, rules: Rules) -> None:
        began, ports = self._clock(), {wish.port: wish.scheme for wish in seen.plan.wishes if wish.port}
        relays = {port: Relay(self._look(seen.container, port, rules)) for port in ports}
        while True:
            async with self._doors:
                found = {
                    port: await self._reach(seen.container, port, rules, scheme, relays[port])
                    for port, scheme in ports.items()
                }
            spent = self._clock() - began
            found = {port: replace(each, tired=spent > PATIENCE and not each.open) for port, each in found.items()}
            changed = found != seen.found
            if changed:
                seen.find(found, rules)
            if changed or not seen.knocked.is_set():
                seen.knocked.set()
                self._told(seen)
            if all(each.open and not (each.published and relays[port].guessed) for port, each in found.items()):
                return
            await asyncio.sleep(self._pause(spent))

    def _look(self, container: Container, port: int, rules: Rules) -> asyncio.Task[bool] | None:
        """Finds out whether docker-proxy takes the connections to a published port; it is there before its container is, and as long."""
        host, there = published_at(container, port, rules.ground)
        if not (self.beyond and there):
            return None
        task = asyncio.create_task(self._relays.hold(host, there))
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)
        return task

    async def _reach(self, container: Container, port: int, rules: Rules, scheme: str, relay: Relay) -> Reach:
        found = await reach(container, port, rules.ground, scheme=scheme, beyond=self.beyond, relay=relay)
        if container.addresses and found.host:
            self.beyond = found.published
        if found.published and found.open:
            return replace(found, relayed=await (relay.looked or self._relays.hold(found.host, found.port)))
        return found

    def _pause(self, spent: float) -> float:
        crowd = max(1.0, len(self._busy) / PACE)
        return min(max(FIRST_KNOCK, spent / PART) * crowd, LAST_KNOCK)
