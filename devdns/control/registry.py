"""Everything control knows and can be asked to do, without a word of HTTP: routes, sources, attached files, manual routes.

The API is its only face; the snapshots and the event stream hear of each change here.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time
from typing import Any, Protocol

import structlog
from msgspec.structs import replace

from devdns.control import files
from devdns.control.checks import check_all
from devdns.control.events import Events, event
from devdns.control.explain import Explanation, Facts, explain, find, parse_question
from devdns.control.history import History
from devdns.control.loops import Address, loop
from devdns.control.probes import Probes
from devdns.control.recall import GRADUAL
from devdns.control.shapes import change_shape, text
from devdns.control.sighted import Sighted
from devdns.control.sources import Sources
from devdns.core.errors import DevdnsError, TargetRefused
from devdns.core.frames import SLICE
from devdns.core.names import Claim, Zones
from devdns.core.routes import Change, Route, RouteTable, Target
from devdns.core.sources import Provider, Refusal, Statement
from devdns.core.store import RouteStore

OWN_SERVICE = "name the port of your own service"
UNIX_SOCKETS = ("control.sock", "snapshots.sock", "leaves.sock", "web.sock")

log = structlog.get_logger()


class ManualProvider(Provider, Protocol):
    """The provider of manual routes, which is told what to say. `put` and `remove` write `routes.json` or raise."""

    def put(self, route: Route) -> None: ...

    def remove(self, claim: Claim) -> None: ...


class FileProviders(Protocol):
    """Makes the provider of a routes file; an attached one brings routes only."""

    def __call__(self, path: str, *, routes_only: bool = False) -> Provider: ...


class OwnSockets:
    """Our Unix sockets as files, so that no other path, link or mount of one passes for somebody else's."""

    def __init__(self) -> None:
        self._real = {os.path.realpath(name) for name in UNIX_SOCKETS}
        self._files = {found for found in map(_file, UNIX_SOCKETS) if found}

    def has(self, path: str) -> bool:
        return _file(path) in self._files or os.path.realpath(path) in self._real


