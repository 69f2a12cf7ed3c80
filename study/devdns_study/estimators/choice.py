"""Which interval a sample gets, by its size alone, so that nobody chooses after having seen the data.

Below 8 values the Bayesian one: there is too little to resample (and Clark et al. 2021 found Student's t to leave the scale).
From 8 to 29 the studentised bootstrap, from 30 BCa. Where no two values differ, the Bayesian one at any size. A bound never
leaves the scale.
"""

from __future__ import annotations

from devdns_bench.statistics.intervals import BOOTSTRAP_FROM, Interval, Values, interval
from devdns_study.estimators.bayes import Prior, credible


def location(values: Values, prior: Prior, seed: int = 1) -> Interval:
    """The interval of a mean on the prior's scale; raises ValueError without values."""
    found = credible(values, prior)
    if len(values) < BOOTSTRAP_FROM or len({float(value) for value in values}) == 1:
        return found
    resampled = interval(values, seed=seed)
    return Interval(
        max(prior.low, resampled.low),
        resampled.estimate,
        min(prior.high, resampled.high),
        resampled.n,
        resampled.method,
        resampled.level,
    )
