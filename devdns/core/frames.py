"""Frames of `snapshots.sock`: a 4-byte big-endian length, then one msgspec (MessagePack) value of a tagged type.

Control sends `Hello`, the `Network`, the `Faults` asked for, the table in `Slice`s, then a `Change` for each generation, and the
others again when they are others; a follower that misses a change asks by `Resync`, and may tell its `Figures` and `Sightings`.
Bytes in, values out: the sockets are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devdns.core.chaos import Chaos, Faults
from devdns.core.errors import FrameRefused
from devdns.core.figures import Family
from devdns.core.network import Network
from devdns.core.routes import Change, Route, RouteTable
from devdns.core.settings import Config
from devdns.core.sightings import Sightings

VERSION = 1
SLICE = 1_000
SLICE_BYTES = 1 << 20  # a follower is dropped when it owes some of these; common ones take a fifth
MAX_FRAME = 16 << 20
HEADER = 4


class Hello(Struct, frozen=True, tag="hello"):
    """First frame of a connection: what the parts need to know besides routes. `http` and `https` are the proxy's (address, port)."""

    version: int
    instance: str
    config: Config
    http: tuple[tuple[str, int], ...] = ()
    https: tuple[tuple[str, int], ...] = ()


class Slice(Struct, frozen=True, tag="slice"):
    """A part of a whole table of one generation; after the `last` one the table is complete."""

    generation: int
    routes: tuple[Route, ...]
    last: bool


class Resync(Struct, frozen=True, tag="resync"):
    """A follower asks for the whole table again."""


class Figures(Struct, frozen=True, tag="figures"):
    """What a follower counted since it started; replaces what the same one told before.

    `life` is another text each time a part is started: by it a part that connects again is told from its successor.
    """

    part: Annotated[str, Meta(max_length=40)]
    families: Annotated[tuple[Family, ...], Meta(max_length=50)]
    life: Annotated[str, Meta(max_length=40)] = ""


Frame = Hello | Network | Faults | Slice | Change | Resync | Figures | Sightings
_decoder = msgspec.msgpack.Decoder(Frame)
_encoder = msgspec.msgpack.Encoder()


def encode(frame: Frame) -> bytes:
    """One frame, length first; raises `FrameRefused` when it is over `MAX_FRAME` bytes."""
    return framed(_encoder.encode(frame), MAX_FRAME)


def framed(body: bytes, most: int) -> bytes:
    """The body with its length before it; raises `FrameRefused` when it is over `most` bytes."""
    if len(body) > most:
        raise FrameRefused(f"frame of {len(body)} bytes is over {most}")
    return len(body).to_bytes(HEADER, "big") + body


def slices(table: RouteTable) -> Iterator[Slice]:
    """The whole table as slices of at most `SLICE` routes; an empty table is one empty last slice."""
    routes = list(table)
    starts = range(0, len(routes) or 1, SLICE)
    for start in starts:
        yield Slice(table.generation, tuple(routes[start : start + SLICE]), last=start + SLICE >= len(routes))


def encoded(table: RouteTable, left_out: Callable[[Route], None]) -> Iterator[bytes]:
    """The whole table as frames of about `SLICE_BYTES` at most. A route that alone is over `MAX_FRAME` goes to `left_out`."""
    for part in slices(table):
        yield from _cut(part, left_out)


def _cut(part: Slice, left_out: Callable[[Route], None]) -> Iterator[bytes]:
    body, half = _encoder.encode(part), len(part.routes) // 2
    if half and len(body) > SLICE_BYTES:
        yield from _cut(Slice(part.generation, part.routes[:half], last=False), left_out)
        yield from _cut(Slice(part.generation, part.routes[half:], part.last), left_out)
    elif len(body) > MAX_FRAME:
        left_out(part.routes[0])
        yield from _cut(Slice(part.generation, (), part.last), left_out)
    else:
        yield len(body).to_bytes(HEADER, "big") + body


class Bodies:
    """Cuts a byte stream into the bodies of frames of at most `most` bytes; holds at most one unfinished one."""

    def __init__(self, most: int = MAX_FRAME) -> None:
        self._most = most
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Bodies completed by `data`, in order; raises `FrameRefused` where one is said to be longer."""
        self._buffer += data
        while len(self._buffer) >= HEADER:
            size = int.from_bytes(self._buffer[:HEADER], "big")
            if size > self._most:
                raise FrameRefused(f"frame of {size} bytes is over {self._most}")
            if len(self._buffer) < HEADER + size:
                return
            body = bytes(self._buffer[HEADER : HEADER + size])
            del self._buffer[: HEADER + size]
            yield body


class FrameReader:
    """Cuts a byte stream into frames; holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._bodies = Bodies()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Frames completed by `data`, in order; raises `FrameRefused` on anything else."""
        for body in self._bodies.feed(data):
            try:
                yield _decoder.decode(body)
            except msgspec.MsgspecError as error:
                raise FrameRefused(f"not a frame: {error}") from None


class TableView:
    """What the resolver and the proxy hold: attributes that are swapped whole. `hello` is None until control spoke.

    Who has more to do at a swap than to read the new table next time is told: `listeners` are called with the hosts whose
    routes may be other ones now, None for all of them. `faults` are those asked for, by the name of their route.
    """

    __slots__ = ("faults", "hello", "listeners", "network", "table")

    def __init__(self, hello: Hello | None = None, table: RouteTable | None = None) -> None:
        self.hello = hello
        self.network = Network()
        self.faults: dict[str, Chaos] = {}
        self.table = table or RouteTable()
        self.listeners: list[Callable[[frozenset[str] | None], None]] = []

    def swap(self, table: RouteTable, change: Change | None = None) -> None:
        """Puts another table in force; `change` is all that is different, None where that is not known."""
        self.table = table
        if self.listeners:
            hosts = None if change is None else change.hosts()
            for listener in self.listeners:
                listener(hosts)


class Follower:
    """Applies frames to a view. `complete` turns true with the first whole table and stays so."""

    def __init__(self, view: TableView) -> None:
        self.view = view
        self.complete = False
        self._pending: RouteTable | None = None
        self._stale = True

    def restart(self) -> None:
        """A new connection: the table in force stays until the new one is whole."""
        self._pending = None
        self._stale = True

    def take(self, frame: Frame) -> Resync | None:
        """Applies one frame; returns what to ask of control, if anything."""
        if isinstance(frame, Hello):
            if frame.version != VERSION:
                raise FrameRefused(
                    f"control speaks frames of version {frame.version}, this part {VERSION}", "restart devdns"
                )
            self.view.hello = frame
        elif isinstance(frame, Network):
            self.view.network = frame
        elif isinstance(frame, Faults):
            self.view.faults = dict(frame.rows)
        elif isinstance(frame, Slice):
            self._gather(frame)
        elif isinstance(frame, Change) and not self._stale:
            if frame.generation == self.view.table.generation + 1:
                self.view.swap(self.view.table.apply(frame), frame)
            else:
                self.restart()
                return Resync()
        return None

    def _gather(self, frame: Slice) -> None:
        table = self._pending
        if table is None or table.generation != frame.generation:  # the first slice, or control began anew
            table = RouteTable(generation=frame.generation)
        table.extend(frame.routes)
        if frame.last:
            self._pending, self._stale, self.complete = None, False, True
            self.view.swap(table)
        else:
            self._pending = table
