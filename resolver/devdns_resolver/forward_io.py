"""The sockets and files of the forwarder: one query to one upstream, the system's resolv.conf, the clock, chance."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from devdns_resolver.access import plain_address
from devdns_resolver.forward_upstreams import Address

Fits = Callable[[bytes], bool]

#: What no service waits on; with the ID 31 bits that a spoofer must guess (RFC 5452 section 9.2).
FIRST_PORT, PORTS = 32_768, 32_768
TRIES = 8
#: Larger than what our OPT asks for, in case an upstream does not care.
MAX_REPLY = 4_096
#: Bytes of the length before a message on TCP.
PREFIX = 2
#: Replies that do not fit, read in one turn.
BATCH = 16
MAX_FILE = 65_536
#: A clock that goes on while the machine sleeps, so that TTLs end in time.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds since some moment."""
    return time.clock_gettime(CLOCK)


def chance() -> int:
    """16 bits that nobody can foresee."""
    return int.from_bytes(os.urandom(2), "big")


async def ask_udp(to: Address, asked: bytes, fits: Fits) -> bytes:
    """The first reply for which `fits` holds, waited for without end; raises OSError when there is no way or no server.

    The socket is connected: the kernel drops what comes from anywhere else and reports a refusal.
    """
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[bytes] = loop.create_future()
    with _socket(to, socket.SOCK_DGRAM) as (sock, target):
        _bind_by_chance(sock)
        sock.connect(target)
        sock.send(asked)
        loop.add_reader(sock.fileno(), _receive, sock, fits, reply)
        try:
            return await reply
        finally:
            loop.remove_reader(sock.fileno())


async def ask_tcp(to: Address, asked: bytes, fits: Fits) -> bytes:
    """The same over a TCP connection of its own; raises OSError, EOFError when the upstream hangs up."""
    with _socket(to, socket.SOCK_STREAM) as (sock, target):
        await asyncio.get_running_loop().sock_connect(sock, target)
        reader, writer = await asyncio.open_connection(sock=sock.dup())
    try:
        writer.write(len(asked).to_bytes(PREFIX, "big") + asked)
        while True:
            size = int.from_bytes(await reader.readexactly(PREFIX), "big")
            data = await reader.readexactly(size)
            if fits(data):
                return data
    finally:
        writer.transport.abort()


@contextmanager
def _socket(to: Address, kind: socket.SocketKind) -> Iterator[tuple[socket.socket, Any]]:
    """A socket for an address that is written in numbers, and that address as the socket takes it."""
    family, _, _, _, target = socket.getaddrinfo(*to, type=kind, flags=socket.AI_NUMERICHOST)[0]
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        yield sock, target


def _bind_by_chance(sock: socket.socket) -> None:
    """A source port nobody can foresee; the kernel's choice where those tried are taken."""
    for _ in range(TRIES):
        with suppress(OSError):
            sock.bind(("", FIRST_PORT + chance() % PORTS))
            return


def _receive(sock: socket.socket, fits: Fits, reply: asyncio.Future[bytes]) -> None:
    """Waits past whatever does not fit: a spoofed reply must not end the waiting for the true one."""
    if reply.done():
        return
    try:
        for _ in range(BATCH):
            data = sock.recv(MAX_REPLY)
            if fits(data):
                reply.set_result(data)
                return
    except BlockingIOError:
        return
    except OSError as error:
        reply.set_exception(error)


class Files:
    """Texts of files that are read again when they are others than before; what cannot be read is empty."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(map(Path, paths))
        self._seen: tuple[object, ...] | None = None

    def changed(self) -> tuple[str, ...] | None:
        """All texts if any file changed since the last time, else None."""
        seen = tuple(map(_mark, self._paths))
        if seen == self._seen:
            return None
        self._seen = seen
        return tuple(map(_text, self._paths))


def _mark(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE).decode("utf-8", "replace")
    except OSError:
        return ""


class Listeners:
    """Our own addresses: an upstream among them would be asked in a circle."""

    def __init__(self) -> None:
        self._ours: set[Address] = set()

    def add(self, host: str, port: int) -> None:
        self._ours.add((str(plain_address(host)), port))

    def __contains__(self, address: object) -> bool:
        """Whether an upstream's address is answered by us; where we listen on all addresses of its kind, every local one is.

        Those of IPv6 hear no IPv4: our sockets are for one kind each.
        """
        if not isinstance(address, tuple):
            return False
        host, port = str(plain_address(address[0])), address[1]
        everywhere = ("::" if ":" in host else "0.0.0.0", port)
        return (host, port) in self._ours or (everywhere in self._ours and _is_local(host))


def _is_local(host: str) -> bool:
    """Whether an address is this machine's: only those can be bound."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((host, 0))
        except OSError:
            return False
    return True
