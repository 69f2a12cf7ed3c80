"""What the proxy counts: plain numbers, read by whoever renders metrics. Counting must cost the hot path next to nothing.

A connection counts its own bytes and knows itself whether it carries a request, so that no total is touched per request:
who reads a total adds up the open connections.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Set
from itertools import chain
from typing import Protocol

MAX_ROUTES = 10_000
#: Requests that no route answered: unknown names, refused heads, loops.
NO_ROUTE = ""
#: Upper bounds of the latency histogram's buckets, in seconds; one more has none.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: The status of a request whose client left before there was one, as nginx and Traefik count it.
LEFT = 499


class Tally:
    """Requests of one route: how many ended with each status, and how many took how long, by bucket and in all."""

    __slots__ = ("buckets", "seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: defaultdict[int, int] = defaultdict(int)
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def ended(self, status: int, seconds: float) -> None:
        """One request ended with `status`, `seconds` after its head was complete."""
        self.statuses[status] += 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Counted(Protocol):
    """An open connection, with what it has received and sent so far, in bytes, and its requests in hand (0 or 1)."""

    @property
    def received(self) -> int: ...

    @property
    def sent(self) -> int: ...

    @property
    def in_hand(self) -> int: ...


class Counters:
    """Totals of one process. `clients` and `tunnels` (both ends of each) are open and count for themselves.

    `tallies` is by a route's name (host and prefix), `reused` counts requests that found an idle connection to their service, `waited` those that had to wait for one,
    `tunnels` and `connections` what there was in all. `held` requests had to wait for their route: they were `released`, `given_up` by
    their clients, or answered because the wait was `over`. Breakers of targets are `opened` and `mended`.
    """

    __slots__ = (
        "_clients",
        "_received",
        "_sent",
        "_tunnels",
        "connections",
        "dials",
        "given_up",
        "held",
        "mended",
        "opened",
        "over",
        "released",
        "retries",
        "reused",
        "tallies",
        "tunnels",
        "waited",
    )

    def __init__(self, clients: Set[Counted] = frozenset(), tunnels: Set[Counted] = frozenset()) -> None:
        self._clients = clients
        self._tunnels = tunnels
        self._received = 0
        self._sent = 0
        self.connections = 0
        self.tunnels = 0
        self.dials = 0
        self.reused = 0
        self.waited = 0
        self.retries = 0
        self.held = self.released = self.given_up = self.over = 0
        self.opened = self.mended = 0
        self.tallies: dict[str, Tally] = {}

    @property
    def in_flight(self) -> int:
        """Requests in hand now; tunnels are none."""
        return sum(each.in_hand for each in self._clients)

    @property
    def held_now(self) -> int:
        return self.held - self.released - self.given_up - self.over

    @property
    def open_connections(self) -> int:
        """Connections of clients now, tunnels included."""
        return len(self._clients) + self.open_tunnels

    @property
    def open_tunnels(self) -> int:
        return (len(self._tunnels) + 1) // 2

    @property
    def received(self) -> int:
        """Bytes from clients, heads and tunnels included."""
        return self._received + sum(each.received for each in self._still())

    @property
    def sent(self) -> int:
        """Bytes to clients, heads and tunnels included."""
        return self._sent + sum(each.sent for each in self._still())

    def _still(self) -> chain[Counted]:
        return chain(self._clients, self._tunnels)

    def closed(self, received: int, sent: int) -> None:
        """A connection that had counted so many bytes counts no more."""
        self._received += received
        self._sent += sent

    def tally(self, name: str) -> Tally:
        """The row of a route; routes come and go, so past the bound new ones share one row."""
        known = self.tallies.get(name)
        if known is None:
            if len(self.tallies) >= MAX_ROUTES:
                name = NO_ROUTE
            known = self.tallies.setdefault(name, Tally())
        return known
