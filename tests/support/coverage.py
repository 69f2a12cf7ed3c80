"""How often an interval holds the truth and a test cries wolf, at n = 20, on answers made up as people give them."""

from math import comb

import numpy as np

from devdns_bench.statistics.intervals import bca, interval, student, studentised
from devdns_study.analysis.measures import SUS
from devdns_study.estimators.bayes import credible
from devdns_study.estimators.choice import location
from devdns_study.estimators.paired import sign_flip
from devdns_study.estimators.proportions import adjusted_wald
from devdns_study.estimators.simulation import paired_scores

N = 20
SHIFT = 0.8  # scores of about 70: skewed and near enough to 100 to be cut there
SHARES = (0.5, 0.7, 0.8, 0.9)
SEED = 20


def _scores(count, random):
    return paired_scores(count, (SHIFT, SHIFT), random)[0]


def _bounds(estimate):
    def bounds(values):
        found = estimate(values)
        return found.low, found.high

    return bounds


#: What an estimator is given, and the bounds that it finds.
OF_SCORES = {
    "studentised": studentised,
    "BCa": bca,
    "Student's t": student,
    "Bayesian": _bounds(lambda values: credible(values, SUS.prior)),
    "chosen by size": _bounds(lambda values: location(values, SUS.prior)),
}
ESTIMATORS = (*OF_SCORES, "paired difference", "time on log scale", *(f"adjusted Wald {share}" for share in SHARES))


def coverage(name, trials):
    """The share of trials whose interval holds the truth; of shares it is counted exactly, over all outcomes."""
    if name.startswith("adjusted Wald"):
        share = float(name.split()[-1])
        outcomes = (comb(N, passed) * share**passed * (1 - share) ** (N - passed) for passed in range(N + 1))
        return sum(chance for passed, chance in enumerate(outcomes) if adjusted_wald(passed, N).holds(share))
    random = np.random.default_rng([SEED, ESTIMATORS.index(name)])
    trial = _trial(name, random)
    return sum(trial() for _ in range(trials)) / trials


def _trial(name, random):
    if name == "time on log scale":
        return lambda: interval(random.lognormal(4, 0.6, N), scale="log").holds(float(np.exp(4)))
    if name == "paired difference":
        truth = _true_difference(random)
        return lambda: interval(_differences(random)).holds(truth)
    truth, bounds = float(_scores(400_000, random).mean()), OF_SCORES[name]

    def holds():
        low, high = bounds(_scores(N, random))
        return low <= truth <= high

    return holds


def _differences(random, count=N, gap=0.3):
    first, second = paired_scores(count, (0.5, 0.5 + gap), random)
    return second - first


def _true_difference(random):
    return float(_differences(random, 400_000).mean())


def type_one(trials):
    """The share of studies without a difference that find one."""
    random = np.random.default_rng([SEED, 99])
    return sum(sign_flip(_differences(random, gap=0.0), trial, 999) < 0.05 for trial in range(trials)) / trials
