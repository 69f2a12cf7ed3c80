"""Frames of `leaves.sock`: the certificates control signs for the proxy, and what the proxy asks of it.

As on `snapshots.sock` each is a 4-byte big-endian length and one msgspec (MessagePack) value of a tagged type. Control tells
all its `Leaves` to a proxy that connects, then each `Leaf` that is new; the proxy may `Ask` for a name. Bytes in, values out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devdns.core.errors import FrameRefused
from devdns.core.frames import Bodies, framed
from devdns.core.names import MAX_HOST

MAX_BYTES = 8 << 20
MOST_LEAVES = 1_024


class Leaf(Struct, frozen=True, tag="leaf"):
    """A certificate for `names` (canonical hosts, `*.` in front of a wildcard): PEM chain, leaf first, and PEM key.

    It takes the place of any other for the same names. `until` is when it ends, in Unix seconds.
    """

    names: tuple[str, ...]
    chain: str
    key: str
    until: float

    def __repr__(self) -> str:
        return f"Leaf({', '.join(self.names)}, until={self.until:.0f})"  # a key is for no log

    def covers(self, host: str) -> bool:
        """True when a client takes it for the canonical `host`: a wildcard stands for one label (RFC 9525 section 6.3)."""
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names


class Leaves(Struct, frozen=True, tag="leaves"):
    """First frame of a connection: all that control pushes, in place of what it pushed before.

    The first one is what a client gets for whom there is no other.
    """

    leaves: Annotated[tuple[Leaf, ...], Meta(max_length=MOST_LEAVES)]


class Ask(Struct, frozen=True, tag="ask"):
    """The proxy wants a leaf that covers `name`; a `Leaf` that does is the answer, or `Refused`."""

    name: Annotated[str, Meta(max_length=MAX_HOST)]


class Refused(Struct, frozen=True, tag="refused"):
    """There will be no leaf for `name` now: why, in words."""

    name: str
    reason: str


Frame = Leaves | Leaf | Ask | Refused
_decoder = msgspec.msgpack.Decoder(Frame)
_encoder = msgspec.msgpack.Encoder()


def encode(frame: Frame) -> bytes:
    """One frame, length first; raises `FrameRefused` when it is over `MAX_BYTES`."""
    return framed(_encoder.encode(frame), MAX_BYTES)


class LeafReader:
    """Cuts a byte stream into frames; holds at most one unfinished frame."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._bodies = Bodies(most)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Frames completed by `data`, in order; raises `FrameRefused` on anything else."""
        for body in self._bodies.feed(data):
            try:
                yield _decoder.decode(body)
            except msgspec.MsgspecError as error:
                raise FrameRefused(f"not a frame: {error}") from None
