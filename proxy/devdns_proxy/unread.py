"""Whether anybody has read what was written to a connection: where nobody has, the kernel says so.

A socket that is closed with bytes unread, or gets some after it was closed, answers with a reset; one whose owner has read
everything closes in order (RFC 2525 section 2.17). An end in order comes first where both do.
"""

from __future__ import annotations

import socket
from contextlib import suppress

TCP_CLOSE = 7  # linux/tcp_states.h; after an end in order, it would still be CLOSE_WAIT


def was_reset(connected: socket.socket) -> bool:
    """True when the other side has reset the connection. Where the system does not say (not Linux) it is never known."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None or connected.family == socket.AF_UNIX:
        return False
    with suppress(OSError):
        return connected.getsockopt(socket.IPPROTO_TCP, option, 1)[0] == TCP_CLOSE
    return False
