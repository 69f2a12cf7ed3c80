"""What an HTTP/2 client cannot make the proxy do: floods, hoards and stalls end, and cost the others nothing."""

from __future__ import annotations

import asyncio

import pytest
from support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    GET,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    peer,
    settings,
    word,
)
from support.http_proxy import OK, backend, route, running, stage
from support.waiting import until

from devdns_proxy.limits import Limits

CALM = "ENHANCE_YOUR_CALM"
FLOODS = {
    "PING": lambda _: frame(PING, 0, 0, b"12345678"),
    "answers to no PING": lambda _: frame(PING, ACK, 0, b"12345678"),
    "SETTINGS": lambda _: settings(window=65_535),
    "acknowledgements": lambda _: frame(SETTINGS, ACK, 0),
    "PRIORITY": lambda at: frame(PRIORITY, 0, 2 * at + 1, b"\0\0\0\0\x10"),
    "unknown frames": lambda _: frame(0xFA, 0, 0, b"x"),
    "windows that grow by one": lambda _: frame(WINDOW_UPDATE, 0, 0, word(1)),
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_of_frames_without_work_ends_the_connection(kind):
    async with stage(OK) as (proxy, _), peer(proxy) as client:
        sending = asyncio.create_task(client.send(b"".join(map(FLOODS[kind], range(20_000)))))
        assert (await client.end())[0] == CALM
        await asyncio.gather(sending, return_exceptions=True)
        async with peer(proxy) as other:
            assert (await other.get()).status == "200"


async def test_a_flood_of_empty_data_ends_the_connection():
    async with stage(OK) as (proxy, _), peer(proxy) as client:
        number = await client.ask(end=False, method="POST")
        sending = asyncio.create_task(client.send(frame(DATA, 0, number) * 20_000))
        assert (await client.end())[0] == CALM
        await asyncio.gather(sending, return_exceptions=True)


async def test_requests_that_are_taken_back_at_once_end_the_connection():
    """CVE-2023-44487."""
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        both = []
        for _ in range(2_000):
            number, head = client.head()
            both.append(head + frame(RST_STREAM, 0, number, word(8)))
        sending = asyncio.create_task(client.send(b"".join(both)))
        assert (await client.end())[0] == CALM
        await asyncio.gather(sending, return_exceptions=True)
        assert service.connections <= Limits().opening + 1


@pytest.mark.parametrize("piece", [b"", b"\0\x01a\x7f" + b"b" * 127])
async def test_a_field_section_without_an_end_ends_the_connection(piece):
    async with stage(OK) as (proxy, _), peer(proxy) as client:
        more = frame(CONTINUATION, 0, 1, piece) * 1_000
        sending = asyncio.create_task(client.send(frame(HEADERS, 1, 1, b"\x82") + more))
        assert (await client.end())[0] == CALM
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_small_block_that_becomes_large_ends_the_connection():
    """An HPACK bomb: one large entry, and many references to it."""
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        bomb = client.encoder.encode([*GET.items(), ("x-a", "b" * 3_000)]) + b"\xbe" * 10_000
        await client.send(frame(HEADERS, 5, 1, bomb))
        assert (await client.end())[0] == CALM
        assert service.seen == []


async def test_a_large_head_is_answered_431():
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        fields = [(f"x-{number}", "b" * 3_000) for number in range(12)]
        number, block = 1, client.encoder.encode([*GET.items(), *fields])
        pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
        await client.send(frame(HEADERS, 1, number, pieces[0]))
        for at, piece in enumerate(pieces[1:], 2):
            await client.send(frame(CONTINUATION, 4 if at == len(pieces) else 0, number, piece))
        assert (await client.answer(number)).status == "431"
        assert service.seen == []


@pytest.mark.parametrize("block", [b"\x3f", b"\x1b", b"\x82\x20", b"\x00\x85\xf2\xb2\x4a\x84\xff\xff\xff", b"\xc0"])
async def test_a_block_that_cannot_be_read_ends_the_connection(block, capfd):
    async with stage(OK) as (proxy, _), peer(proxy) as client:
        await client.send(frame(HEADERS, 5, 1, block))
        assert (await client.end())[0] == "COMPRESSION_ERROR"
        assert capfd.readouterr().err == ""


async def test_more_streams_than_allowed_are_refused_and_the_others_answered():
    go = asyncio.Event()

    async def late(_, wire):
        await wire.head()
        await go.wait()
        await wire.send(OK)

    async with backend(late) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        most = client.settings[3]
        numbers = [await client.ask() for _ in range(most + 1)]
        assert (await client.answer(numbers[-1])).ended == "REFUSED_STREAM"
        go.set()
        for number in numbers[:-1]:
            assert (await client.answer(number)).status == "200"


# Windows


def endless(piece: bytes):
    """Writes for ever; `seen` grows by one for each piece that was taken."""

    async def conversation(self, wire):
        await wire.head()
        wire.writer.write(b"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            wire.writer.write(piece)
            await wire.writer.drain()
            self.seen.append(b"")

    return conversation


async def test_a_slow_reader_holds_the_service_back():
    async with (
        backend(endless(b"x" * 65_536)) as service,
        running(route("api", service.port)) as proxy,
        peer(proxy) as client,
    ):
        client.credit = False
        number = await client.ask()
        await client.until(lambda: len(client.of(number).body) == 65_535)
        held = next(iter(proxy.proxy.context.clients))
        await until(lambda: held.paused)
        before = len(service.seen)
        other = await client.ask(authority="none.dev.test")  # its body has no window either, its head needs none
        await client.until(lambda: client.of(other).status == "404")
        assert held.transport.get_write_buffer_size() <= 1 << 20
        assert len(service.seen) <= before + 100
        client.credit = True
        grown = word(65_535)
        await client.send(frame(WINDOW_UPDATE, 0, 0, grown) + frame(WINDOW_UPDATE, 0, number, grown))
        await client.until(lambda: len(client.of(number).body) > 1 << 20)


async def test_a_slow_service_holds_the_client_back_and_not_its_other_requests():
    go = asyncio.Event()

    async def slow(self, wire):
        await wire.head()
        wire.writer.transport.pause_reading()
        await go.wait()
        wire.writer.transport.resume_reading()
        await wire.exactly(8 << 20)
        await wire.send(OK)

    async with (
        stage(OK) as (proxy, service),
        backend(slow) as other,
    ):
        proxy.route(route("api", service.port), route("slow", other.port))
        async with peer(proxy) as client:
            size = 8 << 20
            number = await client.ask(
                ("content-length", str(size)), end=False, method="POST", authority="slow.dev.test"
            )
            sent = 0

            async def pour(bound: int) -> None:
                nonlocal sent
                while sent < size:
                    room = min(65_535 + client.granted.get(number, 0), 65_535 + client.granted.get(0, 0), size) - sent
                    if room <= 0:
                        return
                    piece = b"x" * min(room, 16_384)
                    sent += len(piece)
                    await client.send(frame(DATA, sent == size, number, piece))

            held = None
            while held is None:
                await pour(size)
                held = next((each for each in proxy.proxy.context.clients if each.deaf()), None)
                if held is None and sent < size:
                    await client.read()
            assert sent < size
            assert (await client.get()).status == "200"
            go.set()
            while sent < size:
                await pour(size)
                if sent < size:
                    await client.read()
            assert (await client.answer(number)).status == "200"


async def test_a_client_that_never_takes_its_answer_loses_it():
    limits = Limits(stall_time=0.3)
    async with (
        backend(endless(b"x" * 65_536)) as service,
        running(route("api", service.port), limits=limits) as proxy,
        peer(proxy, settings(window=0)) as client,
    ):
        number = await client.ask()
        assert (await client.answer(number)).ended == "INTERNAL_ERROR"
        assert client.of(number).body == b""


async def test_more_than_the_window_is_a_reset_stream():
    async def deaf(self, wire):
        wire.writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with backend(deaf) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(end=False, method="POST")
        sending = asyncio.create_task(client.send(frame(DATA, 0, number, b"x" * 16_384) * 1_000))
        assert (await client.answer(number)).ended == "FLOW_CONTROL_ERROR"
        sending.cancel()


async def test_a_larger_first_window_counts_for_streams_that_are_open():
    hello = b"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 5\r\n\r\nhello"
    async with stage(hello) as (proxy, _), peer(proxy, settings(window=0)) as client:
        number = await client.ask()
        await client.until(lambda: client.of(number).heads)
        assert client.of(number).body == b""
        await client.send(settings(window=3))
        await client.until(lambda: client.of(number).body == b"hel")
        client.credit = False
        await client.send(settings(window=100))
        assert (await client.answer(number)).body == b"hello"


# Time


async def test_a_connection_that_asks_nothing_is_ended():
    async with running(limits=Limits(idle_time=0.3, linger_time=0.1)) as proxy, peer(proxy) as client:
        assert (await client.end())[0] == "NO_ERROR"
        await until(lambda: not proxy.proxy.context.trunks)


async def test_a_field_section_that_does_not_go_on_ends_the_connection():
    async with running(limits=Limits(head_time=0.3)) as proxy, peer(proxy) as client:
        await client.send(frame(HEADERS, 1, 1, b"\x82"))
        assert await client.end() is not None


async def test_an_address_has_only_so_many_streams():
    go = asyncio.Event()

    async def late(_, wire):
        await wire.head()
        await go.wait()
        await wire.send(OK)

    limits = Limits(connections_loopback=4, connections_elsewhere=4)
    async with (
        backend(late) as service,
        running(route("api", service.port), limits=limits) as proxy,
        peer(proxy) as client,
    ):
        numbers = [await client.ask() for _ in range(4)]
        assert (await client.answer(numbers[-1])).status == "503"
        go.set()
        assert (await client.answer(numbers[0])).status == "200"
