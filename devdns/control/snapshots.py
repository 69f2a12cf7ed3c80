"""The server of `snapshots.sock`: hello, the table in slices, then each change, to every follower that connects.

A change is encoded once and handed to all sockets in the same step. A table on its way yields between slices; changes
that happen meanwhile wait behind it. A follower that does not read is dropped at a bound; it reconnects by itself.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from socket import socket
from typing import cast

import structlog

from devdns.control import peers
from devdns.control.sighted import Sighted
from devdns.control.told import Told
from devdns.core.errors import FrameRefused
from devdns.core.frames import SLICE, Figures, Frame, FrameReader, Hello, Resync, encode, encoded
from devdns.core.routes import Change, Route, RouteTable
from devdns.core.sightings import Sightings

#: What one follower may owe us: some tables of 100,000 routes (about 20 MB each) would be over it, a busy minute is not.
MOST_OWED = 8 << 20
MOST_FOLLOWERS = 256

log = structlog.get_logger()


class Snapshots:
    """All followers, what they `told` of their figures, and what they `sighted` of services.

    `table` gives the table in force; `publish` must be called with each change after it is in force.
    """

    def __init__(self, hello: Hello, table: Callable[[], RouteTable], most_owed: int = MOST_OWED) -> None:
        self.hello = encode(hello)
        self.table = table
        self.most_owed = most_owed
        self.following: set[Feed] = set()
        self.told = Told()
        self.sighted = Sighted()
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket) -> None:
        """Serves a listening Unix socket."""
        self._server = await listen(sock, lambda: Feed(self))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for feed in list(self.following):
            feed.drop()

    def publish(self, change: Change) -> None:
        """Tells every follower. A change too big for a frame is told as a whole table."""
        if not self.following:
            return
        try:
            frame = encode(change) if len(change.added) + len(change.removed) <= SLICE else None
        except FrameRefused:  # few routes, but large ones
            frame = None
        if frame is None:
            for feed in list(self.following):
                feed.tell_table()
            return
        for feed in list(self.following):
            feed.tell(frame)


class Feed(asyncio.Protocol):
    """One follower's connection: frames go straight to the socket unless a table is on its way, then behind it."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._reader = FrameReader()
        self._late: list[bytes] = []
        self._again = False
        self._table: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not subclasses of it
        peer = peers.uid(transport.get_extra_info("socket"))
        if not peers.trusted(peer) or len(self._snapshots.following) >= MOST_FOLLOWERS:
            log.warning("follower refused", uid=peer, following=len(self._snapshots.following))
            self._transport.abort()
            return
        self._snapshots.following.add(self)
        self._transport.write(self._snapshots.hello)
        self.tell_table()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # the reason changes nothing
        self._snapshots.following.discard(self)
        self._snapshots.told.leave(self)
        self._snapshots.sighted.leave(self)
        self._late.clear()
        if self._table is not None:
            self._table.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """A follower says `Resync` or its `Figures` or `Sightings`; anything else ends the connection."""
        try:
            for frame in self._reader.feed(data):
                self._hear(frame)
        except FrameRefused as refused:
            log.warning("follower dropped", reason=refused.message)
            self.drop()

    def _hear(self, frame: Frame) -> None:
        if isinstance(frame, Figures):
            self._snapshots.told.hear(self, frame)
            return
        if isinstance(frame, Sightings):
            self._snapshots.sighted.hear(self, frame)
            return
        if not isinstance(frame, Resync):
            raise FrameRefused(f"a follower sent {type(frame).__name__}")
        if self._table is not None:
            # It threw away what it had gathered, and the rest would pass for a whole table: begin with a new connection.
            raise FrameRefused("a follower asked again while a table was on its way")
        self.tell_table()

    def drop(self) -> None:
        self._snapshots.following.discard(self)
        self._transport.abort()

    def tell(self, frame: bytes) -> None:
        """Sends a frame, or drops a follower that owes too much."""
        owed = self._transport.get_write_buffer_size() + sum(map(len, self._late)) + len(frame)
        if owed > self._snapshots.most_owed:
            log.warning("follower dropped", reason="it does not read", owed=owed)
            self.drop()
        elif self._table is not None:
            self._late.append(frame)
        else:
            self._transport.write(frame)

    def tell_table(self) -> None:
        """Sends the table in force from its start; after one that is on its way it is sent anew."""
        self._late.clear()
        self._again = True
        if self._table is None:
            self._table = asyncio.get_running_loop().create_task(self._send_tables())

    async def _send_tables(self) -> None:
        """Sends until nothing newer is wanted; a follower that cannot be told is dropped, so that it asks anew."""
        try:
            while self._again:
                self._again = False
                for frame in encoded(self._snapshots.table(), _left_out):
                    await self._writable.wait()
                    self._transport.write(frame)
                    await asyncio.sleep(0)  # other followers, requests and providers between two slices
            self._transport.write(b"".join(self._late))
        except Exception:
            log.exception("follower dropped", reason="the table cannot be told")
            self.drop()
        self._late.clear()
        self._table = None


def _left_out(route: Route) -> None:
    log.error("route left out", name=route.name, source=route.source, reason="it is too large for a frame")


async def listen(sock: socket, protocol: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
    """A server on a listening Unix socket that leaves the socket file in place: it belongs to the supervisor."""
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 13):
        return await loop.create_unix_server(protocol, sock=sock, cleanup_socket=False)
    return await loop.create_unix_server(protocol, sock=sock)
