"""One probe of one target: a GET of its health path, or a mere connect. Sockets, no decisions."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

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
            return ""
        fields = f"Host: {asked.host}\r\nUser-Agent: devdns-probe\r\nAccept: */*\r\nConnection: close"
        writer.write(f"GET {asked.path} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        status = _status(await reader.readline())
        return "" if status in WELL else f"{what} answers {status}" if status else f"{what} is answered with no HTTP"
    finally:
        writer.transport.abort()


def _status(line: bytes) -> int:
    """The status of a status line, 0 for what is none."""
    words = line.split(None, 2)
    good = len(words) > 1 and words[0].startswith(b"HTTP/1.") and len(words[1]) == 3 and words[1].isdigit()
    return int(words[1]) if good else 0


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection; raises OSError. A name is resolved first, and no forbidden address of it is asked."""
    context = _trusting if target.scheme == "https" else None
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
