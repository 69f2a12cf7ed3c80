"""What a client gets through the proxy from servers that others wrote, and what those notice of it."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import statistics
import time
from io import BytesIO

import pytest
from aiohttp import ClientPayloadError, ClientSession
from support.http_proxy import BOUND
from support.waiting import until

HOST = b"Host: api.dev.test\r\n"
BIG = bytes(range(256)) * 20_000
SERVERS = pytest.mark.parametrize("service", ["aiohttp", "uvicorn", "gunicorn", "node", "nginx"], indirect=True)
FIRST_BYTE = 0.1


def request(path: bytes, *fields: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    return b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"Host: api.dev.test", *fields, b"", body))


def client() -> ClientSession:
    return ClientSession(headers={"Host": "api.dev.test"})


async def pieces():
    for at in range(0, len(BIG), 100_000):
        yield BIG[at : at + 100_000]


@SERVERS
async def test_a_body_arrives_whole_in_both_framings_and_connections_are_kept(service, proxy):
    said = f"POST {len(BIG)} {hashlib.sha256(BIG).hexdigest()}"
    dials = proxy.proxy.counters.dials
    async with client() as session:
        for _ in range(5):
            for body in (BytesIO(BIG), pieces()):
                async with session.post(proxy.url("/"), data=body) as response:
                    assert await response.text() == said
    assert proxy.proxy.counters.dials - dials < 5 or service.name == "gunicorn"  # that one lets go after a large body


@SERVERS
async def test_the_response_streams_while_the_upload_does(service, proxy):
    async with await proxy.connect() as wire:
        await wire.send(request(b"/echo", b"Transfer-Encoding: chunked", method=b"POST"))
        got, head = b"", b""
        for number in range(5):
            await wire.send(
                b"2710\r\n" + b"%d" % number * 10_000 + b"\r\n"
            )  # what gunicorn's application reads at once
            head = head or await wire.head()
            while got.count(b"%d" % number) < 10_000:
                got += await wire.reader.read(65_536)
        assert head.startswith(b"HTTP/1.1 200 ")
        await wire.send(b"0\r\n\r\n")
        assert await wire.until(b"0\r\n\r\n")


@SERVERS
async def test_an_event_is_there_within_a_tenth_of_a_second_and_who_leaves_is_missed(service, proxy):
    before, late = len(service.noticed()), []
    for _ in range(5):
        async with await proxy.connect() as wire:
            await wire.send(request(b"/events"))
            await wire.until(b"data: ")
            said = float(await wire.until(b"\n"))
            late.append(time.monotonic() - said)
    assert statistics.median(late) < FIRST_BYTE
    await until(lambda: service.noticed()[before:] == ["left /events"] * 5)


@SERVERS
async def test_an_event_stream_does_not_hold_up_the_end_and_is_cut_visibly(service, proxy, monkeypatch):
    monkeypatch.setattr("devdns_proxy.server.STREAM_GRACE", 0.05)
    before = len(service.noticed())
    async with await proxy.connect() as wire:
        await wire.send(request(b"/events"))
        await wire.until(b"data: ")
        async with asyncio.timeout(BOUND / 2):
            await proxy.proxy.drain(BOUND)
        assert b"\r\n0\r\n" not in await wire.rest()
    await until(lambda: service.noticed()[before:] == ["left /events"])


@SERVERS
async def test_a_slow_reader_holds_the_server_back(service, proxy):
    before, loop = len(service.noticed()), asyncio.get_running_loop()
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        reader.setblocking(False)
        await loop.sock_connect(reader, ("127.0.0.1", proxy.port))
        await loop.sock_sendall(reader, request(b"/endless"))
        await until(lambda: any(each.paused for each in proxy.proxy.context.clients))
        for _ in range(10_000):  # all that the kernels and the server hold for who reads on
            await loop.sock_recv(reader, 1_000)
        assert all(each.transport.get_write_buffer_size() < 1 << 20 for each in proxy.proxy.context.clients)
    left = await until(lambda: service.noticed()[before:])
    assert left[0].startswith("left /endless ")
    assert int(left[0].split()[2]) < 64 << 20


@SERVERS
@pytest.mark.parametrize("path", ["/cut", "/cut?sized"])
async def test_a_server_that_breaks_off_is_seen_to(path, service, proxy):
    async with client() as session, asyncio.timeout(BOUND):
        response = await session.get(proxy.url(path))
        with pytest.raises(ClientPayloadError):
            await response.read()
    answer = await proxy.say(request(path.encode()))
    assert b"part" in answer
    assert not answer.endswith(b"0\r\n\r\n")


@SERVERS
async def test_what_has_no_body_leaves_the_connection_in_step(service, proxy):
    async with await proxy.connect() as wire:
        for status in (b"204", b"304"):
            await wire.send(request(b"/status/" + status))
            head = await wire.head()
            assert head.startswith(b"HTTP/1.1 " + status)
            assert b"ransfer-" not in head
        await wire.send(request(b"/x", method=b"HEAD"))
        assert (await wire.head()).startswith(b"HTTP/1.1 200 ")
        await wire.send(request(b"/x"))
        head = await wire.head()
        assert b"GET 0 " in await wire.until(hashlib.sha256().hexdigest().encode())
        assert b"Connection: close" not in head


@SERVERS
async def test_who_expects_to_be_told_to_go_on_is(service, proxy):
    async with await proxy.connect() as wire:
        await wire.send(request(b"/", b"Expect: 100-continue", b"Content-Length: 5", method=b"PUT"))
        assert (await wire.head()).startswith(b"HTTP/1.1 100 Continue\r\n")
        await wire.send(b"hello")
        assert (await wire.head()).startswith(b"HTTP/1.1 200 ")
        assert await wire.until(hashlib.sha256(b"hello").hexdigest().encode())


@pytest.mark.parametrize("service", ["node"], indirect=True)
async def test_early_hints_and_trailers_pass(service, proxy):
    async with await proxy.connect() as wire:
        await wire.send(request(b"/hints"))
        hints = await wire.head()
        assert hints.startswith(b"HTTP/1.1 103 Early Hints\r\n")
        assert b"</a.css>; rel=preload" in hints
        assert (await wire.response())[1] == b"ok"
        await wire.send(request(b"/trailers"))
        assert b"\r\nTrailer: Checksum\r\n" in await wire.head()
        assert await wire.until(b"Checksum: abc\r\n\r\n") == b"4\r\nbody\r\n0\r\nChecksum: abc\r\n\r\n"


@pytest.mark.parametrize("service", ["nginx"], indirect=True)
async def test_files_of_nginx(service, proxy):
    """Ranges, validators and gzip: responses with the fields that proxies have got wrong."""
    (service.folder / "text.txt").write_text("abc" * 1_000)
    url = proxy.url("/files/text.txt")
    async with client() as session:
        async with session.get(url, headers={"Range": "bytes=3-5", "Accept-Encoding": "identity"}) as response:
            assert (response.status, await response.text()) == (206, "abc")
            assert response.headers["Content-Range"] == "bytes 3-5/3000"
        async with session.get(url) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert await response.text() == "abc" * 1_000
            tag = response.headers["ETag"]
        async with session.get(url, headers={"If-None-Match": tag}) as response:
            assert (response.status, await response.read()) == (304, b"")
        async with session.head(url) as response:
            assert response.status == 200
