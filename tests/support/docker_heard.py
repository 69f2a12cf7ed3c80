"""A Docker provider at work, and what it said: as its user, the control process, sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from devdns.core.names import Claim, Zones
from devdns.core.routes import Route, State
from devdns.core.settings import DockerConfig
from devdns.core.sources import Refusal, Statement, Trouble
from devdns.core.store import RouteStore
from devdns.providers.docker import DockerProvider


class Heard:
    """Everything a provider said, merged by a store; `until` waits for a state of it."""

    def __init__(self) -> None:
        self.store = RouteStore()
        self.words: list[Statement | Trouble] = []
        self._news = asyncio.Event()

    async def listen(self, provider: DockerProvider) -> None:
        async for word in provider.watch():
            self.words.append(word)
            if word.routes is not None:
                self.store.replace(provider.source, word.routes)
            self._news.set()

    @property
    def trouble(self) -> Trouble | None:
        return self.words[-1] if self.words and isinstance(self.words[-1], Trouble) else None

    def refusals(self, *, quiet: bool = False) -> list[Refusal]:
        said = next((word for word in reversed(self.words) if isinstance(word, Statement)), Statement())
        return [refusal for refusal in said.refusals if refusal.quiet == quiet]

    def route(self, name: str) -> Route | None:
        return self.store.table.get(Claim(f"{name}.dev.test"))

    def state(self, name: str) -> State | None:
        found = self.route(name)
        return found.state if found else None

    async def until(self, true: Callable[[], object], what: str, bound: float = 10) -> None:
        try:
            async with asyncio.timeout(bound):
                while not true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"waited {bound} s for {what}; last word: {self.words[-1:]}") from None

    async def live(self, name: str, bound: float = 10) -> Route:
        """The route once it is live."""
        await self.until(lambda: (found := self.route(name)) and found.state is State.LIVE, f"{name} to be live", bound)
        found = self.route(name)
        assert found is not None
        return found

    async def gone(self, name: str) -> None:
        await self.until(lambda: self.route(name) is None, f"{name} to be gone")


@asynccontextmanager
async def watching(
    url: str | None, config: DockerConfig | None = None, hold: float = 15.0, **environ: str
) -> AsyncIterator[Heard]:
    heard = Heard()
    provider = DockerProvider(config or DockerConfig(), Zones(), url, environ, hold)
    task = asyncio.create_task(heard.listen(provider))
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
