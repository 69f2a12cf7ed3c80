"""What the proxy counts of raw TCP, and how `/metrics` shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from itertools import islice

from devdns.core.figures import Family, Sample
from devdns_proxy.figures import MAX_NAME, MAX_SAMPLES
from devdns_proxy.raw.relay import Relay


class RawCounters:
    """Totals of one process; `relays` are open and count for themselves. `held` are connections that had to wait, `failed` those turned away."""

    def __init__(self, relays: Set[Relay]) -> None:
        self._relays = relays
        self._received = self._sent = 0
        self.by_route: defaultdict[str, int] = defaultdict(int)
        self.held = self.failed = 0

    def closed(self, relay: Relay) -> None:
        """It counts for itself no longer."""
        self._received += relay.inward.passed
        self._sent += relay.outward.passed

    def families(self) -> tuple[Family, ...]:
        """All of it for `/metrics`."""
        received = self._received + sum(each.inward.passed for each in self._relays)
        sent = self._sent + sum(each.outward.passed for each in self._relays)
        named = ((name, count) for name, count in self.by_route.items() if len(name) <= MAX_NAME)
        rows = tuple(Sample(count, (("route", name),)) for name, count in islice(named, MAX_SAMPLES))
        return (
            Family("devdns_tcp_connections_total", "counter", "Raw TCP connections that were relayed, by route.", rows),
            _one(
                "devdns_tcp_connections_open", "gauge", "Raw TCP connections that are relayed now.", len(self._relays)
            ),
            _one(
                "devdns_tcp_held_total", "counter", "Raw TCP connections that had to wait for their route.", self.held
            ),
            _one("devdns_tcp_failed_total", "counter", "Raw TCP connections that reached no service.", self.failed),
            _one("devdns_tcp_received_bytes_total", "counter", "Bytes of raw TCP from clients.", received),
            _one("devdns_tcp_sent_bytes_total", "counter", "Bytes of raw TCP to clients.", sent),
        )


def _one(name: str, kind: str, meaning: str, value: int) -> Family:
    return Family(name, "gauge" if kind == "gauge" else "counter", meaning, (Sample(value),))
