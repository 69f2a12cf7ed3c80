"""The prober's own HTTP/1.1 client: one connection, one request at a time, and what became of it.

Nothing here is shared with the proxy, and no library hides a retry or a closed connection (RFC 9112).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple


class Place(NamedTuple):
    """Where to connect to, and the Host to ask for; with TLS where there are settings for it."""

    ip: str
    port: int
    host: str
    tls: ssl.SSLContext | None = None


class Answer(NamedTuple):
    """A whole response. `keeps`: the connection may carry another request."""

    status: int
    body: bytes
    keeps: bool


class BrokenError(Exception):
    """The connection ended without a whole response, or what came is not HTTP; `begun` when part of one had come."""

    def __init__(self, why: str, *, begun: bool) -> None:
        super().__init__(why)
        self.begun = begun


class Connection(asyncio.Protocol):
    """A client connection; `idle_lost` is called when it is closed while nothing is being asked."""

    transport: asyncio.Transport

    def __init__(self, idle_lost: Callable[[Connection], None]) -> None:
        self._idle_lost = idle_lost
        self._seen = b""
        self._answer: asyncio.Future[Answer] | None = None
        self.closed = False

    @classmethod
    async def open(cls, place: Place, idle_lost: Callable[[Connection], None]) -> Connection:
        """Raises OSError."""
        name = place.host if place.tls else None
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: cls(idle_lost), place.ip, place.port, ssl=place.tls, server_hostname=name
        )
        return made

    async def ask(self, request: bytes) -> Answer:
        """Sends the request and waits for the response. Raises `BrokenError`."""
        self._seen, self._answer = b"", asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def close(self) -> None:
        """At once, unsent data or not; nothing is reported."""
        self.closed = True
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # uvloop's is not a subclass of asyncio.Transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        self._look(ended=False)

    def connection_lost(self, exc: Exception | None) -> None:
        told, self.closed = self.closed, True
        if self._answer is None or self._answer.done():
            if not told:
                self._idle_lost(self)
            return
        self._look(ended=True)
        if not self._answer.done():
            why = f"closed: {exc}" if exc else "closed"
            self._answer.set_exception(BrokenError(why, begun=bool(self._seen)))

    def _look(self, *, ended: bool) -> None:
        if self._answer is None or self._answer.done():
            return
        try:
            answer = parse(self._seen, ended=ended)
        except ValueError as error:
            self._answer.set_exception(BrokenError(f"not HTTP: {error}", begun=True))
        else:
            if answer is not None:
                self._answer.set_result(answer)


def parse(seen: bytes, *, ended: bool) -> Answer | None:
    """The response that `seen` begins with, None while it is incomplete (RFC 9112 section 6.3). Raises ValueError."""
    while True:
        head, end, rest = seen.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.split(b"\r\n")
        version, code, *_ = first.split(b" ", 2)
        if not version.startswith(b"HTTP/1."):
            raise ValueError(first[:40])
        status = int(code)
        if status >= 200 or status == 101:
            break
        seen = rest
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    keeps = version == b"HTTP/1.1" and b"close" not in fields.get(b"connection", b"").lower()
    if status in {101, 204, 304}:
        return Answer(status, b"", keeps)
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        body = dechunked(rest)
        return None if body is None else Answer(status, body, keeps)
    if (length := fields.get(b"content-length")) is not None:
        return Answer(status, rest[: int(length)], keeps) if len(rest) >= int(length) else None
    return Answer(status, rest, keeps=False) if ended else None


def dechunked(rest: bytes) -> bytes | None:
    """The body that the chunks make, None while the last one is missing (RFC 9112 section 7.1). Raises ValueError."""
    body = b""
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            return body if rest.startswith(b"\r\n") or b"\r\n\r\n" in rest else None
        if len(rest) < size + 2:
            return None
        body, rest = body + rest[:size], rest[size + 2 :]
