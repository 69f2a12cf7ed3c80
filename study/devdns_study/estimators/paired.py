"""Two approaches met by the same people: the differences within each person are what is tested.

The test draws signs: without an effect a difference is as likely as its opposite (Fisher 1935). Exact up to 15 people,
from there on by drawn ones. The effect is Cohen's d of the differences, corrected for small samples (Hedges).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from devdns_bench.statistics.intervals import Values

EXACT_TO = 15
DRAWN = 9_999


def sign_flip(differences: Values, seed: int = 1, drawn: int = DRAWN) -> float:
    """The two-sided p value that differences are symmetric about 0; 1 without any."""
    x = np.asarray(differences, dtype=np.float64)
    if not np.any(x):
        return 1.0
    n, seen = len(x), abs(float(x.sum()))
    exact = n <= EXACT_TO
    if exact:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)  # every pattern once
    else:
        signs = np.random.default_rng(seed).choice((-1, 1), size=(drawn, n))
    extreme = int((np.abs(signs @ x) >= seen - 1e-9 * max(1.0, seen)).sum())
    return extreme / len(signs) if exact else (extreme + 1) / (drawn + 1)


def effect(differences: Sequence[float]) -> float | None:
    """Cohen's d of paired differences, by Hedges' correction; None for fewer than two, or where none differ."""
    x = np.asarray(differences, dtype=np.float64)
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    correction = 1 - 3 / (4 * (len(x) - 1) - 1) if len(x) > 2 else 1.0
    found = float(x.mean() / x.std(ddof=1) * correction)
    return found if math.isfinite(found) else None
