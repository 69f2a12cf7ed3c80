"""The cache of forwarded answers: what holds whatever is kept and asked for, in any order, at any time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from devdns_resolver.codes import Rcode
from devdns_resolver.forward_cache import OVERHEAD, Bounds, Cache
from devdns_resolver.forward_message import Answer

BOUNDS = Bounds(entries=6, bytes=16 * (OVERHEAD + 300), stale=50)


def answer(lifetime: int = 60, size: int = 50, rcode: int = Rcode.NOERROR) -> Answer:
    return Answer(bytes(size), (), lifetime, rcode)


@pytest.mark.parametrize(
    ("age", "fresh"),
    [(0, True), (59.9, True), (60, False), (109.9, False), (110, None), (10_000, None)],
)
def test_an_answer_is_fresh_then_stale_then_gone(age: float, *, fresh: bool | None) -> None:
    cache = Cache(BOUNDS)
    cache.keep(b"k", answer(), 1000.0)
    entry = cache.look(b"k", 1000.0 + age)
    assert (None if entry is None else 1000.0 + age < entry.until) is fresh
    assert len(cache) == (fresh is not None)


def test_a_failure_is_never_stale() -> None:
    cache = Cache(BOUNDS)
    cache.keep(b"k", answer(1, rcode=Rcode.SERVFAIL), 0.0)
    assert cache.look(b"k", 0.5) is not None
    assert cache.look(b"k", 1.0) is None


def test_what_may_not_be_kept_takes_the_place_of_what_was() -> None:
    cache = Cache(BOUNDS)
    cache.keep(b"k", answer(), 0.0)
    cache.keep(b"k", answer(0), 1.0)
    assert (cache.look(b"k", 1.0), cache.size) == (None, 0)


def test_the_least_time_is_for_what_may_be_kept_only() -> None:
    cache = Cache(Bounds(least=5))
    cache.keep(b"short", answer(1), 0.0)
    cache.keep(b"never", answer(0), 0.0)
    assert cache.look(b"never", 0.0) is None
    entry = cache.look(b"short", 0.0)
    assert entry is not None
    assert entry.until == 5


def test_aging_makes_all_stale_and_nothing_fresh() -> None:
    cache = Cache(BOUNDS)
    cache.keep(b"old", answer(10), 0.0)
    cache.keep(b"new", answer(100), 0.0)
    cache.age(20.0)
    for key, until in ((b"old", 10.0), (b"new", 20.0)):
        entry = cache.look(key, 20.0)
        assert entry is not None
        assert entry.until == until


def test_the_one_used_longest_ago_goes_first() -> None:
    cache = Cache(BOUNDS)
    for number in range(6):
        cache.keep(b"%d" % number, answer(), 0.0)
    cache.look(b"0", 1.0)
    cache.keep(b"6", answer(), 1.0)
    assert cache.look(b"1", 1.0) is None
    assert cache.look(b"0", 1.0) is not None


keys = st.sampled_from([b"a", b"b", b"c" * 9, b"d", b"e", b"f", b"g", b"h"])
answers = st.builds(
    answer,
    st.sampled_from([0, 1, 5, 30, 3600]),
    st.sampled_from([12, 100, 300, 1200, 5000]),
    st.sampled_from([Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.SERVFAIL]),
)


class AnyUse(RuleBasedStateMachine):
    """Against a model that forgets nothing: an answer that is found is the last one kept, and not too old."""

    @initialize()
    def begin(self) -> None:
        self.cache = Cache(BOUNDS)
        self.now = 0.0
        self.last: dict[bytes, tuple[Answer, float]] = {}

    @rule(key=keys, kept=answers)
    def keep(self, key: bytes, kept: Answer) -> None:
        self.cache.keep(key, kept, self.now)
        self.last[key] = (kept, self.now)

    @rule(seconds=st.sampled_from([0.1, 1.0, 7.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def age(self) -> None:
        self.cache.age(self.now)

    @rule(key=keys)
    def look(self, key: bytes) -> None:
        entry = self.cache.look(key, self.now)
        if entry is None:
            return
        kept, since = self.last[key]
        assert (entry.answer, entry.since) == (kept, since)
        assert kept.lifetime > 0
        assert entry.until <= since + kept.lifetime
        assert self.now < entry.until + (BOUNDS.stale if kept.rcode != Rcode.SERVFAIL else 0)

    @invariant()
    def bounded(self) -> None:
        if hasattr(self, "cache"):
            entries = self.cache._entries
            assert len(entries) <= BOUNDS.entries
            assert self.cache.size <= BOUNDS.bytes
            assert self.cache.size == sum(len(k) + len(e.answer.message) + OVERHEAD for k, e in entries.items())


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(keys, answers), max_size=60))
def test_what_was_just_kept_is_there(kept: list[tuple[bytes, Answer]]) -> None:
    cache = Cache(BOUNDS)
    for key, each in kept:
        cache.keep(key, each, 0.0)
        fits = each.lifetime and len(key) + len(each.message) + OVERHEAD <= BOUNDS.bytes // 16
        assert (cache.look(key, 0.0) is not None) == bool(fits)
