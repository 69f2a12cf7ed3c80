"""When the links, addresses or routes of this machine change: a netlink socket. Linux; elsewhere there is none. Standard library only."""

from __future__ import annotations

import contextlib
import socket
import sys

#: Links, addresses and routes of IPv4 and IPv6 (linux/rtnetlink.h).
GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
READ_SIZE = 1 << 16


def changes() -> socket.socket | None:
    """A socket that turns readable when links, addresses or routes change (rtnetlink(7)); None where the system has none."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(OSError):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        sock.bind((0, GROUPS))
        return sock
    return None


def drain(sock: socket.socket) -> None:
    """Reads what was told; that the kernel had no room for more is one more reason to look."""
    with contextlib.suppress(OSError):
        while True:
            sock.recv(READ_SIZE)
