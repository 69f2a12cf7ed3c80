"""The routes file as a source: watched, the last good version kept.

Good news is told at once. What takes something away (a route that is gone, an error, an empty or missing file) is
believed only after a beat of quiet: an editor that truncates and writes passes through such states.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import Struct

from devdns.core import config
from devdns.core.config import ConfigFile
from devdns.core.errors import ConfigRefused, DevdnsError, UsageRefused
from devdns.core.names import Zones
from devdns.core.routes import Route
from devdns.core.sources import Refusal, Statement, Trouble
from devdns.core.written import MAX_TEXT
from devdns.providers.file_watch import Ear

#: Seconds of quiet before bad news is believed: a loss that reads well, and what cannot be read.
LOSS_BEAT = 0.02
ERROR_BEAT = 0.1
#: A file that is written all the time is believed after so many seconds at the latest.
PATIENCE = 0.5
#: How often the file is looked at without an event: network file systems send none.
LOOK = 1.0
RESTART = "devdns down, then devdns up"

Signature = tuple[int, ...]


def _bytes(path: str, otherwise: str) -> bytes:
    """The bytes of a regular file; raises `UsageRefused`, of one that is gone with what to do `otherwise`."""
    try:
        data = _regular(path)
    except FileNotFoundError:
        raise UsageRefused(f"{path!r} is not there", f"create it, or {otherwise}") from None
    except PermissionError:
        raise UsageRefused(f"{path!r} cannot be read by uid {os.geteuid()}", _permission(path)) from None
    except OSError as error:
        raise UsageRefused(f"{path!r} cannot be read: {error.strerror}") from None
    if data is None:
        raise UsageRefused(f"{path!r} is not a file")
    if len(data) > MAX_TEXT:
        raise UsageRefused(f"{path!r} is over {MAX_TEXT} bytes long")
    return data


def _regular(path: str) -> bytes | None:
    """The bytes, None of a folder or device. Opened without blocking: a FIFO would wait for a writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_TEXT + 1)


