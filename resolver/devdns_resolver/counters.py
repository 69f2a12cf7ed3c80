"""What was answered and how fast, as plain integers; a cell is a list of one so that the hot path adds without a look-up."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from msgspec import Struct

from devdns.core.figures import Family, Sample
from devdns_resolver.codes import Rcode

#: Types that are counted by name; the rest share one cell, so that no client can make the counters grow.
TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    43: "DS",
    48: "DNSKEY",
    64: "SVCB",
    65: "HTTPS",
    251: "IXFR",
    252: "AXFR",
    255: "ANY",
}
OTHER = "other"
#: Upper bounds of the latency histogram's buckets, in seconds; one more has none.
BOUNDS = (25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 0.01, 0.1, 1.0)
Cell = list[int]


class Answered(Struct, frozen=True, order=True):
    """What one cell counts: replies of one transport, query type and response code, from the packed answers or not."""

    transport: str
    qtype: str
    rcode: str
    hit: bool


class Counters:
    """Cells by what they count; messages dropped on purpose, replies that could not be sent, faults of ours."""

    def __init__(self) -> None:
        self.answered: dict[Answered, Cell] = {}
        self.dropped = 0
        self.unsent = 0
        self.failures = 0
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def cell(self, transport: str, qtype: int | None, rcode: int, *, hit: bool) -> Cell:
        """The cell to add to; `qtype` None for messages without a readable question."""
        kind = Answered(transport, TYPES.get(qtype or 0, OTHER), Rcode(rcode).name, hit)
        return self.answered.setdefault(kind, [0])

    def total(self, *, hit: bool | None = None) -> int:
        """All replies, or those that were (not) packed answers."""
        return sum(cell[0] for kind, cell in self.answered.items() if hit is None or kind.hit is hit)

    def took(self, seconds: float, replies: int = 1) -> None:
        """Notes `replies` that were out no later than `seconds` after their queries were read, if any."""
        self._buckets[bisect_left(BOUNDS, seconds)] += replies
        self._seconds += seconds * replies

    def families(self) -> tuple[Family, ...]:
        """All of it for `/metrics`."""
        replies = tuple(
            Sample(
                cell[0],
                (
                    ("transport", kind.transport),
                    ("type", kind.qtype),
                    ("rcode", kind.rcode),
                    ("kept", str(kind.hit).lower()),
                ),
            )
            for kind, cell in sorted(self.answered.items())
        )
        return (
            Family("devdns_dns_replies_total", "counter", "Replies, by what was asked and answered.", replies),
            Family("devdns_dns_dropped_total", "counter", "Messages that get no reply.", (Sample(self.dropped),)),
            Family("devdns_dns_unsent_total", "counter", "Replies with no way back.", (Sample(self.unsent),)),
            Family("devdns_dns_failures_total", "counter", "Queries that met a fault.", (Sample(self.failures),)),
            Family("devdns_dns_reply_seconds", "histogram", "From a query read to its reply sent.", self._latency()),
        )

    def _latency(self) -> tuple[Sample, ...]:
        upto = list(accumulate(self._buckets))
        bounds = [*map(repr, BOUNDS), "+Inf"]
        buckets = [Sample(count, (("le", bound),), "_bucket") for bound, count in zip(bounds, upto, strict=True)]
        return (*buckets, Sample(self._seconds, suffix="_sum"), Sample(upto[-1], suffix="_count"))
