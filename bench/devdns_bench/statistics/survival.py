"""Times that were cut off: a run that was still down when its time was over took at least that long, and is neither dropped nor guessed.

The Kaplan-Meier estimate (product limit, 1958) of the median, its interval after Brookmeyer and Crowley (1982) on the log-log scale,
and the log-rank test between two groups.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import stats

from devdns_bench.statistics.intervals import LEVEL, Interval


class Time(Struct, frozen=True):
    """How long it took, in seconds; `cut` when it was not over then."""

    seconds: float
    cut: bool = False

    @property
    def rank(self) -> float:
        """For tests of ranks: a run that was cut off is slower than every one that was not."""
        return float("inf") if self.cut else self.seconds


def survival(times: Sequence[Time], at: float) -> float:
    """The estimated share that takes longer than `at`."""
    return float(stats.ecdf(_data(times)).sf.evaluate(at))


def median(times: Sequence[Time], level: float = LEVEL) -> Interval:
    """The median time and its interval. `inf` where more than half were cut off, or for a bound that the runs do not show."""
    curve = stats.ecdf(_data(times)).sf
    with warnings.catch_warnings():  # once nobody is left the band is not defined, and says so
        warnings.simplefilter("ignore", RuntimeWarning)
        bands = curve.confidence_interval(level, method="log-log")
    points, shares = curve.quantiles, curve.probabilities
    return Interval(
        _crossing(points, bands.low.probabilities),
        _crossing(points, shares),
        _crossing(points, bands.high.probabilities),
        len(times),
        "Kaplan-Meier",
        level,
    )


def log_rank(a: Sequence[Time], b: Sequence[Time]) -> float:
    """The two-sided p value that both groups take equally long; 1 where nothing ended in either."""
    if all(time.cut for time in (*a, *b)):
        return 1.0
    return float(stats.logrank(_data(a), _data(b)).pvalue)


def _data(times: Sequence[Time]) -> stats.CensoredData:
    if not times:
        raise ValueError("no times")
    return stats.CensoredData.right_censored([time.seconds for time in times], [time.cut for time in times])


def _crossing(points: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """The first time at which at most half are left; a band that is not defined there (NaN, once nobody is left) has none."""
    below = np.flatnonzero(np.nan_to_num(shares, nan=1.0) <= 0.5)
    return float(points[below[0]]) if len(below) else float("inf")
