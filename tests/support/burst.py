"""A provider in the midst of a burst of real events: what it holds true in the end, and how quick and dear that was."""

import asyncio
import contextlib
import os
import statistics
import sys
import time
from pathlib import Path

from devdns.control.processes import resident
from devdns.core.routes import State
from support import replay_burst
from support.docker_heard import watching
from support.processes import queued

BOUND = 60
#: Seconds: what was renamed and then removed keeps its name so long from the one that was made after it.
HOLD = 2.0


class Figures:
    """Milliseconds of each live change while it lasted, seconds it took, CPU seconds and bytes of memory it cost, statements it made.

    `own` is the changes without the time for which the provider was ready to run and others had the processors.
    """

    def __init__(self):
        self.changes, self.own = [], []
        self.took, self.cpu, self.memory, self.statements = 0.0, 0.0, 0, 0

    def __str__(self):
        return (
            f"{len(self.changes)} changes meanwhile: median {percentile(self.changes, 50):.1f} ms, p95 {percentile(self.changes, 95):.1f} ms, "
            f"without waiting for a processor {percentile(self.own, 50):.1f} and {percentile(self.own, 95):.1f} ms; "
            f"{self.took:.1f} s, {self.cpu:.1f} s of CPU, {self.memory / 1e6:.1f} MB more, {self.statements} statements"
        )


def percentile(times, percent):
    """That percentile of them."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


@contextlib.asynccontextmanager
async def engine(folder, port, stacks):
    """The replaying engine in a process of its own."""
    command = [sys.executable, replay_burst.__file__, str(folder / "burst.sock"), str(port), str(stacks)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, env=environ, **pipes)
    try:
        async with asyncio.timeout(30):
            url = (await process.stdout.readline()).decode().strip()
        yield url, process
    finally:
        process.kill()
        await process.wait()


async def burst(folder, stacks):
    """Plays the burst and lives the life of one container meanwhile; returns its figures and the hosts live in the end."""
    figures = Figures()
    server = await asyncio.start_server(_hang_up, "127.0.0.1", 0, backlog=4096)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with engine(folder, port, stacks) as (url, process), watching(url, hold=HOLD) as heard:
            await heard.live("mine")
            before, used, began = resident(os.getpid()), time.process_time(), time.monotonic()
            process.stdin.write(b"burst\n")
            done = asyncio.create_task(process.stdout.readline())
            while not done.done():
                for word, state in ((b"die\n", State.RESTARTING), (b"start\n", State.LIVE)):
                    asked, waited = time.monotonic(), queued(os.getpid())
                    process.stdin.write(word)
                    await heard.until(lambda state=state: heard.state("mine") is state, f"mine to be {state}", BOUND)
                    took, waited = time.monotonic() - asked, queued(os.getpid()) - waited
                    figures.changes.append(took * 1000)
                    figures.own.append((took - waited) * 1000)
            wanted = replay_burst.live(stacks) | {"mine.dev.test"}
            await heard.until(lambda: wanted <= _live(heard), "all that runs to be live", BOUND)
            await heard.until(lambda: _live(heard) == wanted, "nothing else to be live", BOUND)
            figures.took, figures.cpu = time.monotonic() - began, time.process_time() - used
            figures.memory, figures.statements = resident(os.getpid()) - before, len(heard.words)
    return figures


def _hang_up(_, writer):
    writer.transport.abort()


def _live(heard):
    return {route.host for route in heard.store.table if route.state is State.LIVE}
