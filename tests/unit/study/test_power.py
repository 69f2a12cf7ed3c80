"""The power analysis: its differences are differences of scores, it keeps its alpha, and more people find more."""

import numpy as np
import pytest

from devdns_study.estimators.simulation import paired_scores
from devdns_study.power import BASE, power, shift_for


@pytest.mark.parametrize("difference", [5.0, 12.5])
def test_a_difference_is_one_of_mean_scores(difference):
    first, second = paired_scores(100_000, (BASE, BASE + shift_for(difference)), np.random.default_rng(9))
    assert (second - first).mean() == pytest.approx(difference, abs=0.25)


def test_power_grows_with_people_and_with_the_difference():
    few, more, larger = power(12, 10, 1, 200), power(24, 10, 1, 200), power(24, 12.5, 1, 200)
    assert 0.2 < few < more < larger < 1
    assert power(24, 0, 1, 400) <= 0.08


def test_the_same_seed_gives_the_same_power():
    assert power(12, 10, 3, 50) == power(12, 10, 3, 50)