def _permission(path: str) -> str:
    """The command that lets this process read the file: on the first folder that is closed, else on the file."""
    for folder in reversed(Path(path).parents):
        if not os.access(folder, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return f"chmod o+x {str(folder)!r}"
    return f"chmod o+r {path!r}"


class Seen(Struct, frozen=True):
    """One look at the file: what it says, or why it says nothing."""

    signature: Signature
    text: str = ""
    file: ConfigFile | None = None
    routes: tuple[Route, ...] = ()
    error: DevdnsError | None = None


def beat(last: Seen | None, now: Seen) -> float:
    """Seconds of quiet to wait before `now` is believed after the last good version; 0 is at once."""
    if last is None:
        return ERROR_BEAT if now.error or not now.text.strip() else 0.0
    if now.error or (last.text.strip() and not now.text.strip()):
        return ERROR_BEAT
    cut = last.text.endswith("\n") and not now.text.endswith("\n")
    lost = {route.claim for route in last.routes} - {route.claim for route in now.routes}
    return LOSS_BEAT if cut or lost else 0.0


class Place(Struct, frozen=True):
    """Where to listen: the folders of the file and of what it links to, with their inodes (0: not there)."""

    folders: dict[str, int]
    linked: bool


async def _listen(place: Place, path: str) -> Ear:
    """An ear at a place; where a link is followed, any change there may be a change of the link."""
    folders = [folder for folder, inode in place.folders.items() if inode]
    ear = Ear(folders, None if place.linked else frozenset((os.path.basename(path),)))  # noqa: PTH119 - strings
    if folders:
        await ear.open()
    return ear


class FileProvider:
    """One file as a source. `routes_only` for an attached one: its settings are ignored, and said to be."""

    def __init__(self, path: str, zones: Zones, routes_only: bool = False) -> None:  # noqa: FBT001, FBT002 - the contract's form
        self.path = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow the link that is to be watched
        self.zones = zones
        self.routes_only = routes_only
        self._named = self.path.encode("utf-8", "backslashreplace").decode()
        self._good: Seen | None = None
        self._first: ConfigFile | None = None

    @property
    def source(self) -> str:
        return f"file:{self._named}"

    async def watch(self) -> AsyncIterator[Statement | Trouble]:
        """States the file now and after each change; ends only by being cancelled."""
        said: Statement | Trouble | None = None
        ear, place = Ear((), None), Place({}, linked=False)
        try:
            while True:
                if place != (place := self._place()):
                    await ear.close()
                    ear = await _listen(place, self.path)
                seen = await self._settled(ear, patience=PATIENCE if said else 0)
                told = self._judge(seen)
                if told != said:
                    said = told
                    yield told
                while not await ear.changed(LOOK) and seen.signature == self._signature() and place == self._place():
                    pass
        finally:
            await ear.close()

    def _place(self) -> Place:
        folder, name = os.path.split(self.path)
        linked = os.path.realpath(self.path) != os.path.join(os.path.realpath(folder), name)  # noqa: PTH118 - strings
        folders = [folder, os.path.dirname(os.path.realpath(self.path))] if linked else [folder]  # noqa: PTH120 - strings
        return Place({each: _inode(each) for each in folders}, linked=linked)

    def _signature(self) -> Signature:
        try:
            there = os.stat(self.path)  # noqa: PTH116 - the plain call, beside the others of this file
        except OSError as error:
            return (error.errno or 0,)
        return there.st_mtime_ns, there.st_size, there.st_ino, there.st_dev, there.st_mode

    async def _settled(self, ear: Ear, patience: float) -> Seen:
        """Looks at the file until what it says can be believed, at most `patience` seconds: at the start nothing can be lost."""
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        seen, wait = await asyncio.to_thread(self._weighed)
        while wait and loop.time() < end and await ear.changed(wait):
            seen, wait = await asyncio.to_thread(self._weighed)
        return seen

    def _weighed(self) -> tuple[Seen, float]:
        """A look and how long to wait before it is believed; reads and parses, so it runs in a thread."""
        seen = self._look()
        return seen, beat(self._good, seen)

    def _look(self) -> Seen:
        signature = self._signature()
        try:
            otherwise = f"devdns down -c {self._named} detaches it" if self.routes_only else "name another with -c"
            text = config.decode(_bytes(self.path, otherwise), self._named)
        except DevdnsError as error:
            return Seen(signature, error=error)
        try:
            file = config.parse(text, self._named, routes_only=self.routes_only)
            return Seen(signature, text, file, config.routes(file, self.zones))
        except DevdnsError as error:
            return Seen(signature, text, error=error)

    def _judge(self, seen: Seen) -> Statement | Trouble:
        """A statement of a good version, else trouble; keeps what is good."""
        if seen.file is None or seen.error is not None:
            return self._trouble(seen.error or UsageRefused("nothing was read"))
        self._good = seen
        self._first = self._first or seen.file
        return Statement(seen.routes, tuple(self._ignored(seen.file)))

    def _trouble(self, error: DevdnsError) -> Trouble:
        kept = len(self._good.routes) if self._good else 0
        stays = f"; its last good version stays in force ({kept} route{'s'[: kept != 1]})" if self._good else ""
        if not isinstance(error, ConfigRefused):
            return Trouble(error.message + stays, error.hint)
        first, more = error.problems[0], len(error.problems) - 1
        rest = f" (and {more} more)" if more else ""
        return Trouble(first + rest + stays, error.hint or f"devdns config check -c {self._named} shows every problem")

    def _ignored(self, file: ConfigFile) -> list[Refusal]:
        """Settings that say something and change nothing now."""
        name = Path(self._named).name
        if file.ignored:
            return [
                Refusal(name, key, "an attached file brings routes only", f"move {key} to the file of devdns up")
                for key in file.ignored
            ]
        before = self._first.settings if self._first else {}
        changed = [key for key in {**before, **file.settings} if before.get(key) != file.settings.get(key)]
        return [
            Refusal(
                f"{name}:{file.lines[key]}" if key in file.lines else name,
                key,
                "changes at the next start",
                RESTART,
                pending=True,
            )
            for key in changed
        ]


def _inode(folder: str) -> int:
    try:
        return os.stat(folder).st_ino  # noqa: PTH116 - a string in, a number out
    except OSError:
        return 0
