"""Replies over UDP that take time: who gets them, kept until they are there."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

Origin = list[tuple[int, int, bytes]]
SendLate = Callable[[bytes, Any, Origin], None]


class UdpCaller:
    """A client of a UDP socket: `to` is its address as sockets take it, `origin` what makes the reply leave from elsewhere."""

    __slots__ = ("_origin", "_send", "_to", "source")

    def __init__(self, send: SendLate, to: Any, origin: Origin | None = None) -> None:
        self.source: str = to[0]
        self._send = send
        self._to = to
        self._origin = origin or []

    def later(self) -> None:
        """Nothing keeps a socket open for one client."""

    def reply(self, message: bytes) -> None:
        self._send(message, self._to, self._origin)


def address_of(name: bytes, family: int) -> Any:
    """A `struct sockaddr` as Python's sockets take it."""
    port = int.from_bytes(name[2:4], "big")
    if family == socket.AF_INET:
        return socket.inet_ntop(family, name[4:8]), port
    flow, scope = int.from_bytes(name[4:8], "big"), int.from_bytes(name[24:28], sys.byteorder)
    return socket.inet_ntop(socket.AF_INET6, name[8:24]), port, flow, scope
