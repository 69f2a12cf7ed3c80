"""The parts list of the child processes: what each is made of, how it starts and how it stops.

`PARTS` maps a name to a factory that imports all the part will ever need; nothing is imported after that, because
the privileges (and with them perhaps the way to the modules) are given up next.
"""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from socket import socket
from typing import Any, Protocol
from uuid import uuid4

import msgspec
import structlog

from devdns.core.errors import DevdnsError, UsageRefused
from devdns.core.figures import Family
from devdns.core.frames import Figures, TableView
from devdns.core.settings import Config
from devdns.core.sightings import Sightings
from devdns.process.inherit import Inherited, Named, by_place
from devdns.process.link import Link

#: Codecs are imported by name at first use; after the privilege drop that may be too late.
CODECS = (
    "ascii",
    "latin-1",
    "utf-8",
    "utf-8-sig",
    "idna",
    "punycode",
    "unicode_escape",
    "raw_unicode_escape",
    "utf-16",
)
#: Modules that the standard library imports at first use.
LATE_MODULES = ("concurrent.futures.thread", "linecache", "tokenize")
#: The same for what watchfiles builds upon.
WATCH_MODULES = ("anyio.abc", "anyio.lowlevel", "anyio.streams.memory", "anyio.to_thread", "anyio._backends._asyncio")
HOSTS_EVERY = 0.5
log = structlog.get_logger()
DRAIN = 8.0  # seconds for requests in flight; the supervisor's own bound is longer


Address = tuple[str, int]
#: Places of raw TCP by what became of them: `open`, and `shut` with the reason.
Doors = Mapping[str, Sequence[Sequence[Any]]]
#: Tells who binds which places of raw TCP there are to be.
AskForDoors = Callable[[list[Address]], None]


class Part(Protocol):
    """What a child process runs. `groups` are those it keeps besides its user's own; None: not even these.

    `open` takes over listeners on bridges and of raw TCP while it runs, `close` lets go of those at one place; `told` hears which doors
    of raw TCP there are.
    """

    groups: tuple[int, ...] | None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def open(self, named: Sequence[Named]) -> None: ...

    def close(self, place: str) -> None: ...

    def told(self, doors: Doors) -> None: ...


class Uninformed:
    """A part whose business doors are not."""

    def told(self, doors: Doors) -> None:
        """It asked for none."""


class Indoors(Uninformed):
    """A part that listens on no bridge."""

    async def open(self, named: Sequence[Named]) -> None:
        """It is given none."""

    def close(self, place: str) -> None:
        """It has none."""


class ControlPart(Indoors):
    """Control: store, providers, API, snapshots."""

    def __init__(self, environ: Mapping[str, str], inherited: Inherited) -> None:
        from devdns.control.control import Control  # noqa: PLC0415 - each process imports its own part only

        for module in WATCH_MODULES:
            import_module(module)
        config = settings(environ)
        self._sockets = [inherited.one(name) for name in ("control", "snapshots", "web", "leaves")]
        http, https = (tuple(inherited.listening.get(role, ())) for role in ("http", "https"))
        self._control = Control(config, environ.get("DEVDNS_CONFIG") or None, http, https)
        known = json.loads(environ.get("DEVDNS_DOORS", "null"))
        if known is not None and inherited.supervisor is not None:
            self.ask(partial(_ask, inherited.supervisor))
            self.told(known)
        self.groups: tuple[int, ...] | None = self._control.groups()

    def ask(self, ask: AskForDoors) -> None:
        """Before the start: who binds the doors of raw TCP."""
        self._control.raw.ask = ask

    def told(self, doors: Doors) -> None:
        self._control.raw.told(doors)

    async def start(self) -> None:
        await self._control.start(*self._sockets)

    async def stop(self) -> None:
        await self._control.stop()


def _ask(supervisor: socket, wanted: list[Address]) -> None:
    """Raises OSError when the supervisor does not take it now."""
    supervisor.send(json.dumps(wanted).encode() + b"\n")


class Follower(Uninformed):
    """A part that follows control's snapshots."""

    groups: tuple[int, ...] | None = None

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.view = TableView()
        self._path = environ.get("DEVDNS_SNAPSHOTS", "snapshots.sock")
        self._task: asyncio.Task[None] | None = None

    async def follow(
        self,
        part: str,
        families: Callable[[], tuple[Family, ...]],
        sightings: Callable[[str], Sightings] | None = None,
    ) -> None:
        """Returns once the first whole table is there. `families` gives what the part counts, `sightings` what it sees in one life."""
        life = uuid4().hex
        seen = None if sightings is None else partial(sightings, life)
        link = Link(self.view, self._path, lambda: Figures(part, families(), life), sightings=seen)
        self._task = asyncio.create_task(link.run())
        await link.ready.wait()

    async def unfollow(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))


