"""One run, inside its room: `python -m devdns_bench.inside ORDER RESULT`, both files of JSON.

Exit code 0 with a result; the result names the failure where the run failed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from devdns_bench import rooms
from devdns_bench.approaches import APPROACHES
from devdns_bench.room_engine import Engine
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.scenarios.base import Result
from devdns_bench.scenarios.scene import NeverReady, Scene
from devdns_bench.site import Site
from devdns_bench.user import StepFailed, User

THREADS = 256


class Order(Struct, frozen=True):
    """What to run. `word` names the room's control groups; `core`: where servers are bound, if anywhere.

    `requests`: the file that gets what became of each request.
    """

    scenario: str
    approach: str
    cell: dict[str, str | int]
    seed: int
    tools: dict[str, str]
    word: str
    requests: str
    core: int | None = None


class Report(Struct, frozen=True):
    """`result`, or the reason why there is none."""

    result: Result | None = None
    failure: str = ""


async def carry_out(order: Order) -> Result:
    """The scenario in a furnished room, with an engine where the services are containers."""
    scenario = SCENARIOS[order.scenario]
    # Names are resolved in threads, as programs do; those that wait for a dead server must not hold up the others.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    site = Site(User(rooms.HOME), order.tools, order.core)
    approach = APPROACHES[order.approach](site)
    engine = Engine(order.word) if scenario.containers else None
    if engine is not None:
        engine.__enter__()
    scene = Scene(approach, site, engine)
    try:
        return await scenario.run(scene, order.cell)
    finally:
        _keep(scene.requests, order.requests)
        scene.close()
        if engine is not None:
            engine.__exit__()


def _keep(requests: Sequence[Struct], path: str) -> None:
    if requests:
        Path(path).write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in requests))


def main() -> None:
    """Reads the order, furnishes the room, writes the report."""
    order = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Order)
    rooms.furnish()
    if order.core is not None:
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {order.core})
    try:
        report = Report(uvloop.run(carry_out(order)))
    except (StepFailed, NeverReady) as error:
        report = Report(failure=f"{type(error).__name__}: {error}"[:1_000])
    except Exception:  # noqa: BLE001 - the edge of a run: whatever happens, it is told
        report = Report(failure=traceback.format_exc()[-2_000:])
    Path(sys.argv[2]).write_bytes(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
