"""Who is at the other end of a Unix socket, as the kernel says: only our own user, root and the state folder's owner are trusted.

Permissions of the socket file say the same; this holds where a file system does not enforce them (macOS, some volumes).
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

#: struct ucred of Linux: pid, uid, gid.
UCRED = struct.Struct("3i")
#: struct xucred of macOS and the BSDs: version and uid in front; SOL_LOCAL is 0 and LOCAL_PEERCRED 1 (sys/un.h).
XUCRED = struct.Struct("=2I")


if sys.platform == "linux":

    def _kernel_says(sock: Any) -> int:
        return int(UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))[1])

else:

    def _kernel_says(sock: Any) -> int:
        return int(XUCRED.unpack(sock.getsockopt(0, 1, 76)[: XUCRED.size])[1])


def uid(sock: Any) -> int | None:
    """The user id of the process that connected, or None where the kernel does not tell. Takes a socket or a transport's."""
    try:
        return _kernel_says(sock)
    except (OSError, struct.error, AttributeError):
        return None


def trusted(peer: int | None) -> bool:
    """True for our own user, root, and the owner of the state folder, which is the working directory."""
    return peer is not None and peer in {os.geteuid(), 0, Path().stat().st_uid}
