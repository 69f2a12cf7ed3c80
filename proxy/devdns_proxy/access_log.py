"""The access log: one line of JSON per request that is over, written by a thread so that no request waits for a disk.

What does not fit into memory while the disk is behind is left out, and counted in the next line that is written. Off unless
asked for.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from contextlib import suppress
from queue import Full, Queue
from time import monotonic, time

import msgspec
import structlog
from msgspec import Struct

from devdns.core.figures import Family, Sample
from devdns_proxy.endings import Ending
from devdns_proxy.pages_html import printable

STANDARD_OUTPUT = "-"
#: Seconds that a line waits for others, and bytes of them that do not wait any longer.
PAUSE = 0.2
ENOUGH = 64 << 10
#: Bytes that may wait for the disk; what one line counts for besides its target.
MOST_WAITING = 4 << 20
ONE = 512
LOOK_AGAIN = 1.0  # seconds after which the file is looked for again: logrotate moves it away
Noted = tuple[float, Ending, int]
log = structlog.get_logger()


class Line(Struct, frozen=True, omit_defaults=True):
    """One request. `time` is when it was over, in seconds since 1970; `bytes_in` and `bytes_out` are the client's, heads included.

    `error` is the reason of an answer that devdns gave itself; `ended` says how, where it was not by a whole response;
    `missing` are the lines before this one that were left out.
    """

    time: float
    client: str
    method: str
    host: str
    target: str
    status: int
    bytes_in: int
    bytes_out: int
    duration_ms: float
    route: str = ""
    upstream: str = ""
    request_id: str = ""
    ended: str = "whole"
    error: str = ""
    missing: int = 0


class AccessLog:
    """Appends to the file at `path` (made with mode 0600), or to standard output for `-`, until closed. Raises OSError."""

    def __init__(self, path: str, most: int = MOST_WAITING) -> None:
        self._path = path
        self._most = most
        self._file = _open(path)
        self._looked = monotonic()
        self._waiting: list[Noted] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._queue: Queue[list[Noted] | None] = Queue(1)
        self._missing = 0
        self._lost: deque[int] = deque()  # told by the thread: lines that the disk did not take
        self._cut = False
        self.left_out = 0
        self._thread = threading.Thread(target=self._write_all, name="access log", daemon=True)
        self._thread.start()

    def note(self, ending: Ending) -> None:
        """Takes down a request that is over, or leaves it out when the disk is behind."""
        if self._size > self._most:
            self._missing += 1
            self.left_out += 1
            return
        while self._lost:
            self._missing += self._lost.popleft()
        self._waiting.append((time(), ending, self._missing))
        self._missing = 0
        self._size += ONE + len(ending.target)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._hand_over)
        elif self._size > ENOUGH and self._queue.empty():
            self._timer.cancel()
            self._hand_over()

    def _hand_over(self) -> None:
        """Gives what waits to the thread, or waits on while that is still busy with the last."""
        self._timer = None
        try:
            self._queue.put_nowait(self._waiting)
        except Full:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._hand_over)
        else:
            self._waiting, self._size = [], 0

    def families(self) -> tuple[Family, ...]:
        """What `/metrics` shows."""
        left_out = (Sample(self.left_out),)
        return (Family("devdns_access_log_left_out_total", "counter", "Requests that no line tells of.", left_out),)

    def close(self) -> None:
        """Writes what waits, for at most about a second."""
        if self._timer is not None:
            self._timer.cancel()
        with suppress(Full):
            self._queue.put(self._waiting, timeout=0.5)
            self._queue.put(None, timeout=0.5)
            self._thread.join(1.0)

    # The thread

    def _write_all(self) -> None:
        while (noted := self._queue.get()) is not None:
            data = b"".join(msgspec.json.encode(line(*each)) + b"\n" for each in noted)
            try:
                self._look()
                self._write(data)
            except OSError as error:
                self.left_out += len(noted)
                self._lost.append(sum(1 + missing for _, _, missing in noted))
                log.warning("access log not written", path=self._path, error=error.strerror, lines=len(noted))
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        """All of it, or OSError; after half a line the next begins on one of its own."""
        if self._cut:
            data = b"\n" + data
        while data:
            written = os.write(self._file, data)
            self._cut = data[written - 1 : written] != b"\n"
            data = data[written:]

    def _look(self) -> None:
        """Opens the file anew when another, or none, is at its path."""
        now = monotonic()
        if self._path == STANDARD_OUTPUT or now < self._looked + LOOK_AGAIN:
            return
        self._looked = now
        try:
            same = os.path.samestat(os.stat(self._path), os.fstat(self._file))  # noqa: PTH116 - one call, of a path that may be gone
        except FileNotFoundError:
            same = False
        if not same:
            new = _open(self._path)
            os.close(self._file)
            self._file, self._cut = new, False


def _open(path: str) -> int:
    """A descriptor to append to. No link is followed, and a pipe that nobody reads is refused instead of waited for."""
    if path == STANDARD_OUTPUT:
        return os.dup(1)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path, flags, 0o600)
    os.set_blocking(file, True)
    return file


def line(now: float, ending: Ending, missing: int) -> Line:
    """What is to be told of a request. Whatever bytes it held, they are text that drives no terminal."""
    return Line(
        time=round(now, 6),
        client=printable(ending.client),
        method=_text(ending.method),
        host=printable(ending.host),
        target=_text(ending.target),
        status=ending.status,
        bytes_in=ending.received,
        bytes_out=ending.sent,
        duration_ms=round(ending.seconds * 1e3, 3),
        route=ending.route,
        upstream=printable(ending.service),
        request_id=_text(ending.request_id),
        ended=ending.how,
        error=printable(ending.reason),
        missing=missing,
    )


def _text(raw: bytes) -> str:
    return printable(raw.decode("utf-8", "backslashreplace"))
