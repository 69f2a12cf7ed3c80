"""What each source said last, kept in the state folder for a control that is started again in the same run.

Containers and announcements take a moment to be heard again; without this, a crash of control would take their names away
for that moment. A record counts only in the run (of the supervisor) that wrote it, and only until its source speaks.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from devdns.core.names import Claim
from devdns.core.plain_file import read_regular
from devdns.core.routes import Route
from devdns.core.store import Owner

FOLDER = Path("last")
PAUSE = 0.1  # seconds between two writes, which gather a burst of statements

log = structlog.get_logger()


class Record(Struct, frozen=True):
    """One file of the folder."""

    run: str
    source: str
    routes: tuple[Route, ...]
    arrivals: tuple[tuple[Claim, str, int], ...] = ()


class LastWords:
    """The records of one run in `folder`, which is made on first use; a disk that fails costs the memory, not the routes."""

    def __init__(self, run: str, folder: Path = FOLDER) -> None:
        self._run = run
        self._folder = folder
        self._late: dict[str, Record] = {}
        self._writing: asyncio.Task[None] | None = None

    def recall(self, source: str) -> tuple[Route, ...]:
        """What `source` said last in this run; nothing when it never spoke or the record cannot be read."""
        record = self._read(self._path(source))
        return record.routes if record and record.source == source else ()

    def arrivals(self) -> dict[str, dict[Owner, int]]:
        """Who came when, by source, in this run: between equals the first one keeps its name."""
        try:
            records = [self._read(path) for path in self._folder.iterdir() if not path.suffix]
        except OSError:
            return {}
        return {each.source: {(claim, owner): came for claim, owner, came in each.arrivals} for each in records if each}

    def _read(self, path: Path) -> Record | None:
        try:
            record = msgspec.msgpack.decode(read_regular(path), type=Record)
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
            return None
        return record if record.run == self._run else None

    def keep(self, source: str, routes: tuple[Route, ...], arrivals: Mapping[Owner, int] | None = None) -> None:
        """Writes soon, outside the loop; the newest statement of a source wins."""
        came = tuple((claim, owner, number) for (claim, owner), number in (arrivals or {}).items())
        self._late[source] = Record(self._run, source, routes, came)
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

    def _write(self, late: dict[str, Record]) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for source, record in late.items():
                path = self._path(source)
                fresh = path.with_suffix(".new")
                fresh.write_bytes(msgspec.msgpack.encode(record))
                fresh.replace(path)
        except OSError as error:
            log.warning("last words not kept", error=str(error))

    def _path(self, source: str) -> Path:
        """A name that no source can choose: sources hold paths."""
        return self._folder / hashlib.sha256(source.encode()).hexdigest()[:32]
