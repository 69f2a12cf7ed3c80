"""Intervals against numbers that others published, and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from devdns_bench.statistics.intervals import bca, between, interval, student, studentised

#: Efron and Tibshirani 1993, table 2.1: survival times of the mice that were not treated.
MICE = np.array([52.0, 104, 146, 10, 51, 30, 40, 27, 46])
#: "Student" 1908: the hours of sleep gained by one drug over the other.
SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])


def test_bootstrap_t_is_as_efron_and_tibshirani_print_it():
    """Section 12.5: (35.82, 116.74) at 90 % from 1,000 resamples."""
    assert studentised(MICE, 0.9, seed=1, resamples=50_000) == pytest.approx((35.82, 116.74), rel=0.02)


def test_students_interval_is_as_r_prints_it():
    assert student(SLEEP) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)


def test_bca_is_scipys():
    drawn = np.random.default_rng(7).normal(10, 2, 40)
    theirs = stats.bootstrap(
        (drawn,), np.mean, method="BCa", n_resamples=4_999, rng=np.random.default_rng(1)
    ).confidence_interval
    assert bca(drawn) == (theirs.low, theirs.high)


@pytest.mark.parametrize(
    ("n", "method"),
    [(2, "Student's t"), (7, "Student's t"), (8, "studentised bootstrap"), (29, "studentised bootstrap"), (30, "BCa bootstrap")],
)  # fmt: skip
def test_the_method_follows_the_number_of_runs(n, method):
    found = interval(np.random.default_rng(n).lognormal(0, 1, n), scale="log")
    assert (found.method, found.n) == (method, n)
    assert found.low < found.estimate < found.high


def test_the_log_scale_is_about_the_geometric_mean():
    assert interval([1.0, 10.0, 100.0], scale="log").estimate == pytest.approx(10)
    assert interval([1.0, 10.0, 100.0]).estimate == pytest.approx(37)


def test_one_run_has_no_interval_and_equal_runs_have_one_without_width():
    assert math.isnan(interval([3.0]).low)
    assert interval([3.0, 3.0, 3.0]).low == interval([3.0, 3.0, 3.0]).high == 3.0


@pytest.mark.parametrize(("values", "scale"), [([], "linear"), ([1.0, math.inf], "linear"), ([0.0, 1.0], "log")])
def test_what_has_no_mean_is_refused(values, scale):
    with pytest.raises(ValueError, match=r"finite|logarithm"):
        interval(values, scale=scale)


def test_the_same_seed_gives_the_same_interval():
    assert interval(MICE, seed=3) == interval(MICE, seed=3)
    assert interval(MICE, seed=3) != interval(MICE, seed=4)


def test_what_lies_between_two_small_samples_is_welchs():
    """Against scipy's own Welch interval of the difference."""
    a, b = MICE[:5], MICE[3:]
    theirs = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    found = between(a, b)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_what_lies_between_two_on_the_log_scale_is_a_ratio():
    a = np.random.default_rng(1).lognormal(0, 0.05, 20)
    found = between(a, a * 1.2, scale="log")
    assert found.estimate == pytest.approx(1.2)
    assert 1 < found.low < 1.2 < found.high < 1.4
    assert found.holds(1.2)
    assert not found.holds(1.0)


@pytest.mark.parametrize("n", [10, 20])
def test_an_interval_holds_the_truth_as_often_as_it_says(n):
    """A short version of the evidence: 300 samples of log-normal times, as runs have them; the bounds are 3 standard errors of 300 trials."""
    rng = np.random.default_rng(2_026)
    held = sum(interval(rng.lognormal(0, 0.6, n), scale="log", seed=trial).holds(1.0) for trial in range(300))
    assert 0.912 <= held / 300 <= 0.988
