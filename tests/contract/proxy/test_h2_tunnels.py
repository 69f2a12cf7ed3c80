"""WebSocket over HTTP/2 (RFC 8441): an extended CONNECT becomes the handshake that the service knows."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from contextlib import AsyncExitStack

import pytest
from support.http2 import DATA, END_STREAM, RST_STREAM, Peer, frame, peer, word
from support.http_proxy import OK, backend, route, running, stage
from support.https_proxy import authority, securely

CONNECT = {"method": "CONNECT", "protocol": "websocket", "path": "/ws"}
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def agreeing(*, wrong: bool = False):
    """Accepts the handshake, echoes, and says what it was sent before the end."""

    async def conversation(self, wire):
        head = await wire.head()
        self.seen.append(head)
        key = re.search(rb"(?im)^sec-websocket-key: *(.*?)\r$", head)[1]
        accept = b"wrong" if wrong else base64.b64encode(hashlib.sha1(key + GUID).digest())
        fields = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: chat\r\n"
        await wire.send(
            b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        while data := await wire.reader.read(65_536):
            self.seen.append(data)
            await wire.send(data)
        await wire.send(b"bye")
        self.closed.set()

    return conversation


async def test_a_websocket_is_a_stream_and_ends_as_one():
    async with backend(agreeing()) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        assert client.settings[8] == 1
        number = await client.ask(
            ("sec-websocket-version", "13"), ("origin", "http://api.dev.test"), end=False, **CONNECT
        )
        await client.data(number, b"early")
        await client.until(lambda: client.of(number).body == b"early")
        assert client.of(number).fields == {":status": "200", "sec-websocket-protocol": "chat"}
        head = service.seen[0]
        assert head.startswith(b"GET /ws HTTP/1.1\r\nHost: api.dev.test\r\n")
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head
        assert b"\r\nsec-websocket-version: 13\r\n" in head
        assert proxy.proxy.counters.open_tunnels == 1
        await client.data(number, b"hello", end=True)
        answer = await client.answer(number)
        assert (answer.body, answer.ended) == (b"earlyhellobye", "END")
        assert (await client.get(authority="none.dev.test")).status == "404"


async def test_a_websocket_to_another_name_than_the_connections_goes_to_its_own_service():
    """Browsers put it on any connection whose certificate covers it, and repeat no handshake; other requests get 421."""
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(backend(agreeing())) for _ in range(2)]
        routes = route("api", one.port), route("web", other.port), route("sealed", f"tls://127.0.0.1:{other.port}")
        proxy = await stack.enter_async_context(securely(*routes))
        client = Peer(await stack.enter_async_context(await proxy.encrypted(settings=authority().trusting("h2"))))
        await client.start()
        number = await client.ask(end=False, authority="web.dev.test", **CONNECT)
        await client.data(number, b"hello", end=True)
        assert (await client.answer(number)).body == b"hellobye"
        assert (client.of(number).status, one.seen) == ("200", [])
        for name in ("sealed", "none", "devdns"):
            assert (await client.get(authority=f"{name}.dev.test", **CONNECT)).status == "421"
        assert (await client.get(authority="web.dev.test")).status == "421"


async def test_a_tunnel_passes_much_both_ways():
    async with backend(agreeing()) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(end=False, **CONNECT)
        await client.until(lambda: client.of(number).heads)
        sent = 0
        while sent < 1 << 20:
            room = 65_535 + min(client.granted.get(number, 0), client.granted.get(0, 0)) - sent
            if room >= 16_384:
                await client.data(number, b"x" * 16_384)
                sent += 16_384
            else:
                await client.read()
        await client.until(lambda: len(client.of(number).body) == sent)


async def test_a_service_that_ends_its_side_hears_the_other_out():
    async def ending(self, wire):
        key = re.search(rb"(?im)^sec-websocket-key: *(.*?)\r$", await wire.head())[1]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        fields = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n\r\nbye")
        wire.writer.write_eof()
        self.seen.append(await wire.rest())
        self.closed.set()

    async with backend(ending) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(end=False, **CONNECT)
        assert (await client.answer(number)).ended == "END"
        await client.data(number, b"and you", end=True)
        async with asyncio.timeout(5):
            await service.closed.wait()
        assert service.seen == [b"and you"]
        assert client.of(number).ended == "END"


async def test_a_tunnel_that_is_reset_ends_at_the_service():
    async with backend(agreeing()) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(end=False, **CONNECT)
        await client.until(lambda: client.of(number).heads)
        await client.send(frame(RST_STREAM, 0, number, word(8)))
        async with asyncio.timeout(5):
            await service.closed.wait()


async def test_a_service_that_refuses_is_heard_and_what_was_sent_ahead_is_no_request():
    refusal = b"HTTP/1.1 403 Forbidden\r\nDate: d\r\nContent-Length: 2\r\n\r\nno"
    async with stage(refusal) as (proxy, service), peer(proxy) as client:
        number = await client.ask(end=False, **CONNECT)
        await client.data(number, b"GET /smuggled HTTP/1.1\r\nHost: api.dev.test\r\n\r\n")
        answer = await client.answer(number)
        assert (answer.status, answer.body) == ("403", b"no")
        await client.get(authority="none.dev.test")
        assert len(service.seen) == 1


@pytest.mark.parametrize("conversation", [None, agreeing(wrong=True)])
async def test_a_service_that_does_not_switch_is_502(conversation):
    """200 to an extended CONNECT would say that it has."""
    async with stage(OK) as (proxy, service), backend(conversation or agreeing()) as other, peer(proxy) as client:
        proxy.route(route("api", other.port if conversation else service.port))
        number = await client.ask(end=False, **CONNECT)
        assert (await client.answer(number)).status == "502"


async def test_a_protocol_that_the_service_does_not_know_is_not_made_up():
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        number = await client.ask(end=False, method="CONNECT", protocol="connect-udp", path="/")
        await client.send(frame(DATA, END_STREAM, number, b"x"))
        assert (await client.answer(number)).status == "502"
        assert b"\r\nUpgrade: connect-udp\r\n" in service.seen[0]
        assert b"sec-websocket-key" not in service.seen[0]
