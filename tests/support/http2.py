"""A client of HTTP/2 that writes raw frames, also those that no library would write, and reads what comes back.

It knows the frame layout and leaves fields to the library hpack; nothing of the proxy's own code is used.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hpack import Decoder, Encoder

from support.http_proxy import BOUND, Running, Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
ACK = 1
CODES = {0: "NO_ERROR", 1: "PROTOCOL_ERROR", 2: "INTERNAL_ERROR", 3: "FLOW_CONTROL_ERROR", 5: "STREAM_CLOSED"} | {
    6: "FRAME_SIZE_ERROR",
    7: "REFUSED_STREAM",
    8: "CANCEL",
    9: "COMPRESSION_ERROR",
    11: "ENHANCE_YOUR_CALM",
}
GET = {":method": "GET", ":scheme": "http", ":authority": "api.dev.test", ":path": "/"}


def frame(kind: int, flags: int, number: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, number) + payload


def settings(**values: int) -> bytes:
    names = {"table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "connect": 8}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", names[name], value) for name, value in values.items()))


def word(number: int) -> bytes:
    return struct.pack(">I", number)


@dataclass
class Frame:
    kind: int
    flags: int
    number: int
    payload: bytes


@dataclass
class Answered:
    """What came on one stream: interim heads and the final one, body, trailers, and how it ended (`END` or a code's name)."""

    heads: list[dict[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: str = ""

    @property
    def status(self) -> str:
        return next((head[":status"] for head in self.heads if head.get(":status", "1")[0] != "1"), "")

    @property
    def fields(self) -> dict[str, str]:
        return next(head for head in self.heads if head.get(":status", "1")[0] != "1")

    @property
    def trailers(self) -> dict[str, str]:
        return self.heads[-1] if ":status" not in self.heads[-1] else {}


class Peer:
    """One connection. `answers` are what has come, by stream; `gone` is the code and reason of GOAWAY."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.encoder, self.decoder = Encoder(), Decoder()
        self.answers: dict[int, Answered] = {}
        self.settings: dict[int, int] = {}
        self.granted: dict[int, int] = {}
        self.gone: tuple[str, bytes] | None = None
        self.credit = True  # tells the other side of each byte that it has been read
        self._next = 1
        self._block = b""

    async def start(self, first: bytes = b"") -> None:
        await self.wire.send(PREFACE + (first or settings()))
        while not self.settings:
            await self.read()

    async def send(self, data: bytes) -> None:
        await self.wire.send(data)

    def head(self, *fields: tuple[str, str], end: bool = True, number: int = 0, **pseudo: str) -> tuple[int, bytes]:
        """A request's HEADERS and its stream; `pseudo` replaces the usual ones, an empty value takes one away."""
        if not number:
            number, self._next = self._next, self._next + 2
        given = {**GET, **{f":{name}": value for name, value in pseudo.items()}}
        block = self.encoder.encode([*((name, value) for name, value in given.items() if value), *fields])
        return number, frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), number, block)

    async def ask(self, *fields: tuple[str, str], end: bool = True, **pseudo: str) -> int:
        number, data = self.head(*fields, end=end, **pseudo)
        await self.send(data)
        return number

    async def data(self, number: int, payload: bytes = b"", *, end: bool = False) -> None:
        await self.send(frame(DATA, END_STREAM if end else 0, number, payload))

    async def get(self, *fields: tuple[str, str], **pseudo: str) -> Answered:
        return await self.answer(await self.ask(*fields, **pseudo))

    async def answer(self, number: int) -> Answered:
        """Reads until the stream is over."""
        while not self.of(number).ended:
            assert await self.read(), f"the connection ended: {self.gone}"
        return self.of(number)

    async def until(self, condition) -> None:
        while not condition():
            assert await self.read(), f"the connection ended: {self.gone}"

    async def end(self) -> tuple[str, bytes] | None:
        """Reads to the end of the connection; how it was said to end."""
        while await self.read():
            pass
        return self.gone

    def of(self, number: int) -> Answered:
        return self.answers.setdefault(number, Answered())

    async def read(self) -> Frame | None:
        """Takes in the next frame; None at the end."""
        try:
            head = await self.wire.exactly(9)
            found = Frame(head[3], head[4], *struct.unpack(">I", head[5:]), b"")
            found.payload = await self.wire.exactly(int.from_bytes(head[:3], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        await self._take(found)
        return found

    async def _take(self, got: Frame) -> None:
        answer = self.of(got.number)
        taken = {HEADERS: self._fields, CONTINUATION: self._fields, DATA: self._data, SETTINGS: self._settings}
        if got.kind in taken:
            await taken[got.kind](got, answer)
        elif got.kind == RST_STREAM:
            answer.ended = CODES[int.from_bytes(got.payload, "big")]
        elif got.kind == GOAWAY:
            self.gone = CODES[int.from_bytes(got.payload[4:8], "big")], got.payload[8:]
        elif got.kind == WINDOW_UPDATE:
            self.granted[got.number] = self.granted.get(got.number, 0) + int.from_bytes(got.payload, "big")
        if got.kind in (DATA, HEADERS) and got.flags & END_STREAM:
            answer.ended = answer.ended or "END"

    async def _fields(self, got: Frame, answer: Answered) -> None:
        self._block += got.payload
        if got.flags & END_HEADERS:
            answer.heads.append(dict(self.decoder.decode(self._block)))
            self._block = b""

    async def _data(self, got: Frame, answer: Answered) -> None:
        answer.body += got.payload
        if self.credit and got.payload:
            grown = word(len(got.payload))
            await self.send(frame(WINDOW_UPDATE, 0, 0, grown) + frame(WINDOW_UPDATE, 0, got.number, grown))

    async def _settings(self, got: Frame, _: Answered) -> None:
        if not got.flags & ACK:
            self.settings = dict(struct.iter_unpack(">HI", got.payload))
            await self.send(frame(SETTINGS, ACK, 0))


@asynccontextmanager
async def peer(proxy: Running, first: bytes = b"") -> AsyncIterator[Peer]:
    """A connection that knows beforehand that HTTP/2 is spoken (RFC 9113 section 3.3)."""
    async with asyncio.timeout(BOUND), await proxy.connect() as wire:
        talking = Peer(wire)
        await talking.start(first)
        yield talking
