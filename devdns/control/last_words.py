"""What each source said last, kept in the state folder for a control that is started again in the same run.

Containers and announcements take a moment to be heard again; without this, a crash of control would take their names away
for that moment. A record counts only in the run (of the supervisor) that wrote it, and only until its source speaks.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from devdns.core.routes import Route

FOLDER = Path("last")
PAUSE = 0.1  # seconds between two writes, which gather a burst of statements

log = structlog.get_logger()


class Record(Struct, frozen=True):
    """One file of the folder."""

    run: str
    source: str
    routes: tuple[Route, ...]


class LastWords:
    """The records of one run in `folder`, which is made on first use; a disk that fails costs the memory, not the routes."""

    def __init__(self, run: str, folder: Path = FOLDER) -> None:
        self._run = run
        self._folder = folder
        self._late: dict[str, tuple[Route, ...]] = {}
        self._writing: asyncio.Task[None] | None = None

    def recall(self, source: str) -> tuple[Route, ...]:
        """What `source` said last in this run; nothing when it never spoke or the record cannot be read."""
        try:
            record = msgspec.msgpack.decode(self._path(source).read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            return ()
        return record.routes if (record.run, record.source) == (self._run, source) else ()

    def keep(self, source: str, routes: tuple[Route, ...]) -> None:
        """Writes soon, outside the loop; the newest statement of a source wins."""
        self._late[source] = routes
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write_soon(self) -> None:
        while self._late:
            late, self._late = self._late, {}
            await asyncio.to_thread(self._write, late)
            await asyncio.sleep(PAUSE)
        self._writing = None

    def _write(self, late: dict[str, tuple[Route, ...]]) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for source, routes in late.items():
                path = self._path(source)
                fresh = path.with_suffix(".new")
                fresh.write_bytes(msgspec.msgpack.encode(Record(self._run, source, routes)))
                fresh.replace(path)
        except OSError as error:
            log.warning("last words not kept", error=str(error))

    def _path(self, source: str) -> Path:
        """A name that no source can choose: sources hold paths."""
        return self._folder / hashlib.sha256(source.encode()).hexdigest()[:32]
