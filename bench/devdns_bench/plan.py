"""Which runs there are and in which order: interleaved by repeat, shuffled within, from the seed alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

from msgspec import Struct

from devdns_bench.approaches import APPROACHES
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.scenarios.base import Cell


class Run(Struct, frozen=True):
    """One run: `repeat` counts from 1. Its key tells it from all others, in the plan and in the results."""

    scenario: str
    cell: str
    approach: str
    repeat: int

    @property
    def parameters(self) -> dict[str, str | int]:
        found: dict[str, str | int] = json.loads(self.cell)
        return found


def cell_key(cell: Cell) -> str:
    """A cell's parameters as a key: JSON, sorted."""
    return json.dumps(dict(cell), sort_keys=True)


def plan(scenarios: Iterable[str], approaches: Iterable[str], repeats: int, seed: int) -> list[Run]:
    """All runs. The first n repeats are the same however many are asked for, so a plan can be made longer later."""
    cells = [
        (scenario, cell_key(cell), approach)
        for scenario in scenarios
        for cell in SCENARIOS[scenario].cells
        for approach in approaches
    ]
    runs = []
    for repeat in range(1, repeats + 1):
        block = [Run(scenario, cell, approach, repeat) for scenario, cell, approach in cells]
        random.Random(f"{seed}/{repeat}").shuffle(block)  # noqa: S311 - an order to be repeated, no secret
        runs += block
    return runs


def why_not(run: Run) -> str:
    """The reason, known beforehand, why this cell has no figure."""
    scenario, approach = SCENARIOS[run.scenario], APPROACHES[run.approach]
    if approach.containers_only and not scenario.containers:
        return "it knows containers only"
    return scenario.why_not(approach, run.parameters)


def programs(run: Run) -> tuple[str, ...]:
    """What must be installed for it."""
    scenario = SCENARIOS[run.scenario]
    engine = ("dockerd", "docker", "busybox") if scenario.containers else ()
    return (*APPROACHES[run.approach].programs, *scenario.programs, *engine)
