"""What one request is to us is one request to the server behind us: mutated heads and bodies, counted on both sides.

And it is the same request whatever has been remembered from others before it.
"""

from __future__ import annotations

import asyncio
import random
import re

import pytest
from aiohttp import web
from support.http_mutations import LAST, mutated
from support.http_proxy import GET, INSTANCE, listening, route, running

ROUNDS = 400


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
    assert proxy.proxy.counters.tallies["api.dev.test"].statuses[200] == len(seen)
    assert len({request.headers["X-Request-ID"] for request in seen}) == len(seen)
    assert len(seen) > ROUNDS // 5


def forget(proxy):
    """Everything that the proxy has remembered."""
    context = proxy.proxy.context
    context.heads.clear()
    context.replies.clear()
    context.renew()
    context.pool.close()


async def told(proxy, seen, data, *, after=b""):
    """The statuses that answer `data`, and what the service sees of it; `after` is asked first on the same connection."""
    async with await proxy.connect() as wire:
        if after:
            await wire.send(after)
            await wire.response()
        before = len(seen)
        await wire.send(data)
        wire.writer.write_eof()
        statuses = re.findall(rb"HTTP/1\.1 (\d+)", await wire.rest())
    requests = [
        (
            each.method,
            each.raw_path,
            sorted((name, value) for name, value in each.headers.items() if name != "X-Request-ID"),
        )
        for each in seen[before:]
    ]
    return statuses, requests


async def test_cold_and_warm_are_the_same(counted):
    proxy, seen = counted
    source = random.Random(7)
    refused = 0
    for data in [GET + LAST, LAST + GET, *(mutated(source) + LAST for _ in range(150))]:
        forget(proxy)
        cold = await told(proxy, seen, data)
        assert await told(proxy, seen, data) == cold, data
        assert await told(proxy, seen, data, after=GET) == cold, data
        refused += cold[0][-1:] != [b"200"]
    assert 50 < refused < 150
