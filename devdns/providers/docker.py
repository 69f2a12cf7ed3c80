"""Routes from the labels of running containers, kept up to date by the Engine's events.

When the engine goes away the last statement stays in force but for what no longer answers, and the engine is asked for
again at most a second apart.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

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
#: While requests may wait for what the engine took with it.
AWAITED_PAUSE = 0.1


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
        pause = FIRST_PAUSE
        while True:
            try:
                at = known or endpoint(self._host, self._environ)
                if known or self._is_expected(at):
                    async with aclosing(self._follow(at)) as statements:
                        async for said in statements:
                            known, pause = None if at.named else at, FIRST_PAUSE
                            yield said
                elif not isinstance(said, Statement):
                    said = Statement(absent=f"no Docker Engine at {at.url}")
                    yield said
            except EngineLost as error:
                trouble = Trouble(error.message, error.hint, await self._memory.look())
                if trouble != said:
                    said = trouble
                    yield trouble
            await asyncio.sleep(pause)
            pause = min(pause * 2, AWAITED_PAUSE if len(self._memory.holding) else LONGEST_PAUSE)

    def _is_expected(self, at: Endpoint) -> bool:
        """Whether somebody asked for this engine, or it is there."""
        if self._config.enabled is None:
            return at.named or os.path.exists(at.socket)  # noqa: PTH110 - Path.exists() raises where a folder is closed
        return self._config.enabled

    async def _follow(self, at: Endpoint) -> AsyncGenerator[Statement, None]:
        """What the engine's containers are, each time that changes; raises `EngineLost` in the end."""
        stack = Stack(at, self._rules, self._memory)
        last: object = None
        try:
            await stack.open()
            while True:
                now = await stack.settled()
                if (now.routes, now.refusals) != last:
                    last = now.routes, now.refusals
                    yield now
        finally:
            await stack.close()
