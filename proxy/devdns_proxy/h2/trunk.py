"""One HTTP/2 connection of a client (RFC 9113), from its first byte to its last: gives each stream a lane to an ordinary `Client`."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import structlog

from devdns_proxy.client import Client, address_of, unsent
from devdns_proxy.door import PLAIN_HTTP2, TLS_HTTP2
from devdns_proxy.h2.lane import Lane, Shared
from devdns_proxy.h2.reading import MOST_BLOCK, Reading
from devdns_proxy.h2.requests import Asked
from devdns_proxy.http2 import wire
from devdns_proxy.http2.wire import Broken, Malformed
from devdns_proxy.tunnel import half_close

if TYPE_CHECKING:
    import asyncio

    from devdns_proxy.context import Context

log = structlog.get_logger()

MOST_STREAMS = 100
SETTINGS = wire.settings(
    {
        wire.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
        wire.MAX_HEADER_LIST_SIZE: MOST_BLOCK,
        wire.ENABLE_CONNECT_PROTOCOL: 1,
    }
)


class Trunk(Reading):
    """`deadline` is when `expire` is called."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._door = TLS_HTTP2
        self._address = ""
        self._waiting = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind
        self.shared = Shared(transport.get_extra_info("socket"))
        self._door = TLS_HTTP2 if transport.get_extra_info("sslcontext") is not None else PLAIN_HTTP2
        self._address = address_of(transport)
        self._context.trunks.add(self)
        self._context.counters.connections += (
            self._door.secure
        )  # without TLS it was counted before its preface was read
        self.send(SETTINGS)
        if not self._context.crowds.enter(self, self._address):
            self._give_up(wire.ENHANCE_YOUR_CALM, "too many connections")

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        try:
            self._read(self._held + data if self._held else data)
        except Broken as broken:
            self._give_up(broken.code, broken.reason)
        except Exception:  # the edge of a connection: whatever it was, the client is told
            log.exception("http2 connection failed")
            self._give_up(wire.INTERNAL_ERROR, "this is a fault of devdns")

    def eof_received(self) -> bool:
        """The client sends no more: what is in hand gets a moment, as in HTTP/1."""
        if self._over or not self.streams:
            return False
        self._context.loop.call_later(self._context.limits.leave_time, self.transport.abort)
        return self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._lose_lanes(exc)
        self._context.crowds.leave(self, self._address)
        self._context.forget_trunk(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.deadline = self._context.now + self.stall_time
        self._waiting = unsent(self.transport)

    def resume_writing(self) -> None:
        self.deadline = self._patience()
        super().resume_writing()

    def _patience(self) -> float:
        return inf if self.streams else self._context.now + self._context.limits.idle_time

    def expire(self) -> None:
        """The deadline has passed: nothing was asked for, a field section does not end, or nothing is read."""
        if self.paused and not self._over:
            before, self._waiting = self._waiting, unsent(self.transport)
            if before != self._waiting:
                self.deadline = self._context.now + self.stall_time
                return
        if self.paused or self._over:
            self.deadline = inf
            self.transport.abort()
        else:
            self._give_up(wire.NO_ERROR, "idle for too long")

    def waits(self) -> bool:
        """True when it is the client's turn."""
        return not self.streams

    def retire(self) -> None:
        """The proxy stops: what has begun is finished, and nothing begins."""
        if not self._leaving and not self._over:
            self._leaving = True
            self.send(wire.goaway(self._last, wire.NO_ERROR, ""))
        if not self.streams:
            self.rest()

    def rest(self) -> None:
        self.deadline = self._context.now + self._context.limits.idle_time
        if self._leaving and not self._over:
            self._end()

    def _give_up(self, code: int, reason: str) -> None:
        """GOAWAY, and nothing more is read."""
        if self._over:
            return
        self._leaving = True
        self.send(wire.goaway(self._last, code, reason))
        self._lose_lanes(ConnectionAbortedError(reason))
        self._end()

    def _end(self) -> None:
        """Closes our side and waits a little: a reset would destroy what the client has not read yet."""
        self._over = True
        self.flush()
        self.deadline = self._context.now + self._context.limits.linger_time
        if not self.transport.is_closing():
            half_close(self.transport)

    def _lose_lanes(self, error: Exception | None) -> None:
        lanes = [*self.streams.values(), *self._free]
        self.streams.clear()
        self._free.clear()
        self._queued.clear()
        for lane in lanes:
            lane.lose(error)

    def _open(self, number: int, asked: Asked | Malformed, *, whole: bool) -> None:
        """A new request; after GOAWAY the client knows that it is not worked on."""
        if self._leaving:
            self._recent.append(number)
            return
        self._last = number
        if isinstance(asked, Malformed):
            raise asked
        if len(self.streams) + len(self._unended) >= MOST_STREAMS:
            raise Malformed("too many streams", wire.REFUSED_STREAM)
        lane = self._lane()
        self.streams[number] = lane
        if not self.paused:
            self.deadline = inf
        lane.open(number, asked, self._lane_window, whole=whole)

    def _lane(self) -> Lane:
        while self._free:
            lane = self._free.pop()
            if not lane.is_closing():
                return lane
        return Lane(self, Client(self._context, self._door))
