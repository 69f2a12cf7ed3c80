"""How many complete a task: the adjusted Wald interval (Agresti & Coull 1998; for usability tests Lewis & Sauro 2006)."""

from __future__ import annotations

import math
from statistics import NormalDist

from devdns_bench.statistics.intervals import LEVEL, Interval


def adjusted_wald(passed: int, tried: int, level: float = LEVEL) -> Interval:
    """The interval of a share of 0 to 1; the estimate is the share itself. Raises ValueError for 0 tries."""
    if not 0 <= passed <= tried or tried < 1:
        raise ValueError(f"no share of {passed} in {tried}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    trials = tried + z * z
    centre = (passed + z * z / 2) / trials
    reach = z * math.sqrt(centre * (1 - centre) / trials)
    return Interval(max(0.0, centre - reach), passed / tried, min(1.0, centre + reach), tried, "adjusted Wald", level)
