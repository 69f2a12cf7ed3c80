"""Services that break the rules of HTTP/2, in raw frames: the request is a 502 or a cut response, and nothing else is the worse for it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from hpack import Encoder
from msgspec.structs import replace
from support.http2 import (
    CODES,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    settings,
    word,
)
from support.http_proxy import UNHELD, Wire, backend, route, running
from support.waiting import until

from devdns_proxy.limits import Limits

POST = b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
PADDED = 8
MOST = 2**31 - 1
DONE = b"\r\n0\r\n\r\n"


def block(*fields: tuple[str, str], status: str = "200") -> bytes:
    return Encoder().encode([(":status", status), *fields])


def head(*fields: tuple[str, str], status: str = "200", end: bool = False) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), 1, block(*fields, status=status))


def broken(payload: bytes) -> bytes:
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, payload)


def data(payload: bytes = b"", *, end: bool = False) -> bytes:
    return frame(DATA, END_STREAM if end else 0, 1, payload)


OPEN_HEAD = frame(HEADERS, END_STREAM, 1, block())
ENTRY = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4_000  # into the table, from where one byte takes it again
BOMB = b"\x88" + ENTRY + b"\xbe" * 12_000
BOMB_REQUEST = b"".join(
    [frame(HEADERS, END_STREAM, 1, BOMB[:16_384])] + [frame(CONTINUATION, 0, 1, b"\xbe" * 16_384)] * 16
)

FAILED = [  # what a service says, and the code it is told; the client is told 502
    ("a field without its value", broken(b"\x88\x40\x01x"), "COMPRESSION_ERROR"),
    ("a value cut short", broken(b"\x88\x40\x85abc"), "COMPRESSION_ERROR"),
    ("a number without end", broken(b"\xff" * 40), "COMPRESSION_ERROR"),
    ("a field of no table", broken(b"\x88\xfe"), "COMPRESSION_ERROR"),
    ("a padding of another code", broken(b"\x88\x00\x01x\x81\x00"), "COMPRESSION_ERROR"),
    ("a table that is too large", broken(b"\x3f\xff\xff\x7f\x88"), "COMPRESSION_ERROR"),
    ("fields of 50 MB", broken(BOMB), "ENHANCE_YOUR_CALM"),
    ("fields of a GiB", BOMB_REQUEST, "ENHANCE_YOUR_CALM"),
    ("padding longer than HEADERS", frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff\x88"), "PROTOCOL_ERROR"),
    ("no length of the padding", frame(HEADERS, END_HEADERS | PADDED, 1), "FRAME_SIZE_ERROR"),
    ("no priority where one is", frame(HEADERS, END_HEADERS | 0x20, 1, b"\x88"), "FRAME_SIZE_ERROR"),
    ("a window of too much", frame(WINDOW_UPDATE, 0, 0, word(MOST)), "FLOW_CONTROL_ERROR"),
    ("a window of a stream of too much", frame(WINDOW_UPDATE, 0, 1, word(MOST)), "FLOW_CONTROL_ERROR"),
    ("a window that grows by nothing", frame(WINDOW_UPDATE, 0, 0, word(0)), "PROTOCOL_ERROR"),
    ("a window of a stream by nothing", frame(WINDOW_UPDATE, 0, 1, word(0)), "PROTOCOL_ERROR"),
    ("half a window", frame(WINDOW_UPDATE, 0, 0, b"\0\0"), "FRAME_SIZE_ERROR"),
    ("windows that begin too large", settings(window=2**31), "FLOW_CONTROL_ERROR"),
    ("windows that become too large", frame(WINDOW_UPDATE, 0, 1, word(2**30)) + settings(window=MOST), "FLOW_CONTROL_ERROR"),
    ("frames of one byte", settings(frame=1), "PROTOCOL_ERROR"),
    ("pushing to a service", settings(push=1), "PROTOCOL_ERROR"),
    ("half a setting", frame(SETTINGS, 0, 0, b"abc"), "FRAME_SIZE_ERROR"),
    ("settings acknowledged with some", frame(SETTINGS, 1, 0, b"abcdef"), "FRAME_SIZE_ERROR"),
    ("settings of a stream", frame(SETTINGS, 0, 1), "PROTOCOL_ERROR"),
    ("CONTINUATION without end", OPEN_HEAD + frame(CONTINUATION, 0, 1, b"") * 100, "ENHANCE_YOUR_CALM"),
    ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, block()), "PROTOCOL_ERROR"),
    ("a head that is interrupted", OPEN_HEAD + data(), "PROTOCOL_ERROR"),
    ("a head interrupted by what is unknown", OPEN_HEAD + frame(99, 0, 1), "PROTOCOL_ERROR"),
    ("HEADERS of no stream", frame(HEADERS, END_HEADERS, 0, block()), "PROTOCOL_ERROR"),
    ("HEADERS of a stream to come", frame(HEADERS, END_HEADERS, 99, block()), "PROTOCOL_ERROR"),
    ("HEADERS of its own stream", frame(HEADERS, END_HEADERS, 2, block()), "PROTOCOL_ERROR"),
    ("DATA of a stream to come", frame(DATA, 0, 99, b"x"), "PROTOCOL_ERROR"),
    ("RST_STREAM of a stream to come", frame(RST_STREAM, 0, 99, word(0)), "PROTOCOL_ERROR"),
    ("a window of a stream to come", frame(WINDOW_UPDATE, 0, 99, word(1)), "PROTOCOL_ERROR"),
    ("half a RST_STREAM", frame(RST_STREAM, 0, 1, b"abc"), "FRAME_SIZE_ERROR"),
    ("half a PING", frame(PING, 0, 0, b"abc"), "FRAME_SIZE_ERROR"),
    ("half a GOAWAY", frame(GOAWAY, 0, 0, b"abc"), "FRAME_SIZE_ERROR"),
    ("a push", frame(PUSH_PROMISE, END_HEADERS, 1, word(2) + block()), "PROTOCOL_ERROR"),
    ("a frame that is too large", frame(DATA, 0, 1, bytes(16_385)), "FRAME_SIZE_ERROR"),
    ("DATA before its head", data(b"x"), "PROTOCOL_ERROR"),
    ("DATA after its end", head(end=True) + data(b"x"), "STREAM_CLOSED"),
    ("HEADERS after its end", head(end=True) + head(end=True), "STREAM_CLOSED"),
    ("an end before the head", head(status="103", end=True), "PROTOCOL_ERROR"),
    ("a head without a status", frame(HEADERS, END_HEADERS, 1, Encoder().encode([("x", "y")])), "PROTOCOL_ERROR"),
    ("101", head(status="101"), "PROTOCOL_ERROR"),
    ("less than it says, and no body", head(("content-length", "5"), end=True), "PROTOCOL_ERROR"),
    ("PING without end", frame(PING, 0, 0, b"12345678") * 5_000, "ENHANCE_YOUR_CALM"),
    ("SETTINGS without end", settings() * 5_000, "ENHANCE_YOUR_CALM"),
    ("windows without end", frame(WINDOW_UPDATE, 0, 0, word(1)) * 5_000, "ENHANCE_YOUR_CALM"),
    ("interim heads without end", head(status="103") * 5_000, "ENHANCE_YOUR_CALM"),
    ("unknown frames without end", frame(99, 0, 0) * 5_000, "ENHANCE_YOUR_CALM"),
]  # fmt: skip
CUT = [  # the same behind a head that the client has been told
    ("padding longer than DATA", frame(DATA, PADDED, 1, b"\xff1"), "PROTOCOL_ERROR"),
    ("trailers that do not end it", head(), "PROTOCOL_ERROR"),
    ("trailers that cannot be read", broken(b"\xff" * 40), "COMPRESSION_ERROR"),
    ("a line in a trailer", frame(HEADERS, 5, 1, Encoder().encode([("x", "a\r\nb: c")])), "PROTOCOL_ERROR"),
    ("empty DATA without end", data() * 5_000, "ENHANCE_YOUR_CALM"),
]


class Hostile:
    """Says `said` to its first request, over `wire`, and answers the others; `codes` are what it has been told."""

    def __init__(self, said: bytes) -> None:
        self.said = said
        self.codes: list[str] = []
        self.asked = 0
        self.wire: Wire | None = None

    async def __call__(self, _, wire: Wire) -> None:
        self.wire = self.wire or wire
        await wire.exactly(24)
        await wire.send(settings())
        while True:
            kind, flags, number, payload = await self._frame(wire)
            if kind in (RST_STREAM, GOAWAY):
                self.codes.append(CODES[int.from_bytes(payload[-4:] if kind == RST_STREAM else payload[4:8], "big")])
            elif kind in (HEADERS, DATA) and flags & END_STREAM:
                self.asked += 1
                await wire.send(self._answer(number))

    def _answer(self, number: int) -> bytes:
        if self.asked == 1:
            return self.said
        return frame(HEADERS, END_HEADERS | END_STREAM, number, block(("x", "well")))

    async def _frame(self, wire: Wire) -> tuple[int, int, int, bytes]:
        top = await wire.exactly(9)
        return top[3], top[4], int.from_bytes(top[5:], "big"), await wire.exactly(int.from_bytes(top[:3], "big"))


@asynccontextmanager
async def stage(said: bytes, limits: Limits = UNHELD):
    async with AsyncExitStack() as stack:
        hostile = Hostile(said)
        service = await stack.enter_async_context(backend(hostile))
        there = route("api", f"h2c://127.0.0.1:{service.port}")
        yield await stack.enter_async_context(running(there, limits=limits)), hostile


async def lives(proxy, hostile: Hostile, code: str, capfd) -> None:
    """The service has been told `code`, the next request is answered, and nobody has said anything."""
    await until(lambda: hostile.codes)
    assert hostile.codes[0] == code
    assert b"\r\nx: well\r\n" in await proxy.say(POST)
    assert not proxy.proxy.context.counters.held
    said = capfd.readouterr()
    assert (said.err, "Traceback" in said.out) == ("", False)


@pytest.mark.parametrize(("said", "code"), [case[1:] for case in FAILED], ids=[case[0] for case in FAILED])
async def test_what_is_not_http_2_is_502(said, code, capfd):
    async with stage(said) as (proxy, hostile):
        assert b"HTTP/1.1 502 " in await proxy.say(POST)
        await lives(proxy, hostile, code, capfd)


@pytest.mark.parametrize(("said", "code"), [case[1:] for case in CUT], ids=[case[0] for case in CUT])
async def test_what_is_not_http_2_behind_a_head_cuts_the_response(said, code, capfd):
    async with stage(head() + data(b"part")) as (proxy, hostile), await proxy.connect() as wire:
        await wire.send(POST)
        assert (await wire.until(b"part\r\n")).startswith(b"HTTP/1.1 200 ")
        await hostile.wire.send(said)
        assert DONE not in b"\r\n" + await wire.rest()
        await lives(proxy, hostile, code, capfd)


async def test_a_head_that_never_ends_is_not_waited_for(capfd):
    async with stage(OPEN_HEAD, replace(UNHELD, head_time=0.05)) as (proxy, hostile):
        assert (await proxy.say(POST)).startswith(b"HTTP/1.1 502 ")
        await lives(proxy, hostile, "ENHANCE_YOUR_CALM", capfd)


async def test_more_than_the_window_is_cut(capfd):
    """A service that does not mind it pours into a client who does not read."""
    async with stage(head()) as (proxy, hostile), await proxy.connect() as wire:
        wire.writer.transport.pause_reading()
        await wire.send(POST)
        await until(lambda: hostile.wire is not None and hostile.asked)
        while not hostile.codes:
            await hostile.wire.send(data(bytes(16_384)) * 16)
        await lives(proxy, hostile, "FLOW_CONTROL_ERROR", capfd)
