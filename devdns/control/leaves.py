"""The server of `leaves.sock`: each proxy that connects gets all leaves, then each new one, and may ask for a name.

What is signed and when is the desk's business; here are the sockets, the turns of the loop and the clock. A burst of new names
is signed a few at a time, so that no change of the table waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socket import socket
from typing import cast

import structlog

from devdns.control import peers
from devdns.control.desk import Desk
from devdns.control.snapshots import listen
from devdns.core.errors import DevdnsError, FrameRefused
from devdns.core.leaves import Ask, Frame, Leaf, LeafReader, encode

MOST_FOLLOWERS = 128
MOST_OWED = 32 << 20
MOST_QUESTION = 1_024  # bytes of a frame from a proxy
TURN = 16  # names looked at in one turn of the loop
AGAIN = 2.0  # seconds between two looks at the user's certificate
BROKEN = 60.0  # seconds until a CA that could not sign is tried again

log = structlog.get_logger()
Hosts = Callable[[], Iterable[str]]


class LeafServer:
    """All proxies that follow. `hosts` gives the hosts of all routes, `files` a value that changes with the user's certificate."""

    def __init__(self, desk: Desk, hosts: Hosts, files: Callable[[], object] = lambda: None) -> None:
        self.desk = desk
        self.following: set[LeafFeed] = set()
        self._hosts = hosts
        self._files = files
        self._seen: object = None
        self._new: dict[str, None] = {}
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket) -> None:
        """Serves a listening Unix socket. Raises `DevdnsError` where no leaf can be had."""
        self._seen = self._files()
        await asyncio.to_thread(self.desk.open)  # it may wait for the CA's files
        self.know(self._hosts())
        self._server = await listen(sock, lambda: LeafFeed(self))
        work = (self._sign(), self._renew(), self._watch())
        self._tasks = [asyncio.create_task(each, name="leaves") for each in work]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
        for feed in list(self.following):
            feed.drop()

    def know(self, hosts: Iterable[str]) -> None:
        """Hosts of routes that may be new: their leaves are signed soon and pushed."""
        self._new.update(dict.fromkeys(hosts))
        self._woken.set()

    def push(self, leaves: Iterable[Leaf]) -> None:
        frame = b"".join(map(encode, leaves))
        for feed in list(self.following) if frame else ():
            feed.tell(frame)

    async def _sign(self) -> None:
        """Signs for new hosts, a few in a turn."""
        while await self._woken.wait():
            self._woken.clear()
            while self._new:
                turn = [self._new.popitem()[0] for _ in range(min(TURN, len(self._new)))]
                with _told("leaves not signed"):
                    self.push(self.desk.know(turn))
                await asyncio.sleep(0)

    async def _renew(self) -> None:
        pause = 0.0
        while True:
            await asyncio.sleep(max(AGAIN, pause, self.desk.wait()))
            pause = BROKEN
            with _told("leaves not renewed"):
                self.push(self.desk.renew(self._hosts()))
                pause = 0.0

    async def _watch(self) -> None:
        """Looks at the user's certificate; what was being written is read at a later look."""
        while True:
            await asyncio.sleep(AGAIN)
            seen = await asyncio.to_thread(self._files)
            if seen == self._seen and not self.desk.trouble:
                continue
            self._seen = seen
            try:
                own = await asyncio.to_thread(self.desk.read)
            except DevdnsError as error:
                self.desk.keep(str(error))
                continue
            with _told("leaves not signed"):
                self._take(own)

    def _take(self, own: Leaf | None) -> None:
        if self.desk.take(own):
            frame = encode(self.desk.leaves())
            for feed in list(self.following):
                feed.tell(frame)
            self.know(self._hosts())


class LeafFeed(asyncio.Protocol):
    """One proxy's connection."""

    def __init__(self, server: LeafServer) -> None:
        self._server = server
        self._reader = LeafReader(MOST_QUESTION)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not subclasses of it
        peer = peers.uid(transport.get_extra_info("socket"))
        if not peers.trusted(peer) or len(self._server.following) >= MOST_FOLLOWERS:
            log.warning("no leaves for this peer", uid=peer, following=len(self._server.following))
            self._transport.abort()
            return
        self._server.following.add(self)
        self._transport.write(encode(self._server.desk.leaves()))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # the reason changes nothing
        self._server.following.discard(self)

    def data_received(self, data: bytes) -> None:
        """A proxy asks; anything else ends the connection."""
        try:
            for frame in self._reader.feed(data):
                self._hear(frame)
        except FrameRefused as refused:
            log.warning("proxy dropped", reason=refused.message)
            self.drop()

    def _hear(self, frame: Frame) -> None:
        if not isinstance(frame, Ask):
            raise FrameRefused(f"a proxy sent {type(frame).__name__}")
        self.tell(encode(self._server.desk.ask(frame.name)))

    def tell(self, frame: bytes) -> None:
        """Sends, or drops a proxy that does not read."""
        if self._transport.get_write_buffer_size() + len(frame) > MOST_OWED:
            log.warning("proxy dropped", reason="it does not read")
            self.drop()
        else:
            self._transport.write(frame)

    def drop(self) -> None:
        self._server.following.discard(self)
        self._transport.abort()


@contextmanager
def _told(what: str) -> Iterator[None]:
    """A CA that cannot be had costs these leaves and not those to come."""
    try:
        yield
    except DevdnsError as error:
        log.warning(what, reason=str(error))
