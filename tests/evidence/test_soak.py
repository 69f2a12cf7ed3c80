"""A mixed soak of ten minutes (`SOAK_SECONDS` says otherwise): nothing wrong is answered and nothing is left behind.

Requests, uploads, WebSockets, event streams and clients that leave, on names whose routes change ten times a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import aiohttp
import pytest
from support import told
from support.foreign.services import serving
from support.mixed_load import Mixed
from support.processes import descriptors, resident
from support.stack import Stack, open_folder
from support.waiting import until

pytestmark = pytest.mark.evidence
SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
CHANGES = 10  # a second
PARTS = ("supervisor", "control", "resolver", "proxy-1")
MAY_GROW = 8e6  # bytes between the second fifth of the time and the last


class Watch:
    """The processes of a stack: their descriptors, tasks and memory."""

    def __init__(self, stack: Stack, file: Path) -> None:
        self.pids = {name: stack.process.pid if name == "supervisor" else stack.pid(name) for name in PARTS}
        self.rows: list[dict[str, int]] = []
        self._file = file

    def sample(self) -> None:
        self.rows.append({name: resident(pid) for name, pid in self.pids.items()})

    def open(self) -> dict[str, int]:
        return {name: descriptors(pid) for name, pid in self.pids.items()}

    async def tasks(self) -> dict[str, int]:
        """The asyncio tasks of each child now, as it tells itself."""
        children = {pid: name for name, pid in self.pids.items() if name != "supervisor"}
        self._file.write_text("")
        for pid in children:
            os.kill(pid, signal.SIGUSR2)
        await until(lambda: len(self._file.read_text().splitlines()) == len(children))
        rows = (line.split() for line in self._file.read_text().splitlines())
        return {children[int(pid)]: int(tasks) for pid, tasks in rows}

    def growth(self) -> dict[str, float]:
        """Median memory of the last fifth less that of the second, bytes."""
        fifth = max(1, len(self.rows) // 5)
        early, late = self.rows[fifth : 2 * fifth], self.rows[-fifth:]
        return {
            name: statistics.median(row[name] for row in late) - statistics.median(row[name] for row in early)
            for name in PARTS
        }


async def churn(stack: Stack, ports: list[int], until_done: asyncio.Event) -> int:
    """Ten changes a second: a name comes, another goes, and `moved` leads elsewhere; returns how many were made."""
    number, start = 0, time.monotonic()
    control = aiohttp.UnixConnector(str(stack.state / "control.sock"))
    async with aiohttp.ClientSession("http://devdns", connector=control) as session:
        while not until_done.is_set():
            await change(session, number, ports)
            number += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(until_done.wait(), max(0.0, start + number / CHANGES - time.monotonic()))
    return number


async def change(session: aiohttp.ClientSession, number: int, ports: list[int]) -> None:
    name = "moved" if number % 2 else f"churn{number % 40}"
    goes = name != "moved" and number % 80 >= 40
    body = None if goes else {"target": str(ports[number // 2 % len(ports)])}
    async with session.request("DELETE" if goes else "PUT", f"/api/v1/routes/{name}", json=body) as response:
        assert response.status < 300, await response.text()


@pytest.mark.timeout(SECONDS + 180)
async def test_nothing_wrong_and_nothing_left():
    with ExitStack() as parts:
        folder = parts.enter_context(open_folder())
        ports = [
            parts.enter_context(serving(name, parts.enter_context(open_folder()))).port for name in ("aiohttp", "node")
        ]
        file = folder / "told"
        file.touch()
        file.chmod(0o666)
        routes = f"routes: {{api: {ports[0]}, pool: [{ports[0]}, {ports[1]}]}}\n"
        environ = {"TOLD": str(file), "PYTHONPATH": told.__path__[0]}
        stack = parts.enter_context(Stack(folder, routes, **environ))
        stack.run("add", "moved", str(ports[0]), check=0)
        watch, done = Watch(stack, file), asyncio.Event()
        load = Mixed(stack.http, ("api.dev.test", "pool.dev.test", "moved.dev.test"))
        idle = watch.open(), await watch.tasks()
        running = asyncio.ensure_future(load.run()), asyncio.ensure_future(churn(stack, ports, done))
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            assert not any(each.done() for each in running)
            watch.sample()
            await asyncio.sleep(min(1.0, SECONDS / 100))
        load.stop()
        done.set()
        _, changes = await asyncio.gather(*running)
        await until(lambda: all(there <= idle[0][name] + 2 for name, there in watch.open().items()), bound=60)
        left = await watch.tasks()
    megabytes = {name: round(size / 1e6, 1) for name, size in watch.rows[-1].items()}
    growth = {name: round(size / 1e6, 2) for name, size in watch.growth().items()}
    print(
        f"\n{SECONDS:.0f} s: {dict(load.counts)}, {changes} changes; wrong: {dict(load.wrong)}\n"
        f"tasks {idle[1]} -> {left}; descriptors as before; resident MB {megabytes}, growth {growth}"
    )
    assert not load.wrong
    assert all(left[name] <= tasks for name, tasks in idle[1].items())
    assert max(watch.growth().values()) < MAY_GROW
