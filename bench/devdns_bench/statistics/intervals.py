"""Confidence intervals of a location: of one sample, and of what lies between two.

Below 30 values the studentised bootstrap (Efron and Tibshirani 1993, chapter 12.5), from 30 on BCa (chapter 14.3). Below 8 values,
where resampling has too little to draw from, Student's t. On the log scale, which is for times, the location is the geometric mean,
and what lies between two samples is their ratio; on the linear scale they are the mean and the difference.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import stats

Scale = Literal["linear", "log"]
Values = Sequence[float] | NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 4_999
BCA_FROM = 30
BOOTSTRAP_FROM = 8


class Interval(Struct, frozen=True):
    """`low <= estimate <= high` in the unit of the values (a ratio has none); `n` values; `method` as the text names it.

    With one value, or with none that differ, nothing is known of the spread: `low` and `high` are NaN or equal the estimate.
    """

    low: float
    estimate: float
    high: float
    n: int
    method: str
    level: float = LEVEL

    def holds(self, value: float) -> bool:
        """Whether `value` lies in it; an interval without bounds holds everything."""
        return not (value < self.low or value > self.high)


def interval(values: Values, *, scale: Scale = "linear", level: float = LEVEL, seed: int = 1) -> Interval:
    """The interval of the mean (linear) or of the geometric mean (log) of `values`; ValueError if there are none, or none above 0 for log."""
    x = _scaled(values, scale)
    n, middle = len(x), float(x.mean())
    if n < 2 or np.ptp(x) == 0:
        bound = float("nan") if n < 2 else middle
        return _shown(bound, middle, bound, n, "none", level, scale)
    if n < BOOTSTRAP_FROM:
        low, high = student(x, level)
        return _shown(low, middle, high, n, "Student's t", level, scale)
    if n < BCA_FROM:
        low, high = studentised(x, level, seed)
        return _shown(low, middle, high, n, "studentised bootstrap", level, scale)
    low, high = bca(x, level, seed)
    return _shown(low, middle, high, n, "BCa bootstrap", level, scale)


def between(a: Values, b: Values, *, scale: Scale = "linear", level: float = LEVEL, seed: int = 1) -> Interval:
    """The interval of `mean(b) - mean(a)`, or on the log scale of the ratio of b's geometric mean to a's.

    Welch's t below 8 values in the smaller sample, from there on the bootstrap studentised by Welch's standard error.
    """
    x, y = _scaled(a, scale), _scaled(b, scale)
    n, middle = min(len(x), len(y)), float(y.mean() - x.mean())
    error = _standard_error(x, y)
    if n < 2 or error == 0:
        bound = float("nan") if n < 2 else middle
        return _shown(bound, middle, bound, n, "none", level, scale)
    if n < BOOTSTRAP_FROM:
        reach = float(stats.t.ppf((1 + level) / 2, _welch_freedom(x, y))) * error
        return _shown(middle - reach, middle, middle + reach, n, "Welch's t", level, scale)
    left, right = _resampled(x, seed), _resampled(y, seed + 1)
    spread = np.sqrt(left.var(axis=1, ddof=1) / len(x) + right.var(axis=1, ddof=1) / len(y))
    pivots = _pivots(right.mean(axis=1) - left.mean(axis=1) - middle, spread)
    bottom, top = np.quantile(pivots, [(1 - level) / 2, (1 + level) / 2])
    return _shown(
        middle - float(top) * error, middle, middle - float(bottom) * error, n, "studentised bootstrap", level, scale
    )


def student(x: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """Student's t interval of the mean."""
    reach = float(stats.t.ppf((1 + level) / 2, len(x) - 1)) * _error_of(x)
    return float(x.mean()) - reach, float(x.mean()) + reach


def studentised(
    x: NDArray[np.float64], level: float = LEVEL, seed: int = 1, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The bootstrap-t interval of the mean: the quantiles of Student's pivot are resampled, not looked up."""
    drawn = _resampled(x, seed, resamples)
    pivots = _pivots(drawn.mean(axis=1) - x.mean(), drawn.std(axis=1, ddof=1) / np.sqrt(len(x)))
    bottom, top = np.quantile(pivots, [(1 - level) / 2, (1 + level) / 2])
    return float(x.mean() - top * _error_of(x)), float(x.mean() - bottom * _error_of(x))


def bca(x: NDArray[np.float64], level: float = LEVEL, seed: int = 1) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap interval of the mean."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (x,), np.mean, confidence_level=level, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(seed)
        )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _scaled(values: Values, scale: Scale) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if not len(x) or not np.isfinite(x).all():
        raise ValueError(f"an interval needs finite values, not {values!r:.80}")
    if scale == "log":
        if (x <= 0).any():
            raise ValueError("only values above 0 have a logarithm")
        return np.log(x)
    return x


def _shown(low: float, middle: float, high: float, n: int, method: str, level: float, scale: Scale) -> Interval:  # noqa: PLR0913, PLR0917 - the fields of an Interval
    if scale == "log":
        low, middle, high = float(np.exp(low)), float(np.exp(middle)), float(np.exp(high))
    return Interval(low, middle, high, n, method, level)


def _resampled(x: NDArray[np.float64], seed: int, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    return np.random.default_rng(seed).choice(x, size=(resamples, len(x)))


def _pivots(shift: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift over error; resamples of one value only, which say nothing, are left out."""
    useful: NDArray[np.float64] = shift[error > 0] / error[error > 0]
    return useful


def _error_of(x: NDArray[np.float64]) -> float:
    return float(x.std(ddof=1) / np.sqrt(len(x)))


def _standard_error(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if min(len(x), len(y)) < 2:
        return float("nan")
    return float(np.hypot(_error_of(x), _error_of(y)))


def _welch_freedom(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    u, v = _error_of(x) ** 2, _error_of(y) ** 2
    return (u + v) ** 2 / (u**2 / (len(x) - 1) + v**2 / (len(y) - 1))
