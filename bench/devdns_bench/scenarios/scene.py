"""One run's room as a scenario sees it: the approach, the stack, and asking a service by its name as a user does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from devdns_bench import rooms
from devdns_bench.approaches.base import Approach
from devdns_bench.probe import Probe
from devdns_bench.probe_wire import Answer, BrokenError, Connection, Place
from devdns_bench.room_engine import Engine
from devdns_bench.site import Site
from devdns_bench.stack import Service, Stack

READY = 60.0
STEP = 0.02
ASK = (
    "GET /probe/ready HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcy4uLg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ONE = 2.0  # seconds for one question of `answers`


class NeverReady(Exception):
    """The approach did not come to work in time; says which name does not answer, and how."""


class Scene:
    """`engine` is there where the services are containers."""

    def __init__(self, approach: Approach, site: Site, engine: Engine | None) -> None:
        self.approach = approach
        self.site = site
        self.stack = Stack(approach.dress)
        #: What became of each request, kept beside the row of the run.
        self.requests: list[Struct] = []
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """Raises RuntimeError where services are processes."""
        if self._engine is None:
            raise RuntimeError("this run has no Docker Engine")
        return self._engine

    async def place(self, service: Service) -> Place:
        """Where a user's request goes now: the name is resolved as on any machine. Raises OSError."""
        host, port = self.approach.address(service)
        found = await asyncio.to_thread(socket.getaddrinfo, host, port, socket.AF_INET, socket.SOCK_STREAM)
        return Place(str(found[0][4][0]), port, host if port == 80 else f"{host}:{port}")

    async def answers(self, service: Service) -> str:
        """Nothing when the service itself answers by name; else what is wrong."""
        try:
            async with asyncio.timeout(ONE):
                answer = await self._asked(await self.place(service))
        except (OSError, BrokenError) as error:  # a time-out is an OSError
            return f"{type(error).__name__}: {error}"
        words = answer.body.decode("latin-1").split()
        return (
            "" if answer.status == 200 and words[:1] == [service.identity] else f"{answer.status}: {answer.body[:60]!r}"
        )

    async def settle(self, services: Sequence[Service], *, within: float = READY) -> None:
        """Returns once each service has answered by name. Raises `NeverReady`."""
        deadline = time.monotonic() + within
        for service in services:
            while wrong := await self.answers(service):
                if time.monotonic() > deadline:
                    raise NeverReady(f"{self.approach.address(service).host} after {within:.0f} s: {wrong}")
                await asyncio.sleep(STEP)

    async def opened(self, services: Sequence[Service], *, within: float = READY) -> None:
        """Returns once each name leads to something that answers below 500. Raises `NeverReady`."""
        deadline = time.monotonic() + within
        for service in services:
            while not await self._open(service):
                if time.monotonic() > deadline:
                    raise NeverReady(f"{self.approach.address(service).host} after {within:.0f} s")
                await asyncio.sleep(STEP)

    async def _open(self, service: Service) -> bool:
        try:
            async with asyncio.timeout(ONE):
                return (await self._asked(await self.place(service))).status in {200, 101}
        except (OSError, BrokenError):
            return False

    @staticmethod
    async def _asked(place: Place) -> Answer:
        """One request on a connection of its own. Raises OSError and BrokenError."""
        connection = await Connection.open(place, lambda _: None)
        try:
            return await connection.ask(ASK.format(host=place.host).encode())
        finally:
            connection.close()

    @asynccontextmanager
    async def probing(self, service: Service, rate: float) -> AsyncIterator[Probe]:
        """An open-loop probe of one service."""
        async with Probe(await self.place(service), {service.identity}, rate=rate, patience=10) as probe:
            yield probe

    def close(self) -> None:
        """The services and servers end, whatever state they are in."""
        with contextlib.suppress(Exception):
            self.approach.teardown()
        self.site.stop_all()
        self.stack.down()


def room_state() -> dict[str, str]:
    """What a peer could leave behind, now."""
    return rooms.state()
