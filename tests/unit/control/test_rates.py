"""Requests per second from counts that are told now and then."""

import pytest

from devdns.control.rates import STEP, WINDOW, Rates
from devdns.core.figures import REQUESTS, Family, Sample
from devdns.core.frames import Figures


def figures(**counts):
    """`api=(ok, failed)` requests so far."""
    samples = tuple(
        Sample(count, (("route", name), ("status", status)))
        for name, pair in counts.items()
        for status, count in zip(("200", "502"), pair, strict=True)
    )
    other = Family("devdns_http_in_flight", "gauge", "Now.", (Sample(1),))
    return Figures("proxy", (other, Family(REQUESTS, "counter", "Asked.", samples)), "a")


def steady(rates, who, until, per_second, name="api"):
    for second in range(until + 1):
        rates.hear(who, figures(**{name: (second * per_second, second)}), float(second))


def test_a_steady_flow_is_its_rate():
    rates = Rates()
    steady(rates, "one", 60, 20)
    found = rates.by_route(60.5)["api"]
    assert found.requests == pytest.approx(20, rel=0.3)
    assert found.errors == pytest.approx(1, rel=0.3)


def test_workers_are_added_up_and_one_that_left_counts_no_more():
    rates = Rates()
    steady(rates, "one", 30, 20)
    steady(rates, "two", 30, 40)
    assert rates.by_route(30.5)["api"].requests == pytest.approx(60, rel=0.3)
    rates.leave("two")
    assert rates.by_route(30.5)["api"].requests == pytest.approx(20, rel=0.3)
    rates.leave("two")


def test_what_was_counted_before_the_first_word_is_no_rate():
    rates = Rates()
    rates.hear("one", figures(api=(1_000_000, 0)), 5.0)
    assert rates.by_route(5.5) == {}


def test_a_new_flow_shows_before_the_window_is_full():
    rates = Rates()
    rates.hear("one", figures(), 0.0)
    rates.hear("one", figures(api=(10, 0)), 1.0)
    assert rates.by_route(1.0)["api"].requests == 10 / STEP


def test_what_is_over_is_over_after_the_window_though_nothing_is_told_any_more():
    rates = Rates()
    rates.hear("one", figures(api=(0, 0)), 0.0)
    rates.hear("one", figures(api=(50, 0)), 1.0)
    assert rates.by_route(1.0 + WINDOW - 0.1)["api"].requests > 0
    assert rates.by_route(1.0 + WINDOW) == {}


def test_a_word_after_a_long_silence_counts_from_then_on():
    rates = Rates()
    rates.hear("one", figures(api=(0, 0)), 0.0)
    rates.hear("one", figures(api=(50, 0)), 1.0)
    rates.hear("one", figures(api=(53, 0)), 60.0)
    assert rates.by_route(60.5)["api"].requests == 3 / WINDOW


def test_little_is_kept_however_long_it_goes_on():
    rates = Rates()
    steady(rates, "one", 500, 1)
    assert len(rates._courses["one"].marks) <= WINDOW / STEP + 2
