"""10,000 connections that say nothing, WebSockets and others: what each costs the proxies in memory, and that others are still served."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys

import pytest
from support.foreign import idle
from support.load import Load, fetch
from support.processes import descriptors, resident
from support.services import Service
from support.stack import Stack, open_folder
from support.waiting import until

pytestmark = pytest.mark.evidence
MANY, AT_ONCE = 10_000, 200
EACH = 25_000  # bytes, as the issue of the proxy says
OFFER = (
    b"GET /ws HTTP/1.1\r\nHost: api.dev.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: a browser\r\nOrigin: http://api.dev.test\r\n\r\n"
)
FRAME = b"\x81\x82\x00\x00\x00\x00ok"


class Socket(asyncio.Protocol):
    """A WebSocket client of bytes: `opened` once it is a tunnel, then `heard` the echo."""

    def __init__(self):
        self.opened = asyncio.get_running_loop().create_future()
        self.heard = b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(OFFER)

    def data_received(self, data):
        if not self.opened.done():
            assert data.startswith(b"HTTP/1.1 101 "), data
            self.opened.set_result(None)
        else:
            self.heard += data

    def connection_lost(self, exc):
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("refused"))


@contextlib.contextmanager
def service():
    """The port of a process that accepts every WebSocket."""
    with subprocess.Popen([sys.executable, idle.__file__], stdout=subprocess.PIPE) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def opened(address, count: int) -> list[Socket]:
    """`count` WebSockets, a few opened at a time."""
    loop, sockets = asyncio.get_running_loop(), []
    while len(sockets) < count:
        made = await asyncio.gather(
            *(loop.create_connection(Socket, *address) for _ in range(min(AT_ONCE, count - len(sockets))))
        )
        sockets += [each for _, each in made]
        await asyncio.gather(*(each.opened for each in sockets[-len(made) :]))
    return sockets


def raised() -> int:
    """How many files this process and those that it starts may have, now that the limit is raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def closed(sockets: list[Socket], pids: list[int], before: int) -> None:
    for each in sockets:
        each.transport.close()
    await until(lambda: sum(map(descriptors, pids)) <= before + 20, bound=30)


@pytest.mark.timeout(300)
async def test_what_each_of_10_000_idle_websockets_costs():
    workers = 1 if raised() > 2 * MANY + 500 else 2  # a tunnel takes two descriptors
    with (
        open_folder() as folder,
        service() as port,
        Stack(folder, f"routes: {{api: {port}}}\n", workers=workers) as stack,
    ):
        pids = [stack.pid(f"proxy-{number + 1}") for number in range(workers)]
        empty = sum(map(descriptors, pids))
        await closed(await opened(stack.http, AT_ONCE), pids, empty)
        before = sum(map(resident, pids))
        sockets = await opened(stack.http, MANY)
        assert sum(map(descriptors, pids)) >= 2 * MANY
        each = (sum(map(resident, pids)) - before) / MANY
        for one in sockets:
            one.transport.write(FRAME)
        await until(lambda: all(one.heard == FRAME for one in sockets), bound=60)
        spoken = (sum(map(resident, pids)) - before) / MANY
        await closed(sockets, pids, empty)
        left = sum(map(resident, pids)) - before
        for _ in range(3):
            await closed(await opened(stack.http, MANY), pids, empty)
        again = sum(map(resident, pids)) - before
    print(
        f"\n{MANY} idle WebSockets on {workers} proxies: {each / 1000:.1f} KB each, {spoken / 1000:.1f} KB after a message each, "
        f"{left / 1e6:.1f} MB kept when all are closed, {again / 1e6:.1f} MB after three times as many again"
    )
    assert each < EACH
    assert spoken < EACH
    assert again < 2 * each * MANY  # what is kept is used again, as far as the kernel shares alike


class Kept(Socket):
    """A client that asks once and keeps its connection."""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"GET / HTTP/1.1\r\nHost: nothing.dev.test\r\n\r\n")

    def data_received(self, _):
        if not self.opened.done():
            self.opened.set_result(None)


async def kept(address, count: int) -> list[Kept]:
    """Idle connections from a dozen addresses, none of which reaches its limit."""
    loop, sockets = asyncio.get_running_loop(), []
    for start in range(0, count, AT_ONCE):
        sources = [(f"127.0.0.{2 + number % 12}", 0) for number in range(start, start + AT_ONCE)]
        made = await asyncio.gather(*(loop.create_connection(Kept, *address, local_addr=source) for source in sources))
        await asyncio.gather(*(each.opened for _, each in made))
        sockets += [each for _, each in made]
    return sockets


@pytest.mark.timeout(300)
async def test_a_healthy_client_beside_10_000_idle_ones():
    raised()
    with open_folder() as folder, Service() as sample, Stack(folder, f"routes: {{api: {sample.port}}}\n") as stack:
        pids = [stack.pid("proxy-1")]
        empty, before = descriptors(pids[0]), resident(pids[0])
        address = stack.http
        sockets = await kept(stack.http, MANY)
        there = descriptors(pids[0]) - empty
        async with Load(100, lambda: fetch(address, "api.dev.test", sample.nonce)) as healthy:
            await until(lambda: len(healthy.rows) >= 1_000, bound=60)
        each = (resident(pids[0]) - before) / MANY
        await closed(sockets, pids, empty)
    late = sorted(took for _, _, took in healthy.rows)[len(healthy.rows) * 99 // 100]
    print(
        f"\n{there} idle connections: {each / 1000:.1f} KB each, healthy p99 {late * 1000:.1f} ms of {len(healthy.rows)}"
    )
    assert there >= MANY
    assert each < EACH
    assert healthy.failed == {}
    assert late < 1.0
