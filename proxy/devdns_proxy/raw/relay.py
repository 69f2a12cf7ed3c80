"""Two connected sockets joined byte for byte: backpressure and half-close both ways, a reset passed on. Knows no routes.

Sockets and no transports: one buffer serves all relays of a loop, and nothing is copied in between but what the receiver does
not take at once. splice(2) was measured, too: with pipes of 1 MiB it takes a fifth less CPU for large transfers, but two pipes for
each connection, and a user's pipes are cut to a page after 32 of those.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from devdns_proxy.tunnel import RESET

#: Bytes read at once. More costs memory of the processor's cache, less costs calls; measured with `devdns_bench.relay_cost`.
PIECE = 1 << 18


def reset(connected: socket.socket) -> None:
    """Closes so that the peer sees a fault and not an end."""
    with suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connected.close()


class Flow:
    """One direction. `passed` counts the bytes that came; `ended` is true once its source said that there are no more, and they are passed on."""

    __slots__ = ("_loop", "_relay", "_rest", "_sink", "_source", "_view", "ended", "passed")

    def __init__(self, relay: Relay, source: socket.socket, sink: socket.socket, view: memoryview) -> None:
        self._loop = asyncio.get_running_loop()
        self._relay = relay
        self._source, self._sink = source, sink
        self._view = view
        self._rest = b""
        self.passed = 0
        self.ended = False
        self._loop.add_reader(source, self._read)

    def _read(self) -> None:
        try:
            size = self._source.recv_into(self._view)
        except BlockingIOError:
            return
        except OSError:
            self._relay.cut()
            return
        if not size:
            self._end()
            return
        self.passed += size
        sent = self._send(self._view[:size])
        if sent < size:
            self._rest = bytes(self._view[sent:size])
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._sink, self._write)

    def _send(self, data: memoryview | bytes) -> int:
        """How much the sink took; all of it where the connection is at its end."""
        try:
            return self._sink.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._relay.cut()
            return len(data)

    def _write(self) -> None:
        """The sink takes more: what is left over goes first."""
        self._rest = self._rest[self._send(self._rest) :]
        if not self._rest and not self._relay.over:
            self._loop.remove_writer(self._sink)
            self._loop.add_reader(self._source, self._read)

    def _end(self) -> None:
        """Passes the half-close on; the other direction stays open until it ends too."""
        self._loop.remove_reader(self._source)
        self.ended = True
        with suppress(OSError):  # reset already, which reading or writing tells
            self._sink.shutdown(socket.SHUT_WR)
        self._relay.ended()

    def stop(self) -> None:
        """Neither reads nor writes any more."""
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._sink)


class Relay:
    """A client and a service; `over` once both are closed, and then `done(whole)` has been called: false where it was cut."""

    __slots__ = ("_client", "_done", "_service", "inward", "outward", "over")

    def __init__(
        self, client: socket.socket, service: socket.socket, view: memoryview, done: Callable[[bool], None]
    ) -> None:
        for each in (client, service):
            if each.family != socket.AF_UNIX:
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self._service = client, service
        self._done = done
        self.over = False
        self.inward = Flow(self, client, service, view)
        self.outward = Flow(self, service, client, view)

    @property
    def service(self) -> socket.socket:
        return self._service

    def ended(self) -> None:
        """One direction is at its end."""
        if self.inward.ended and self.outward.ended:
            self._stop()
            self._client.close()
            self._service.close()
            self._done(True)

    def cut(self) -> None:
        """Ends both sides so that they see a fault: the other one was reset, or is known to be gone."""
        if not self.over:
            self._stop()
            reset(self._client)
            reset(self._service)
            self._done(False)

    def _stop(self) -> None:
        self.over = True
        self.inward.stop()
        self.outward.stop()
