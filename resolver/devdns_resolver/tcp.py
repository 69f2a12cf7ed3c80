"""The TCP edge (RFC 7766): length-prefixed messages, any number per connection, answered in the order they came.

Only the replies to what is forwarded come when they come.
Memory and time per connection are bounded: a client that does not read stops being read, a burst gives way to others, and
one that asks nothing for a while is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter
from typing import cast

from devdns_resolver.responder import Desk, Responder

PREFIX = 2
#: Messages answered before UDP and the other connections get their turn.
BURST = 32
#: Bytes of replies after which a burst ends, so that one connection holds little that its client does not read.
ROOM = 65536
#: Replies of upstreams that one connection waits for; then its next questions do.
AWAITED = 32
SWEEP = 1.0


class Connections:
    """Open connections of all listeners, the one that asked longest ago first.

    At `cap` the first gives way to the new one (RFC 7766 section 6.2.2); after `idle` seconds without a whole query a
    connection is closed (section 6.2.3), drip-fed ones too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, responder: Responder, *, cap: int, idle: float) -> None:
        self.loop = loop
        self.responder = responder
        self._cap = cap
        self._idle = idle
        self._open: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.emptied = asyncio.Event()
        self.emptied.set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open))

    def add(self, connection: Connection) -> None:
        if len(self._open) >= self._cap:
            oldest = next(iter(self._open))
            self.discard(oldest)
            oldest.expire()
        self.touch(connection)
        self.emptied.clear()
        if self._timer is None:
            self._timer = self.loop.call_later(min(SWEEP, self._idle), self._sweep)

    def touch(self, connection: Connection) -> None:
        """Notes that a whole query came."""
        self._open.pop(connection, None)
        self._open[connection] = self.loop.time()

    def discard(self, connection: Connection) -> None:
        self._open.pop(connection, None)
        if not self._open:
            self.emptied.set()

    def close(self) -> None:
        """Ends the sweeping; nothing is added afterwards."""
        if self._timer is not None:
            self._timer.cancel()

    def _sweep(self) -> None:
        """Closes what is idle; the second time round, what did not take its last reply."""
        old = self.loop.time() - self._idle
        for connection, last in tuple(self._open.items()):
            if last > old:
                break
            connection.expire()
        self._timer = self.loop.call_later(min(SWEEP, self._idle), self._sweep) if self._open else None


class Connection(asyncio.Protocol):
    """One client. `_buffer` holds what came and is not answered yet: at most one read beyond an unfinished message."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._desk: Desk
        self._transport: asyncio.Transport
        self._source = ""
        self._buffer = bytearray()
        self._writable = True
        self._ended = False
        self._scheduled = False
        self._awaited = 0

    @property
    def source(self) -> str:
        return self._source

    def later(self) -> None:
        """A reply will come by `reply`."""
        self._awaited += 1

    def reply(self, message: bytes) -> None:
        """A reply that took time, out of order (RFC 7766 section 6.2.1.1)."""
        self._awaited -= 1
        if not self._transport.is_closing():
            self._transport.write(len(message).to_bytes(PREFIX, "big") + message)
            self._connections.responder.sent("tcp", self._source, message)
        if not self._scheduled:
            self._go_on()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if peer is None or here is None:  # gone already
            self._transport.abort()
            return
        self._source, self._desk = peer[0], self._connections.responder.desk("tcp", here[0])
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._scheduled:
            self._answer()

    def eof_received(self) -> bool:
        """The client has asked all it wanted: it still gets every reply, then the connection closes."""
        self._ended = True
        if not self._scheduled:
            self._go_on()
        return True

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if not self._scheduled:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a client may leave in any way
        self._connections.discard(self)

    def finish(self) -> None:
        """As if the client had half-closed."""
        self.eof_received()

    def expire(self) -> None:
        """Closes at once; what the client would not read is lost."""
        if self._transport.is_closing() or self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _answer(self) -> None:
        """Answers up to `BURST` messages in one write of about `ROOM` bytes."""
        self._scheduled = False
        if self._transport.is_closing():
            return
        responder = self._connections.responder
        responder.refresh()
        vantage = responder.vantage(self._desk, self._source)
        out, at = bytearray(), 0
        for _ in range(BURST):
            message = self._message(at)
            if message is None or len(out) > ROOM or self._awaited >= AWAITED:
                break
            at, began = at + PREFIX + len(message), perf_counter()
            reply = responder.respond(vantage, message, self)
            if reply is not None:
                out += len(reply).to_bytes(PREFIX, "big") + reply
                responder.sent("tcp", self._source, reply, began)
        del self._buffer[:at]
        if at:
            self._connections.touch(self)
        if out:
            self._transport.write(bytes(out))
        self._go_on()

    def _message(self, at: int) -> bytes | None:
        """The whole message whose length stands at `at`, or None when more must come."""
        start = at + PREFIX
        size = int.from_bytes(self._buffer[at:start], "big")
        whole = len(self._buffer) >= start + size and len(self._buffer) >= start
        return bytes(self._buffer[start : start + size]) if whole else None

    def _go_on(self) -> None:
        """What comes next: another burst, the end, or reading on. Who does not read its replies is not read."""
        if self._transport.is_closing():
            return
        waiting = self._message(0) is not None
        if waiting and self._writable and self._awaited < AWAITED:
            self._scheduled = True
            self._connections.loop.call_soon(self._answer)
        if self._ended and not waiting and not self._awaited:
            self._transport.close()
        elif waiting or not self._writable:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
