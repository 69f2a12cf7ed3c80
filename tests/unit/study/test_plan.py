"""The order of the approaches: balanced, from a seed, the same everywhere."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns_study.plan import Plan, assignments, balanced_square, block_size

NAMES = ("devdns", "ports", "hosts", "nginx", "traefik", "caddy", "coredns")


@pytest.mark.parametrize("size", range(1, 8))
def test_every_condition_stands_everywhere_and_follows_every_other_equally_often(size):
    square = balanced_square(size)
    places = Counter((place, condition) for row in square for place, condition in enumerate(row))
    follows = Counter(pair for row in square for pair in pairwise(row))
    assert set(places.values()) == {len(square) // size}
    assert len(places) == size * size
    assert len(follows) == size * (size - 1)
    assert len(set(follows.values())) <= 1


@given(st.integers(0, 2**32), st.integers(1, 7), st.integers(1, 4))
def test_full_blocks_are_balanced_whatever_the_seed(seed, size, blocks):
    plan = Plan(seed, NAMES[:size], ("clash",), blocks * block_size(size))
    orders = [each.approaches for each in assignments(plan)]
    places = Counter((place, approach) for order in orders for place, approach in enumerate(order))
    follows = Counter(pair for order in orders for pair in pairwise(order))
    assert len(set(places.values())) == 1
    assert len(set(follows.values())) <= 1


def test_a_seed_means_the_same_orders_for_ever():
    """Written down from the first run: another machine, another Python, the same study."""
    plan = Plan(2026, ("devdns", "ports", "hosts"), ("clash",), 6)
    assert [each.approaches for each in assignments(plan)] == EXPECTED


EXPECTED = [
    ("hosts", "devdns", "ports"),
    ("ports", "hosts", "devdns"),
    ("devdns", "ports", "hosts"),
    ("hosts", "ports", "devdns"),
    ("ports", "devdns", "hosts"),
    ("devdns", "hosts", "ports"),
]


def test_another_seed_is_another_draw():
    draws = {tuple(each.approaches for each in assignments(Plan(seed, NAMES[:4], (), 8))) for seed in range(20)}
    assert len(draws) > 15
