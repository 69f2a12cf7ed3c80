"""What bad networks do to local names: a DNS server upstream that is dead, slow or flapping, and a bad link to the service."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from contextlib import AsyncExitStack
from typing import ClassVar, cast

from devdns_bench import timing
from devdns_bench.links import Link, Mode, upstream
from devdns_bench.probe_rows import quantile
from devdns_bench.scenarios.base import Cell, Figure, Result, Scenario
from devdns_bench.scenarios.costs import prepared
from devdns_bench.scenarios.scene import Scene
from devdns_bench.stack import services

UPSTREAM = "127.0.0.9"
RATE = 50.0
SECONDS = 4.0
OUTSIDE_NAMES = 10
#: Seconds of delay each way, and the share of pieces lost.
LINKS = {"delay": (0.02, 0.0), "loss": (0.0, 0.02)}


class Degraded(Scenario):
    """Requests by name at 50 a second while something else is bad; names outside the zone beside them."""

    name: ClassVar[str] = "degraded"
    title: ClassVar[str] = "While the network is bad"
    question: ClassVar[str] = (
        "Requests by name while the DNS server upstream is well, dead, slow (2 s) or flapping each second, or while the link to the "
        "service has 20 ms of delay each way, or loses 2 % of its pieces."
    )
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure("failed", "requests by a local name that failed", "requests"),
        Figure("new_p50", "request by a local name on a new connection, median", "s", "log"),
        Figure("new_p99", "request by a local name on a new connection, p99", "s", "log"),
        Figure("kept_p50", "request on a kept connection, median", "s", "log"),
        Figure("outside_failed", "outside names that did not resolve in 5 s", "share"),
        Figure("outside_p50", "resolution of an outside name, median", "s", "log"),
    )
    cells: ClassVar[tuple[Cell, ...]] = (
        *({"upstream": mode} for mode in ("well", "dead", "slow", "flapping")),
        *({"link": link} for link in LINKS),
    )
    containers: ClassVar[bool] = False
    takes: ClassVar[float] = 8.0

    async def run(self, scene: Scene, cell: Cell) -> Result:
        every = services(1, container=False)
        async with AsyncExitStack() as bad:
            if "upstream" in cell:
                scene.approach.upstream = UPSTREAM
                server = await upstream(UPSTREAM, cast("Mode", cell["upstream"]))
                bad.callback(server.close)
                await asyncio.to_thread(scene.approach.ask_upstream)
            else:
                delay, loss = LINKS[str(cell["link"])]
                await bad.enter_async_context(Link(every[0].port, every[0].port + 1000, delay=delay, loss=loss))
            (service,) = await prepared(
                scene, every, _elsewhere(scene, every[0].port + 1000) if "link" in cell else None
            )
            host, port = scene.approach.address(service)
            field = (await scene.place(service)).host
            outside = asyncio.create_task(_outside()) if "upstream" in cell else None
            phases = await timing.timed(lambda: (host, port, field), RATE, SECONDS)
            scene.requests = [*phases]
            figures = {
                key: value
                for key, value in timing.figures(phases).items()
                if key in {"failed", "new_p50", "new_p99", "kept_p50"}
            }
            return Result(figures | (await outside if outside else {}))


def _elsewhere(scene: Scene, port: int) -> list[str]:
    """The backend behind the link."""
    return scene.stack.command(services(1)[0].identity, port)


async def _outside() -> dict[str, float | None]:
    """Names that were not asked before, one every 0.3 s, in their own time."""

    async def one(number: int) -> float:
        await asyncio.sleep(0.3 * number)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(timing.PATIENCE):
                await asyncio.to_thread(socket.getaddrinfo, f"w{number}.example.com", 80, socket.AF_INET)
                return time.monotonic() - began
        return timing.PATIENCE

    took = await asyncio.gather(*(one(number) for number in range(OUTSIDE_NAMES)))
    return {
        "outside_failed": sum(each >= timing.PATIENCE for each in took) / len(took),
        "outside_p50": quantile(sorted(took), 0.5),
    }
