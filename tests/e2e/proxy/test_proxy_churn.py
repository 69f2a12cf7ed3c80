"""Clients and services that come, leave and misbehave at any moment leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import suppress
from pathlib import Path

import pytest
from support.http_proxy import BOUND, INSTANCE, OK, backend, route, running

from devdns_proxy.client import Client
from devdns_proxy.limits import Limits
from devdns_proxy.tunnel import End
from devdns_proxy.upstream import Upstream

BODY = b"x" * 200_000
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
HOST = b" HTTP/1.1\r\nHost: api.dev.test\r\n"
REQUESTS = [
    b"GET /" + HOST + b"\r\n",
    b"GET /" + HOST + b"Connection: close\r\n\r\n",
    b"GET /big" + HOST + b"\r\n",
    b"HEAD /" + HOST + b"\r\n",
    b"POST /" + HOST + b"Content-Length: 200000\r\n\r\n" + BODY,
    b"POST /" + HOST + b"Transfer-Encoding: chunked\r\n\r\n30d40\r\n" + BODY + b"\r\n0\r\n\r\n",
    b"POST /" + HOST + b"Transfer-Encoding: chunked\r\n\r\n30d40\r\n" + BODY + b"zz",
    b"GET /ws" + HOST + b"Connection: upgrade\r\nUpgrade: foo\r\n\r\nhello" + BODY,
    b"GET / HTTP/1.0\r\nHost: api.dev.test\r\n\r\n",
    b"GET /" + HOST + b"Devdns-Hop: " + INSTANCE.encode() + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: gone.dev.test\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: refused.dev.test\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: two hosts\r\n\r\n",
    b"GET / HTTP/1.1\nHost",
]


ANSWERS = [
    (OK, True),
    (OK, True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" + BODY + b"\r\n0\r\n\r\n", True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart", False),
    (b"HTTP/1.1 200 OK\r\n\r\n" + BODY, False),
    (b"garbage\r\n\r\n", False),
    (b"", False),
]


def moody(source: random.Random):
    """A service that answers in every way there is, or leaves."""

    async def conversation(_, wire):
        while True:
            head = await wire.head()
            answer, stays = source.choice(ANSWERS)
            if b"/ws" in head and answer:
                await wire.send(SWITCHED)
                while data := await wire.reader.read(65_536):
                    await wire.send(data)
                return
            if source.random() < 0.5 and b"POST" in head:
                await wire.exactly(1_000)
            await wire.send(answer)
            if b"POST" in head or not stays:
                return

    return conversation


async def visit(port: int, source: random.Random) -> None:
    """One client: some requests, cut anywhere, read a little or all, and leaves in one of the ways there are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = b"".join(source.choice(REQUESTS) for _ in range(source.randint(1, 3)))
    if source.random() < 0.4:
        data = data[: source.randrange(len(data))]
    size = source.choice((50, 5_000, 1 << 20))
    with suppress(OSError, TimeoutError):
        for at in range(0, len(data), size):
            if writer.is_closing():
                break
            writer.write(data[at : at + size])
            await asyncio.sleep(0)
        if source.random() < 0.3 and not writer.is_closing():
            writer.write_eof()
        async with asyncio.timeout(source.choice((0, 0.01, 0.2))):
            while await reader.read(source.choice((100, 1 << 20))):
                pass
    if source.random() < 0.5:
        writer.transport.abort()
    writer.close()


def living() -> set[int]:
    """The connections of proxies that are still objects here, those of other tests included."""
    gc.collect()
    return {id(each) for each in gc.get_objects() if isinstance(each, Client | Upstream | End)}


def sockets() -> int:
    """How many sockets this process holds, where the system tells."""
    count = 0
    for each in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            count += each.readlink().name.startswith("socket:")
    return count


async def settled(condition) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():  # noqa: ASYNC110 # no event tells of all that must be gone
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_left_behind(seed, caplog):
    source = random.Random(seed)
    limits = Limits(
        refused_hold=0.1, linger_time=0.1, leave_time=0.1, pool_idle=0.2, idle_time=0.3, head_time=0.3, stall_time=0.5
    )
    before, others = sockets(), living()
    async with backend(moody(source)) as service, backend(moody(source)) as other:
        routes = route("api", service.port, other.port), route("refused", 1)
        async with running(*routes, limits=limits) as proxy:
            for _ in range(5):
                await asyncio.gather(*(visit(proxy.port, source) for _ in range(30)))
            context = proxy.proxy.context
            await settled(lambda: not (context.clients or context.tunnels or context.pool))
            assert proxy.proxy.counters.in_flight == 0
            await settled(lambda: living() <= others)
    await settled(lambda: sockets() <= before)
    assert "rror" not in caplog.text