def _file(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a string in, two numbers out
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


class FileRefused(DevdnsError):
    """A routes file that cannot be attached or detached."""

    exit_code = 2


class Unheard(DevdnsError):
    """What was written was not stated by its source in time."""


class Registry:
    """`file_provider` makes the provider of a routes file; `tell` sends a change to the followers; `main` is the file of `up`."""

    def __init__(
        self,
        zones: Zones,
        port: int,
        manual: ManualProvider,
        file_provider: FileProviders,
        main: str | None = None,
    ) -> None:
        self.zones = zones
        self.port = port
        self.main = _normal(main) if main else None
        self.store = RouteStore()
        self.events = Events()
        self.sources = Sources(self.store, self._published)
        self.sources.screen = self._screened
        self.probes = Probes(self.sources.restate)
        self.sources.over = self.probes.over
        self.history = History()
        self.sources.note = self.history.note
        self.listeners: Callable[[], list[Address]] = list
        self.tell: Callable[[Change], None] = lambda _: None
        self.sighted = Sighted()
        self.faults: Callable[[str], str] = lambda _: ""
        self._manual = manual
        self._file_provider = file_provider
        self.attached: dict[str, str] = {}

    @property
    def table(self) -> RouteTable:
        return self.store.table

    def start(self, providers: Iterable[Provider]) -> None:
        """Starts the manual routes, the file of `up`, the attached files, and then the others."""
        self.sources.start(self._manual)
        if self.main:
            self.sources.start(self._file_provider(self.main))
        for path in files.read():
            if path not in (self.main, *self.attached):
                self._follow_file(path)
        for provider in providers:
            self.sources.start(provider)

    def _follow_file(self, path: str) -> str:
        """Starts the provider of an attached file; returns its source."""
        provider = self._file_provider(path, routes_only=True)
        self.attached[path] = provider.source
        self.sources.start(provider)
        return provider.source

    async def close(self) -> None:
        """Ends the probes and the sources; what they said stays in the table."""
        await self.probes.close()
        await self.sources.close()
        await self.history.close()

    async def first_words(self, bound: float) -> None:
        """Waits until all sources but the gradual ones spoke, at most `bound` seconds: the first table should be whole."""
        early = [each.source for each in self.sources if each.source not in GRADUAL and each.state == "starting"]
        await asyncio.gather(*(self.sources.spoken(source, bound=bound) for source in early))

    def files(self) -> list[dict[str, Any]]:
        """The routes files followed: the one of `up` first."""
        main = {self.main: self._file_provider(self.main).source} if self.main else {}
        return [
            {"path": path, "source": source, "main": path == self.main}
            for path, source in (main | self.attached).items()
        ]

    def _published(self, change: Change) -> None:
        self.tell(change)
        big = len(change.added) + len(change.removed) > SLICE
        if len(self.events):
            self.events.publish(None if big else event("change", text(change_shape(change, self.port))))
        if big:
            # What a big change brought lives long: keep it out of every later collection, which would pause for it.
            gc.collect()
            gc.freeze()

    def refusals(self) -> list[tuple[str, Refusal]]:
        """What each source names that cannot become a route, quiet ones included."""
        return [(source.source, refusal) for source in self.sources for refusal in source.refusals]

    def troubles(self) -> tuple[tuple[str, str], ...]:
        return tuple((each.source, each.reason) for each in self.sources if each.state == "degraded")

    async def explain(self, name: str) -> Explanation:
        """Why a name or URL goes where it goes; raises `NameRefused`. Connects to the targets of its route."""
        question = parse_question(name, self.zones)
        route = find(question, self.table)
        checks = await check_all(route.targets) if route else ()
        beaten = self.store.beaten(route.claim) if route else ()
        seen = self.sighted.of(route.targets) if route else ()
        faults = self.faults(route.name) if route else ""
        facts = Facts(self.zones, beaten, tuple(self.refusals()), self.troubles(), seen, time(), faults)
        return explain(question, self.table, facts, checks)

    def manual_route(self, claim: Claim) -> Route | None:
        """The manual route of this claim, or None."""
        return next((route for route in self.store.stated("manual") if route.claim == claim), None)

    async def put(self, route: Route) -> bool:
        """Adds or replaces a manual route, in force on return; True when its claim is new. Raises OSError or `Unheard`."""
        before = self.manual_route(route.claim)
        if before != route:
            await self._told(lambda: self._manual.put(route))
        return before is None

    async def remove(self, claim: Claim) -> None:
        """Takes a manual route back."""
        await self._told(lambda: self._manual.remove(claim))

    async def _told(self, tell: Callable[[], None]) -> None:
        said = self.sources["manual"].said
        tell()
        if not await self.sources.spoken("manual", said):
            raise Unheard("the route is written down, but not in force yet", "see devdns status")

    def refuse_loops(self, targets: Iterable[Target], listeners: Iterable[Address]) -> None:
        """Raises `TargetRefused` for a target that is devdns itself."""
        own = OwnSockets()
        for target in targets:
            found = loop(target, listeners, own.has, self.zones)
            if found:
                raise TargetRefused(f"target {str(target)!r}: {found}", OWN_SERVICE)

    def _screened(self, word: Statement) -> Statement:
        """What leads back to devdns itself is refused, whoever says it."""
        listeners, own = self.listeners(), OwnSockets()
        kept: list[Route] = []
        refused: list[Refusal] = []
        for route in word.routes:
            found = next(filter(None, (loop(each, listeners, own.has, self.zones) for each in route.targets)), None)
            if found is None:
                kept.append(route)
            else:
                refused.append(Refusal(route.origin, route.name, found, OWN_SERVICE))
        return replace(word, routes=tuple(kept), refusals=(*word.refusals, *refused)) if refused else word

    async def attach(self, path: str) -> bool:
        """Adds a routes file as one more source, heard on return; True when it is new. Raises `FileRefused`."""
        path = await asyncio.to_thread(_attachable, path)
        if path == self.main or path in self.attached:
            return False
        files.write([*self.attached, path])
        await self.sources.spoken(self._follow_file(path))
        log.info("file attached", path=path)
        return True

    async def detach(self, path: str) -> bool:
        """Takes a routes file and its routes away; False when it is not attached. Raises `FileRefused` for the main file."""
        path = _normal(path)
        if path == self.main:
            raise FileRefused(f"{path!r} is this devdns's own configuration", "stop it with: devdns down")
        if path not in self.attached:
            return False
        files.write(each for each in self.attached if each != path)
        await self.sources.forget(self.attached.pop(path))
        log.info("file detached", path=path)
        return True


def _attachable(path: str) -> str:
    """The path in normal form; raises `FileRefused` when it is not an absolute one of a file."""
    if not Path(path).is_absolute() or "\0" in path or len(path) > files.MAX_PATH:
        raise FileRefused(f"{path[:200]!r} is not an absolute path", "write it like /home/me/shop/devdns.yml")
    if not Path(path).is_file():
        raise FileRefused(f"{path!r} is not a file that devdns can read")
    return _normal(path)


def _normal(path: str) -> str:
    """One spelling for one path, links not followed: the link is what is watched."""
    return os.path.normpath(path)
