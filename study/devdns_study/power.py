"""How many participants find which difference: the study's own test, run on made-up people many times, from a seed."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from devdns_study.estimators.paired import sign_flip
from devdns_study.estimators.simulation import paired_scores

ALPHA = 0.05
SIZES = (12, 16, 20, 24, 26, 30, 40)
DIFFERENCES = (0.0, 5.0, 7.5, 10.0, 12.5)  # in points of the SUS
BASE = 0.6  # the lesser approach scores about 64
CROWD, HALVINGS = 40_000, 14  # people, and steps, by which a shift is fitted to a difference of scores
TRIALS = 1_000
FLIPS = 499


def power(people: int, difference: float, seed: int, trials: int = TRIALS) -> float:
    """The share of studies that find a true difference; with 0 the share of false alarms."""
    random = np.random.default_rng([seed, people, round(difference * 10)])
    shifts = (BASE, BASE + shift_for(difference))
    found = 0
    for trial in range(trials):
        first, second = paired_scores(people, shifts, random)
        found += sign_flip(second - first, trial, FLIPS) < ALPHA
    return found / trials


@cache
def shift_for(difference: float) -> float:
    """How far an approach must move agreement so that scores differ by so many points on average: less near the end of the scale."""
    low, high = 0.0, 2.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        first, second = paired_scores(CROWD, (BASE, BASE + middle), np.random.default_rng(0))
        low, high = (middle, high) if (second - first).mean() < difference else (low, middle)
    return (low + high) / 2 if difference else 0.0


def table(seed: int, trials: int = TRIALS) -> list[dict[str, Any]]:
    """Power for each size and difference, as rows."""
    return [
        {"participants": people, "difference": difference, "power": power(people, difference, seed, trials)}
        for difference in DIFFERENCES
        for people in SIZES
    ]
