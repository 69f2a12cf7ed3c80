"""The snapshot link: a client of `snapshots.sock` that keeps a `TableView` current and reconnects by itself.

The table in force stays while control is away. Loaded tables are frozen out of the garbage collector, so that 100,000
routes cost no collection pause. What the part counts and sees goes up the same line, when it has changed.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress

import structlog

from devdns.core.errors import FrameRefused
from devdns.core.frames import Figures, Follower, FrameReader, TableView, encode
from devdns.core.sightings import Sightings

FIRST_DELAY = 0.02
MAX_DELAY = 1.0
READ_SIZE = 1 << 18
TELL_EVERY = 1.0  # seconds
log = structlog.get_logger()


class Link:
    """Follows control at `path`. `run` ends only when cancelled; `ready` is set with the first whole table.

    `figures` gives what the part has counted so far, `sightings` what it sees of services.
    """

    def __init__(
        self,
        view: TableView,
        path: str,
        figures: Callable[[], Figures] | None = None,
        every: float = TELL_EVERY,
        sightings: Callable[[], Sightings] | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._path = path
        self._words = tuple(word for word in (figures, sightings) if word is not None)
        self._every = every
        self._follower = Follower(view)

    async def run(self) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=READ_SIZE)
            except OSError:
                await asyncio.sleep(delay)
                delay = min(delay * 2, MAX_DELAY)
                continue
            telling = asyncio.create_task(self._tell(writer))
            try:
                delay = FIRST_DELAY if await self._follow(reader, writer) else min(delay * 2, MAX_DELAY)
            except (OSError, FrameRefused) as error:
                log.warning("snapshot link broke", error=str(error))
            finally:
                telling.cancel()
                writer.close()
            await asyncio.sleep(delay)

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Takes frames until control closes the connection; true when it said anything."""
        frames, spoke = FrameReader(), False
        self._follower.restart()
        while data := await reader.read(READ_SIZE):
            spoke = True
            for frame in frames.feed(data):
                wish = self._follower.take(frame)
                if wish is not None:
                    writer.write(encode(wish))
            if self._follower.complete and not self.ready.is_set():
                gc.freeze()
                self.ready.set()
        return spoke

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        """Sends what the part tells, again whenever it changed, until cancelled or control does not take it."""
        told: list[Figures | Sightings | None] = [None] * len(self._words)
        with suppress(OSError):
            while self._words:
                now = [word() for word in self._words]
                for word, before in zip(now, told, strict=True):
                    if word != before:
                        writer.write(encode(word))
                told = [*now]
                await writer.drain()
                await asyncio.sleep(self._every)
