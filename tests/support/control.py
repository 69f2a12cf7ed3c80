"""Control's tests: providers that say what a test tells them, and the real API on real sockets."""

import asyncio
import contextlib
import json
import socket
import tempfile
from pathlib import Path

import aiohttp
from aiohttp import web

from devdns.control import guards
from devdns.control.api import Api
from devdns.control.gate import Gate
from devdns.control.history import History
from devdns.control.registry import Registry
from devdns.control.snapshots import listen
from devdns.core.frames import Follower, FrameReader, TableView, encode
from devdns.core.names import Zones, parse_claim
from devdns.core.routes import Route, parse_target
from devdns.core.sources import Statement

ZONES = Zones(("dev.test", "shop.test"))
TOKEN = "t" * 64


def route(name, target="5173", source="manual", **fields):
    claim = parse_claim(name, ZONES)
    targets = tuple(map(parse_target, target)) if isinstance(target, list) else (parse_target(target),)
    return Route(host=claim.host, prefix=claim.prefix, targets=targets, source=source, **fields)


class Scripted:
    """A provider that yields what `say` puts in; an exception is raised from its watch."""

    def __init__(self, source, *words):
        self.source = source
        self.watches = 0
        self._words = asyncio.Queue()
        for word in words:
            self.say(word)

    def say(self, word):
        self._words.put_nowait(word)

    async def watch(self):
        self.watches += 1
        while True:
            word = await self._words.get()
            if isinstance(word, Exception):
                raise word
            if word is None:
                return
            yield word


class Manual(Scripted):
    """Manual routes in memory."""

    def __init__(self):
        super().__init__("manual", Statement())
        self.routes = {}

    def put(self, new):
        self.routes[new.claim] = new
        self.say(Statement(tuple(self.routes.values())))

    def remove(self, claim):
        del self.routes[claim]
        self.say(Statement(tuple(self.routes.values())))


class Files:
    """Makes one scripted provider per routes file."""

    def __init__(self):
        self.made = {}

    def __call__(self, path, *, routes_only=False):  # noqa: ARG002 - as the real one is called
        source = f"file:{path}"
        self.made[path] = Scripted(source, Statement((route("attached", source=source, origin=f"{path}:3"),)))
        return self.made[path]


@contextlib.asynccontextmanager
async def registry_of(*providers, main=None, port=8080):
    """A registry at work in the current folder, with everything its providers had to say heard."""
    registry = Registry(ZONES, port, Manual(), Files(), main)
    folder = tempfile.TemporaryDirectory(prefix="devdns-history-")
    registry.history = History(Path(folder.name))
    registry.sources.note = registry.history.note
    registry.start(providers)
    try:
        for source in [each.source for each in registry.sources]:
            await registry.sources.spoken(source)
        yield registry
    finally:
        registry.events.close()
        await registry.close()
        folder.cleanup()


def unix_listener(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen(64)
    return sock


class Doors:
    """The API of a registry on `control.sock` and `web.sock` of the current folder."""

    def __init__(self, registry, heartbeat=15.0):
        self.api = Api(registry, "instance-1", {"dns": [("127.0.0.1", 5300)], "http": [("127.0.0.1", 8080)]}, heartbeat)

    async def __aenter__(self):
        self._runners, self._servers = [], []
        await self._open("control.sock", guards.local())
        await self._open("web.sock", guards.from_web(Gate(ZONES, frozenset({8080, 80}), TOKEN)))
        return self

    async def _open(self, path, guard):
        runner = web.AppRunner(
            self.api.application(guard), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        self._runners.append(runner)
        self._servers.append(await listen(unix_listener(path), runner.server))

    async def __aexit__(self, *_):
        for server in self._servers:
            server.close()
        for runner in self._runners:
            await runner.cleanup()


@web.middleware
async def open_door(request, handler):
    """Lets everybody in: for a foreign client that speaks TCP only."""
    return await handler(request)


@contextlib.asynccontextmanager
async def tcp_door(registry):
    """The API on a free port of loopback; gives the port."""
    runner = web.AppRunner(
        Api(registry, "instance-1", {}).application(open_door), access_log=None, shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def client(path="control.sock"):
    """An HTTP client of one Unix socket."""
    async with aiohttp.ClientSession(
        "http://devdns.dev.test:8080", connector=aiohttp.UnixConnector(str(path))
    ) as session:
        yield session


async def ask(path, method, target, **options):
    """One request: (status, parsed JSON body)."""
    async with client(path) as session, session.request(method, target, **options) as reply:
        text = await reply.text()
        return reply.status, json.loads(text) if text else None


class Tail:
    """A follower of `snapshots.sock`, as the proxy is one."""

    def __init__(self, path="snapshots.sock"):
        self.path = str(path)
        self.view = TableView()
        self.follower = Follower(self.view)
        self.frames = []

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_unix_connection(self.path)
        self._cut = FrameReader()
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def until(self, condition, bound=5.0):
        """Takes frames until `condition(view)` holds; raises EOFError when control hangs up."""
        async with asyncio.timeout(bound):
            while not condition(self.view):
                data = await self.reader.read(1 << 18)
                if not data:
                    raise EOFError
                for frame in self._cut.feed(data):
                    self.frames.append(frame)
                    if (wish := self.follower.take(frame)) is not None:
                        self.writer.write(encode(wish))
        return self.view

    def say(self, frame):
        self.writer.write(encode(frame))
