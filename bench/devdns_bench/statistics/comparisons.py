"""Whether one group of runs differs from another, by how much, and whether two are the same for all purposes.

Mann-Whitney with Holm's correction answers the first, Cliff's delta and the interval of the ratio the second, two one-sided
tests within a margin that was set beforehand the third. Values may be `inf`: a run that timed out, slower than all that did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import stats

from devdns_bench.statistics.intervals import Interval, Scale, Values, between

ALPHA = 0.05
#: Romano et al. 2006: below each bound an effect has this name.
MAGNITUDES = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))
Verdict = Literal["equivalent", "different", "undecided"]


class Effect(Struct, frozen=True):
    """Cliff's delta: P(b > a) - P(b < a), from -1 (every b below every a) to 1; `magnitude` in Romano's words."""

    delta: float
    magnitude: str


class Comparison(Struct, frozen=True):
    """b against a: `p` as adjusted for the family it was tested in, the effect, and the interval where one exists.

    `scale` tells whether that is a ratio (log) or a difference. `differs` only where the test and the interval agree: a claim needs both.
    """

    p: float
    effect: Effect
    interval: Interval | None
    differs: bool
    scale: Scale = "linear"


class Equivalence(Struct, frozen=True):
    """`interval` at level 1 - 2 alpha; the verdict is `equivalent` where it lies within the margin."""

    verdict: Verdict
    interval: Interval
    margin: float


def mann_whitney(a: Values, b: Values) -> float:
    """The two-sided p value, exact for small samples without ties; 1 where nothing differs or a sample is empty."""
    x, y = _ranked(a, b)
    if not len(x) or not len(y) or len(np.unique(np.concatenate([x, y]))) == 1:
        return 1.0
    return float(stats.mannwhitneyu(x, y, alternative="two-sided").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjustment, in the order given: compare each with alpha itself."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def cliffs_delta(a: Values, b: Values) -> Effect:
    """How often b is above a, less how often below; ValueError if one is empty."""
    x, y = _ranked(a, b)
    if not len(x) or not len(y):
        raise ValueError("an effect needs two samples")
    delta = float(np.sign(y[:, None] - x[None, :]).mean())
    return Effect(delta, next((name for bound, name in MAGNITUDES if abs(delta) < bound), "large"))


def compare(
    pairs: Sequence[tuple[Values, Values]], *, scale: Scale = "linear", alpha: float = ALPHA
) -> list[Comparison]:
    """Each pair (a, b) as one family of tests, adjusted together. With `inf` in a pair it has no interval: the test decides alone."""
    adjusted = holm([mann_whitney(a, b) for a, b in pairs])
    return [_compared(a, b, p, scale, alpha) for (a, b), p in zip(pairs, adjusted, strict=True)]


def _compared(a: Values, b: Values, p: float, scale: Scale, alpha: float) -> Comparison:
    finite = all(np.isfinite(values).all() and (scale == "linear" or np.min(values) > 0) for values in (a, b))
    found = between(a, b, scale=scale, level=1 - alpha) if finite else None
    apart = found is None or not found.holds(1.0 if scale == "log" else 0.0)
    return Comparison(p, cliffs_delta(a, b), found, p < alpha and apart, scale)


def equivalent(a: Values, b: Values, margin: float, *, scale: Scale = "linear", alpha: float = ALPHA) -> Equivalence:
    """Two one-sided tests (Schuirmann 1987) by the interval of level 1 - 2 alpha.

    `margin` is a difference on the linear scale; on the log scale the larger ratio allowed, above 1 (1.1: within 10 % either way).
    `different` means that the interval lies outside the margin whole.
    """
    found = between(a, b, scale=scale, level=1 - 2 * alpha)
    low, high = (1 / margin, margin) if scale == "log" else (-margin, margin)
    if low <= found.low and found.high <= high:
        return Equivalence("equivalent", found, margin)
    return Equivalence("different" if found.high < low or found.low > high else "undecided", found, margin)


def _ranked(a: Values, b: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ranks of both in one order: two runs that timed out are equal, where their difference would be NaN."""
    ranks = stats.rankdata(np.concatenate([np.asarray(a, dtype=float), np.asarray(b, dtype=float)]))
    return ranks[: len(a)], ranks[len(a) :]
