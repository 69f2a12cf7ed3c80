"""The item plot: one line for each approach over the ten items of the SUS."""

from __future__ import annotations

from collections.abc import Sequence

from devdns_bench.drawing.figures import COLOURS, MARKS, Vector, canvas, drawn
from devdns_study.analysis.findings import ItemMean

SPREAD = 0.12  # so that intervals of the same item stand side by side


def item_plot(items: Sequence[ItemMean], approaches: Sequence[str], mark: str) -> Vector:
    """Means of 0 (worst) to 4 (best) with their intervals; told apart by colour and by mark."""
    with canvas(3.2, watermark=mark) as (figure, axes):
        for place, approach in enumerate(approaches):
            rows = [each for each in items if each.approach == approach]
            x = [each.item + (place - (len(approaches) - 1) / 2) * SPREAD for each in rows]
            middle = [each.interval.estimate for each in rows]
            below = [max(0.0, each.interval.estimate - each.interval.low) for each in rows]
            above = [max(0.0, each.interval.high - each.interval.estimate) for each in rows]
            colour, shape = COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)]
            axes.errorbar(
                x, middle, [below, above], label=approach, linestyle="", markersize=4, elinewidth=1, color=colour, marker=shape
            )  # fmt: skip
        axes.set_xticks(range(1, 11), [f"{number}" for number in range(1, 11)])
        axes.set_ylim(-0.1, 4.1)
        axes.set_xlabel("item of the SUS")
        axes.set_ylabel("agreement, 4 is best")
        axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
        if approaches:
            axes.legend(frameon=False, fontsize=8, ncols=min(4, len(approaches)))
        return drawn(figure)
