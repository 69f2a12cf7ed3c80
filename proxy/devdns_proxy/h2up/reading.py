"""What comes in on one HTTP/2 connection from a service: frames, read by RFC 9113 sections 4 to 6, and what each means for a lane or for all.

A service that breaks the rules costs its own requests. What is cheap to send and not to answer is bounded.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from devdns_proxy.h2up.blocks import Blocks
from devdns_proxy.h2up.sending import WHOLE_WINDOW, Sending
from devdns_proxy.http2 import wire
from devdns_proxy.http2.budget import FRAME_COST, RESET_COST
from devdns_proxy.http2.section import Section
from devdns_proxy.http2.wire import Broken, Malformed
from devdns_proxy.replies import ReplyRefused

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.h2up.lane import Lane


class Reading(Sending):
    """`_told` are the lanes that have something to deliver."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._held = b""
        self._settled = False
        self._owed = 0
        self._section: Section | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._blocks = Blocks()
        self._told: dict[Lane, None] = {}
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

    # What is made of them; see `Link`

    def _greeted(self) -> None:
        """The service has said its first settings."""
        raise NotImplementedError

    def depart(self, last: int | None = None, why: str = "") -> None:
        """The service goes away, and has not looked at streams above `last`."""
        raise NotImplementedError

    def _break(self, reason: str, code: int) -> None:
        """What comes of this connection can no longer be trusted."""
        raise NotImplementedError

    # Frames

    def _read(self, data: bytes) -> None:
        """Raises `Broken`; what is no whole frame yet is kept."""
        if self._held:
            data = self._held + data
        at, size = 0, len(data)
        while size - at >= wire.FRAME_HEAD:
            high, low, kind, flags, number = wire.FRAME.unpack_from(data, at)
            end = at + wire.FRAME_HEAD + (high << 8 | low)
            if end - at > wire.FRAME_HEAD + wire.MOST_PAYLOAD:
                raise Broken(wire.FRAME_SIZE_ERROR, "a frame is too large")
            if not self._settled and (kind != wire.SETTINGS or flags & wire.ACK):
                raise Broken(wire.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            if end > size:
                break
            self._take(kind, flags, number & wire.MOST_WINDOW, data[at + wire.FRAME_HEAD : end])
            at = end
        self._held = data[at:]

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._section is not None and (kind != wire.CONTINUATION or number != self._section.number):
            raise Broken(wire.PROTOCOL_ERROR, "a field section is interrupted")
        if kind >= len(self._taken):
            self._spend(FRAME_COST)
            return
        wire.check_place(kind, number)
        try:
            self._taken[kind](flags, number, payload)
        except Malformed as malformed:
            self._spoil(number, str(malformed), malformed.code)
        except ReplyRefused as refused:
            self._spoil(number, str(refused), wire.PROTOCOL_ERROR)

    def _spoil(self, number: int, reason: str, code: int) -> None:
        """A stream that cannot go on; the others do."""
        self._spend(RESET_COST)
        lane = self._streams.pop(number, None)
        self._refuse(number, code)
        if lane is not None:
            self._told.pop(lane, None)
            lane.spoil(reason)

    def _spend(self, cost: float) -> None:
        if not self._budget.spend(cost, self.context.now):
            raise Broken(wire.ENHANCE_YOUR_CALM, "too many frames without work")

    def _known(self, number: int) -> Lane | None:
        """The lane of a stream, which will deliver what it is told; None where it is over. Raises `Broken` for one that never was."""
        if number > self._last or number % 2 == 0:
            raise Broken(wire.PROTOCOL_ERROR, "a frame of a stream that has not begun")
        lane = self._streams.get(number)
        if lane is not None:
            self._told[lane] = None
        return lane

    def _late(self, number: int) -> None:
        """Something of a stream that is over: it was under way when we reset it, or should not have been sent."""
        if number not in self._recent:
            raise Malformed("more after the end of its stream", wire.STREAM_CLOSED)

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        lane, size = self._known(number), len(payload)
        self._owed += size
        if self._owed > WHOLE_WINDOW // 2:
            self._send(wire.window_update(0, self._owed))
            self._owed = 0
        data, ended = wire.unpadded(payload, flags), bool(flags & wire.END_STREAM)
        if not (data or ended):
            self._spend(FRAME_COST)
        if lane is None:
            self._late(number)
            return
        lane.heard(data, size)
        if ended:
            lane.heard_end()

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        _, payload = wire.unprioritised(payload, flags)
        ended = bool(flags & wire.END_STREAM)
        if flags & wire.END_HEADERS:
            self._fields(number, payload, ended=ended)
            return
        limits = self.context.limits
        self._section = Section(number, limits.reply_head, ended=ended)
        self._section.add(payload)
        self._limit = self.context.loop.call_later(limits.head_time, self._tire)

    def _tire(self) -> None:
        """Nothing else can be said on a connection whose field section does not end."""
        self._break("did not finish the head of a response in time", wire.ENHANCE_YOUR_CALM)

    def _untire(self) -> None:
        self._section = None
        if self._limit is not None:
            self._limit.cancel()

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        section = self._section
        if section is None:
            raise Broken(wire.PROTOCOL_ERROR, "CONTINUATION of nothing")
        section.add(payload)
        if flags & wire.END_HEADERS:
            self._untire()
            self._fields(number, b"".join(section.frames), ended=section.ended)

    def _fields(self, number: int, block: bytes, *, ended: bool) -> None:
        lane = self._known(number)
        if lane is None:
            self._blocks.fields(block)  # the blocks after it refer to what it has put into the table
            self._late(number)
        elif lane.headed:
            lane.heard_last(self._blocks.fields(block), ended=ended)
        else:
            lane.heard_head(self._blocks.told(block, ended=ended, to_head=lane.to_head), ended=ended)
            if not lane.headed:
                self._spend(FRAME_COST)
        if lane is not None and ended:
            lane.heard_end()

    def _priority(self, _: int, __: int, ___: bytes) -> None:
        self._spend(FRAME_COST)

    def _rst_stream(self, _: int, number: int, payload: bytes) -> None:
        code = wire.word(payload)
        lane = self._known(number)
        if lane is None:
            self._spend(FRAME_COST)
            return
        del self._streams[number]
        lane.lose(ConnectionResetError(f"reset: {wire.code_name(code)}"), refused=code == wire.REFUSED_STREAM)

    def _settings(self, flags: int, _: int, payload: bytes) -> None:
        self._spend(FRAME_COST)
        if flags & wire.ACK:
            if payload:
                raise Broken(wire.FRAME_SIZE_ERROR, "an acknowledgement has no settings")
            return
        for name, value in wire.read_settings(payload):
            self._set(name, value)
        self._send(wire.frame(wire.SETTINGS, wire.ACK, 0))
        if not self._settled:
            self._settled = True
            self._greeted()
        self._drain()

    def _set(self, name: int, value: int) -> None:
        if name == wire.MAX_CONCURRENT_STREAMS:
            self._most_streams = value
        elif name == wire.INITIAL_WINDOW_SIZE:
            self._resize(value)
        elif name == wire.ENABLE_PUSH and value:
            raise Broken(wire.PROTOCOL_ERROR, "a service cannot be pushed to")

    def _resize(self, window: int) -> None:
        """The window of every stream is another one (RFC 9113 section 6.9.2)."""
        change, self._lane_window = window - self._lane_window, window
        for lane in self._streams.values():
            lane.window += change
            if lane.window > wire.MOST_WINDOW:
                raise Broken(wire.FLOW_CONTROL_ERROR, "a window is too large")

    def _push_promise(self, _: int, __: int, ___: bytes) -> None:
        raise Broken(wire.PROTOCOL_ERROR, "a push that was not asked for")

    def _ping(self, flags: int, _: int, payload: bytes) -> None:
        self._spend(FRAME_COST)
        answer = wire.pong(flags, payload)
        if answer:
            self._send(answer)

    def _goaway(self, _: int, __: int, payload: bytes) -> None:
        self._spend(FRAME_COST)
        if len(payload) < wire.TWO_WORDS.size:
            raise Broken(wire.FRAME_SIZE_ERROR, "GOAWAY of a wrong size")
        last, code = wire.TWO_WORDS.unpack_from(payload)
        self.depart(last & wire.MOST_WINDOW, f": {wire.code_name(code)}" if code else "")

    def _window_update(self, _: int, number: int, payload: bytes) -> None:
        increment = wire.word(payload)
        self._spend(FRAME_COST)
        if number == 0:
            self.window += increment
            if code := wire.misgrown(self.window, increment):
                raise Broken(code, wire.MISGROWN)
            self._drain()
            return
        lane = self._known(number)
        if lane is None:
            return
        lane.window += increment
        if code := wire.misgrown(lane.window, increment):
            raise Malformed(wire.MISGROWN, code)
        lane.drain()
