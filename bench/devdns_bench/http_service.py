"""Child processes of `http_cost`: our proxy alone, and the service behind all proxies where nginx cannot be it.

`python -m devdns_bench.http_service proxy PORT SERVICE ROUTES SECURE FOLDER | streams PORT`
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from base64 import b64encode
from hashlib import sha1
from math import inf
from pathlib import Path

import uvloop

from devdns.core.config import Config
from devdns.core.frames import Hello, TableView
from devdns.core.leaves import Leaf, Leaves
from devdns.core.routes import Route, RouteTable, parse_target
from devdns_bench.http_request import HOST
from devdns_proxy.server import Proxy

PIECE = b"x" * 262_144
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
KEY = re.compile(rb"(?i)\r\nsec-websocket-key: *([^\r]+)")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Streams(asyncio.Protocol):
    """`GET /N` is answered with N bytes, a body is read to its end, an upgrade echoes what comes."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._held = b""
        self._echo = False
        self._due = self._left = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind

    def data_received(self, data: bytes) -> None:
        if self._echo:
            self.transport.write(data)
        elif self._left:
            self._take(len(data))
        else:
            self._held += data
            self._answer()

    def _answer(self) -> None:
        head, end, rest = self._held.partition(b"\r\n\r\n")
        if not end:
            return
        self._held = b""
        key, length = KEY.search(head), LENGTH.search(head)
        if key:
            accept = b64encode(sha1(key[1] + GUID, usedforsecurity=False).digest())
            lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\n\r\n")
            self._echo = True
        elif length:
            self._left = int(length[1])
            self._take(len(rest))
        else:
            self._due = int(head.split(b" ", 2)[1][1:] or b"0")
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self._due)
            self._pour()

    def _take(self, size: int) -> None:
        self._left -= size
        if not self._left:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def _pour(self) -> None:
        while self._due and not self._paused:
            piece = PIECE[: self._due]
            self._due -= len(piece)
            self.transport.write(piece)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pour()


async def streams(port: int) -> None:
    """Runs the service for ever."""
    server = await asyncio.get_running_loop().create_server(Streams, "127.0.0.1", port)
    await server.serve_forever()


async def proxy(port: int, service: int, routes: int, secure: int, folder: Path) -> None:
    """Runs our proxy alone for ever, with `routes` routes; at `secure` it shows the certificate in `folder`."""
    target = (parse_target(service),)
    names = [HOST, *(f"s{number}.p{number % 97}.dev.test" for number in range(1, routes))]
    table = RouteTable([Route(host=name, targets=target, source="manual") for name in names])
    running = Proxy(TableView(Hello(1, "bench", Config()), table), "web.sock")
    await running.start([socket.create_server(("127.0.0.1", port))])
    cert, key = (folder.joinpath(name).read_text() for name in ("cert.pem", "key.pem"))
    running.context.wardrobe.take(Leaves((Leaf((HOST,), cert, key, inf),)))
    await running.open([socket.create_server(("127.0.0.1", secure))], secure=True)
    await asyncio.Event().wait()


def main() -> None:
    """Runs what the arguments name."""
    what, port, *more = sys.argv[1:]
    if what == "streams":
        uvloop.run(streams(int(port)))
        return
    service, routes, secure = map(int, more[:3])
    uvloop.run(proxy(int(port), service, routes, secure, Path(more[3])))


if __name__ == "__main__":
    main()
