"""What the proxy counts: plain integers, read by whoever renders metrics. Counting must cost the hot path next to nothing."""

from __future__ import annotations

MAX_ROUTES = 10_000
#: Requests that no route answered: unknown names, refused heads, loops.
NO_ROUTE = ""


class Counters:
    """Totals of one process. `requests` maps a route's name to its count per status class, `[_, 1xx, 2xx, ... 5xx]`."""

    __slots__ = (
        "connections",
        "dials",
        "given_up",
        "held",
        "hold_timeouts",
        "in_flight",
        "received",
        "released",
        "requests",
        "retries",
        "sent",
        "tunnels",
    )

    def __init__(self) -> None:
        self.connections = 0
        self.tunnels = 0
        self.in_flight = 0
        self.received = 0
        self.sent = 0
        self.dials = 0
        self.retries = 0
        self.held = 0
        self.released = 0
        self.given_up = 0
        self.hold_timeouts = 0
        self.requests: dict[str, list[int]] = {}

    def answered(self, name: str, status: int) -> None:
        """One request of the route `name` was answered with `status`."""
        tally = self.requests.get(name)
        if tally is None:
            tally = self._new(name)
        tally[status // 100] += 1

    def _new(self, name: str) -> list[int]:
        """A new row; names come from routes, but routes come and go: past the bound they share one row."""
        if len(self.requests) >= MAX_ROUTES:
            name = NO_ROUTE
        return self.requests.setdefault(name, [0] * 10)
