"""What one request is to us is one request to the server behind us: mutated heads and bodies, counted on both sides."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiohttp import web
from support.http_proxy import INSTANCE, listening, route, running

ROUNDS = 400
SEEDS = [
    b"POST /first HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
    b"POST /first HTTP/1.1\r\nHost: api.dev.test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
    b"GET /first?a=b HTTP/1.1\r\nHost: api.dev.test\r\nCookie: a=b\r\nAccept: */*\r\n\r\n",
    b"POST /first HTTP/1.0\r\nHost: api.dev.test\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
]
NASTY = [
    b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"\x0b", b"\x85", b"\xa0", b"\xff", b"+", b"-", b"0x", b"_", b'"', b"%0a",
    b"\r\n ", b"\r\nContent-Length: 0", b"\r\nContent-Length: 50", b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: identity",
    b"\r\nTransfer-Encoding:\x0bchunked", b"\r\nTransfer_Encoding: chunked", b"\r\nContent_Length: 60", b"\r\nHost: other", b"0\r\n\r\n",
    b"\r\nConnection: content-length", b"\r\nConnection: transfer-encoding", b"\r\nExpect: 100-continue", b"\r\nUpgrade: h2c",
    b"\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.dev.test\r\n\r\n",
]  # fmt: skip
LAST = b"GET /second HTTP/1.1\r\nHost: api.dev.test\r\nConnection: close\r\n\r\n"


def mutated(random: random.Random) -> bytes:
    """A seed with one or two things inserted, replaced, removed or doubled."""
    data = random.choice(SEEDS)
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(data))
        until = at + random.choice((0, 0, 1, 1, random.randint(0, 20)))
        data = data[:at] + random.choice([*NASTY, b"", data[at : at + 30] * 2]) + data[until:]
    return data


@pytest.fixture
async def counted():
    """A proxy before an aiohttp server, and the requests that server saw."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request)
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = listening()
    await web.SockSite(runner, listener).start()
    async with running(route("api", listener.getsockname()[1])) as proxy:
        yield proxy, seen
    await runner.cleanup()


@pytest.mark.parametrize("seed", range(3))
async def test_both_sides_count_the_same(counted, seed):
    proxy, seen = counted
    source = random.Random(seed)
    for _ in range(ROUNDS):
        data = mutated(source)
        before = len(seen)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(data + LAST)
        writer.write_eof()
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
        for request in seen[before:]:
            assert request.headers.getall("Devdns-Hop") == [INSTANCE], data
            assert len(request.headers.getall("X-Request-ID")) == 1, data
            assert len(request.headers.getall("Host")) == 1, data
    tally = proxy.proxy.counters.requests["api.dev.test"]
    assert tally[2] == len(seen)
    assert len({request.headers["X-Request-ID"] for request in seen}) == len(seen)
    assert len(seen) > ROUNDS // 5
