"""Which upstream is asked, and when the next: health and latency as values, with the time as an argument.

The fastest comes first; of those that are about as fast the one listed first does, and for the user's own domains the list
alone counts, since the first upstream of a VPN knows names that the others deny. Two misses in a row, or one refusal, put an upstream aside; it is probed again beside the
questions of clients, ever less often, and never at the cost of their time.
"""

from __future__ import annotations

from collections.abc import Iterable

Address = tuple[str, int]

#: How much slower than the fastest the earlier one of the list may be (seconds).
TOLERANCE = 0.04
#: Weight of the newest measurement.
WEIGHT = 0.3
MISSES = 2
#: Seconds until a dead upstream is probed, doubled each time it stays silent.
BACKOFF, MAX_BACKOFF = 1.0, 60.0
#: Seconds after which one that nobody asks is measured again.
REMEASURE = 60.0
#: Bounds of the time one upstream has to itself.
LEAST_PATIENCE, MOST_PATIENCE = 0.2, 0.6


class Upstream:
    """One upstream, what is known of it; `latency` is a moving average in seconds, None before the first reply."""

    __slots__ = ("address", "asked", "backoff", "edns", "latency", "misses", "retry_at")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.latency: float | None = None
        self.misses = 0
        self.backoff = 0.0
        self.retry_at = 0.0
        self.asked = 0.0
        self.edns = True

    def __repr__(self) -> str:
        health = f"dead until {self.retry_at:.1f}" if self.dead else "alive"
        return f"<Upstream {self.address[0]}:{self.address[1]} {health}, {self.latency}>"

    @property
    def dead(self) -> bool:
        return self.backoff > 0

    @property
    def patience(self) -> float:
        """Seconds after which another is asked as well."""
        if self.latency is None:
            return MOST_PATIENCE
        return min(max(3 * self.latency, LEAST_PATIENCE), MOST_PATIENCE)

    def answered(self, seconds: float) -> None:
        """A reply came after `seconds`; whatever it said, somebody is there."""
        known = self.latency
        self.latency = seconds if known is None else known + WEIGHT * (seconds - known)
        self.misses, self.backoff, self.retry_at = 0, 0.0, 0.0

    def missed(self, now: float, *, surely: bool = False) -> None:
        """No reply came in time; `surely`: it was refused, or there is no way to it."""
        self.misses += 1
        gone = self.dead or surely or self.misses >= MISSES
        if gone and now >= self.retry_at:  # misses of questions asked together count once
            self.postpone(now)

    def postpone(self, now: float) -> None:
        """Takes it for dead until the next probe."""
        self.backoff = min(self.backoff * 2 or BACKOFF, MAX_BACKOFF)
        self.retry_at = now + self.backoff


class Upstreams:
    """The upstreams in force, in their order."""

    def __init__(self, addresses: Iterable[Address] = ()) -> None:
        self._all = [Upstream(address) for address in dict.fromkeys(addresses)]

    def __len__(self) -> int:
        return len(self._all)

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(upstream.address for upstream in self._all)

    @property
    def silent(self) -> bool:
        """Whether none is known to be alive."""
        return all(upstream.dead for upstream in self._all)

    def order(self, *, listed: bool = False) -> list[Upstream]:
        """All of them, best first: the living, if `listed` in the order of the list; then the dead, first who is due first."""
        alive = [upstream for upstream in self._all if not upstream.dead]
        if not listed:
            limit = min((upstream.latency or 0.0 for upstream in alive), default=0.0) + TOLERANCE
            alive.sort(key=lambda upstream: latency if (latency := upstream.latency or 0.0) > limit else 0.0)
        dead = [upstream for upstream in self._all if upstream.dead]
        return alive + sorted(dead, key=lambda upstream: upstream.retry_at)

    def aside(self, now: float, first: Upstream) -> list[Upstream]:
        """Those to be asked beside `first`, only to learn how they are. Each is named once a time."""
        due = [
            upstream
            for upstream in self._all
            if upstream is not first and now >= (upstream.retry_at if upstream.dead else upstream.asked + REMEASURE)
        ]
        for upstream in due:
            upstream.asked = now
            if upstream.dead:
                upstream.postpone(now)
        return due

    def replace(self, addresses: Iterable[Address]) -> None:
        """Other addresses; what is known of those that stay is kept."""
        known = {upstream.address: upstream for upstream in self._all}
        self._all = [known.get(address) or Upstream(address) for address in dict.fromkeys(addresses)]

    def revive(self) -> None:
        """Forgets who was dead or old: the network is another one now."""
        for upstream in self._all:
            upstream.edns = True
            upstream.misses, upstream.backoff, upstream.retry_at = 0, 0.0, 0.0
