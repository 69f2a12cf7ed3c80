"""The body of one request of HTTP/2 on its way in: checked against its length, chunked where nobody has said one, kept while nobody takes it."""

from __future__ import annotations

from devdns_proxy.h2.requests import Asked
from devdns_proxy.http2.wire import FLOW_CONTROL_ERROR, STREAM_CLOSED, WINDOW, Malformed


class Inlet:
    """`heard`: all of it has come. `shut`: nothing is passed on for now. `owed`: bytes that the client has not been told to be taken."""

    __slots__ = ("_chunked", "_kept", "_left", "heard", "owed", "shut")

    def __init__(self, asked: Asked) -> None:
        self.heard = False
        self.shut = asked.tunnel  # until the service agrees, what it is sent would be read as the next request
        self.owed = 0
        self._chunked = asked.chunked
        self._left = asked.length
        self._kept: list[bytes] = []

    @property
    def whole(self) -> bool:
        """True when all is here but the word that it is."""
        return self._left == 0 and not self.heard

    def take(self, data: bytes, size: int, *, ended: bool, section: bytes = b"\r\n") -> bytes:
        """What may go on of what was kept and this piece, which used up `size` bytes of the window; raises `Malformed`.

        `section` is the trailer section behind the last piece, with its empty line.
        """
        if self.heard:
            raise Malformed("more after the end of the body", STREAM_CLOSED)
        self.owed += size
        if self.owed > WINDOW:
            raise Malformed("more than the window", FLOW_CONTROL_ERROR)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0 or (ended and self._left):
                raise Malformed("the body is not as long as it was said to be")
        self.heard = ended
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            if ended:
                data += b"0\r\n" + section
        if not (self.shut or self._kept):
            return data
        self._kept.append(data)
        return self.kept()

    def kept(self) -> bytes:
        """What was kept and may go on now."""
        if self.shut:
            return b""
        data = b"".join(self._kept)
        self._kept.clear()
        return data

    def due(self) -> int:
        """What the client is to be told now, in bytes; it is told then."""
        if self.shut or self.heard or self.owed < WINDOW // 2:
            return 0
        owed, self.owed = self.owed, 0
        return owed
