"""The query log: one line of JSON per reply, written by a thread so that answering never waits for a disk.

What does not fit into the queue is left out and counted in the next line that does. Off unless asked for.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from queue import Empty, Full, Queue
from typing import NamedTuple

import msgspec
import structlog
from msgspec import Struct

from devdns_resolver.codes import HEADER, Rcode
from devdns_resolver.counters import TYPES
from devdns_resolver.wirename import Labels, Malformed, read_name

WAITING = 10_000
ONE_WRITE = 1_000
log = structlog.get_logger()


class Line(Struct, frozen=True, omit_defaults=True):
    """A reply. `us` are the microseconds from the query read to the reply sent, missing where others were asked meanwhile."""

    time: float
    transport: str
    client: str
    name: str
    type: str
    rcode: str
    us: int | None = None
    missing: int = 0


class Noted(NamedTuple):
    """A reply as the edges hand it over; all else is the thread's work."""

    transport: str
    client: str | bytes
    reply: bytes
    seconds: float | None
    now: float
    missing: int


class QueryLog:
    """Appends to the file at `path` (mode 0600) until closed. Raises OSError when it cannot be opened."""

    def __init__(self, path: str, waiting: int = WAITING) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        self._file = os.open(path, flags, 0o600)
        self._queue: Queue[Noted | None] = Queue(waiting)
        self._missing = 0
        self._thread = threading.Thread(target=self._write, name="query log", daemon=True)
        self._thread.start()

    def note(self, transport: str, client: str | bytes, reply: bytes, seconds: float | None = None) -> None:
        """Takes down a reply, or leaves it out when the disk is behind."""
        try:
            self._queue.put_nowait(Noted(transport, client, reply, seconds, time.time(), self._missing))
            self._missing = 0
        except Full:
            self._missing += 1

    def close(self) -> None:
        """Writes what waits, for at most a second."""
        with suppress(Full):
            self._queue.put(None, timeout=1.0)
            self._thread.join(1.0)

    def _write(self) -> None:
        last = False
        while not last:
            waiting = list(self._waiting())
            last = None in waiting
            lines = b"".join(msgspec.json.encode(line(each)) + b"\n" for each in waiting if each is not None)
            try:
                os.write(self._file, lines)
            except OSError as error:
                log.warning("query log not written", error=str(error), lines=len(waiting))
        os.close(self._file)

    def _waiting(self) -> Iterator[Noted | None]:
        yield self._queue.get()
        for _ in range(ONE_WRITE):
            try:
                yield self._queue.get_nowait()
            except Empty:
                return


def line(noted: Noted) -> Line:
    """What is to be told of a reply; its question repeats that of the query."""
    reply, client = noted.reply, noted.client
    try:
        labels, end = read_name(reply, HEADER) if reply[4:6] == b"\0\1" else ((), 0)
    except Malformed:
        labels, end = (), 0
    number = int.from_bytes(reply[end : end + 2], "big")
    return Line(
        time=round(noted.now, 6),
        transport=noted.transport,
        client=str(ip_address(client)) if isinstance(client, bytes) else client,
        name=spelled(labels) if end else "",
        type=TYPES.get(number, f"TYPE{number}") if end else "",
        rcode=Rcode(reply[3] & 15).name,
        us=None if noted.seconds is None else round(noted.seconds * 1e6),
        missing=noted.missing,
    )


def spelled(labels: Labels) -> str:
    """A name as master files write it (RFC 1035 section 5.1), in plain ASCII."""
    return "".join("".join(map(_character, label)) + "." for label in labels) or "."


def _character(byte: int) -> str:
    if byte in b".\\":
        return f"\\{byte:c}"
    return chr(byte) if 0x21 <= byte < 0x7F else f"\\{byte:03d}"
