"""Upgrades: WebSocket and others as tunnels, refused ones passed on, wrong ones refused; and our own names."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
import websockets
from aiohttp import ClientSession, web
from support.http_proxy import BOUND, GET, OK, answering, backend, listening, route, running, stage
from support.waiting import until

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
OFFER = (
    b"GET /ws HTTP/1.1\r\nHost: api.dev.test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


def switched(accept: bytes = ACCEPT, protocol: bytes = b"websocket") -> bytes:
    fields = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    return b"HTTP/1.1 101 Switching Protocols\r\n" + fields


def upgrading(response: bytes):
    """Answers an offer with `response` and echoes from then on."""

    async def conversation(self, wire):
        self.seen.append(await wire.head())
        await wire.send(response)
        while data := await wire.reader.read(65_536):
            await wire.send(data)
        await wire.send(b"bye")
        self.closed.set()

    return conversation


async def test_an_upgrade_becomes_a_tunnel_with_half_close():
    async with backend(upgrading(switched() + b"first")) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(OFFER + b"early")
            head = await wire.head()
            assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head
            assert await wire.exactly(10) == b"firstearly"
            await wire.send(b"hello")
            assert await wire.exactly(5) == b"hello"
            assert len(proxy.proxy.context.tunnels) == 2
            wire.writer.write_eof()
            assert await wire.rest() == b"bye"
        async with asyncio.timeout(BOUND):
            await service.closed.wait()
        assert not proxy.proxy.context.tunnels
        assert proxy.proxy.counters.in_flight == 0


WRONG = [switched(b"x" * 28), switched(b""), switched(protocol=b"h2c"), switched(protocol=b"")]


@pytest.mark.parametrize("response", WRONG)
async def test_a_wrong_answer_to_an_offer_is_502(response):
    async with stage(response) as (proxy, _):
        assert (await proxy.say(OFFER.replace(b"Upgrade\r\n", b"Upgrade, close\r\n", 1))).startswith(b"HTTP/1.1 502 ")


async def test_a_refused_upgrade_passes_and_the_connection_goes_on():
    refusal = b"HTTP/1.1 400 Bad Request\r\nDate: d\r\nContent-Length: 2\r\n\r\nno"
    async with stage(refusal, OK) as (proxy, _), await proxy.connect() as wire:
        await wire.send(OFFER + GET)
        head, body = await wire.response()
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert body == b"no"
        assert (await wire.response())[1] == b"ok"


async def test_any_other_protocol_is_a_tunnel_too():
    async with backend(upgrading(switched(protocol=b"foo/2"))) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(
                b"GET / HTTP/1.1\r\nHost: api.dev.test\r\nConnection: upgrade\r\nUpgrade: foo/2, bar\r\n\r\n"
            )
            assert (await wire.head()).startswith(b"HTTP/1.1 101 ")
            await wire.send(b"\x00\xff")
            assert await wire.exactly(2) == b"\x00\xff"
        assert b"\r\nConnection: Upgrade\r\nUpgrade: foo/2, bar\r\n" in service.seen[0]


async def test_a_client_that_vanishes_ends_the_service_side():
    async with backend(upgrading(switched())) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(OFFER)
            await wire.head()
            wire.writer.transport.abort()
        async with asyncio.timeout(BOUND):
            await service.closed.wait()


async def test_drain_ends_tunnels_in_time():
    async with stage(switched()) as (proxy, _), await proxy.connect() as wire:
        await wire.send(OFFER)
        await wire.head()
        await proxy.proxy.drain(0.05)
        assert not proxy.proxy.context.tunnels
        with suppress(ConnectionResetError):
            assert await wire.rest() == b""


async def test_a_drain_lets_a_request_finish_longer_than_a_tunnel(monkeypatch):
    monkeypatch.setattr("devdns_proxy.server.STREAM_GRACE", 0.05)
    go = asyncio.Event()

    async def conversation(self, wire):
        if (await wire.head()).startswith(b"GET /ws"):
            await wire.send(switched())
            await wire.rest()
        else:
            self.seen.append(b"asked")
            await go.wait()
            await wire.send(OK)

    async with (
        backend(conversation) as service,
        running(route("api", service.port)) as proxy,
        await proxy.connect() as tunnel,
        await proxy.connect() as wire,
    ):
        await tunnel.send(OFFER)
        await tunnel.head()
        await wire.send(GET)
        await until(lambda: service.seen)
        draining = asyncio.create_task(proxy.proxy.drain(BOUND))
        assert await tunnel.rest() == b""
        assert not draining.done()
        go.set()
        assert (await wire.rest()).endswith(b"ok")
        wire.writer.close()
        await draining


# A real library on both sides


async def echo(connection):
    async for message in connection:
        await connection.send(message)


SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20, 16 << 20]


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_websocket_messages_of_any_size_pass_both_ways(compression):
    listener = listening()
    async with (
        websockets.serve(echo, sock=listener, max_size=None, compression=compression),
        running(route("ws", listener.getsockname()[1])) as proxy,
        websockets.connect(
            "ws://ws.dev.test/x", host="127.0.0.1", port=proxy.port, max_size=None, compression=compression
        ) as client,
    ):
        for size in SIZES:
            await client.send(b"\xa5" * size)
            assert await client.recv() == b"\xa5" * size
        await client.send("text ä")
        assert await client.recv() == "text ä"
        await client.send(["frag", "ments"])
        assert await client.recv() == "fragments"
        async with asyncio.timeout(BOUND):
            await (await client.ping())


async def test_close_codes_are_equal_on_both_ends():
    closed = asyncio.get_running_loop().create_future()

    async def conversation(connection):
        with suppress(websockets.ConnectionClosedError):
            async for message in connection:
                if message == "close":
                    await connection.close(4001, "mine")
        closed.set_result((connection.close_code, connection.close_reason))

    listener = listening()
    async with (
        websockets.serve(conversation, sock=listener),
        running(route("ws", listener.getsockname()[1])) as proxy,
    ):
        async with websockets.connect("ws://ws.dev.test/", host="127.0.0.1", port=proxy.port) as client:
            await client.close(4000, "yours")
        assert await asyncio.wait_for(closed, BOUND) == (4000, "yours")
        closed = asyncio.get_running_loop().create_future()
        async with websockets.connect("ws://ws.dev.test/", host="127.0.0.1", port=proxy.port) as client:
            await client.send("close")
            await asyncio.wait_for(client.wait_closed(), BOUND)
            assert (client.close_code, client.close_reason) == (4001, "mine")


# Our own names


@asynccontextmanager
async def control(tmp_path, handler):
    """What answers at `web.sock`; yields its path."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    path = str(tmp_path / "web.sock")
    await web.UnixSite(runner, path).start()
    try:
        yield path
    finally:
        await runner.cleanup()


