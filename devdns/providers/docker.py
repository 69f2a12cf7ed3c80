"""Routes from the labels of running containers, kept up to date by the Engine's events.

When the engine goes away the last statement stays in force but for what no longer answers, and the engine is asked for
again at most a second apart; as soon as its socket takes connections, where it has just gone or somebody waits.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from math import inf

from msgspec.structs import replace

from devdns.core.holding import HOLD
from devdns.core.names import Zones
from devdns.core.settings import DockerConfig
from devdns.core.sources import Statement, Trouble
from devdns.providers.docker_hosts import Endpoint, EngineLost, endpoint
from devdns.providers.docker_memory import Memory
from devdns.providers.docker_routes import Rules
from devdns.providers.docker_stack import Stack

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
#: While requests may wait for what the engine took with it, or it went so many seconds ago: most engines that go are being restarted,
#: and their containers, which live on until then, with them.
AWAITED_PAUSE, AWAITED = 0.1, 60.0
LOOK = 0.02


class DockerProvider:
    """The containers of one engine: `host` is its URL, None for the one that the docker command would use.

    `hold` is how many seconds the route of a container that went down stays, where the container does not say.
    """

    def __init__(
        self,
        config: DockerConfig,
        zones: Zones,
        host: str | None = None,
        environ: Mapping[str, str] | None = None,
        hold: float = HOLD,
    ) -> None:
        self._config = config
        self._host = host
        self._environ = os.environ if environ is None else environ
        self._rules = Rules(zones, self.source, config.default_names)
        self._memory = Memory(hold)

    @property
    def source(self) -> str:
        return f"docker:{self._host}" if self._host else "docker"

    async def watch(self) -> AsyncGenerator[Statement | Trouble, None]:
        """Statements until cancelled. With `docker.enabled: auto` an engine that nobody named and that is not there is no trouble."""
        said: Statement | Trouble | None = None
        known: Endpoint | None = None
        pause, heard, path = FIRST_PAUSE, -inf, ""  # `heard`: when the engine was last heard, inf while it is
        clock = asyncio.get_running_loop().time
        while True:
            try:
                at = known or endpoint(self._host, self._environ)
                path = at.socket
                if known or self._is_expected(at):
                    async with aclosing(self._follow(at, said)) as words:
                        async for said in words:
                            if isinstance(said, Statement):
                                known, pause, heard = None if at.named else at, FIRST_PAUSE, inf
                            yield said
                elif not isinstance(said, Statement):
                    said = Statement(absent=f"no Docker Engine at {at.url}")
                    yield said
            except EngineLost as error:
                heard = min(heard, clock())
                trouble = Trouble(error.message, error.hint, await self._memory.look())
                if trouble != said:
                    said = trouble
                    yield trouble
            if len(self._memory.holding) or clock() < heard + AWAITED:
                await _until_taken(path, pause)
                pause = min(pause * 2, AWAITED_PAUSE)
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _is_expected(self, at: Endpoint) -> bool:
        """Whether somebody asked for this engine, or it is there."""
        if self._config.enabled is None:
            return at.named or os.path.exists(at.socket)  # noqa: PTH110 - Path.exists() raises where a folder is closed
        return self._config.enabled

    async def _follow(
        self, at: Endpoint, before: Statement | Trouble | None
    ) -> AsyncGenerator[Statement | Trouble, None]:
        """What the engine's containers are, each time that changes; raises `EngineLost` in the end. `before` was said last."""
        stack = Stack(at, self._rules, self._memory)
        last: object = None
        try:
            async with aclosing(self._connected(stack, before)) as troubles:
                async for trouble in troubles:
                    yield trouble
            await stack.open()
            while True:
                now = await stack.settled()
                if (now.routes, now.refusals) != last:
                    last = now.routes, now.refusals
                    yield now
        finally:
            await stack.close()

    async def _connected(self, stack: Stack, before: Statement | Trouble | None) -> AsyncGenerator[Trouble, None]:
        """Returns when the engine answers. One that was away takes connections long before that, and ends its containers meanwhile."""
        connecting = asyncio.create_task(stack.connect())
        try:
            while not (await asyncio.wait((connecting,), timeout=AWAITED_PAUSE))[0]:
                if not isinstance(before, Trouble):
                    continue
                now = replace(before, routes=await self._memory.look())
                if now != before:
                    before = now
                    yield now
            await connecting
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)


async def _until_taken(path: str, pause: float) -> None:
    """Waits for `pause` seconds, or until the socket at `path` takes a connection, where it did not at first."""
    if not path or _takes(path):
        await asyncio.sleep(pause)
        return
    for _ in range(round(pause / LOOK)):
        await asyncio.sleep(LOOK)
        if _takes(path):
            return


def _takes(path: str) -> bool:
    """Whether the Unix socket at `path` takes connections now."""
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.setblocking(False)
        try:
            knocking.connect(path)
        except OSError:
            return False
    return True
