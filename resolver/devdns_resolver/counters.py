"""What was answered, as plain integers; a cell is a list of one so that the hot path adds without a look-up."""

from __future__ import annotations

from msgspec import Struct

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

    def cell(self, transport: str, qtype: int | None, rcode: int, *, hit: bool) -> Cell:
        """The cell to add to; `qtype` None for messages without a readable question."""
        kind = Answered(transport, TYPES.get(qtype or 0, OTHER), Rcode(rcode).name, hit)
        return self.answered.setdefault(kind, [0])

    def total(self, *, hit: bool | None = None) -> int:
        """All replies, or those that were (not) packed answers."""
        return sum(cell[0] for kind, cell in self.answered.items() if hit is None or kind.hit is hit)
