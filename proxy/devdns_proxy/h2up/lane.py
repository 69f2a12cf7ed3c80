"""A lane of a shared HTTP/2 connection: to its `Upstream` a connection of HTTP/1.1, to the service one stream after another.

So everything that is true of a connection to a service (pool, retries, holding, limits, backpressure) is true of a lane. What is
the connection's own is in `h2up.link`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from devdns_proxy.framing import Body, Chunked
from devdns_proxy.h2up import words
from devdns_proxy.h2up.sending import WINDOW
from devdns_proxy.h2up.upstream import LaneUpstream
from devdns_proxy.http2.wire import CANCEL, FLOW_CONTROL_ERROR, NO_ERROR, STREAM_CLOSED, Malformed

if TYPE_CHECKING:
    from devdns.core.routes import Target
    from devdns_proxy.context import Context
    from devdns_proxy.h2up.link import Link
    from devdns_proxy.h2up.words import Told
    from devdns_proxy.http2.hpack import Field

#: Bytes of a request that wait for the service's window, above which the client is read no further.
HIGH_WATER = 65_536


class Lane(asyncio.Transport):
    """Takes the bytes of requests, one at a time, and hands back those of their responses.

    `number` is the stream of the request in hand, 0 while there is none; `window` what that may send before the service says more.
    `headed`: the final head of its response has come; `to_head`: that answers HEAD.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_closing",
        "_done",
        "_full",
        "_left",
        "_loss",
        "_out",
        "_owed",
        "_paused",
        "_pending",
        "_read",
        "_sent",
        "headed",
        "link",
        "number",
        "to_head",
        "upstream",
        "window",
    )

    def __init__(self, link: Link, context: Context, target: Target) -> None:
        super().__init__()
        self.link = link
        self.number = self.window = 0
        self.headed = self.to_head = False
        self.upstream = LaneUpstream(context, target, self)
        self._pending = bytearray()
        self._body: Body | None = None
        self._sent = True  # our half of the stream has ended
        self._out: list[bytes] = []
        self._read = self._owed = (
            0  # bytes of the window that are in `_out`, and that were taken since it was last widened
        )
        self._left: int | None = None  # bytes until the response is whole, where its head says so
        self._done = False  # the service's half has ended, as soon as `_out` is delivered
        self._loss: Exception | None = None
        self._chunked = self._paused = self._full = self._closing = False

    def __repr__(self) -> str:
        return f"<Lane {self.number} of {self.link!r}>"

    # What its upstream asks of a transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.link.transport.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.upstream

    def is_closing(self) -> bool:
        """A connection that takes no more streams is closed to whoever has none."""
        return self._closing or (self.link.leaving and not self.number)

    def get_write_buffer_size(self) -> int:
        return len(self._pending)

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._closing:
            return
        if not self.number:
            data = bytes(data)
            end = data.index(b"\r\n\r\n") + 4
            self._open(data[:end])
            data = data[end:]
        if data and self._body is not None:
            out, _ = self._body.feed(bytes(data))  # has passed the same check on its way here
            self._pending += out
        self.drain()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self.link.context.loop.call_soon(self.deliver)

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Cancels the request in hand: the service is told, and the others of the connection are not touched."""
        if self._closing:
            return
        self._reset(CANCEL)
        self._leave(None)

    # The request on its way

    def _open(self, head: bytes) -> None:
        asked = words.asked(head, self.link.scheme)
        self._body, self._sent = asked.body, asked.body is None
        self.to_head = head.startswith(b"HEAD ")
        self.headed = self._chunked = self._done = False
        self._left, self._owed = None, 0
        self.number = self.link.open(self, asked.block, end=asked.body is None)
        if not self.number:
            self.upstream.refused = True
            self._leave(ConnectionResetError("it takes no more requests"))

    def drain(self) -> None:
        """Sends what the windows of the service take, and the end when all is sent."""
        if self._sent or not self.number:
            return
        body, pending = self._body, self._pending
        while pending and (room := self.link.room_for(self)) > 0:
            data = bytes(pending[:room])
            del pending[:room]
            self._sent = not pending and body is not None and body.done and not self._trailers()
            self.link.carry(self, data, end=self._sent)
        if not (pending or self._sent) and body is not None and body.done:
            self._sent = True
            self.link.end(self.number, words.trailing(self._trailers()))
        self._press()

    def _trailers(self) -> bytes:
        return self._body.section if isinstance(self._body, Chunked) else b""

    def _press(self) -> None:
        """Tells the upstream when to stop and when to go on."""
        full = len(self._pending) > (0 if self._full else HIGH_WATER)
        if full != self._full:
            self._full = full
            (self.upstream.pause_writing if full else self.upstream.resume_writing)()

    # The response, as told by the link, which calls `deliver` when it has told all it has

    def heard_head(self, told: Told, *, ended: bool) -> None:
        """`ended`: nothing follows; raises `Malformed`."""
        self.headed = told.chunked or told.length is not None
        if ended and not self.headed:
            raise Malformed("its response ends before it has begun")
        self._chunked, self._left = told.chunked, told.length
        self._out.append(told.head)

    def heard(self, data: bytes, size: int) -> None:
        """Bytes of the body; `size` is what they take of the window. Raises `Malformed`."""
        if not self.headed:
            raise Malformed("its body comes before its head")
        self._not_after_its_end()
        self._read += size
        if self._read + self._owed > WINDOW:
            raise Malformed("more than the window", FLOW_CONTROL_ERROR)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise Malformed("its body is longer than it says")
        if data:
            self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def _not_after_its_end(self) -> None:
        if self._done:
            raise Malformed("more after the end of its response", STREAM_CLOSED)

    def heard_last(self, fields: list[Field], *, ended: bool) -> None:
        """Trailers; raises `Malformed` and `ReplyRefused`."""
        self._not_after_its_end()
        if not ended:
            raise Malformed("its trailers do not end it")
        if not self._chunked:
            return  # trailers behind a length: HTTP/1.1 has no place for them
        self._out.append(words.told_last(fields))
        self._chunked = False

    def heard_end(self) -> None:
        """The response is whole; raises `Malformed` where it says that it is longer."""
        if self._left:
            raise Malformed("its body is shorter than it says")
        if self._chunked:
            self._out.append(b"0\r\n\r\n")
        self._done = True

    def spoil(self, reason: str) -> None:
        """The response cannot be passed on, and the stream is reset."""
        if self._closing:
            return
        self.number = 0
        self._pending.clear()
        self._sent = self._closing = True
        self._out.clear()
        self.upstream.spoil(reason)
        self._leave(None)

    def lose(self, error: Exception, *, refused: bool = False) -> None:
        """The stream broke off. `refused`: the service has not looked at the request, and says so (RFC 9113 section 8.7)."""
        if self._done or self._closing:
            return
        self.upstream.refused = refused
        self._loss, self._sent = error, True
        self._pending.clear()
        self.link.forget(self.number)

    def part(self) -> None:
        """The connection takes no more requests, and there is none in hand."""
        if not self._closing:
            self._leave(None)

    def deliver(self) -> None:
        """Hands on what has come, if it may; the next request may be written within that."""
        whole = self._left == 0  # but not ended: the end is waited for, or the next request would be in its way
        if self._paused or self._closing or (whole and not self._done and self._loss is None):
            return
        out, self._out = b"".join(self._out), []
        self._widen()
        if self._done:
            self._finish()
        if self._loss is not None:
            self.number = 0
            self._leave(self._loss)
        if out:
            self.upstream.data_received(out)
        if self.is_closing():
            self.part()

    def _widen(self) -> None:
        """Lets the service send as much as the client has taken, half a window at a time."""
        self._owed += self._read
        self._read = 0
        if self._owed > WINDOW // 2 and self.number and not self._done and self._loss is None:
            self.link.give_back(self.number, self._owed)
            self._owed = 0

    def _finish(self) -> None:
        """The response is whole. What is left of a request that the service did not wait for is not sent any more."""
        self._done = False
        if self._sent:
            self.link.forget(self.number)
            self.number = 0
        elif self._body is not None and self._body.done:
            self._reset(NO_ERROR)
            self._press()

    def _reset(self, code: int) -> None:
        if self.number:
            self.link.reset(self.number, code)
        self.number = 0
        self._pending.clear()
        self._sent = True

    def _leave(self, error: Exception | None) -> None:
        self._closing = True
        self._out.clear()
        self.link.leave(self)
        self.link.context.loop.call_soon(self.upstream.connection_lost, error)
