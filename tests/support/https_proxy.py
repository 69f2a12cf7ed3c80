"""A proxy with a TLS listener, and what stands in control's place behind `leaves.sock`: leaves of an authority made for the run."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from devdns.core.leaves import Ask, Leaf, LeafReader, Leaves, Refused, encode
from devdns.core.routes import Route
from devdns.core.settings import HttpsConfig
from devdns_proxy.limits import Limits
from devdns_proxy.server import Proxy
from support.http_proxy import BOUND, Running, Wire, listening, view_of
from support.http_tls import certificate, signed_by

FAR = 4e9


class Authority:
    """Signs leaves; `trusting` are the settings of a client that trusts it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="devdns-ca-")
        self._ca = certificate(Path(self._folder.name), "ca", "DNS:ca.invalid")
        self.pem = self._ca[0]

    def leaf(self, *names: str) -> Leaf:
        file = names[0].replace("*", "any")
        cert, key = signed_by(self._ca, file, ",".join(f"DNS:{name}" for name in names))
        return Leaf(names, cert.read_text(), key.read_text(), FAR)

    def trusting(self, *alpn: str) -> ssl.SSLContext:
        settings = ssl.create_default_context(cafile=self.pem)
        if alpn:
            settings.set_alpn_protocols(list(alpn))
        return settings


@cache
def authority() -> Authority:
    """One for the run: a key costs time."""
    return Authority()


def written(leaf: Leaf) -> tuple[Path, Path]:
    """The files of its certificate and its key."""
    folder = authority().pem.parent
    name = leaf.names[0].replace("*", "any")
    return folder / f"{name}.pem", folder / f"{name}.key"


@cache
def zone_leaf() -> Leaf:
    """The leaf that covers the zone, as control pushes it."""
    return authority().leaf("dev.test", "*.dev.test")


class Issuer:
    """Control's end of `leaves.sock`: pushes `leaves`, answers questions out of `more`, and keeps them in `asked`."""

    def __init__(self, *leaves: Leaf) -> None:
        self.leaves = leaves
        self.more: dict[str, Leaf] = {}
        self.asked: list[str] = []
        self.silent = False
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def push(self, frame: Leaf | Leaves) -> None:
        for writer in self._writers:
            writer.write(encode(frame))

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    async def close(self) -> None:
        self.hang_up()
        await asyncio.wait(self._tasks, timeout=BOUND)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._tasks.add(asyncio.current_task())
        writer.write(encode(Leaves(self.leaves)))
        frames = LeafReader()
        while data := await reader.read(1 << 16):
            for frame in frames.feed(data):
                assert isinstance(frame, Ask)
                self.asked.append(frame.name)
                if not self.silent:
                    writer.write(encode(self.more.get(frame.name) or Refused(frame.name, "a test")))
        self._writers.remove(writer)
        writer.close()


class Secure(Running):
    """A started proxy with a TLS listener at `secure`, beside the plain one at `port`."""

    secure: int
    issuer: Issuer

    async def encrypted(self, name: str | None = "api.dev.test", settings: ssl.SSLContext | None = None) -> Wire:
        """A TLS connection whose ClientHello asks for `name`."""
        settings = settings or authority().trusting()
        if name is None:
            settings.check_hostname = False
        async with asyncio.timeout(BOUND):
            return Wire(
                *await asyncio.open_connection("127.0.0.1", self.secure, ssl=settings, server_hostname=name or "")
            )


@asynccontextmanager
async def securely(
    *routes: Route, limits: Limits | None = None, leaves: tuple[Leaf, ...] | None = None, redirect: bool = False
) -> AsyncIterator[Secure]:
    """A proxy with these routes on a plain and a TLS listener."""
    view = view_of(*routes)
    issuer = Issuer(*(leaves if leaves is not None else (zone_leaf(),)))
    with tempfile.TemporaryDirectory(prefix="devdns-") as folder:
        path = f"{folder}/leaves.sock"
        served = await asyncio.start_unix_server(issuer.serve, path)
        plain, secure = listening(), listening()
        view.hello = hello_with(view.hello, secure.getsockname()[:2], redirect=redirect)
        proxy = Proxy(view, f"{folder}/web.sock", limits, leaves_socket=path)
        await proxy.start([plain], [secure])
        running = Secure(proxy, view, plain.getsockname()[1])
        running.secure, running.issuer = secure.getsockname()[1], issuer
        try:
            yield running
        finally:
            await proxy.drain(0.0)
            served.close()
            await issuer.close()


def hello_with(hello, address, *, redirect: bool):
    return replace(hello, https=(address,), config=replace(hello.config, https=HttpsConfig(redirect=redirect)))
