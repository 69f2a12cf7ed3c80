"""The snapshot link: a client of `snapshots.sock` that keeps a `TableView` current and reconnects by itself.

The table in force stays while control is away. Loaded tables are frozen out of the garbage collector, so that 100,000
routes cost no collection pause.
"""

from __future__ import annotations

import asyncio
import gc

import structlog

from devdns.core.errors import FrameRefused
from devdns.core.frames import Follower, FrameReader, TableView, encode

FIRST_DELAY = 0.02
MAX_DELAY = 1.0
READ_SIZE = 1 << 18
log = structlog.get_logger()


class Link:
    """Follows control at `path`. `run` ends only when cancelled; `ready` is set with the first whole table."""

    def __init__(self, view: TableView, path: str) -> None:
        self.ready = asyncio.Event()
        self._path = path
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
            try:
                delay = FIRST_DELAY if await self._follow(reader, writer) else min(delay * 2, MAX_DELAY)
            except (OSError, FrameRefused) as error:
                log.warning("snapshot link broke", error=str(error))
            finally:
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
