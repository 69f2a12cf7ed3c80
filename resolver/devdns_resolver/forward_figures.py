"""What the forwarder did and how its upstreams do, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterable

from devdns.core.figures import Family, Sample
from devdns_resolver.forward_asked import Tally
from devdns_resolver.forward_cache import Cache
from devdns_resolver.forward_upstreams import Upstream

#: Upstreams shown; a system has three.
MAX_SHOWN = 16


def families(tally: Tally, cache: Cache, upstreams: Iterable[Upstream], *, lying: bool) -> tuple[Family, ...]:
    """All of it; replies are counted by how they came about."""
    ways = ("answered", "cached", "stale", "failed", "blocked", "busy")
    replies = tuple(Sample(getattr(tally, way), (("way", way),)) for way in ways)
    shown = [(("upstream", "{}#{}".format(*each.address)), each) for each in upstreams][:MAX_SHOWN]
    up = tuple(Sample(int(not each.dead), (label,)) for label, each in shown)
    latency = tuple(Sample(each.latency, (label,)) for label, each in shown if each.latency is not None)
    return (
        Family(
            "devdns_dns_forwarded_total", "counter", "Replies for names of others, by how they came about.", replies
        ),
        Family("devdns_dns_flights_total", "counter", "Questions asked of upstreams.", (Sample(tally.flights),)),
        Family("devdns_dns_joined_total", "counter", "Clients that joined a question.", (Sample(tally.joined),)),
        Family("devdns_dns_cached_replies", "gauge", "Replies of upstreams kept.", (Sample(len(cache)),)),
        Family("devdns_dns_upstream_up", "gauge", "Whether an upstream is alive.", up),
        Family(
            "devdns_dns_upstreams_lying",
            "gauge",
            "1 while the upstreams answer names that do not exist, as a portal does.",
            (Sample(int(lying)),),
        ),
        Family("devdns_dns_upstream_seconds", "gauge", "Moving average of its time to reply.", latency),
    )
