"""The journal of changes in the state folder: `history.jsonl`, and before it `history.1.jsonl`, of at most 1 MiB each.

Lines are written soon, outside the loop, and survive a restart. A disk that fails costs the journal, not the routes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from devdns.control.journal import Entry, decode, encode, entries, wanted
from devdns.core.plain_file import read_regular
from devdns.core.routes import Change, RouteTable

NAME = "history.jsonl"
OLDER = "history.1.jsonl"
MOST_BYTES = 1 << 20
MOST_LATE = 10_000
MOST_NAMES = 10_000
PAUSE = 0.05  # seconds between two writes, which gather a burst

log = structlog.get_logger()


def now() -> datetime:
    """The moment by the clock on the wall, as a journal needs it."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """`2026-11-20T09:30:00.123Z`: sorts as the time does."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(time: str) -> str:
    """The time of day of a stamp as a clock here shows it: the row it stands in has the date."""
    return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")


class History:
    """What changed and why, in `folder`."""

    def __init__(self, folder: Path = Path(), clock: Callable[[], datetime] = now) -> None:
        self._path, self._older = folder / NAME, folder / OLDER
        self._clock = clock
        self._late: list[bytes] = []
        self._last: dict[str, str] = {}
        self._writing: asyncio.Task[None] | None = None
        self._pen = asyncio.Lock()
        self._torn = True  # perhaps: a crash may have left half a line

    def note(self, before: RouteTable, change: Change, causes: Mapping[str, str], cause: str) -> None:
        """Writes down a change; `before` is the table that it changed."""
        for entry in entries(before, change, causes, cause, stamp(self._clock())):
            self._remember(entry)
            self._add(entry)

    def failed(self, name: str, count: int, reason: str) -> None:
        """Writes down that requests for the route `name` (host and prefix) failed, and after which change of it."""
        last = self._last.get(name, "no change of it is known")
        self._add(Entry(stamp(self._clock()), "failed", name, last, count, reason))

    def _remember(self, entry: Entry) -> None:
        """The last change of each route, for the requests that fail after it; the oldest are forgotten first."""
        self._last.pop(entry.name, None)
        self._last[entry.name] = (
            f"{entry.after.state if entry.after else 'gone'} since {local(entry.time)}: {entry.cause}"
        )
        if len(self._last) > MOST_NAMES:
            del self._last[next(iter(self._last))]

    def _add(self, entry: Entry) -> None:
        if len(self._late) < MOST_LATE:
            self._late.append(encode(entry))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def entries(self, host: str = "", since: str = "", most: int = 1_000) -> list[Entry]:
        """The newest `most` entries of a host (empty: of all) since a moment (as `stamp` writes it), oldest first."""
        async with self._pen:
            late = list(self._late)
            lines = await asyncio.to_thread(self._read)
        return wanted(decode((*lines, *late)), host, since)[-most:]

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write_soon(self) -> None:
        while self._late:
            async with self._pen:
                late, self._late = self._late, []
                await asyncio.to_thread(self._write, b"".join(late))
            await asyncio.sleep(PAUSE)
        self._writing = None

    def _write(self, lines: bytes) -> None:
        try:
            size = self._path.lstat().st_size if os.path.lexists(self._path) else 0
            if self._torn and size:
                lines = b"\n" + lines
            if size and size + len(lines) > MOST_BYTES:
                self._path.replace(self._older)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with os.fdopen(os.open(self._path, flags, 0o600), "ab") as file:
                file.write(lines[-MOST_BYTES:])
            self._torn = False
        except OSError as error:
            self._torn = True
            log.warning("history not kept", error=str(error))

    def _read(self) -> list[bytes]:
        lines = []
        for path in (self._older, self._path):
            try:
                lines += read_regular(path, 2 * MOST_BYTES).splitlines()
            except OSError:
                continue
        return lines
