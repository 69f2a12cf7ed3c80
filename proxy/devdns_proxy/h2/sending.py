"""What goes out on one HTTP/2 connection: frames of all lanes, one write per turn of the event loop, within the windows of the client."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from devdns_proxy.http2.budget import FRAME_COST, Budget
from devdns_proxy.http2.hpack import NO_TABLE
from devdns_proxy.http2.wire import DATA, FRAME, MOST_PAYLOAD, WINDOW, headers, rst_stream

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.h2.lane import Lane, Shared

#: Bytes that are not kept until the turn is over.
MOST_UNSENT = 131_072
#: The bytes of one lane that go out before it is the turn of the next.
TURN = 65_536
#: Streams that we ended and of which more may be on its way.
RECENT = 256


class Sending(asyncio.Protocol):
    """`window` is what all lanes together may send, `paused` that the connection takes no more for now."""

    transport: asyncio.Transport
    shared: Shared

    def __init__(self, context: Context) -> None:
        self._context = context
        self.streams: dict[int, Lane] = {}
        self.window = WINDOW
        self.paused = False
        self.stall_time = context.limits.stall_time
        self._budget = Budget(context.now)
        self._free: list[Lane] = []
        self._queued: dict[Lane, None] = {}
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._unended: set[int] = set()
        self._out: list[bytes | memoryview] = []
        self._unsent = 0
        self._first = NO_TABLE

    def send(self, data: bytes) -> None:
        """Frames that need no window."""
        if not self._out:
            self._context.loop.call_soon(self.flush)
        self._out.append(data)

    def flush(self) -> None:
        out, self._out, self._unsent = self._out, [], 0
        if out and not self.transport.is_closing():
            self.transport.write(b"".join(out))

    def say(self, number: int, block: bytes, flags: int) -> None:
        """A field section."""
        if self._first:
            block, self._first = self._first + block, b""
        self.send(headers(number, block, flags))

    def free(self, lane: Lane, size: int) -> bool:
        """True when a body of `size` may go at once."""
        return size <= lane.window and size <= self.window and not self.paused

    def room(self, lane: Lane) -> int:
        """The size of the next frame of a lane."""
        return 0 if self.paused else min(lane.window, self.window, MOST_PAYLOAD)

    def carry(self, lane: Lane, data: bytes | memoryview, flags: int) -> None:
        """A frame of DATA, for which there is room."""
        size = len(data)
        lane.window -= size
        self.window -= size
        self._budget.earn(2 * FRAME_COST)  # it may be told of on the stream and on the connection
        self.send(FRAME.pack(size >> 8, size & 0xFF, DATA, flags, lane.number))
        self._out.append(data)
        self._unsent += size
        if self._unsent > MOST_UNSENT:
            self.flush()

    def line_up(self, lane: Lane) -> None:
        """The lane goes on when the connection does; one that waits for its own window is told by the client."""
        if lane.window > 0:
            self._queued[lane] = None

    def pump(self) -> None:
        """Gives every lane that waits its turn, until nothing more can go."""
        while self._queued and self.window > 0 and not self.paused:
            lanes, self._queued = self._queued, {}
            for lane in lanes:
                lane.pump(TURN)

    def reset(self, number: int, code: int) -> None:
        self._recent.append(number)
        self.send(rst_stream(number, code))

    def wait_for_end(self, number: int) -> None:
        """The stream is answered and its body complete, but the client ends it in a frame of its own."""
        self._unended.add(number)

    def part(self, number: int, lane: Lane | None) -> None:
        """A stream is over; `lane` is free for another one."""
        self.streams.pop(number, None)
        if lane is not None:
            self._free.append(lane)
        if not self.streams:
            self.rest()

    def rest(self) -> None:
        """No stream is left."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.pump()
