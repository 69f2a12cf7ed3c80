"""How many participants find which difference: the study's own test, run on made-up people many times, from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from devdns_study.estimators.paired import sign_flip
from devdns_study.estimators.simulation import paired_scores

ALPHA = 0.05
SIZES = (12, 16, 20, 24, 30, 40)
DIFFERENCES = (0.0, 5.0, 7.5, 10.0, 12.5)  # in points of the SUS
BASE = 0.6  # the lesser approach scores about 65
POINTS = 25.0  # what a shift of 1 moves the score by in the middle of the scale
TRIALS = 1_000
FLIPS = 499


def power(people: int, difference: float, seed: int, trials: int = TRIALS) -> float:
    """The share of studies that find a true difference; with 0 the share of false alarms."""
    random = np.random.default_rng([seed, people, round(difference * 10)])
    shifts = (BASE, BASE + difference / POINTS)
    found = 0
    for trial in range(trials):
        first, second = paired_scores(people, shifts, random)
        found += sign_flip(second - first, trial, FLIPS) < ALPHA
    return found / trials


def table(seed: int, trials: int = TRIALS) -> list[dict[str, Any]]:
    """Power for each size and difference, as rows."""
    return [
        {"participants": people, "difference": difference, "power": power(people, difference, seed, trials)}
        for difference in DIFFERENCES
        for people in SIZES
    ]
