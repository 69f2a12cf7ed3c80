"""WebSocket between clients and servers that others wrote: what passes, how it ends, what is refused."""

from __future__ import annotations

import asyncio

import pytest
import websockets
from support.foreign.sockets import CLIENTS, expected
from support.waiting import until

NAME = "api.dev.test"
SIZES = (1, 125, 126, 65_535, 65_536, 1 << 20, 16 << 20)
SERVERS = pytest.mark.parametrize("service", ["aiohttp", "uvicorn", "node", "nginx"], indirect=True)
EXTENDED = [("websockets", True), ("ws", True)]


@SERVERS
@pytest.mark.parametrize(("client", "deflate"), [*((client, False) for client in CLIENTS), *EXTENDED])
async def test_a_whole_conversation(client, deflate, service, proxy):
    before = len(service.noticed())
    assert await CLIENTS[client](proxy.port, NAME, SIZES, deflate) == expected(SIZES, deflate=deflate)
    ends = await until(lambda: service.noticed()[before:])
    assert ends[0] == "closed 4000"
    await until(lambda: not proxy.proxy.context.tunnels)


def opened(port):
    return websockets.connect(f"ws://{NAME}/ws", host="127.0.0.1", port=port)


async def vanished(service, port):
    """What the server notices of a client that vanishes, which it reaches by `port`."""
    before = len(service.noticed())
    async with opened(port) as client:
        await client.send("text")
        await client.recv()
        client.transport.abort()
    return await until(lambda: service.noticed()[before:])


@SERVERS
async def test_a_client_that_vanishes_is_for_the_server_what_it_is_without_a_proxy(service, proxy):
    noticed = await vanished(service, proxy.port)
    assert noticed == await vanished(service, service.port)
    assert noticed in (["closed 1006"], ["closed 1005"])  # uvicorn calls it "no code"


@pytest.mark.parametrize("service", ["aiohttp", "node", "nginx"], indirect=True)
async def test_a_server_that_vanishes_is_an_abnormal_end_for_the_client(service, proxy):
    async with opened(proxy.port) as client, asyncio.timeout(10):
        await client.send("abort")
        await client.wait_closed()
        assert client.close_code == 1006
    await until(lambda: not proxy.proxy.context.tunnels)
