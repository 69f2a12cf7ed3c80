"""Bodies on the way through: where one ends, and the bytes of it that may go on. No sockets.

Each body takes bytes as they come and returns what goes on and what is left over after its end. Only whole, validated
chunk lines go on, so that no peer ever sees half of something that turns out to be malformed.
"""

from __future__ import annotations

import re
from typing import Protocol

from devdns_proxy.fields import TOKEN, trailers

QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
EXTENSION = rb"[ \t]*+;[ \t]*+" + TOKEN + rb"++(?:[ \t]*+=[ \t]*+(?:" + TOKEN + rb"++|" + QUOTED + rb"))?+"
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:" + EXTENSION + rb")*+)\r\n")
MAX_CHUNK_LINE = 1_024
MAX_TRAILERS = 8_192
SIZE, PAYLOAD, GAP, TRAILERS = range(4)


class FramingRefused(Exception):
    """A body that breaks its framing: the connection that carries it is of no further use."""


class Body(Protocol):
    """One body. `done` is true once its end was seen; `feed` is not called after that."""

    done: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What goes on, and what is left over after the end; raises `FramingRefused`."""
        ...


class Sized:
    """A body of a known length."""

    __slots__ = ("done", "left")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        if len(data) < self.left:
            self.left -= len(data)
            return data, b""
        rest = data[self.left :]
        taken = data[: self.left] if rest else data
        self.left, self.done = 0, True
        return taken, rest


class Chunked:
    """A chunked body (RFC 9112 section 7.1), passed on chunked, or as payload only for an HTTP/1.0 client.

    Extensions are checked and dropped, forbidden trailer fields dropped, everything else goes on as it came. `section` is the
    trailer section, once it has come.
    """

    __slots__ = ("_held", "_left", "_payload_only", "_state", "done", "section")

    def __init__(self, *, payload_only: bool = False) -> None:
        self.done = False
        self._payload_only = payload_only
        self._held = b""
        self._left = 0
        self._state = SIZE
        self.section = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        if self._state == PAYLOAD and len(data) < self._left:
            self._left -= len(data)
            return data, b""
        if self._held:
            data, self._held = self._held + data, b""
        out: list[bytes] = []
        at = 0
        while not self.done:
            after = self._step(data, at, out)
            if after < 0:
                self._held = data[at:]
                return b"".join(out), b""
            at = after
        return b"".join(out), data[at:]

    def _step(self, data: bytes, at: int, out: list[bytes]) -> int:
        """One element from `at`; its end, or -1 when it is not whole yet."""
        if self._state == PAYLOAD:
            return self._take_payload(data, at, out)
        if self._state == SIZE:
            return self._take_size(data, at, out)
        if self._state == GAP:
            return self._take_gap(data, at, out)
        return self._take_trailers(data, at, out)

    def _take_size(self, data: bytes, at: int, out: list[bytes]) -> int:
        line = CHUNK_LINE.match(data, at)
        if line is None:
            return self._wait_for_line(data, at)
        self._left = int(line[1], 16)
        self._state = PAYLOAD if self._left else TRAILERS
        if not self._payload_only:
            out.append(line[1] + b"\r\n")
        return line.end()

    def _wait_for_line(self, data: bytes, at: int) -> int:
        """-1 while a whole line may still come; a bare LF or an overlong line never becomes one."""
        if b"\n" in data[at:] or len(data) - at > MAX_CHUNK_LINE:
            raise FramingRefused("a chunk size line is malformed")
        return -1

    def _take_payload(self, data: bytes, at: int, out: list[bytes]) -> int:
        taken = data[at : at + self._left]
        if not taken:
            return -1
        out.append(taken)
        self._left -= len(taken)
        if not self._left:
            self._state = GAP
        return at + len(taken)

    def _take_gap(self, data: bytes, at: int, out: list[bytes]) -> int:
        gap = data[at : at + 2]
        if not b"\r\n".startswith(gap):
            raise FramingRefused("a chunk is longer than its size")
        if len(gap) < 2:
            return -1
        self._state = SIZE
        if not self._payload_only:
            out.append(gap)
        return at + 2

    def _take_trailers(self, data: bytes, at: int, out: list[bytes]) -> int:
        end = _section_end(data, at)
        if end < 0:
            if len(data) - at > MAX_TRAILERS or re.search(rb"(?<!\r)\n", data[at:]):
                raise FramingRefused("the trailer section is malformed or too long")
            return -1
        section = trailers(data[at:end])
        if section is None:
            raise FramingRefused("a trailer line is malformed")
        self.done = True
        self.section = section
        if not self._payload_only:
            out.append(section)
        return end


def _section_end(data: bytes, at: int) -> int:
    """Where the trailer section that starts at `at` ends, its empty line included; -1 when it is not whole yet."""
    if data.startswith(b"\r\n", at):
        return at + 2
    last = data.find(b"\r\n\r\n", at)
    return last + 4 if last >= 0 else -1


class UntilClose:
    """A body that ends with its connection; for an HTTP/1.1 client it is chunked, so that its end is seen for certain."""

    __slots__ = ("_chunk", "done")

    def __init__(self, *, chunk: bool) -> None:
        self.done = False
        self._chunk = chunk

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return (b"%x\r\n%b\r\n" % (len(data), data) if self._chunk else data), b""

    def end(self) -> bytes:
        """The bytes that say to the client that the body is whole."""
        self.done = True
        return b"0\r\n\r\n" if self._chunk else b""
