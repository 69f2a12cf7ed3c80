"""What comes in on one HTTP/2 connection: frames, read by RFC 9113 sections 4 to 6, and what each means for a stream or for all.

What is cheap to send and not to answer is bounded, and answered with ENHANCE_YOUR_CALM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devdns_proxy.h2 import requests
from devdns_proxy.h2.requests import Asked
from devdns_proxy.h2.sending import Sending
from devdns_proxy.http2 import wire
from devdns_proxy.http2.budget import FRAME_COST, RESET_COST
from devdns_proxy.http2.hpack import Reader
from devdns_proxy.http2.section import Section
from devdns_proxy.http2.wire import Broken, Malformed

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.h2.lane import Lane
    from devdns_proxy.http2.hpack import Field

#: A field section as it is compressed.
MOST_BLOCK = 32_768
#: Blocks whose meaning a connection remembers, and their size.
MOST_KNOWN = 32
MOST_KNOWN_BLOCK = 1_024


class Reading(Sending):
    """`deadline` is when the connection has to have gone on; `_last` the highest stream that was worked on."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.deadline = context.now + context.limits.head_time
        self._held = b""
        self._prefaced = self._settled = False
        self._leaving = self._over = False
        self._last = 0
        self._lane_window = wire.WINDOW
        self._owed = 0
        self._section: Section | None = None
        self._reader = Reader()
        self._known_blocks: dict[tuple[bytes, bool], Asked] = {}
        self._taken = (  # by type, in the order of the numbers in RFC 9113 section 6
            self._data,
            self._headers,
            self._priority,
            self._rst_stream,
            self._settings,
            self._push_promise,
            self._ping,
            self._goaway,
            self._window_update,
            self._continuation,
        )

    # What is made of them; see `Trunk`

    def _open(self, number: int, asked: Asked | Malformed, *, whole: bool) -> None:
        """A new request."""
        raise NotImplementedError

    def _patience(self) -> float:
        """Until when the client may say nothing, as things are."""
        raise NotImplementedError

    def _end(self) -> None:
        """The connection ends when it has been written out."""
        raise NotImplementedError

    # Frames

    def _read(self, data: bytes) -> None:
        at, size = 0, len(data)
        if not self._prefaced:
            at = len(wire.PREFACE)
            if data[:at] != wire.PREFACE[:size]:
                raise Broken(wire.PROTOCOL_ERROR, "this is not HTTP/2")
            if size < at:
                self._held = data
                return
            self._prefaced = True
        while size - at >= wire.FRAME_HEAD:
            high, low, kind, flags, number = wire.FRAME.unpack_from(data, at)
            end = at + wire.FRAME_HEAD + (high << 8 | low)
            if end - at > wire.FRAME_HEAD + wire.MOST_PAYLOAD:
                raise Broken(wire.FRAME_SIZE_ERROR, "a frame is too large")
            if end > size:
                break
            self._take(kind, flags, number & wire.MOST_WINDOW, data[at + wire.FRAME_HEAD : end])
            if self._over:
                return
            at = end
        self._held = data[at:]

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._section is not None and (kind != wire.CONTINUATION or number != self._section.number):
            raise Broken(wire.PROTOCOL_ERROR, "a field section is interrupted")
        if not self._settled and kind != wire.SETTINGS:
            raise Broken(wire.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if kind >= len(self._taken):
            self._spend(FRAME_COST)
            return
        wire.check_place(kind, number)
        try:
            self._taken[kind](flags, number, payload)
        except Malformed as malformed:
            lane = self.streams.pop(number, None)
            self.reset(number, malformed.code)
            self._spend(RESET_COST)
            if lane is not None:
                lane.lose(ConnectionAbortedError(str(malformed)))
            if not self.streams:
                self.rest()

    def _spend(self, cost: float) -> None:
        if not self._budget.spend(cost, self._context.now):
            raise Broken(wire.ENHANCE_YOUR_CALM, "too many frames without work")

    def _known(self, number: int) -> Lane | None:
        """The lane of a stream; None where it is over. Raises `Broken` for one that never was."""
        if number > self._last:
            raise Broken(wire.PROTOCOL_ERROR, "a frame of a stream that has not begun")
        return self.streams.get(number)

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        lane, size = self._known(number), len(payload)
        self._owed += size
        if self._owed >= wire.WINDOW // 2:
            # The whole connection is told at once: one slow service must not hold back the others. Each stream has its own window.
            self.send(wire.window_update(0, self._owed))
            self._owed = 0
        data, ended = wire.unpadded(payload, flags), bool(flags & wire.END_STREAM)
        if not (data or ended):
            self._spend(FRAME_COST)
        if lane is not None:
            lane.take(data, size, ended=ended)
        elif number in self._unended and not data:
            self._unended -= {number} if ended else set()
        elif number not in self._recent:
            self._unended.discard(number)
            raise Malformed("a body after the end of its stream", wire.STREAM_CLOSED)

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        depends, payload = wire.unprioritised(payload, flags)
        if number % 2 == 0:
            raise Broken(wire.PROTOCOL_ERROR, "a stream of a client has an odd number")
        ended = bool(flags & wire.END_STREAM)
        if flags & wire.END_HEADERS:
            self._fields(number, payload, ended=ended)
        else:
            self._section = Section(number, MOST_BLOCK, ended=ended)
            self._section.add(payload)
            self.deadline = min(self.deadline, self._context.now + self._context.limits.head_time)
        if depends == number:
            raise Malformed("a stream depends on itself")

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        section = self._section
        if section is None:
            raise Broken(wire.PROTOCOL_ERROR, "CONTINUATION of nothing")
        section.add(payload)
        if flags & wire.END_HEADERS:
            self._section = None
            self.deadline = self._patience()
            self._fields(number, b"".join(section.frames), ended=section.ended)

    def _fields(self, number: int, block: bytes, *, ended: bool) -> None:
        lane = self.streams.get(number)
        if lane is not None:
            lane.trail(self._read_fields(block), ended=ended)
        elif number > self._last:
            self._open(number, self._asked(block, whole=ended), whole=ended)
        else:
            self._read_fields(block)
            if number in self._unended:
                self._unended.discard(number)  # trailers, which a body of a known length cannot carry in HTTP/1.1
            elif number not in self._recent:
                raise Broken(wire.STREAM_CLOSED, "a field section after the end of its stream")

    def _asked(self, block: bytes, *, whole: bool) -> Asked | Malformed:
        """What a block asks for: remembered while the table that it refers to stays as it is."""
        known = self._known_blocks.get((block, whole))
        if known is not None:
            return known
        fields = self._read_fields(block)
        try:
            asked = requests.asked(fields, whole=whole)
        except Malformed as malformed:
            return malformed
        if self._reader.steady and not asked.tunnel and len(block) <= MOST_KNOWN_BLOCK:
            if len(self._known_blocks) >= MOST_KNOWN:
                self._known_blocks.clear()
            self._known_blocks[block, whole] = asked
        return asked

    def _read_fields(self, block: bytes) -> list[Field]:
        """Every section, trailers too, may change the table: a block that was known then means something else."""
        fields = self._reader.fields(block)
        if not self._reader.steady:
            self._known_blocks.clear()
        return fields

    def _priority(self, _: int, number: int, payload: bytes) -> None:
        """Read for its errors: RFC 9113 has no use for it any more."""
        self._spend(FRAME_COST)
        if len(payload) != 5:
            raise Malformed("PRIORITY of a wrong size", wire.FRAME_SIZE_ERROR)
        if wire.word(payload[:4]) == number:
            raise Malformed("a stream depends on itself")

    def _rst_stream(self, _: int, number: int, payload: bytes) -> None:
        wire.word(payload)
        lane = self._known(number)
        self._unended.discard(number)
        self._spend(FRAME_COST if lane is None else RESET_COST)
        if lane is not None:
            lane.lose(ConnectionResetError("the client took its request back"))
            self.part(number, None)

    def _settings(self, flags: int, _: int, payload: bytes) -> None:
        self._spend(FRAME_COST)
        if flags & wire.ACK:
            if payload:
                raise Broken(wire.FRAME_SIZE_ERROR, "an acknowledgement has no settings")
            return
        if not self._settled:
            self._settled = True
            self.deadline = self._context.now + self._context.limits.idle_time
        for name, value in wire.read_settings(payload):
            if name == wire.INITIAL_WINDOW_SIZE:
                self._resize(value)
        self.send(wire.frame(wire.SETTINGS, wire.ACK, 0))

    def _resize(self, window: int) -> None:
        """The window of every stream is another one (RFC 9113 section 6.9.2)."""
        change, self._lane_window = window - self._lane_window, window
        for lane in list(self.streams.values()):
            lane.window += change
            if lane.window > wire.MOST_WINDOW:
                raise Broken(wire.FLOW_CONTROL_ERROR, "a window is too large")
            lane.pump()

    def _push_promise(self, _: int, __: int, ___: bytes) -> None:
        raise Broken(wire.PROTOCOL_ERROR, "a client pushes nothing")

    def _ping(self, flags: int, _: int, payload: bytes) -> None:
        self._spend(FRAME_COST)
        answer = wire.pong(flags, payload)
        if answer:
            self.send(answer)

    def _goaway(self, _: int, __: int, ___: bytes) -> None:
        """The client begins nothing more."""
        self._leaving = True
        if not self.streams:
            self._end()

    def _window_update(self, _: int, number: int, payload: bytes) -> None:
        increment = wire.word(payload)
        self._spend(FRAME_COST)
        if number == 0:
            self.window += increment
            if code := wire.misgrown(self.window, increment):
                raise Broken(code, wire.MISGROWN)
            self.pump()
            return
        lane = self._known(number)
        if lane is None:
            return
        lane.window += increment
        if code := wire.misgrown(lane.window, increment):
            raise Malformed(wire.MISGROWN, code)
        lane.pump()
