"""Where the time of a request goes, open loop: name, connect, first byte, whole answer, each from the moment the request was due.

Requests are due at a constant rate; those with even numbers open a connection, the others use one that is kept. What fails is
counted, and took the whole patience.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from devdns_bench.probe_rows import quantile

PATIENCE = 5.0


class Phases(Struct, frozen=True):
    """Seconds of one request. `total` from its due time, whatever it waited for; `name`, `connect`: 0 on a kept connection."""

    kept: bool
    name: float
    connect: float
    first: float
    total: float
    failed: str = ""


class Kept:
    """The connections between two requests."""

    def __init__(self) -> None:
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def close(self) -> None:
        """All of them."""
        for _, writer in self.idle:
            writer.transport.abort()


async def timed(host: Callable[[], tuple[str, int, str]], rate: float, seconds: float) -> list[Phases]:
    """Asks `host()` (the name to resolve, the port, the Host field) `rate` times a second; every answer has come, or failed, in the end."""
    kept, began, tasks = Kept(), time.monotonic(), []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(_one(host(), due, kept if number % 2 else None)))
    try:
        return [*await asyncio.gather(*tasks)]
    finally:
        kept.close()


async def _one(place: tuple[str, int, str], due: float, kept: Kept | None) -> Phases:
    try:
        async with asyncio.timeout(due + PATIENCE - time.monotonic()):
            return await _asked(place, due, kept)
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:  # a time-out is an OSError
        why = f"{type(error).__name__}: {error}"
        return Phases(kept is not None, PATIENCE, PATIENCE, PATIENCE, PATIENCE, why)


async def _asked(place: tuple[str, int, str], due: float, kept: Kept | None) -> Phases:
    host, port, field = place
    started = named = connected = time.monotonic()
    if kept and kept.idle:
        reader, writer = kept.idle.pop()
    else:
        found = await asyncio.to_thread(socket.getaddrinfo, host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        named = time.monotonic()
        reader, writer = await asyncio.open_connection(str(found[0][4][0]), port)
        connected = time.monotonic()
    try:
        writer.write(_request(field, keep=kept is not None))
        head = await reader.readuntil(b"\r\n\r\n")
        first = time.monotonic()
        await reader.readexactly(_length(head))
        total = time.monotonic()
    except BaseException:
        writer.transport.abort()
        raise
    if kept:
        kept.idle.append((reader, writer))
    else:
        writer.transport.abort()
    return Phases(kept is not None, named - started, connected - named, first - connected, total - due)


def _request(field: str, *, keep: bool) -> bytes:
    connection = "keep-alive" if keep else "close"
    return f"GET /probe/t HTTP/1.1\r\nHost: {field}\r\nConnection: {connection}\r\n\r\n".encode()


def _length(head: bytes) -> int:
    """Of the body that follows; ValueError where the answer is not 200, or has another framing."""
    first, *lines = head.lower().split(b"\r\n")
    if first.split()[1] != b"200":
        raise ValueError(first.decode("latin-1"))
    return int(next(line.partition(b":")[2] for line in lines if line.startswith(b"content-length:")))


def figures(phases: Sequence[Phases]) -> dict[str, float | None]:
    """Quantiles of the phases, new connections and kept ones apart."""
    new, kept = [each for each in phases if not each.kept], [each for each in phases if each.kept]
    return {
        "name_p50": _of(new, "name", 0.5),
        "connect_p50": _of(new, "connect", 0.5),
        "first_p50": _of(new, "first", 0.5),
        "new_p50": _of(new, "total", 0.5),
        "new_p99": _of(new, "total", 0.99),
        "kept_p50": _of(kept, "total", 0.5),
        "kept_p99": _of(kept, "total", 0.99),
        "failed": float(sum(bool(each.failed) for each in phases)),
    }


def _of(phases: Sequence[Phases], phase: str, share: float) -> float:
    return quantile(sorted(getattr(each, phase) for each in phases), share)
