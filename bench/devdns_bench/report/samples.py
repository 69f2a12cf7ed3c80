"""From rows to samples: the values of one figure in one cell, approach by approach, with and without the operator's reaction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from devdns_bench.approaches import APPROACHES
from devdns_bench.plan import cell_key
from devdns_bench.results import Row
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.scenarios.base import Cell as Parameters
from devdns_bench.scenarios.base import Figure, Result, Scenario
from devdns_bench.statistics.survival import Time


class View(NamedTuple):
    """How a needed hand is counted: `reaction` None is a hand at once; `words` say it in a title."""

    reaction: float | None
    words: str


AT_ONCE = View(None, "")


class Sample(Struct, frozen=True):
    """One approach's runs: their values, those that were cut off as `inf`; or the reason why there are none."""

    approach: str
    values: tuple[float, ...] = ()
    cut: float = 0.0
    failed: int = 0
    hands: int = 0
    reason: str = ""

    @property
    def title(self) -> str:
        return APPROACHES[self.approach].title

    @property
    def finite(self) -> tuple[float, ...]:
        return tuple(value for value in self.values if math.isfinite(value))

    @property
    def times(self) -> list[Time]:
        """For figures with a cut."""
        return [Time(self.cut, cut=True) if math.isinf(value) else Time(value) for value in self.values]


class Cell(Struct, frozen=True):
    """The rows of one scenario with one set of parameters. `key` as in the rows, `words` for people."""

    scenario: str
    key: str
    words: str
    rows: tuple[Row, ...]

    @property
    def hands(self) -> bool:
        """Whether any approach needed one, while requests failed."""
        return any(row.result and row.result.hand and row.result.failing for row in self.rows)


def cells(rows: Sequence[Row]) -> list[Cell]:
    """Every cell of every scenario that has rows, in the order of the scenarios."""
    found = []
    for name, scenario in SCENARIOS.items():
        for parameters in scenario.cells:
            key = cell_key(parameters)
            own = tuple(row for row in rows if (row.scenario, row.cell) == (name, key))
            if own:
                found.append(Cell(name, key, worded(parameters), own))
    return found


def worded(parameters: Parameters) -> str:
    """A cell for people; empty for the only one of its scenario."""
    return ", ".join(_worded(parameter, value) for parameter, value in parameters.items())


def _worded(parameter: str, value: str | int) -> str:
    """25 services, 1 service; load: bytes."""
    if isinstance(value, str):
        return f"{parameter}: {value}"
    return f"{value:,} {parameter if value != 1 else parameter.removesuffix('s')}"


def samples(cell: Cell, figure: Figure, view: View = AT_ONCE) -> list[Sample]:
    """One for each approach that has a row in the cell, in the order of the tables."""
    return [
        _sample(name, [row for row in cell.rows if row.approach == name], SCENARIOS[cell.scenario], figure, view)
        for name in APPROACHES
        if any(row.approach == name for row in cell.rows)
    ]


def _sample(name: str, rows: Sequence[Row], scenario: Scenario, figure: Figure, view: View) -> Sample:
    ordered = sorted(rows, key=lambda row: (row.repeat, row.at))
    made = [row.result for row in ordered if row.result]
    failed = [row for row in ordered if row.outcome == "failed"]
    values = [value for result in made for value in _value(result, scenario, figure, view)]
    if figure.cut:
        values += [math.inf] * len(failed)
    reason = "" if values else _reason(ordered, bool(made))
    hands = sum(bool(result.hand) for result in made)
    return Sample(name, tuple(values), figure.cut, len(failed), hands, reason)


def _value(result: Result, scenario: Scenario, figure: Figure, view: View) -> Iterable[float]:
    value = result.figures.get(figure.key)
    if value is None:
        return [math.inf] if figure.cut and figure.key in result.figures else []
    if not (result.hand and result.failing):
        return [value]
    late = (view.reaction or 0.0) - (result.figures.get("watch") or 0.0)
    return [max(0.0, value + (late if figure.waits else late * scenario.rate if figure.lost else 0.0))]


def _reason(rows: Sequence[Row], made: bool) -> str:  # noqa: FBT001 - of one caller
    if made:
        return "not measured for this approach"
    last = rows[-1]
    return (
        last.reason.strip().splitlines()[-1]
        if last.outcome == "failed" and last.reason
        else last.reason or "no runs yet"
    )
