"""Vector figures by matplotlib, as SVG for the page and PDF for LaTeX, without dates and with ids from a fixed salt.

`dots` shows every run and the interval over them; `lines` a quantity over another. Other kinds: draw on a `canvas`, then `drawn`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import Struct

#: Okabe and Ito's colours, told apart by everybody; the first is for what the text is about.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKS = "osD^vP*X"
LOOK: dict[Any, Any] = {
    "svg.hashsalt": "devdns",
    "svg.fonttype": "path",  # looks alike where the font is missing
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "path.simplify": False,
}
MARGIN = 0.05  # of the axis, beyond the farthest mark
WIDTH = 6.3  # inches: the text block of a thesis on A4
STALE = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None}}


class Vector(Struct, frozen=True):
    """One figure in both forms."""

    svg: bytes
    pdf: bytes


class Dots(Struct, frozen=True):
    """One row: its label, its runs, and the interval over them where there is one. `note` stands in place of runs."""

    label: str
    values: tuple[float, ...] = ()
    low: float | None = None
    middle: float | None = None
    high: float | None = None
    note: str = ""


class Line(Struct, frozen=True):
    """One series of `lines`: points in the order of x. `place` fixes colour and mark, so that it looks alike in every figure."""

    label: str
    points: tuple[tuple[float, float], ...]
    place: int | None = None


@contextmanager
def canvas(height: float, width: float = WIDTH, watermark: str = "") -> Iterator[tuple[Figure, Axes]]:
    """A figure (inches) with one pair of axes in the common look; give the figure to `drawn` inside the block."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(LOOK)
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        if watermark:
            figure.text(
                0.5,
                0.5,
                watermark,
                fontsize=min(40, 24 * height),
                color="#CC0000",
                alpha=0.25,
                rotation=20,
                ha="center",
                va="center",
            )
        yield figure, axes


def drawn(figure: Figure) -> Vector:
    """The same bytes for the same figure, on every run."""
    found = {}
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it has its places now; finding them again for each form is most of the time
    for kind, metadata in STALE.items():
        out = io.BytesIO()
        figure.savefig(out, format=kind, metadata=metadata)
        found[kind] = out.getvalue()
    return Vector(found["svg"], found["pdf"])


def dots(rows: Sequence[Dots], unit: str, *, log: bool = False, watermark: str = "") -> Vector:
    """One line a row, the first on top: runs as faint dots, the interval as a bar around its estimate."""
    with canvas(0.7 + 0.32 * max(len(rows), 1), watermark=watermark) as (figure, axes):
        if log:
            axes.set_xscale("log")
        for place, row in enumerate(rows):
            _row(axes, place, row)
        axes.set_yticks(range(len(rows)), [row.label for row in rows])
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        axes.set_xlabel(unit)
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
        if not log:
            _from_zero(axes, rows)
        return drawn(figure)


def _row(axes: Axes, place: int, row: Dots) -> None:
    colour = COLOURS[0]
    if row.note:
        axes.text(0.01, place, row.note, transform=axes.get_yaxis_transform(), va="center", color="#666666", fontsize=8)
    values = [value for value in row.values if math.isfinite(value)]
    axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.3, markersize=4, markeredgewidth=0)
    if row.middle is not None and math.isfinite(row.middle):
        axes.plot([row.middle], [place], "D", color="#000000", markersize=4)
        if row.low is not None and row.high is not None and math.isfinite(row.low) and math.isfinite(row.high):
            axes.plot([row.low, row.high], [place, place], "-", color="#000000", linewidth=1.4)


def _from_zero(axes: Axes, rows: Sequence[Dots]) -> None:
    """A length is compared from its zero, and the farthest mark is whole; where all is zero the axis still has a length.

    matplotlib's own margin is a share of the range of the values, next to nothing where they are far from zero but close together.
    """
    marks = [mark for row in rows for mark in (*row.values, row.middle, row.high) if mark is not None]
    highest = max(filter(math.isfinite, marks), default=0.0)
    axes.set_xlim(0, highest * (1 + MARGIN) if highest > 0 else 1.0)


def lines(  # noqa: PLR0913 - what a figure has
    series: Sequence[Line], across: str, unit: str, *, log: bool = True, log_y: bool | None = None, watermark: str = ""
) -> Vector:
    """One line a series, told apart by colour and by mark; `log` is for both axes, unless `log_y` tells the other apart."""
    with canvas(3.2, watermark=watermark) as (figure, axes):
        if log:
            axes.set_xscale("log")
        if log if log_y is None else log_y:
            axes.set_yscale("log")
        for number, line in enumerate(series):
            place = number if line.place is None else line.place
            again, kind = divmod(place, len(COLOURS))  # a ninth line has the first colour, but another mark, and dashes
            colour, mark = COLOURS[kind], MARKS[(kind + again) % len(MARKS)]
            x, y = [x for x, _ in line.points], [y for _, y in line.points]
            axes.plot(x, y, label=line.label, color=colour, marker=mark, markersize=4, linestyle="--" if again else "-")
        axes.set_xlabel(across)
        axes.set_ylabel(unit)
        axes.grid(color="#DDDDDD", linewidth=0.6)
        if series:
            figure.legend(frameon=False, fontsize=8, loc="outside right upper")
        return drawn(figure)
