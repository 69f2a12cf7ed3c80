"""The link to control's `leaves.sock`: gives what comes to the `Wardrobe`, takes its questions, and connects again by itself.

The leaves in use stay while control is away; other names are then not asked for.
"""

from __future__ import annotations

import asyncio

import structlog

from devdns.core.errors import FrameRefused
from devdns.core.leaves import LeafReader, encode
from devdns_proxy.tls.leaves import Wardrobe

FIRST_DELAY = 0.02
MAX_DELAY = 1.0
READ_SIZE = 1 << 18
log = structlog.get_logger()


async def follow(wardrobe: Wardrobe, path: str) -> None:
    """Runs until cancelled."""
    delay = FIRST_DELAY
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=READ_SIZE)
        except OSError:
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_DELAY)
            continue
        wardrobe.send = lambda ask, writer=writer: writer.write(encode(ask))
        try:
            spoke = await _read(wardrobe, reader)
            delay = FIRST_DELAY if spoke else min(delay * 2, MAX_DELAY)
        except (OSError, FrameRefused) as error:
            log.warning("link to control's certificates broke", error=str(error))
        finally:
            wardrobe.send = None
            writer.close()
        await asyncio.sleep(delay)


async def _read(wardrobe: Wardrobe, reader: asyncio.StreamReader) -> bool:
    """Takes frames until control closes the connection; true when it said anything."""
    frames, spoke = LeafReader(), False
    while data := await reader.read(READ_SIZE):
        spoke = True
        for frame in frames.feed(data):
            wardrobe.take(frame)
    return spoke
