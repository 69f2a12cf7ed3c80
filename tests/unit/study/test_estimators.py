"""Each estimator against published worked examples, an independent computation, and (small, seeded) its promised coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.coverage import ESTIMATORS, coverage, type_one

from devdns_bench.statistics.intervals import interval
from devdns_study.estimators.bayes import Prior, credible
from devdns_study.estimators.choice import location
from devdns_study.estimators.paired import effect, sign_flip
from devdns_study.estimators.proportions import adjusted_wald

SUS = Prior(68, 20)


@pytest.mark.parametrize(
    ("passed", "tried", "low", "high"),
    [
        # Tullis, Measuring the User Experience: Calculating a confidence interval for task completion (2008): 4 of 5.
        (4, 5, 0.3596, 0.9796),
        # Sauro & Lewis, Quantifying the User Experience (2016), chapter 3: 7 of 10 is 39 % to 90 %.
        (7, 10, 0.39, 0.90),
    ],
)
def test_adjusted_wald_as_published(passed, tried, low, high):
    found = adjusted_wald(passed, tried)
    within = 1e-4 if tried == 5 else 5e-3  # as many digits as are printed there
    assert (found.low, found.high) == (pytest.approx(low, abs=within), pytest.approx(high, abs=within))
    assert found.estimate == passed / tried


@given(st.integers(1, 60).flatmap(lambda tried: st.tuples(st.integers(0, tried), st.just(tried))))
def test_adjusted_wald_stays_a_share_and_turns_with_it(pair):
    passed, tried = pair
    found, turned = adjusted_wald(passed, tried), adjusted_wald(tried - passed, tried)
    assert 0 <= found.low <= found.estimate + 1e-9 <= found.high + 2e-9 <= 1 + 3e-9
    assert found.low == pytest.approx(1 - turned.high)


@pytest.mark.parametrize(("passed", "tried"), [(1, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(passed, tried):
    with pytest.raises(ValueError, match="no share"):
        adjusted_wald(passed, tried)


def test_times_on_the_log_scale_as_published():
    """Sauro, Graph and calculator for confidence intervals for task times (2006): 68 seconds, 95 % CI (46, 101)."""
    found = interval((55, 65, 75, 62, 45, 135), scale="log")
    assert (round(found.estimate), round(found.low), round(found.high)) == (68, 46, 101)


def test_signs_drawn_for_darwins_plants_as_fisher_counted_them():
    """Fisher, The Design of Experiments (1935), section 21: 863 of 32,768 totals reach 314 on one side."""
    plants = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
    assert sum(plants) == 314
    assert sign_flip(plants) == 2 * 863 / 32_768


@pytest.mark.parametrize(("differences", "p"), [([], 1), ([0, 0, 0], 1), ([1] * 5, 2 / 32), ([3, -3], 1)])
def test_signs_of_few(differences, p):
    assert sign_flip(differences) == p


def test_drawn_signs_agree_with_all_of_them():
    random = np.random.default_rng(5)
    few = random.normal(0.5, 1, 15)
    assert sign_flip(few) == pytest.approx(_by_drawing(few), abs=0.02)
    many = random.normal(0.4, 1, 24)
    assert sign_flip(many) == sign_flip(many) == pytest.approx(sign_flip(many, seed=2), abs=0.02)


def _by_drawing(values):
    signs = np.random.default_rng(1).choice((-1, 1), size=(20_000, len(values)))
    return float((np.abs(signs @ values) >= abs(values.sum())).mean())


@pytest.mark.parametrize(
    ("differences", "size"),
    [([1.0], None), ([2.0, 2.0, 2.0], None), ([1.0, 2.0, 3.0, 4.0, 5.0], 3 / math.sqrt(2.5) * (1 - 3 / 15))],
)
def test_the_effect_is_hedges_d_of_the_differences(differences, size):
    assert effect(differences) == (None if size is None else pytest.approx(size))


@pytest.mark.parametrize("values", [(70.0, 80.0, 90.0), (97.5, 100.0, 100.0, 92.5), (50.0,)])
def test_the_bayesian_interval_is_what_brute_force_finds(values):
    """Prior times likelihood on a fine grid of mean and deviation, summed up; the mean cut to 0..100."""
    found = credible(values, SUS)
    means, deviations = np.linspace(0, 100, 1_001), np.exp(np.linspace(np.log(0.5), np.log(400), 600))
    mean, deviation = np.meshgrid(means, deviations, indexing="ij")
    x = np.asarray(values)
    log = -(SUS.freedom + 3) * np.log(deviation) - SUS.freedom * SUS.deviation**2 / (2 * deviation**2)
    log -= SUS.weight * (mean - SUS.mean) ** 2 / (2 * deviation**2)
    log += -len(x) * np.log(deviation) - ((x[:, None, None] - mean) ** 2).sum(axis=0) / (2 * deviation**2)
    weight = np.exp(log - log.max()) * deviation**2  # a density of the variance, on a grid even in its logarithm
    share = np.cumsum(weight.sum(axis=1)) / weight.sum()
    low, high = (float(np.interp(level, share, means)) for level in (0.025, 0.975))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.2), pytest.approx(high, abs=0.2))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_an_interval_never_leaves_the_scale(values):
    for found in (credible(values, SUS), location(values, SUS)):
        assert 0 <= found.low <= found.high <= 100


@pytest.mark.parametrize(
    ("count", "method"),
    [
        (1, "Bayesian"),
        (7, "Bayesian"),
        (8, "studentised bootstrap"),
        (29, "studentised bootstrap"),
        (30, "BCa bootstrap"),
    ],
)
def test_the_size_of_the_sample_chooses_the_interval(count, method):
    assert location([50.0 + each for each in range(count)], SUS).method == method
    assert location([50.0] * count, SUS).method == "Bayesian"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_promised_coverage_in_small(name):
    """200 trials with a fixed seed; `make evidence` has the many."""
    assert 0.90 <= coverage(name, trials=200) <= 0.985


def test_false_alarms_in_small():
    assert type_one(trials=400) <= 0.075
