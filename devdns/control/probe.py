"""One probe of one target: a GET of its health path, a greeting of HTTP/2, or a mere connect. Sockets, no decisions."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from devdns.core import http2
from devdns.core.health import Absence, Asked
from devdns.core.routes import Target, forbidden

BOUND = 2.0
MOST_HEAD = 4096
WELL = range(200, 400)
#: What a connect says where nothing listens.
ABSENT = frozenset((errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENOENT))
Address = tuple[str, int]

_trusting = ssl.create_default_context()
_trusting.check_hostname = False  # what is asked is whether it is well; whom to believe is the proxy's business
_trusting.verify_mode = ssl.CERT_NONE
_trusting.set_alpn_protocols(["h2", "http/1.1"])


async def probe(asked: Asked) -> str:
    """Why the target is not well, in words (an `Absence` where nothing listens); empty when it is. Takes `BOUND` seconds at most."""
    what = f"a connect to {asked.target}" if asked.path == "tcp" else f"GET {asked.path} of {asked.target}"
    try:
        async with asyncio.timeout(BOUND):
            return await _ask(asked, what)
    except TimeoutError:
        return f"{what} has no answer within {BOUND:.0f} s"
    except (OSError, ValueError, asyncio.LimitOverrunError) as error:
        reason = f"{what} fails: {_words(error)}"
        return Absence(reason) if getattr(error, "errno", None) in ABSENT else reason


async def _ask(asked: Asked, what: str) -> str:
    reader, writer = await _connect(asked.target)
    try:
        if asked.path == "tcp":
            return await _greeted(reader, writer, what) if asked.target.scheme == "h2c" else ""
        if _speaks_http2(asked.target, writer):
            return _judged(await _ask_http2(reader, writer, asked), what)
        fields = f"Host: {asked.host}\r\nUser-Agent: devdns-probe\r\nAccept: */*\r\nConnection: close"
        writer.write(f"GET {asked.path} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        return _judged(_status(await reader.readline()), what)
    finally:
        writer.transport.abort()


def _judged(status: int, what: str) -> str:
    return "" if status in WELL else f"{what} answers {status}" if status else f"{what} is answered with no HTTP"


def _speaks_http2(target: Target, writer: asyncio.StreamWriter) -> bool:
    tls = writer.get_extra_info("ssl_object")
    return target.scheme == "h2c" or (tls is not None and tls.selected_alpn_protocol() == "h2")


async def _greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str) -> str:
    """A connect proves nothing where a relay accepts for a service; its settings do, which it says unasked."""
    writer.write(http2.GREETING)
    said, _ = await _heard(reader)
    return "" if said.kind == http2.SETTINGS else f"{what} is answered with no HTTP/2"


async def _ask_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked) -> int:
    """The status of the answer, 0 where there is none."""
    scheme = "http" if asked.target.scheme == "h2c" else "https"
    writer.write(http2.GREETING + http2.get(asked.path, asked.host, scheme))
    while True:
        said, payload = await _heard(reader)
        if said.kind == http2.SETTINGS and not said.flags & http2.ACK:
            writer.write(http2.UNDERSTOOD)
        elif said.kind == http2.HEADERS and not 100 <= (status := http2.status(said.flags, payload)) < 200:
            return status
        elif said.kind in (http2.RST_STREAM, http2.GOAWAY):
            return 0


async def _heard(reader: asyncio.StreamReader) -> tuple[http2.Frame, bytes]:
    """The next frame and what is in it."""
    try:
        said = http2.read_frame(await reader.readexactly(http2.FRAME_HEAD))
        return said, await reader.readexactly(said.length)
    except asyncio.IncompleteReadError:
        raise ConnectionError("it hangs up without an answer") from None


def _status(line: bytes) -> int:
    """The status of a status line, 0 for what is none."""
    words = line.split(None, 2)
    good = len(words) > 1 and words[0].startswith(b"HTTP/1.") and len(words[1]) == 3 and words[1].isdigit()
    return int(words[1]) if good else 0


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection; raises OSError. A name is resolved first, and no forbidden address of it is asked."""
    context = _trusting if target.scheme in ("https", "tls") else None
    name = target.host if context else None
    if target.path:
        return await asyncio.open_unix_connection(target.path, limit=MOST_HEAD, ssl=context, server_hostname=name)
    refused: OSError = ConnectionError(f"{target.host} is nowhere a service may be")
    for host, port in allowed(await _resolved(target)):
        try:
            return await asyncio.open_connection(host, port, limit=MOST_HEAD, ssl=context, server_hostname=name)
        except OSError as error:
            refused = error
    raise refused


async def _resolved(target: Target) -> list[Address]:
    with suppress(ValueError):
        return [(str(ip_address(target.host)), target.port)]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return [(str(place[0]), target.port) for *_, place in found]


def allowed(addresses: Iterable[Address]) -> list[Address]:
    """Those that a route may lead to."""
    return [each for each in addresses if not forbidden(ip_address(each[0].partition("%")[0]))]


def _words(error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.ECONNREFUSED:
        return "connection refused"
    if isinstance(error, OSError) and code and code > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(code).lower()
    return str(error) or type(error).__name__
