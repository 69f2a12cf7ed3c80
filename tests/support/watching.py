"""A provider under test: everything it says, in order, each waited for with a bound."""

import asyncio
import contextlib

BOUND = 5.0


class Said:
    """What a provider says; `await said()` is the next thing, `quiet` asserts that nothing more comes."""

    def __init__(self, provider):
        self.provider = provider
        self.queue = asyncio.Queue()

    async def _listen(self):
        async for each in self.provider.watch():
            self.queue.put_nowait(each)

    async def __call__(self):
        async with asyncio.timeout(BOUND):
            return await self.queue.get()

    async def quiet(self, seconds):
        heard = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                heard = await self.queue.get()
        assert heard is None


@contextlib.asynccontextmanager
async def watching(provider):
    """Watches inside the block; ends by cancelling, as control does."""
    said = Said(provider)
    task = asyncio.ensure_future(said._listen())
    try:
        yield said
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
