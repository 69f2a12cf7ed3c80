"""The figures of the README's part on forwarding are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from devdns_resolver import forward, forward_asked, forward_race, forward_rebinding, forward_system, forward_upstreams
from devdns_resolver.forward_cache import Bounds

README = (Path(__file__).parents[3] / "resolver" / "README.md").read_text()
FIGURES = [
    f"at most {forward_upstreams.TOLERANCE * 1000:.0f} ms slower",
    f"at least {forward_upstreams.LEAST_PATIENCE} s, at most {forward_upstreams.MOST_PATIENCE} s",
    f"once more after {forward_race.ALONE} s",
    f"two misses of {forward_race.LATE} s",
    f"after {forward_upstreams.BACKOFF:.0f} s, 2 s, 4 s, ... {forward_upstreams.MAX_BACKOFF:.0f} s",
    f"SERVFAIL after {forward_race.DEADLINE} s, kept for {forward.FAILURE_TTL} s",
    f"within {forward.STALE_AFTER} s",
    f"a TTL of {forward.STALE_TTL} s",
    f"{Bounds().entries:,} replies in {Bounds().bytes >> 20} MiB",
    f"at most {Bounds().negative // 60} minutes",
    f"{forward_asked.MAX_WAITING:,} clients wait, {forward_asked.PER_CLIENT} of them from one address",
    f"{forward.MAX_EXCHANGES} exchanges",
    f"{forward.STALE_ANSWER} stale, {forward.NOT_READY} too busy, {forward.BLOCKED} dropped, {forward.NO_REACHABLE_AUTHORITY} no",
]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure(figure: str) -> None:
    assert figure in README


def test_a_day_is_a_day() -> None:
    assert Bounds().stale == Bounds().most == 24 * 60 * 60
    assert forward_upstreams.MISSES == 2


def test_the_lists_are_whole() -> None:
    names = [name.decode() for name in (*forward_rebinding.NOT_PUBLIC, *forward.NOWHERE)]
    assert [name for name in names if f"`{name}`" not in README and f"`.{name}`" not in README] == []
    assert [path for path in forward_system.PATHS if f"`{path}`" not in README] == []
