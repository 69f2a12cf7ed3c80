"""The Bayesian interval of a mean on a bounded scale, for samples too small to resample.

The prior is weak and says where scores of other systems lie: for the SUS a mean of 68 (Sauro 2011, 500 studies) that weighs
as much as one participant. Normal with unknown mean and variance, conjugate (Gelman et al., Bayesian Data Analysis, 3.3);
the posterior of the mean is Student's t, cut to the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from devdns_bench.statistics.intervals import LEVEL, Interval, Values


@dataclass(frozen=True, slots=True)
class Prior:
    """Before any data: a mean worth `weight` values, a standard deviation worth `freedom` of them, on a scale low to high."""

    mean: float
    deviation: float
    weight: float = 1.0
    freedom: float = 1.0
    low: float = 0.0
    high: float = 100.0


SUS_PRIOR = Prior(mean=68.0, deviation=20.0)
LOAD_PRIOR = Prior(mean=50.0, deviation=20.0)


def credible(values: Values, prior: Prior = SUS_PRIOR, level: float = LEVEL) -> Interval:
    """The central credible interval of the mean; the estimate is the posterior mean. Raises ValueError without values."""
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    if not n or not np.isfinite(x).all():
        raise ValueError(f"an interval needs finite values, not {values!r:.80}")
    weight, freedom = prior.weight + n, prior.freedom + n
    middle = float((prior.weight * prior.mean + x.sum()) / weight)
    pull = prior.weight * n / weight * (x.mean() - prior.mean) ** 2
    squares = prior.freedom * prior.deviation**2 + ((x - x.mean()) ** 2).sum() + pull
    posterior = stats.t(freedom, loc=middle, scale=float(np.sqrt(squares / freedom / weight)))
    bottom, top = (float(share) for share in posterior.cdf([prior.low, prior.high]))
    low, high = (float(posterior.ppf(bottom + share * (top - bottom))) for share in ((1 - level) / 2, (1 + level) / 2))
    return Interval(low, middle, high, n, "Bayesian", level)
