"""What goes out on one HTTP/2 connection to a service: frames of all its lanes, one write per turn of the event loop, within the service's windows."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from devdns_proxy.http2 import wire
from devdns_proxy.http2.budget import FRAME_COST, Budget
from devdns_proxy.http2.hpack import NO_TABLE, Field, block

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.h2up.lane import Lane

#: Bytes of a response that may be on their way to a client that does not read.
WINDOW = 262_144
#: The same for all responses of a connection together, which no client holds up.
WHOLE_WINDOW = 16_777_216
GREETING = (
    wire.PREFACE
    + wire.settings({wire.ENABLE_PUSH: 0, wire.INITIAL_WINDOW_SIZE: WINDOW})
    + wire.window_update(0, WHOLE_WINDOW - wire.WINDOW)
)
#: Bytes of answers to pings and settings that the service does not read; requests wait with much less.
MOST_UNREAD = 1_048_576
#: Bytes that are not kept until the turn is over.
MOST_UNSENT = 131_072
#: Streams that we ended and of which more may be on its way.
RECENT = 256


class Sending(asyncio.Protocol):
    """`window` is what all lanes together may send; `leaving`: no stream is begun any more."""

    transport: asyncio.Transport

    def __init__(self, context: Context) -> None:
        self.context = context
        self.leaving = False
        self.window = self._lane_window = wire.WINDOW
        self._streams: dict[int, Lane] = {}
        self._most_streams: float = float("inf")  # until the service says how many it takes
        self._budget = Budget(context.now)
        self._last = self._written = -1  # the last stream, and the last of which anything was written
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._first = NO_TABLE
        self._out: list[bytes] = []
        self._unsent = 0
        self._full = False

    def open(self, lane: Lane, block: bytes, *, end: bool) -> int:
        """The number of a new stream, 0 where the service takes no more."""
        number = self._last + 2
        if self.leaving or len(self._streams) >= self._most_streams or self.transport.is_closing():
            return 0
        if number > wire.MOST_WINDOW:
            self.leaving = True
            return 0
        if self._first:
            block, self._first = self._first + block, b""
        self._last, lane.window = number, self._lane_window
        self._streams[number] = lane
        self._budget.earn(2 * FRAME_COST)
        self._send(wire.headers(number, block, wire.END_STREAM if end else 0))
        return number

    def room_for(self, lane: Lane) -> int:
        """Bytes of a body that may be sent at once, in one frame."""
        if self._full or lane.number not in self._streams:
            return 0
        return min(lane.window, self.window, wire.MOST_PAYLOAD)

    def carry(self, lane: Lane, data: bytes, *, end: bool) -> None:
        """A piece of a body, for which there is room."""
        size = len(data)
        lane.window -= size
        self.window -= size
        self._budget.earn(2 * FRAME_COST)  # it may be told of on the stream and on the connection
        self._send(wire.frame(wire.DATA, wire.END_STREAM if end else 0, lane.number, data))

    def end(self, number: int, trailers: list[Field]) -> None:
        """Ends our half of a stream."""
        if number not in self._streams:
            return
        if trailers:
            self._send(wire.headers(number, block(trailers), wire.END_STREAM))
        else:
            self._send(wire.frame(wire.DATA, wire.END_STREAM, number))

    def reset(self, number: int, code: int) -> None:
        """Cancels a stream, unless it has ended."""
        if self._streams.pop(number, None) is not None:
            self._refuse(number, code)

    def _refuse(self, number: int, code: int) -> None:
        self._recent.append(number)
        self._send(wire.rst_stream(number, code))

    def forget(self, number: int) -> None:
        """The stream has ended."""
        self._streams.pop(number, None)

    def give_back(self, number: int, size: int) -> None:
        """The client has taken `size` bytes of a stream: the service may send as many more."""
        if number in self._streams:
            self._send(wire.window_update(number, size))

    def _send(self, data: bytes) -> None:
        if not self._out:
            self.context.loop.call_soon(self.flush)
        self._out.append(data)
        self._unsent += len(data)
        if self._unsent > MOST_UNSENT:
            self.flush()

    def flush(self) -> None:
        """Writes what is to be said."""
        out, self._out, self._unsent = self._out, [], 0
        if not out or self.transport.is_closing():
            return
        self._written = self._last
        self.transport.write(b"".join(out))
        if self._full and self.transport.get_write_buffer_size() > MOST_UNREAD:
            self.transport.abort()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._drain()

    def _drain(self) -> None:
        for lane in list(self._streams.values()):
            lane.drain()
