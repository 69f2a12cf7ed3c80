"""Tests, effects and equivalence against worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from devdns_bench.statistics.comparisons import cliffs_delta, compare, equivalent, holm, mann_whitney

#: Hollander and Wolfe 1973, page 69: permeability of membranes at term and earlier.
TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]


def test_mann_whitney_is_exact_as_r_prints_it():
    """W = 35, one-sided p = 0.1272 in R's help for wilcox.test."""
    assert mann_whitney(TERM, EARLY) == pytest.approx(2 * 0.1272, abs=1e-4)


def test_holm_is_as_r_prints_it():
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])


def test_holm_keeps_the_order_and_never_exceeds_one():
    assert holm([0.9, 0.005, 0.03, 0.6]) == pytest.approx([1.0, 0.02, 0.09, 1.0])
    assert holm([]) == []


def test_cliffs_delta_is_as_effsize_prints_it():
    """The example of R's package effsize: -0.25, small."""
    treatment, control = [10, 10, 20, 20, 20, 30, 30, 30, 40, 50], [10, 20, 30, 40, 40, 50]
    found = cliffs_delta(control, treatment)
    assert (found.delta, found.magnitude) == (-0.25, "small")


@pytest.mark.parametrize(
    ("b", "delta", "word"), [([3, 4], 1.0, "large"), ([1, 2], 0.0, "negligible"), ([0, 0], -1.0, "large")]
)
def test_cliffs_delta_has_its_sign_from_b(b, delta, word):
    found = cliffs_delta([1, 2], b)
    assert (found.delta, found.magnitude) == (delta, word)


def test_a_run_that_timed_out_is_slower_than_all_others_and_equal_to_its_like():
    assert cliffs_delta([1, 2, 3], [math.inf] * 3).delta == 1
    assert cliffs_delta([math.inf], [math.inf]).delta == 0
    assert mann_whitney([math.inf] * 5, [math.inf] * 5) == 1
    assert mann_whitney([1, 2, 3, 4, 5], [math.inf] * 5) < 0.01


def test_nothing_differs_where_there_is_nothing():
    assert mann_whitney([], [1.0]) == 1
    with pytest.raises(ValueError, match="two samples"):
        cliffs_delta([], [1.0])


def test_a_family_is_adjusted_together():
    rng = np.random.default_rng(5)
    a, b, c = rng.lognormal(0, 0.1, 15), rng.lognormal(0.5, 0.1, 15), rng.lognormal(0, 0.1, 15)
    different, same = compare([(a, b), (a, c)], scale="log")
    assert (different.differs, same.differs) == (True, False)
    assert different.p == pytest.approx(2 * mann_whitney(a, b))
    assert different.interval is not None
    assert different.interval.low > 1


def test_a_pair_with_time_outs_has_no_interval_and_is_decided_by_ranks():
    (found,) = compare([([1.0, 2, 3, 4, 5], [math.inf] * 5)], scale="log")
    assert found.interval is None
    assert found.differs


def test_equivalence_is_the_two_one_sided_tests():
    rng = np.random.default_rng(9)
    a, b = rng.normal(10, 0.2, 7), rng.normal(10.05, 0.2, 7)
    lower = stats.ttest_ind(b + 0.5, a, equal_var=False, alternative="greater").pvalue
    upper = stats.ttest_ind(b - 0.5, a, equal_var=False, alternative="less").pvalue
    assert max(lower, upper) < 0.05
    assert equivalent(a, b, 0.5).verdict == "equivalent"
    tight = max(abs(bound) for bound in (equivalent(a, b, 0.5).interval.low, equivalent(a, b, 0.5).interval.high))
    assert equivalent(a, b, tight * 0.99).verdict == "undecided"
    assert equivalent(a, b + 5, 0.5).verdict == "different"


def test_on_the_log_scale_the_margin_is_a_ratio_either_way():
    a = np.random.default_rng(2).lognormal(0, 0.02, 20)
    assert equivalent(a, a * 1.05, 1.1, scale="log").verdict == "equivalent"
    assert equivalent(a, a / 1.05, 1.1, scale="log").verdict == "equivalent"
    assert equivalent(a, a * 1.2, 1.1, scale="log").verdict == "different"
