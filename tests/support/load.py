"""An open-loop load: one attempt every 1/rate seconds from a fixed schedule, whatever became of the ones before."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

TIMEOUT = 5.0


@dataclass
class Outcomes:
    """What became of each attempt: counts by outcome, and (scheduled second, outcome, seconds it took)."""

    counts: Counter = field(default_factory=Counter)
    rows: list = field(default_factory=list)

    def add(self, at, outcome, took):
        self.counts[outcome] += 1
        self.rows.append((at, outcome, took))

    @property
    def failed(self):
        return {outcome: count for outcome, count in self.counts.items() if outcome != "ok"}

    def slowest(self):
        return max((took for _, outcome, took in self.rows if outcome == "ok"), default=0.0)


async def fetch(address, host, expected):
    """`ok`, `refused`, `reset`, `empty`, `truncated`, `status N` or `misrouted` for one GET on a new connection."""
    try:
        reader, writer = await asyncio.open_connection(*address)
    except ConnectionRefusedError:
        return "refused"
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
    except ConnectionError:
        return "reset"
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not answer:
        return "empty"
    if not head.startswith(b"HTTP/1.1 200 "):
        return "status " + head[9:12].decode()
    if body == expected:
        return "ok"
    return "truncated" if expected.startswith(body) else "misrouted"


class Load:
    """`async with Load(rate, attempt) as outcomes:` runs `attempt()` at `rate` per second until the block ends."""

    def __init__(self, rate, attempt):
        self._rate, self._attempt = rate, attempt
        self.outcomes = Outcomes()
        self._stop = asyncio.Event()
        self._running = set()

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        return self.outcomes

    async def __aexit__(self, *_):
        self._stop.set()
        await self._task
        await asyncio.gather(*self._running)

    async def _run(self):
        start = time.monotonic()
        for number in range(1_000_000):
            due = start + number / self._rate
            try:
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await self._stop.wait()
                    return
            except TimeoutError:
                pass
            task = asyncio.create_task(self._one(start, due))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _one(self, start, due):
        try:
            async with asyncio.timeout(TIMEOUT):
                outcome = await self._attempt()
        except TimeoutError:
            outcome = "timeout"
        self.outcomes.add(due - start, outcome, time.monotonic() - due)
