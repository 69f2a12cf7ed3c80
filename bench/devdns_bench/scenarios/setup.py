"""From a clean state to a working environment, and what stays after its end."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

from devdns_bench.rooms import residue
from devdns_bench.scenarios.base import Cell, Figure, Result, Scenario
from devdns_bench.scenarios.scene import READY, Scene, room_state
from devdns_bench.stack import Service, services
from devdns_bench.user import Step

STEADY = 5.0
ROUND = 0.25  # seconds between two looks at every service


class Setup(Scenario):
    """The clock runs from the first command until the moment from which every service answered for `STEADY` seconds."""

    name: ClassVar[str] = "setup"
    title: ClassVar[str] = "Time to a working environment"
    question: ClassVar[str] = (
        "From the first command on a clean state until every service has answered its own nonce by name for five seconds "
        "(which are not counted). A machine types: a person's typing and reading comes on top, in proportion to the commands and edits."
    )
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure("ready", "time until every service answers", "s", "log", cut=READY),
        Figure("tool", "of that, the approach's own preparation", "s", "log"),
        Figure("commands", "commands typed", "commands"),
        Figure("edits", "files edited", "files"),
        Figure("root", "steps as administrator", "steps"),
        Figure("residue", "files and processes left after its own way to end", "items"),
    )
    cells: ClassVar[tuple[Cell, ...]] = ({"services": 1}, {"services": 5}, {"services": 10}, {"services": 25})
    takes: ClassVar[float] = 10.0

    async def run(self, scene: Scene, cell: Cell) -> Result:
        every = services(int(cell["services"]))
        clean, began = room_state(), time.monotonic()
        await asyncio.to_thread(scene.approach.prepare, every)
        prepared = time.monotonic()
        for service in every:
            await asyncio.to_thread(scene.stack.up, service)
        ready = await self._steady(scene, every)
        steps = [*scene.site.user.steps]
        await asyncio.to_thread(scene.approach.teardown)
        left = residue(clean, room_state())
        return Result(_figures(ready - began, prepared - began, steps, len(left)), steps=steps, notes=left)

    async def _steady(self, scene: Scene, every: list[Service]) -> float:
        """When the stretch of `STEADY` seconds without a wrong answer began."""
        while True:
            await scene.settle(every)
            since = time.monotonic()
            while time.monotonic() < since + STEADY:
                await asyncio.sleep(ROUND)
                if any(await asyncio.gather(*(scene.answers(service) for service in every))):
                    break
            else:
                return since


def _figures(ready: float, tool: float, steps: list[Step], left: int) -> dict[str, float | None]:
    return {
        "ready": ready,
        "tool": max(tool, 0.001),  # plain ports prepare nothing, and a logarithm needs something
        "commands": float(sum(step.kind == "command" for step in steps)),
        "edits": float(sum(step.kind == "edit" for step in steps)),
        "root": float(sum(step.root for step in steps)),
        "residue": float(left),
    }
