"""What a scenario is: cells to fill, an act inside a room, and figures with what each means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import Struct

from devdns_bench.approaches.base import Approach
from devdns_bench.scenarios.scene import Scene
from devdns_bench.user import Step

Cell = Mapping[str, str | int]


class Figure(Struct, frozen=True):
    """One thing measured. `scale` log for times and rates.

    `better` tells the sentence which way is good; what is `given` is no merit of an approach, and is not compared. `waits`: a hand that comes late makes it longer by the operator's reaction time; `lost`: each second of that costs a request at
    the scenario's rate. `cut`: seconds after which a run that is not over counts as cut off (a value of None, or a run that failed).
    """

    key: str
    title: str
    unit: str
    scale: Literal["linear", "log"] = "linear"
    better: Literal["lower", "higher", "given"] = "lower"
    waits: bool = False
    lost: bool = False
    cut: float = 0.0


class Result(Struct, frozen=True):
    """What one run gave: a value for each figure's key, None where there is none; what a hand had to do; whatever explains it.

    `failing`: requests failed while the hand was waited for.
    """

    figures: dict[str, float | None]
    hand: str = ""
    failing: bool = False
    steps: list[Step] = []
    notes: list[str] = []


class Scenario(ABC):
    """One question to every approach. `cells`: the parameters it is asked with; `containers`: the services are containers."""

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    figures: ClassVar[tuple[Figure, ...]]
    cells: ClassVar[tuple[Cell, ...]] = ({},)
    containers: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ()
    #: Servers on one core, load and services on the others: for figures of cost and latency.
    pinned: ClassVar[bool] = False
    #: Requests a second, where figures count what is lost while a hand is waited for.
    rate: ClassVar[float] = 0.0
    #: Seconds one run takes about, and at most.
    takes: ClassVar[float] = 5.0
    most: ClassVar[float] = 120.0

    def why_not(self, approach: type[Approach], cell: Cell) -> str:  # noqa: ARG002 - for those that depend on it
        """The reason why this approach cannot be asked, or nothing."""
        return ""

    @abstractmethod
    async def run(self, scene: Scene, cell: Cell) -> Result:
        """Inside the room."""
