"""Raw TCP names: each gets its address and its door, and its routes say whether clients can come in.

Doors are bound by the supervisor. What sources say of raw TCP goes through `over`; what became of the doors comes by `told`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from msgspec.structs import replace

from devdns.control.addresses import Addresses
from devdns.core.routes import Route, State

Place = tuple[str, int]
RETRY = 5.0  # seconds until a port that was taken is tried again
OPENING = "its own address is being opened"
NOBODY = "raw TCP names need devdns up: a control alone binds no address"
log = structlog.get_logger()


class RawNames:
    """`restate(source, why)` has the routes of a source judged anew; `ask` tells who binds which places there are to be, None for nobody."""

    def __init__(self, restate: Callable[[str, str], None], addresses: Addresses | None = None) -> None:
        self.ask: Callable[[list[Place]], None] | None = None
        self._restate = restate
        self._addresses = addresses or Addresses()
        self._wanted: dict[str, frozenset[tuple[str, int]]] = {}
        self._open: frozenset[Place] = frozenset()
        self._shut: Mapping[Place, str] = {}
        self._heard = asyncio.Event()
        self._started = False
        self._timer: asyncio.TimerHandle | None = None

    def over(self, source: str, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        """The routes of a source, those of raw TCP with their address, or why nobody can come in."""
        wanted = frozenset((route.host, route.port) for route in routes if route.port)
        if wanted or source in self._wanted:
            before, self._wanted[source] = self._wanted.get(source), wanted
            if before != wanted:
                self._send_soon()
        placed = tuple(self._placed(route) if route.port else route for route in routes) if wanted else routes
        self._addresses.save()
        return placed

    def _placed(self, route: Route) -> Route:
        if self.ask is None:
            return replace(route, state=State.UNREACHABLE, reason=NOBODY)
        place = self._place(route.host, route.port)
        if place in self._open:
            return replace(route, address=place[0])
        if place in self._shut:
            return replace(route, state=State.UNREACHABLE, reason=self._shut[place])
        return replace(route, state=State.STARTING, reason=OPENING) if route.state is State.LIVE else route

    def _place(self, host: str, port: int) -> Place:
        return self._addresses.of(host, self._hosts), port

    def _hosts(self) -> frozenset[str]:
        return frozenset(host for wanted in self._wanted.values() for host, _ in wanted)

    async def start(self, bound: float) -> None:
        """Asks for the doors of what was said so far, and waits for the answer, at most `bound` seconds."""
        self._started = True
        if self.ask is None or not (self._hosts() or self._open):
            return
        self._heard.clear()
        self._send_soon()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), bound)

    def close(self) -> None:
        """Asks for nothing more; the doors stay as they are."""
        self._started = False
        if self._timer is not None:
            self._timer.cancel()

    def _send_soon(self, after: float = 0.0) -> None:
        """Before the start nothing is asked for: it would close the doors of names that are not heard yet."""
        if self.ask is None or not self._started:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after, self._send)

    def _send(self) -> None:
        self._timer = None
        places = sorted({self._place(host, port) for wanted in self._wanted.values() for host, port in wanted})
        try:
            if self.ask is not None:
                self.ask(places)
        except OSError as error:
            log.warning("doors of raw TCP not asked for", error=str(error))
            self._send_soon(RETRY)

    def told(self, doors: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        """Which places are open, and why others are not."""
        before = self._open, self._shut
        self._open = frozenset((host, port) for host, port in doors["open"])
        self._shut = {(host, port): why for host, port, why in doors["shut"]}
        self._heard.set()
        if (self._open, self._shut) != before:
            for source, wanted in list(self._wanted.items()):
                if wanted:
                    self._restate(source, "the address of a raw TCP name was opened or closed")
        places = {self._place(host, port) for each in self._wanted.values() for host, port in each}
        if places & self._shut.keys():
            self._send_soon(RETRY)