class ResolverPart(Follower):
    """The DNS responder."""

    def __init__(self, environ: Mapping[str, str], inherited: Inherited) -> None:
        from devdns_resolver.server import Resolver  # noqa: PLC0415 - each process imports its own part only

        super().__init__(environ)
        self._udp, self._tcp = inherited.named("dns-udp"), inherited.named("dns-tcp")
        self._later = inherited.later()
        self._resolver = Resolver(self.view)
        self._log = environ.get("DEVDNS_DNS_LOG", "off")

    async def start(self) -> None:
        if self._log not in ("", "off"):
            try:
                self._resolver.log_queries(self._log)
            except OSError as error:
                raise UsageRefused(f"the query log {self._log!r} cannot be opened: {error.strerror}") from None
        await self.follow("resolver", self._resolver.families)
        await self._resolver.start(self._udp, self._tcp)
        await self.open(self._later)

    async def open(self, named: Sequence[Named]) -> None:
        for place, sockets in by_place(named).items():
            await self._resolver.open(sockets.get("dns-udp", []), sockets.get("dns-tcp", []), place)

    def close(self, place: str) -> None:
        self._resolver.close(place)

    async def stop(self) -> None:
        await self._resolver.stop(DRAIN)
        await self.unfollow()


class ProxyPart(Follower):
    """The reverse proxy."""

    def __init__(self, environ: Mapping[str, str], inherited: Inherited) -> None:
        from devdns_proxy.server import Proxy  # noqa: PLC0415 - each process imports its own part only

        super().__init__(environ)
        self._listening, self._later = inherited.named("http"), inherited.later()
        self._secure = inherited.named("https")
        self._proxy = Proxy(
            self.view,
            environ.get("DEVDNS_WEB", "web.sock"),
            leaves_socket=environ.get("DEVDNS_LEAVES", "leaves.sock"),
        )

    async def start(self) -> None:
        await self.follow("proxy", self._proxy.families, self._proxy.sightings)
        path = self.view.hello.config.http.access_log if self.view.hello else ""
        if path:
            try:
                self._proxy.log_requests(path)
            except OSError as error:
                raise UsageRefused(f"the access log {path!r} cannot be opened: {error.strerror}") from None
        await self._proxy.start(self._listening, self._secure)
        await self.open(self._later)

    async def open(self, named: Sequence[Named]) -> None:
        for place, sockets in by_place(named).items():
            await self._proxy.open(sockets.get("http", []), place)
            await self._proxy.open(sockets.get("https", []), place, secure=True)
            await self._proxy.open_raw(sockets.get("tcp", []), place)

    def close(self, place: str) -> None:
        self._proxy.close(place)

    async def stop(self) -> None:
        await self._proxy.drain(DRAIN)
        await self.unfollow()


class HostsPart(Indoors):
    """Keeps the block of `devdns system install --resolver hosts` in step. It alone stays root, reads no network, and writes one file."""

    groups: tuple[int, ...] | None = None

    def __init__(self, environ: Mapping[str, str], _: Inherited) -> None:
        from devdns.system.follow import keep_in_step  # noqa: PLC0415 - each process imports its own part only
        from devdns.system.resolvers import owner  # noqa: PLC0415 - as above

        self._view = TableView()
        self._link = Link(self._view, environ.get("DEVDNS_SNAPSHOTS", "snapshots.sock"))
        self._keep = partial(keep_in_step, owner(environ["DEVDNS_STATE_DIR"]))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._link.run()), asyncio.create_task(self._follow())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _follow(self) -> None:
        """Looks at the table every half second; a burst of changes is then one."""
        await self._link.ready.wait()
        written = None
        while True:
            names = frozenset(self._view.table.hosts())
            if names != written:
                try:
                    await asyncio.to_thread(self._keep, names)
                except (OSError, DevdnsError) as error:
                    log.warning("the hosts file is not in step", error=str(error))
                written = names
            await asyncio.sleep(HOSTS_EVERY)


PARTS: dict[str, Callable[[Mapping[str, str], Inherited], Part]] = {
    "control": ControlPart,
    "resolver": ResolverPart,
    "proxy": ProxyPart,
    "hosts": HostsPart,
}


def make(name: str, environ: Mapping[str, str], inherited: Inherited) -> Part:
    """The part `name`, with everything imported that it will ever need."""
    for codec in CODECS:
        codecs.lookup(codec)
    for module in LATE_MODULES:
        import_module(module)
    return PARTS[name](environ, inherited)


def settings(environ: Mapping[str, str]) -> Config:
    """The settings `devdns up` decided, fixed for the life of the stack; stand-alone parts read them themselves."""
    decided = environ.get("DEVDNS_SETTINGS")
    if decided is not None:
        return msgspec.json.decode(decided, type=Config)
    from devdns.core.config import load, parse  # noqa: PLC0415 - YAML is 3 MB that the resolver never needs

    path = environ.get("DEVDNS_CONFIG") or None
    return load(parse(Path(path).read_text("utf-8"), path) if path else None, environ)
