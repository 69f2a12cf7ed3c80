"""What the proxies see of services, put together: each tells for itself, and one that is gone counts no more."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from time import time

from msgspec.structs import replace

from devdns.core.routes import Target
from devdns.core.sightings import Failure, Sightings, Trouble

#: Followers, also ended ones, whose counts are kept: one that only lost its connection tells the same again.
MOST_LIVES = 32


class Sighted:
    """The last word of each follower. `failed` hears how many more requests of a route failed, and why the last one did."""

    def __init__(self) -> None:
        self._by: dict[Hashable, Sightings] = {}
        self._counts: dict[tuple[str, str], dict[str, int]] = {}
        self._since = time()
        self.failed: Callable[[str, int, str], None] = lambda *_: None

    def hear(self, who: Hashable, seen: Sightings) -> None:
        """Takes a follower's word in place of its last one."""
        self._by[who] = seen
        before = self._counts.pop((seen.part, seen.life), {})
        self._counts[seen.part, seen.life] = {failure.route: failure.count for failure in seen.failures}
        if len(self._counts) > MOST_LIVES:
            del self._counts[next(iter(self._counts))]
        for failure in seen.failures:
            more = failure.count - before.get(failure.route, 0)
            if more > 0 and failure.at >= self._since:  # else it was told to a control before this one
                self.failed(failure.route, more, f"{failure.status}: {failure.reason}")

    def leave(self, who: Hashable) -> None:
        self._by.pop(who, None)

    def troubles(self) -> tuple[Trouble, ...]:
        """One for each target that takes no connection, by its name."""
        found: dict[str, Trouble] = {}
        for seen in self._by.values():
            for trouble in seen.targets:
                other = found.get(trouble.target)
                found[trouble.target] = trouble if other is None else _both(other, trouble)
        return tuple(found[target] for target in sorted(found))

    def of(self, targets: Iterable[Target]) -> tuple[Trouble, ...]:
        """Those of these targets."""
        wanted = {str(target) for target in targets}
        return tuple(trouble for trouble in self.troubles() if trouble.target in wanted) if self._by else ()

    def failures(self) -> dict[str, Failure]:
        """What failed, by route: all processes' counts together, and the last of the failures."""
        found: dict[str, Failure] = {}
        for seen in self._by.values():
            for failure in seen.failures:
                other = found.get(failure.route)
                last = failure if other is None or failure.at > other.at else other
                found[failure.route] = replace(last, count=failure.count + (other.count if other else 0))
        return found


def _both(one: Trouble, other: Trouble) -> Trouble:
    """One target as two processes see it: since the earlier sight, waited for by all, given up when one of them did."""
    early = min(one, other, key=lambda trouble: trouble.since)
    return replace(early, open=one.open or other.open, waiting=one.waiting + other.waiting)
