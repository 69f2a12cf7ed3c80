"""Times cut off, against the data on which the method is taught."""

from __future__ import annotations

import math

import pytest

from devdns_bench.statistics.survival import Time, log_rank, median, survival

#: Freireich et al. 1963 (Gehan 1965): weeks of remission; those still in remission are cut.
TREATED = [
    *(Time(week) for week in (6, 6, 6, 7, 10, 13, 16, 22, 23)),
    *(Time(week, cut=True) for week in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)),
]
PLACEBO = [Time(week) for week in (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)]


def test_the_product_limit_is_as_published():
    """Kalbfleisch and Prentice 1980: S(10) = 0.7529, medians 23 and 8 weeks; log-log bounds as SAS prints them."""
    assert survival(TREATED, 10) == pytest.approx(0.7529, abs=1e-4)
    assert (median(TREATED).estimate, median(PLACEBO).estimate) == (23, 8)
    assert (median(PLACEBO).low, median(PLACEBO).high) == (4, 11)
    assert (median(TREATED).low, median(TREATED).high) == (13, math.inf)


def test_the_log_rank_test_is_as_published():
    """Chi-square 16.79 with one degree of freedom."""
    assert log_rank(TREATED, PLACEBO) == pytest.approx(4.17e-5, rel=1e-3)


def test_when_most_are_cut_the_median_is_not_known():
    found = median([Time(1), *[Time(30, cut=True)] * 4])
    assert found.estimate == math.inf
    assert found.n == 5


def test_where_nothing_ended_nothing_differs():
    cut = [Time(30, cut=True)] * 3
    assert log_rank(cut, cut) == 1


def test_a_cut_time_ranks_behind_all_others():
    assert Time(30, cut=True).rank == math.inf
    assert Time(30).rank == 30


def test_no_times_are_refused():
    with pytest.raises(ValueError, match="no times"):
        median([])
