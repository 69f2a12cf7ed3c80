"""A TCP connection as the kernel makes it: at once where what listens is on this machine, and again where an accept queue was full."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys

UNDER_WAY = frozenset((errno.EINPROGRESS, errno.EALREADY))
#: Seconds until a dial is begun anew. An accept queue that is full drops what asks for a connection, and the kernel would ask again
#: after a second; whatever is farther away than these has the rest of `Limits.connect_time`.
AGAIN = (0.02, 0.04, 0.08, 0.16)


async def tcp(loop: asyncio.AbstractEventLoop, where: tuple[str, int]) -> socket.socket:
    """A socket connected to an address and a port, as long as that takes. Raises OSError."""
    for patience in (*AGAIN, None):
        connecting = unconnected(socket.AF_INET6 if ":" in where[0] else socket.AF_INET)
        try:
            if await _establish(loop, connecting, where, patience):
                _not_itself(connecting)
                return connecting
        except BaseException:
            connecting.close()
            raise
        connecting.close()
    raise TimeoutError


def unconnected(family: socket.AddressFamily) -> socket.socket:
    """A new socket that never blocks."""
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    return made


async def _establish(
    loop: asyncio.AbstractEventLoop, connecting: socket.socket, where: tuple[str, int], patience: float | None
) -> bool:
    """Connects; False where nothing has answered within `patience` seconds. Raises OSError.

    What listens on this machine has answered by the second call (Linux; EALREADY where it has not), so that neither a turn of the
    loop is spent on it nor a thread, in which uvloop's `sock_connect` looks up even an address.
    """
    code = connecting.connect_ex(where)
    if code == errno.EINPROGRESS and sys.platform == "linux":
        code = connecting.connect_ex(where)
    if code in UNDER_WAY:
        if not await _writable(loop, connecting.fileno(), patience):
            return False
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    return True


async def _writable(loop: asyncio.AbstractEventLoop, descriptor: int, within: float | None) -> bool:
    told = asyncio.Event()
    loop.add_writer(descriptor, told.set)
    try:
        async with asyncio.timeout(within):
            return await told.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_writer(descriptor)


def _not_itself(connecting: socket.socket) -> None:
    """Refuses a connection whose other end it is itself: a port that is dialled often enough, and dead, is given to a dial."""
    if connecting.getsockname() == connecting.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
