"""The counters in Prometheus's terms. Numbers in, families out; who asks for them and where they go is others' matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, islice

from devdns.core.figures import REQUESTS, Family, Label, Sample
from devdns_proxy.counters import BOUNDS, NO_ROUTE, Counters, Tally
from devdns_proxy.pool import Pool

#: What `devdns.core.figures` admits to one family, and to one label.
MAX_SAMPLES = 2_000
MAX_NAME = 200
STEPS = (*map(repr, BOUNDS), "+Inf")
#: Routes shown by name: each has a sample per bucket, a sum and a count, and the rest shares one set.
NAMED = MAX_SAMPLES // (len(STEPS) + 2) - 1


def families(counters: Counters) -> tuple[Family, ...]:
    """All of it for `/metrics`. The routes that were asked for first are shown by name, all others together as `route=""`."""
    rows = _rows(counters.tallies)
    return (
        Family(REQUESTS, "counter", "Requests that ended, by route and status.", _requests(rows)),
        Family(
            "devdns_http_request_duration_seconds",
            "histogram",
            "From a request's whole head to the end of its response.",
            tuple(sample for name, tally in rows.items() for sample in _latency(name, tally)),
        ),
        _one("devdns_http_in_flight", "gauge", "Requests in hand.", counters.in_flight),
        _one("devdns_http_received_bytes_total", "counter", "Bytes from clients.", counters.received),
        _one("devdns_http_sent_bytes_total", "counter", "Bytes to clients.", counters.sent),
        _one(
            "devdns_http_connections_open", "gauge", "Connections of clients, tunnels too.", counters.open_connections
        ),
        _one("devdns_http_connections_total", "counter", "Connections that clients made.", counters.connections),
        _one("devdns_http_tunnels_open", "gauge", "WebSockets and other upgrades.", counters.open_tunnels),
        _one("devdns_http_tunnels_total", "counter", "Upgrades that were agreed on.", counters.tunnels),
        _one("devdns_http_retries_total", "counter", "Requests that were tried again.", counters.retries),
        _one("devdns_held_requests", "gauge", "Requests that wait for their route to be live.", counters.held_now),
        _one("devdns_held_requests_total", "counter", "Requests that had to wait for their route.", counters.held),
        _one("devdns_held_released_total", "counter", "Held requests that went on.", counters.released),
        _one("devdns_held_given_up_total", "counter", "Held requests whose client left.", counters.given_up),
        _one("devdns_held_over_total", "counter", "Held requests that had waited too long.", counters.over),
        _one("devdns_breakers_open", "gauge", "Targets that are known to be down.", counters.opened - counters.mended),
        _one("devdns_upstream_dials_total", "counter", "Connections to services begun.", counters.dials),
        _one("devdns_upstream_reused_total", "counter", "Requests that found an idle connection.", counters.reused),
        _one("devdns_upstream_waited_total", "counter", "Requests that waited for a connection.", counters.waited),
    )


def of_pool(pool: Pool) -> tuple[Family, ...]:
    """How connections to services are used now."""
    return (
        _one("devdns_upstream_open", "gauge", "Connections to services, tunnels not.", pool.open),
        _one("devdns_upstream_idle", "gauge", "Of these, those that wait for a request.", len(pool)),
        _one("devdns_upstream_waiting", "gauge", "Requests that wait for a connection.", pool.waiting),
    )


def _one(name: str, kind: str, meaning: str, value: int) -> Family:
    return Family(name, "gauge" if kind == "gauge" else "counter", meaning, (Sample(value),))


def _rows(tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    """At most `NAMED` rows by name, in the order in which routes were first asked for, so that a row never changes its name."""
    named = islice((name for name in tallies if name != NO_ROUTE and len(name) <= MAX_NAME), NAMED)
    rows = {name: tallies[name] for name in named}
    return {NO_ROUTE: _sum(tally for name, tally in tallies.items() if name not in rows), **rows}


def _sum(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for each in tallies:
        for status, count in each.statuses.items():
            total.statuses[status] += count
        total.buckets = [one + other for one, other in zip(total.buckets, each.buckets, strict=True)]
        total.seconds += each.seconds
    return total


def _requests(rows: Mapping[str, Tally]) -> tuple[Sample, ...]:
    samples = (
        Sample(count, (("route", name), ("status", str(status))))
        for name, tally in rows.items()
        for status, count in sorted(tally.statuses.items())
    )
    return tuple(islice(samples, MAX_SAMPLES))  # cut only where every route has answered with sixteen statuses


def _latency(name: str, tally: Tally) -> Iterator[Sample]:
    route: Label = ("route", name)
    upto = list(accumulate(tally.buckets))
    for step, count in zip(STEPS, upto, strict=True):
        yield Sample(count, (route, ("le", step)), "_bucket")
    yield Sample(tally.seconds, (route,), "_sum")
    yield Sample(upto[-1], (route,), "_count")
