"""An open-loop prober: requests at a constant rate from a schedule fixed beforehand, whatever became of those before.

    python -m devdns_bench.probe 127.0.0.1:8080 api.dev.test --expect IDENTITY --rate 100 --seconds 10 --out rows.jsonl

It knows nothing of what it asks: an address, a Host and the identities that may answer. Request i is due at began + i/rate and
its latency counts from then. In every four, one is GET and one POST on a new connection, one GET and one POST on a kept one; each
carries a nonce, which the backend returns after its own identity (`probe_backend`). Nothing is ever sent twice.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec
import uvloop

from devdns_bench.probe_rows import Outcome, Row, Summary, Way, judge, summarise, write
from devdns_bench.probe_wire import BrokenError, Connection, Place

#: How many kept connections are in turn, like a browser's six to one host.
KEPT = 6
PATIENCE = 5.0
MOST_DETAIL = 300  # bytes of what says why
METHODS = ("GET", "GET", "POST", "POST")  # in turn, beside new, kept, new, kept


class Probe:
    """`async with Probe(place, {identity}, rate=100) as probe:` asks from entry on; on leaving, every answer has come or failed.

    `expected` and `place` may be changed meanwhile: they are read when an answer, or a request, is due. `patience`: seconds from
    due until a request is a time-out. `count`: how many requests, else until the block ends. Times of rows count from `began`
    (time.monotonic).
    """

    def __init__(
        self,
        place: Place,
        expected: Collection[str],
        *,
        rate: float = 100.0,
        patience: float = PATIENCE,
        count: int | None = None,
    ) -> None:
        self.place = place
        self.expected = set(expected)
        self.rate = rate
        self.rows: list[Row] = []
        self.idle_closed = 0
        self.began = 0.0
        self._patience = patience
        self._count = sys.maxsize if count is None else count
        self._mark = secrets.token_hex(4)
        self._idle: deque[tuple[Place, Connection]] = deque()
        self._kept = 0
        self._stop = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Probe:
        self.began = time.monotonic()
        self._task = asyncio.create_task(self._ask_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await self._task
        await asyncio.gather(*self._running)
        for _, connection in self._idle:
            connection.close()

    async def over(self) -> None:
        """Returns once all `count` requests were sent."""
        await asyncio.shield(self._task)

    @property
    def sent(self) -> int:
        """How many requests were due so far."""
        return len(self.rows) + len(self._running)

    def summary(self, *, changed: float | None = None) -> Summary:
        """The figures of what has come so far; `changed` is a time.monotonic()."""
        since = None if changed is None else changed - self.began
        return summarise(self.rows, changed=since, idle_closed=self.idle_closed)

    async def _ask_all(self) -> None:
        for number in range(self._count):
            due = self.began + number / self.rate
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await self._stop.wait()
            if self._stop.is_set():
                return
            task = asyncio.create_task(self._one(number, due))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _one(self, number: int, due: float) -> None:
        sent = time.monotonic()
        request = Request(number, METHODS[number % 4], f"{self._mark}-{number}", self.place)
        try:
            async with asyncio.timeout(due + self._patience - sent):
                await (self._on_new(request) if number % 2 == 0 else self._on_kept(request))
        except TimeoutError:
            request.outcome = "timeout"
        except BrokenError as error:
            request.broken(error)
        except ConnectionResetError as error:
            request.outcome, request.detail = "reset", str(error)
        except OSError as error:
            request.outcome, request.detail = "refused", str(error)
        self.rows.append(request.row(due - self.began, sent - self.began, time.monotonic() - due))

    async def _on_new(self, request: Request) -> None:
        connection = await Connection.open(request.place, lambda _: None)
        try:
            await request.ask(connection, self.expected, keep=False)
        finally:
            connection.close()

    async def _on_kept(self, request: Request) -> None:
        """On the connection idle for longest, or on one more while there are few, or none is idle."""
        connection = self._take(request.place)
        if connection is None:
            request.way = "opened"
            connection = await Connection.open(request.place, self._idle_lost)
            self._kept += 1
        else:
            request.way = "kept"
        keeps = False
        try:
            keeps = await request.ask(connection, self.expected, keep=True)
        finally:
            if keeps and not connection.closed:
                self._idle.append((request.place, connection))
            else:
                self._kept -= 1
                connection.close()

    def _take(self, place: Place) -> Connection | None:
        if self._kept < KEPT:
            return None
        found = next((each for each in self._idle if each[0] == place), None)
        if found is None:
            return None
        self._idle.remove(found)
        return found[1]

    def _idle_lost(self, connection: Connection) -> None:
        """Closed by the other side between two requests: that is allowed, and counted."""
        for each in [each for each in self._idle if each[1] is connection]:
            self._idle.remove(each)
            self._kept -= 1
            self.idle_closed += 1


class Request:
    """One request on its way, and what is known of it so far."""

    def __init__(self, number: int, method: str, nonce: str, place: Place) -> None:
        self.number, self.method, self.nonce, self.place = number, method, nonce, place
        self.way: Way = "new"
        self.outcome: Outcome = "timeout"
        self.status = 0
        self.backend = self.detail = ""

    async def ask(self, connection: Connection, expected: Collection[str], *, keep: bool) -> bool:
        """Judges the answer; True when the connection may be used again. Raises `BrokenError`."""
        answer = await connection.ask(self._bytes(keep=keep))
        self.status = answer.status
        self.outcome, self.backend = judge(answer.status, answer.body, self.nonce, expected)
        if self.outcome.startswith("http"):
            self.detail = " ".join(answer.body[:MOST_DETAIL].decode("latin-1").split())
        return answer.keeps and keep

    def broken(self, error: BrokenError) -> None:
        """The connection died under it."""
        lost: Outcome = "reset" if self.method == "GET" else "post_written_lost"
        self.outcome, self.detail = "truncated" if error.begun else lost, str(error)

    def row(self, due: float, sent: float, took: float) -> Row:
        """All of it, times in seconds after the run began."""
        return Row(
            self.number,
            round(due, 6),
            round(sent, 6),
            round(took, 6),
            self.outcome,
            self.method,
            self.way,
            self.status,
            self.backend,
            self.detail,
        )

    def _bytes(self, *, keep: bool) -> bytes:
        """The nonce goes in the target of a GET and in the body of a POST."""
        path, body = (f"/probe/{self.nonce}", "") if self.method == "GET" else ("/probe", self.nonce)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        close = "" if keep else "Connection: close\r\n"
        return f"{self.method} {path} HTTP/1.1\r\nHost: {self.place.host}\r\n{length}{close}\r\n{body}".encode()


async def _run(options: argparse.Namespace) -> Probe:
    ip, _, port = options.address.rpartition(":")
    place, count = Place(ip.strip("[]"), int(port), options.host), int(options.rate * options.seconds)
    async with Probe(place, options.expect, rate=options.rate, patience=options.patience, count=count) as probe:
        await probe.over()
    return probe


def main() -> None:
    """The command line: prints the summary as JSON, writes the rows where asked."""
    parser = argparse.ArgumentParser(prog="python -m devdns_bench.probe", description=__doc__.partition("\n")[0])
    parser.add_argument("address", help="IP:PORT")
    parser.add_argument("host", help="the Host to ask for")
    parser.add_argument(
        "--expect", action="append", default=[], help="an identity that may answer; more than once for a pool"
    )
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds after which a request is a time-out")
    parser.add_argument("--out", type=Path, help="where the rows go, as JSON lines")
    options = parser.parse_args()
    probe = uvloop.run(_run(options))
    if options.out:
        write(probe.rows, options.out)
    sys.stdout.buffer.write(msgspec.json.encode(probe.summary()) + b"\n")


if __name__ == "__main__":
    main()
