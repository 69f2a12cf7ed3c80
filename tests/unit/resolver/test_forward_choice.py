"""Which upstream is asked, from what is known of each and the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns_resolver.forward_upstreams import (
    BACKOFF,
    LEAST_PATIENCE,
    MAX_BACKOFF,
    MOST_PATIENCE,
    REMEASURE,
    Upstream,
    Upstreams,
)

ONE, TWO, THREE = ("192.0.2.1", 53), ("192.0.2.2", 53), ("192.0.2.3", 53)


def known(**latencies: float | None) -> tuple[Upstreams, list[Upstream]]:
    upstreams = Upstreams([ONE, TWO, THREE])
    for upstream, latency in zip(upstreams.order(), latencies.values(), strict=True):
        if latency is not None:
            upstream.answered(latency)
    return upstreams, upstreams.order()


@pytest.mark.parametrize(
    ("latencies", "order"),
    [
        ({"one": None, "two": None, "three": None}, [ONE, TWO, THREE]),
        ({"one": 0.040, "two": 0.002, "three": 0.010}, [ONE, TWO, THREE]),
        ({"one": 0.050, "two": 0.002, "three": 0.010}, [TWO, THREE, ONE]),
        ({"one": 0.300, "two": 0.002, "three": 0.010}, [TWO, THREE, ONE]),
        ({"one": 0.300, "two": 0.900, "three": 0.010}, [THREE, ONE, TWO]),
        ({"one": 0.300, "two": 0.310, "three": 0.290}, [ONE, TWO, THREE]),
    ],
)
def test_the_order_listed_holds_but_for_what_is_clearly_slower(latencies: dict, order: list) -> None:
    assert [upstream.address for upstream in known(**latencies)[0].order()] == order


def test_the_list_alone_counts_for_names_of_the_user() -> None:
    upstreams, _ = known(one=0.300, two=0.002, three=0.010)
    assert [upstream.address for upstream in upstreams.order(listed=True)] == [ONE, TWO, THREE]


def test_two_misses_put_an_upstream_last_and_a_reply_brings_it_back() -> None:
    upstreams, (one, _, _) = known(a=0.01, b=0.01, c=0.01)
    one.missed(100.0)
    assert upstreams.order()[0] is one
    one.missed(100.1)
    assert one.dead
    assert upstreams.order()[-1] is one
    one.answered(0.01)
    assert upstreams.order()[0] is one


def test_a_refusal_is_enough() -> None:
    upstreams, (one, two, three) = known(a=0.01, b=0.01, c=0.01)
    for upstream in (one, two, three):
        assert not upstreams.silent
        upstream.missed(100.0, surely=True)
    assert upstreams.silent
    upstreams.revive()
    assert not upstreams.silent


def test_a_dead_one_is_probed_ever_less_often() -> None:
    upstreams, (one, two, _) = known(a=0.01, b=0.01, c=0.01)
    one.missed(0.0, surely=True)
    now, waits = 0.0, []
    while len(waits) < 9:
        start = one.retry_at
        assert one not in upstreams.aside(start - 0.01, two)
        assert one in upstreams.aside(start, two)
        one.missed(start + 1.5)  # and the probe is not answered
        waits.append(one.retry_at - start)
        now = start
    assert waits[:3] == [BACKOFF * 2, BACKOFF * 4, BACKOFF * 8]
    assert waits[-1] == MAX_BACKOFF
    assert now < 400


def test_misses_of_questions_asked_together_count_once() -> None:
    _, (one, _, _) = known(a=0.01, b=0.01, c=0.01)
    for _ in range(50):
        one.missed(10.0)
    assert one.retry_at == 10.0 + BACKOFF


def test_who_is_not_asked_is_measured_again() -> None:
    upstreams, (one, two, three) = known(a=0.01, b=0.01, c=0.01)
    assert upstreams.aside(REMEASURE, one) == [two, three]
    assert upstreams.aside(REMEASURE + 1, one) == []
    two.asked = 100.0
    assert upstreams.aside(REMEASURE * 2, one) == [three]


def test_other_addresses_keep_what_is_known_of_those_that_stay() -> None:
    upstreams, (_, two, _) = known(a=0.01, b=0.02, c=0.03)
    upstreams.replace([("192.0.2.9", 53), TWO, TWO])
    assert upstreams.addresses == (("192.0.2.9", 53), TWO)
    assert upstreams.order()[1] is two


events = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["answered", "missed", "refused", "aside"]), st.floats(0.001, 5)),
    max_size=60,
)


@given(events)
def test_whatever_happens_everyone_is_in_the_order_once_and_the_living_are_first(happened: list) -> None:
    upstreams, each = known(a=None, b=None, c=None)
    now = 100.0
    for which, what, seconds in happened:
        now += seconds
        if what == "answered":
            each[which].answered(seconds)
        elif what == "aside":
            upstreams.aside(now, each[which])
        else:
            each[which].missed(now, surely=what == "refused")
        order = upstreams.order()
        assert sorted(map(id, order)) == sorted(map(id, each))
        assert [one.dead for one in order] == sorted(one.dead for one in order)
        assert all(LEAST_PATIENCE <= one.patience <= MOST_PATIENCE for one in order)
        assert all(one.retry_at <= now + MAX_BACKOFF for one in order)
