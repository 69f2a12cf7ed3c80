"""What many names cost: 10 to 100,000 of them, all leading to one service."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from statistics import median
from typing import ClassVar

from devdns_bench.approaches.base import Approach, Mend
from devdns_bench.rooms import INSIDE
from devdns_bench.scenarios.base import Cell, Figure, Result, Scenario
from devdns_bench.scenarios.scene import NeverReady, Scene
from devdns_bench.stack import FIRST, Service
from devdns_bench.user import StepFailed, ran

LOOKUPS = 50
SECONDS = 2
READY, CHANGE = 90.0, 45.0  # seconds at most


class Routes(Scenario):
    """The names are there when the approach is started; then the last one is asked for, and one more is added."""

    name: ClassVar[str] = "routes"
    title: ClassVar[str] = "Many names"
    question: ClassVar[str] = (
        "The approach starts with so many names; the last one is asked for, then one more is added."
    )
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure("ready", "start until the last name answers", "s", "log", cut=READY),
        Figure("lookup", "resolution of the last name, median", "s", "log"),
        Figure("cpu", "CPU of the approach for each request", "µs", "log"),
        Figure("memory", "memory of its processes", "MiB", "log"),
        Figure("change", "one more name, until it answers", "s", "log", cut=CHANGE),
    )
    cells: ClassVar[tuple[Cell, ...]] = ({"names": 10}, {"names": 1_000}, {"names": 10_000}, {"names": 100_000})
    containers: ClassVar[bool] = False
    pinned: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ("wrk",)
    takes: ClassVar[float] = 12.0
    most: ClassVar[float] = 240.0

    def why_not(self, approach: type[Approach], cell: Cell) -> str:
        return approach.why_no_more if int(cell["names"]) > approach.most else ""

    async def run(self, scene: Scene, cell: Cell) -> Result:
        names = [_named(number) for number in range(1, int(cell["names"]) + 1)]
        scene.stack.up(names[0])
        began = time.monotonic()
        await asyncio.to_thread(scene.approach.prepare, names)
        await scene.settle(names[-1:], within=READY)
        ready = time.monotonic() - began
        lookup = await asyncio.to_thread(_lookups, scene.approach.address(names[-1]).host)
        memory = scene.site.memory()
        cpu = await self._cpu(scene, names[-1]) if scene.approach.proxies else None
        mend = scene.approach.added(more := _named(len(names) + 1))
        change = await self._change(scene, more, mend)
        return Result({
            "ready": ready,
            "lookup": lookup,
            "cpu": cpu,
            "memory": memory / (1 << 20) or None,
            "change": change,
        }, hand=mend.what)  # fmt: skip

    async def _change(self, scene: Scene, more: Service, mend: Mend) -> float | None:
        """Seconds; None when it does not answer in time, which is cut off there."""
        began = time.monotonic()
        try:
            await asyncio.to_thread(mend.act)
            await scene.settle([more], within=CHANGE)
        except (NeverReady, StepFailed):
            return None
        return time.monotonic() - began

    async def _cpu(self, scene: Scene, service: Service) -> float:
        place = await scene.place(service)
        before = scene.site.cpu()
        load = ("wrk", "-t1", "-c8", f"-d{SECONDS}s", f"http://{place.host}:{place.port}/probe/x")
        said = await asyncio.to_thread(ran, load, INSIDE)
        found = re.search(r"(\d+) requests in", said)
        if not found or "Non-2xx" in said:
            raise ValueError(f"the load did not go through: {said}")
        return (scene.site.cpu() - before) / int(found[1]) * 1e6


def _named(number: int) -> Service:
    """A name; all lead to one process."""
    return Service(f"n{number}", FIRST, "n-1", container=False)


def _lookups(host: str) -> float:
    took = []
    for _ in range(LOOKUPS):
        began = time.perf_counter()
        socket.getaddrinfo(host, 80, socket.AF_INET, socket.SOCK_STREAM)
        took.append(time.perf_counter() - began)
    return median(took)
