"""One HTTP/2 connection to a service, shared by the lanes that requests go over. jh2 keeps the protocol, this the bytes.

Windows: each stream may have `WINDOW` bytes on their way to a client who does not read, and the connection as a whole is never
what a slow client holds up.
"""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from jh2.errors import ErrorCodes
from jh2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from jh2.exceptions import ProtocolError

from devdns_proxy.h2up.lane import Lane
from devdns_proxy.h2up.protocol import WHOLE_WINDOW, begun
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns.core.routes import Target
    from devdns_proxy.context import Context
    from devdns_proxy.h2up.words import Field

log = structlog.get_logger()

MOST_LANES = 100
#: Bytes of answers to pings and settings that the service does not read; requests wait with much less.
MOST_UNREAD = 1_048_576
#: Where the system has no name for it, the loop's own look has to do.
HUNG_UP = getattr(select, "POLLRDHUP", 0)
#: Of a connection on which nothing moves, as far as the system has them. PING would be HTTP/2's own way, but gRPC servers end a
#: connection that asks more often than every five minutes.
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPALIVE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}


class NoHttp2(Exception):
    """The other end is no HTTP/2 service, in words after its name; `passing`: it hung up, as one that is starting does."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


class Link(asyncio.Protocol):
    """A connection to `target`. `ready` is done when the service has said its settings, or raises `NoHttp2`.

    `leaving`: it takes no more streams. `scheme` is what requests say they came by.
    """

    def __init__(self, context: Context, target: Target) -> None:
        self.context = context
        self.target = target
        self.ready: asyncio.Future[None] = context.loop.create_future()
        self.leaving = False
        self.scheme = b"http" if target.scheme == "h2c" else b"https"
        self.h2 = begun()
        self.transport: asyncio.Transport
        self._eye = select.poll()
        self._lanes: dict[Lane, None] = {}
        self._streams: dict[int, Lane] = {}
        self._told: dict[Lane, None] = {}  # lanes that have something to deliver
        self._reading = self._full = False
        self._owed = 0
        self._idle: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Link to {self.target}, {len(self._streams)} streams of {len(self._lanes)} lanes>"

    # Lanes

    @property
    def room(self) -> bool:
        """True when another lane may be given."""
        allowed = min(MOST_LANES, self.h2.remote_settings.max_concurrent_streams)
        return not self.leaving and len(self._lanes) < max(
            1, allowed
        )  # 0 is said for a while: the request will be told

    def lane(self) -> Upstream:
        """A connection for one request after another."""
        if self._idle is not None:
            self._idle.cancel()
        lane = Lane(self, self.context, self.target)
        self._lanes[lane] = None
        lane.upstream.connection_made(lane)
        return lane.upstream

    def leave(self, lane: Lane) -> None:
        """The lane is not used any more; without one the connection is kept for a while."""
        self._lanes.pop(lane, None)
        if self._lanes:
            return
        if self.leaving:
            self.close()
            return
        self._rest()

    def _rest(self) -> None:
        self._idle = self.context.loop.call_later(self.context.limits.pool_idle, self._expire)

    def _expire(self) -> None:
        if not self._lanes:
            self.close()

    def depart(self, last: int | None = None, why: str = "") -> None:
        """Takes no more streams; requests in hand go on, but for those above `last`, which the service has not looked at."""
        self.leaving = True
        for lane in list(self._lanes):
            if not lane.number:
                lane.part()
            elif last is not None and lane.number > last:
                self._lose(lane, f"it goes away{why}", refused=True)
        if not self._lanes:
            self.close()

    def close(self) -> None:
        """Says so, and ends the connection when what was written has gone out."""
        self.leaving = True
        if not self.transport.is_closing():
            with suppress(ProtocolError):
                self.h2.close_connection()
            self.flush()
            self.transport.close()

    def ended(self) -> bool:
        """True when the service has hung up, as far as the kernel knows."""
        if HUNG_UP and not self.leaving and self._eye.poll(0):
            self.leaving = True
        return self.leaving

    # Streams

    def open(self, lane: Lane, fields: list[Field], *, end: bool) -> int:
        """The number of a new stream, 0 where the service takes no more."""
        if self.leaving or self.transport.is_closing():
            return 0
        try:
            number: int = self.h2.get_next_available_stream_id()
            self.h2.send_headers(number, fields, end_stream=end)
        except ProtocolError:
            return 0
        self._streams[number] = lane
        return number

    def room_for(self, number: int) -> int:
        """Bytes of a body that may be sent at once, in one frame."""
        if self._full:
            return 0
        return int(min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size))

    def end(self, number: int, trailers: list[Field]) -> None:
        """Ends our half of a stream."""
        if trailers:
            self.h2.send_headers(number, trailers, end_stream=True)
        else:
            self.h2.end_stream(number)

    def reset(self, number: int, code: ErrorCodes) -> None:
        """Cancels a stream."""
        if self._streams.pop(number, None) is not None and not self.transport.is_closing():
            with suppress(ProtocolError):
                self.h2.reset_stream(number, code)
            self.flush()

    def forget(self, number: int) -> None:
        """The stream has ended."""
        self._streams.pop(number, None)

    def give_back(self, number: int, size: int) -> None:
        """The client has taken `size` bytes of a stream: the service may send as many more."""
        with suppress(ProtocolError):
            self.h2.increment_flow_control_window(size, number)

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind
        connected = transport.get_extra_info("socket")
        self._eye.register(connected.fileno(), HUNG_UP)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE.items():
                connected.setsockopt(socket.IPPROTO_TCP, option, value)
        self.context.links.add(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._reading = True
        if not (
            self.ready.done() or data.startswith(b"\0")
        ):  # no first frame is as long as that, but jh2 would wait for it
            self._break("")
            return
        try:
            for event in self.h2.receive_data(data):
                react = REACTIONS.get(type(event))
                if react is not None:
                    react(self, event)
        except ProtocolError as error:
            self._break(f"broke the rules of HTTP/2 ({error or type(error).__name__})")
        except Exception:  # the edge of a connection: whatever it was, the clients are told
            log.exception("connection failed", target=str(self.target))
            self._break("sent what was not understood")
        self._deliver()
        self._reading = False
        self.flush()

    def _deliver(self) -> None:
        told, self._told = self._told, {}
        for lane in told:
            lane.deliver()

    def flush(self) -> None:
        """Writes what is to be said; while bytes are being read, once for all that comes of them."""
        if self._reading or self.transport.is_closing():
            return
        data = self.h2.data_to_send()
        if not data:
            return
        self.transport.write(data)
        if self._full and self.transport.get_write_buffer_size() > MOST_UNREAD:
            self.transport.abort()

    def _break(self, reason: str) -> None:
        """What comes of this connection can no longer be trusted."""
        self.leaving = True
        if not self.ready.done():
            self.ready.set_exception(NoHttp2("does not speak HTTP/2: is it http:// there?"))
        for lane in list(self._lanes):
            self._lose(lane, reason)
        self._reading = False
        self.flush()
        self.transport.close()

    def _lose(self, lane: Lane, reason: str, *, refused: bool = False) -> None:
        lane.lose(ConnectionResetError(reason), refused=refused)
        lane.deliver()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._drain()
        self.flush()

    def _drain(self) -> None:
        for lane in list(self._streams.values()):
            lane.drain()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leaving = True
        self.context.links.drop(self)
        if not self.ready.done():
            self.ready.set_exception(NoHttp2("closed the connection without a word of HTTP/2", passing=True))
        for lane in list(self._lanes):
            if lane.number:
                self._lose(lane, str(exc or "the connection was closed"))
            else:
                lane.part()

    # What comes of it

    def _on_settings(self, _: Event) -> None:
        if not self.ready.done():
            self.ready.set_result(None)
            self._rest()
        self._drain()

    def _on_window(self, event: Event) -> None:
        if not event.stream_id:
            self._drain()
        elif event.stream_id in self._streams:
            self._streams[event.stream_id].drain()

    def _on_head(self, event: Event) -> None:
        lane = self._lane(event)
        if lane is not None:
            lane.heard_head(event.headers, ended=getattr(event, "stream_ended", None) is not None)

    def _on_data(self, event: Event) -> None:
        size = event.flow_controlled_length
        self._owed += size
        if self._owed > WHOLE_WINDOW // 2:
            self.h2.increment_flow_control_window(self._owed)
            self._owed = 0
        lane = self._lane(event)
        if lane is not None:
            lane.heard(bytes(event.data), size)

    def _on_trailers(self, event: Event) -> None:
        lane = self._lane(event)
        if lane is not None:
            lane.heard_last(event.headers)

    def _on_end(self, event: Event) -> None:
        lane = self._lane(event)
        if lane is not None:
            lane.heard_end()

    def _on_reset(self, event: Event) -> None:
        lane = self._lane(event)
        if lane is not None:
            code = event.error_code
            words = code.name if isinstance(code, ErrorCodes) else f"error {code}"
            lane.lose(ConnectionResetError(f"reset: {words}"), refused=code == ErrorCodes.REFUSED_STREAM)

    def _on_goaway(self, event: Event) -> None:
        code = event.error_code
        self.depart(event.last_stream_id, f": {code.name}" if isinstance(code, ErrorCodes) and code else "")

    def _lane(self, event: Event) -> Lane | None:
        """The lane of a stream, which will deliver what it is told; None for one that was cancelled."""
        lane = self._streams.get(event.stream_id)
        if lane is not None:
            self._told[lane] = None
        return lane


REACTIONS = {
    RemoteSettingsChanged: Link._on_settings,  # noqa: SLF001 # a table of this class's own
    WindowUpdated: Link._on_window,  # noqa: SLF001
    InformationalResponseReceived: Link._on_head,  # noqa: SLF001
    ResponseReceived: Link._on_head,  # noqa: SLF001
    DataReceived: Link._on_data,  # noqa: SLF001
    TrailersReceived: Link._on_trailers,  # noqa: SLF001
    StreamEnded: Link._on_end,  # noqa: SLF001
    StreamReset: Link._on_reset,  # noqa: SLF001
    ConnectionTerminated: Link._on_goaway,  # noqa: SLF001
}
