"""Loads that wrk cannot make, as a child process pinned beside the service: bodies, WebSocket messages, a fixed rate.

`python -m devdns_bench.http_clients download|upload|echo|paced PORT CONNECTIONS SECONDS SIZE RATE` prints JSON: how many units went
through, and for `paced` the milliseconds that half and 99 of 100 requests took from when they were due.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import deque
from time import perf_counter

import uvloop

from devdns_bench.http_request import head

PIECE = b"x" * 262_144
TICK = 0.001
MASKED_TEXT = b"\x81\xfe"  # a final text frame with a mask and a length of two bytes (RFC 6455 section 5.2)


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def _rest(connection: socket.socket) -> int:
    """Reads a response with Content-Length; returns how many bytes its body has."""
    held = b""
    while b"\r\n\r\n" not in held:
        held += _some(connection)
    fields, _, body = held.partition(b"\r\n\r\n")
    if not fields.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(fields.decode("latin-1"))
    length = int(fields.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    left, buffer = length - len(body), bytearray(1 << 20)
    while left:
        taken = connection.recv_into(buffer, min(left, len(buffer)))
        if not taken:
            raise SystemExit("the response was cut")
        left -= taken
    return length


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise SystemExit("the connection was closed")
    return data


def download(port: int, size: int) -> dict[str, float]:
    """One response of `size` bytes; units are MB."""
    with _connected(port) as connection:
        started = perf_counter()
        connection.sendall(head(f"GET /{size} HTTP/1.1"))
        return {"units": _rest(connection) / 1e6, "seconds": perf_counter() - started}


def upload(port: int, size: int) -> dict[str, float]:
    """One request of `size` bytes; units are MB."""
    with _connected(port) as connection:
        started, left = perf_counter(), size
        connection.sendall(head("POST / HTTP/1.1", f"Content-Length: {size}"))
        while left:
            piece = PIECE[:left]
            connection.sendall(piece)
            left -= len(piece)
        _rest(connection)
        return {"units": size / 1e6, "seconds": perf_counter() - started}


class Echo(asyncio.Protocol):
    """Sends a message, and the next when it has come back whole."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._left = -1
        self.count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # asyncio says BaseTransport
        offer = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        self.transport.write(head("GET / HTTP/1.1", *offer, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            if not data.startswith(b"HTTP/1.1 101 "):
                raise SystemExit(data.decode("latin-1"))
            self._left = 0
        else:
            self._left -= len(data)
            self.count += not self._left
        if not self._left:
            self._left = len(self._message)
            self.transport.write(self._message)


async def echo(port: int, connections: int, seconds: float, size: int) -> dict[str, float]:
    """Messages of `size` bytes, one under way on each of `connections` WebSockets; units are messages there and back."""
    loop, message = asyncio.get_running_loop(), MASKED_TEXT + size.to_bytes(2, "big") + b"mask" + b"x" * size
    every = [(await loop.create_connection(lambda: Echo(message), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.sleep(seconds)
    return {"units": sum(each.count for each in every), "seconds": seconds}


class Asking(asyncio.Protocol):
    """Asks when told to; the response is one piece, or the connection is kept busy until its body is whole."""

    def __init__(self, paced: Paced) -> None:
        self._paced = paced
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # asyncio says BaseTransport

    def ask(self, due: float) -> None:
        self._due = due
        self.transport.write(self._paced.request)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(data.decode("latin-1"))
        self._paced.took.append(perf_counter() - self._due)
        self._paced.free(self)


class Paced:
    """Requests at a fixed rate whatever happens: one that finds no connection waits for one, and its time runs."""

    def __init__(self) -> None:
        self.request = head("GET / HTTP/1.1", "Connection: keep-alive")
        self.took: list[float] = []
        self.idle: deque[Asking] = deque()
        self._late: deque[float] = deque()

    def free(self, asking: Asking) -> None:
        if self._late:
            asking.ask(self._late.popleft())
        else:
            self.idle.append(asking)

    def due(self, when: float) -> None:
        if self.idle:
            self.idle.popleft().ask(when)
        else:
            self._late.append(when)


async def paced(port: int, connections: int, seconds: float, rate: float) -> dict[str, float]:
    """`rate` requests a second over `connections`; units are requests."""
    loop, pace = asyncio.get_running_loop(), Paced()
    for _ in range(connections):
        pace.idle.append((await loop.create_connection(lambda: Asking(pace), "127.0.0.1", port))[1])
    started, sent = perf_counter(), 0
    while (now := perf_counter() - started) < seconds:
        while sent < now * rate:
            pace.due(started + sent / rate)
            sent += 1
        await asyncio.sleep(TICK)
    await asyncio.sleep(0.2)
    took = sorted(pace.took)
    return {
        "units": len(took),
        "seconds": seconds,
        "half_ms": took[len(took) // 2] * 1e3,
        "late_ms": took[len(took) * 99 // 100] * 1e3,
    }


def main() -> None:
    """Makes the load that the arguments name."""
    what, port, connections, seconds, size, rate = sys.argv[1], *map(int, sys.argv[2:])
    if what in {"download", "upload"}:
        told = (download if what == "download" else upload)(port, size)
    elif what == "echo":
        told = uvloop.run(echo(port, connections, seconds, size))
    else:
        told = uvloop.run(paced(port, connections, seconds, rate))
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
