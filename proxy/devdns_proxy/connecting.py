"""A TCP connection as the kernel makes it: at once where what listens is on this machine, and again where an accept queue was full."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys

UNDER_WAY = frozenset((errno.EINPROGRESS, errno.EALREADY))
#: Seconds until the next try, beside those before: an accept queue that is full drops what asks for a connection, and the kernel would
#: ask again after a second.
AGAIN = (0.02, 0.04, 0.08, 0.16)


async def tcp(loop: asyncio.AbstractEventLoop, where: tuple[str, int]) -> socket.socket:
    """A socket connected to an address and a port, as long as that takes. Raises OSError."""
    tried: list[socket.socket] = []
    ready: asyncio.Queue[socket.socket] = asyncio.Queue()
    try:
        for patience in (*AGAIN, None):
            tried.append(unconnected(socket.AF_INET6 if ":" in where[0] else socket.AF_INET))
            if not _at_once(tried[-1], where):
                loop.add_writer(tried[-1].fileno(), _tell, loop, ready, tried[-1])
                connected = await _first(ready, patience)
                if connected is None:
                    continue
                _check(connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                tried.remove(connected)
                tried.append(connected)
            _not_itself(tried[-1])
            return tried.pop()
        raise TimeoutError
    finally:
        for each in tried:
            loop.remove_writer(each.fileno())
            each.close()


def unconnected(family: socket.AddressFamily) -> socket.socket:
    """A new socket that never blocks."""
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    return made


def _at_once(connecting: socket.socket, where: tuple[str, int]) -> bool:
    """Begins to connect; True where that is all. Raises OSError.

    What listens on this machine has answered by the second call (Linux; EALREADY where it has not), so that neither a turn of the
    loop is spent on it nor a thread, in which uvloop's `sock_connect` looks up even an address.
    """
    code = connecting.connect_ex(where)
    if code == errno.EINPROGRESS and sys.platform == "linux":
        code = connecting.connect_ex(where)
    if code in UNDER_WAY:
        return False
    _check(code)
    return True


def _check(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))


def _tell(loop: asyncio.AbstractEventLoop, ready: asyncio.Queue[socket.socket], connecting: socket.socket) -> None:
    loop.remove_writer(connecting.fileno())
    ready.put_nowait(connecting)


async def _first(ready: asyncio.Queue[socket.socket], within: float | None) -> socket.socket | None:
    try:
        async with asyncio.timeout(within):
            return await ready.get()
    except TimeoutError:
        return None


def _not_itself(connecting: socket.socket) -> None:
    """Refuses a connection whose other end it is itself: a port that is dialled often enough, and dead, is given to a dial."""
    if connecting.getsockname() == connecting.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
