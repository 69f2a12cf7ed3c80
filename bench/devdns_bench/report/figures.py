"""The tables and pictures of a scenario's cells."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

from devdns_bench.approaches import APPROACHES
from devdns_bench.drawing.figures import Dots, Line, Vector, dots, lines
from devdns_bench.drawing.page import Picture
from devdns_bench.drawing.tables import Table
from devdns_bench.report.samples import AT_ONCE, Cell, Sample, View, samples
from devdns_bench.report.words import CLAIM, compared, located, sentence, shown, verdict
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.scenarios.base import Figure
from devdns_bench.statistics.comparisons import Comparison


def name_of(cell: Cell, *more: str) -> str:
    """A file's name: restart, throughput-load-bytes-cpu."""
    words = [cell.scenario, *(f"{key}-{value}" for key, value in json.loads(cell.key).items()), *more]
    return "-".join(words).replace("_", "-").replace(" ", "-").replace(",", "")


def table(cell: Cell, views: Sequence[View]) -> Table:
    """A row for each approach, a column for each figure; figures that depend on a hand once for each view."""
    columns = [
        (figure, view)
        for figure in SCENARIOS[cell.scenario].figures
        for view in (views if figure.waits or figure.lost else [AT_ONCE])
    ]
    filled = [(figure, view, samples(cell, figure, view)) for figure, view in columns]
    first = filled[0][2]
    rows = [
        (sample.title, _runs(sample), _hand(sample), *(shown(every[place], figure) for figure, _, every in filled))
        for place, sample in enumerate(first)
    ]
    head = ("approach", "runs", "needs a hand", *(f"{figure.title}{view.words}" for figure, view, _ in filled))
    words = f"{SCENARIOS[cell.scenario].title}{f', {cell.words}' if cell.words else ''}: mean, geometric for times"
    return Table(name_of(cell), f"{words} [95 % interval, from {CLAIM} runs] (range)", head, tuple(rows))


def comparisons(cell: Cell) -> Iterator[Table]:
    """Every approach against devdns: what lies between, the test, the effect."""
    rows = []
    for figure in SCENARIOS[cell.scenario].figures:
        every = samples(cell, figure)
        titles = {sample.approach: sample.title for sample in every}
        for approach, found in compared(every, figure).items():
            effect = f"{found.effect.delta:+.2f} {found.effect.magnitude}"
            rows.append(
                (
                    f"{figure.title}: {titles[approach]}",
                    _between(found, figure),
                    f"{found.p:.2g}",
                    effect,
                    verdict(every, approach, found),
                )
            )
    if rows:
        head = ("compared with devdns", "ratio or difference", "p (Holm)", "Cliff's delta", "verdict")
        words = (
            f"{SCENARIOS[cell.scenario].title}{f', {cell.words}' if cell.words else ''}: every approach against devdns"
        )
        yield Table(name_of(cell, "against"), words, head, tuple(rows))


def pictures(cell: Cell, view: View) -> Iterator[Picture]:
    """One for each figure that is not the same everywhere; those that a hand does not change are drawn once."""
    for figure in SCENARIOS[cell.scenario].figures:
        if view is not AT_ONCE and not (figure.waits or figure.lost):
            continue
        every = samples(cell, figure, view)
        if len({value for sample in every for value in sample.values}) > 1:
            late = ["late"] if view is not AT_ONCE else []
            words = f"{sentence(every, figure)}{f' Counted{view.words}.' if late else ''}"
            yield Picture(name_of(cell, figure.key, *late), _drawn(every, figure), words)


def numeric(own: Sequence[Cell]) -> bool:
    """Whether the cells are points of one quantity."""
    return len(SCENARIOS[own[0].scenario].cells) > 1 and all(isinstance(_across(cell)[1], int) for cell in own)


def curves(own: Sequence[Cell]) -> Iterator[Picture]:
    """One picture a figure, over all cells; its sentence is that of the largest cell."""
    scenario, (across, _) = SCENARIOS[own[0].scenario], _across(own[0])
    for figure in scenario.figures:
        series = [line for name in APPROACHES if (line := _line(own, figure, name)).points]
        if series:
            said = f"At {own[-1].words}: {sentence(samples(own[-1], figure), figure)}"
            drawn = lines(series, across, f"{figure.title} [{figure.unit}]", log_y=figure.scale == "log")
            yield Picture(f"{scenario.name}-{figure.key}".replace("_", "-"), drawn, said)


def _line(own: Sequence[Cell], figure: Figure, approach: str) -> Line:
    """One approach over the cells; what was cut off, or has no place on the scale, is left out."""
    points = []
    for cell in own:
        for sample in samples(cell, figure):
            found = located(sample, figure) if sample.approach == approach else None
            if found and math.isfinite(found.estimate) and (found.estimate > 0 or figure.scale == "linear"):
                points.append((float(_across(cell)[1]), found.estimate))
    return Line(APPROACHES[approach].title, tuple(points), [*APPROACHES].index(approach))


def empty(cell: Cell) -> list[Sample]:
    """The approaches without any figure in this cell, each with the reason."""
    found = [samples(cell, figure) for figure in SCENARIOS[cell.scenario].figures]
    return [each[0] for each in zip(*found, strict=True) if not any(sample.values for sample in each)]


def _across(cell: Cell) -> tuple[str, str | int]:
    parameters: dict[str, str | int] = json.loads(cell.key)
    return next(iter(parameters.items()), ("", ""))


def _drawn(every: Sequence[Sample], figure: Figure) -> Vector:
    rows = [_dots(sample, figure) for sample in every]
    positive = all(value > 0 for sample in every for value in sample.finite)
    return dots(rows, f"{figure.title} [{figure.unit}]", log=figure.scale == "log" and positive)


def _dots(sample: Sample, figure: Figure) -> Dots:
    found = located(sample, figure)
    if found is None:
        return Dots(sample.title, note=sample.reason[:90])
    claimed = found.n >= CLAIM and math.isfinite(found.low)
    low, high = (found.low, found.high) if claimed else (None, None)
    return Dots(sample.title, sample.finite, low, found.estimate, high)


def _between(found: Comparison, figure: Figure) -> str:
    """The ratio, or the difference with its sign, and the interval from 20 runs on."""
    if found.interval is None:
        return "none"

    def said(value: float) -> str:
        return f"{value:.2f} times" if found.scale == "log" else f"{value:+.3g} {figure.unit}"

    bounds = f" [{said(found.interval.low)}, {said(found.interval.high)}]" if found.interval.n >= CLAIM else ""
    return said(found.interval.estimate) + bounds


def _runs(sample: Sample) -> str:
    return f"{len(sample.values)}, {sample.failed} failed" if sample.failed else str(len(sample.values))


def _hand(sample: Sample) -> str:
    return "yes" if sample.hands else "no" if sample.values else ""