async def test_a_connection_for_an_own_name_goes_to_our_application(tmp_path):
    async def status(request):
        return web.json_response({"path": request.path, "body": await request.text()})

    async with (
        control(tmp_path, status) as path,
        backend(answering(OK)) as service,
        running(route("api", service.port), web=path) as proxy,
    ):
        async with await proxy.connect() as wire:
            await wire.send(GET)  # another name first: the connection is handed over at a request boundary
            await wire.response()
            await wire.send(GET.replace(b"api.", b"devdns.").replace(b"/ ", b"/api/v1/status ", 1))
            assert b'"/api/v1/status"' in (await wire.until(b"}"))
            await wire.send(GET)
            assert (await wire.head()).startswith(b"HTTP/1.1 421 ")
        async with ClientSession() as session:
            url, headers = proxy.url("/api/v1/x"), {"Host": "devdns.dev.test"}
            async with session.put(url, headers=headers, data=b"z" * 5_000) as response:
                assert (await response.json())["body"] == "z" * 5_000
        assert len(service.seen) == 1


async def test_an_event_stream_of_ours_does_not_hold_up_the_end(tmp_path):
    async def events(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await asyncio.Event().wait()

    async with control(tmp_path, events) as path, running(web=path) as proxy, await proxy.connect() as wire:
        await wire.send(GET.replace(b"api.", b"devdns.").replace(b"/ ", b"/api/v1/routes/events ", 1))
        await wire.until(b"data: 1")
        async with asyncio.timeout(3):
            await proxy.proxy.drain(0.1)
