"""Listening sockets that whoever started us opened for us, as systemd does for a socket unit (sd_listen_fds(3)).

So devdns has ports below 1024 without ever being root. Standard library only, because the supervisor uses it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from devdns.core.errors import UsageRefused

FIRST = 3  # SD_LISTEN_FDS_START
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
#: What a name says the socket is; each is for the role before its hyphen.
KINDS = {
    "http": socket.SOCK_STREAM,
    "https": socket.SOCK_STREAM,
    "dns-udp": socket.SOCK_DGRAM,
    "dns-tcp": socket.SOCK_STREAM,
}


def handed(environ: Mapping[str, str]) -> list[tuple[str, socket.socket]]:
    """The sockets by name (`FileDescriptorName=`), none when they are for another process.

    Raises `UsageRefused` for a name or a kind of socket that devdns does not know: nobody would serve it.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count, names = environ.get("LISTEN_FDS", ""), environ.get("LISTEN_FDNAMES", "").split(":")
    if not (count.isascii() and count.isdigit() and len(names) == int(count)):
        raise UsageRefused(f"LISTEN_FDS is {count!r} and LISTEN_FDNAMES has {len(names)} names", "give each a name")
    return [(name, _adopt(name, FIRST + at)) for at, name in enumerate(names)]


def _adopt(name: str, descriptor: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise UsageRefused(f"the socket {name!r} that was handed over is none: {error.strerror}") from None
    if KINDS.get(name) != sock.type or sock.family not in (socket.AF_INET, socket.AF_INET6):
        raise UsageRefused(f"a socket was handed over as {name!r}", f"FileDescriptorName= is one of {', '.join(KINDS)}")
    sock.setblocking(False)
    sock.set_inheritable(False)
    return sock
