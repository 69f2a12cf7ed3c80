"""A query, parsed once from bytes with every check that dnslib leaves out.

Whatever the bytes are, parsing ends quickly: names cannot loop and the number of records is bounded.
"""

from __future__ import annotations

from struct import Struct as Layout

from msgspec import Struct

from devdns_resolver.codes import HEADER, OPCODE_QUERY, Rcode, Type
from devdns_resolver.edns import Edns, read_edns
from devdns_resolver.wirename import Labels, Malformed, read_name

#: A query carries at most an OPT, a signature and, for IXFR, a SOA; more than this is not a query.
MAX_RECORDS = 16
COUNTS = Layout("!HHHH")
TYPE_CLASS = Layout("!HH")
RECORD = Layout("!HHIH")


class Question(Struct, frozen=True, gc=False):
    """The one question: labels as they came, and where its name and the whole of it end in the message."""

    labels: Labels
    qtype: int
    qclass: int
    name_end: int

    @property
    def end(self) -> int:
        return self.name_end + 4

    @property
    def name(self) -> Labels:
        """The labels in lower case, to compare with."""
        return tuple(label.lower() for label in self.labels)


class Query(Struct, frozen=True, gc=False):
    """A message that deserves a reply. `fault` is the code it is turned down with before its question is considered."""

    opcode: int = OPCODE_QUERY
    rd: bool = False
    cd: bool = False
    question: Question | None = None
    edns: Edns | None = None
    fault: Rcode | None = None


def parse(data: bytes) -> Query | None:
    """The query in `data`; None for what must not be answered at all: under 12 bytes, or a response (QR set)."""
    if len(data) < HEADER or data[2] & 0x80:
        return None
    qd, an, ns, ar = COUNTS.unpack_from(data, 4)
    question = _question(data) if qd == 1 else None
    edns, fault = _rest(data, question, (an, ns, ar)) if question else (None, Rcode.FORMERR)
    opcode = data[2] >> 3 & 15
    if opcode != OPCODE_QUERY:
        fault = Rcode.NOTIMP
    return Query(opcode, bool(data[2] & 1), bool(data[3] & 0x10), question, edns, fault)


def _question(data: bytes) -> Question | None:
    try:
        labels, end = read_name(data, HEADER)
    except Malformed:
        return None
    if end + 4 > len(data):
        return None
    qtype, qclass = TYPE_CLASS.unpack_from(data, end)
    return Question(labels, qtype, qclass, end)


def _rest(data: bytes, question: Question, counts: tuple[int, int, int]) -> tuple[Edns | None, Rcode | None]:
    """What follows the question: the OPT if it can be read, and what is wrong, if anything."""
    answers, authority, additional = counts
    # A query has no answers, and authority only for IXFR (RFC 1995 section 3); NSD turns others down likewise.
    if answers or (authority and question.qtype != Type.IXFR) or authority + additional > MAX_RECORDS:
        return None, Rcode.FORMERR
    edns, offset = None, question.end
    try:
        for index in range(authority + additional):
            found, offset = _record(data, offset)
            if found and (edns or index < authority):
                return edns or found, Rcode.FORMERR
            edns = found or edns
    except Malformed:
        return edns, Rcode.FORMERR
    if offset != len(data):
        return edns, Rcode.FORMERR
    return edns, edns.fault if edns else None


def _record(data: bytes, offset: int) -> tuple[Edns | None, int]:
    """One resource record: its EDNS meaning if it is an OPT, and where it ends."""
    start = offset
    _, offset = read_name(data, offset)
    if offset + RECORD.size > len(data):
        raise Malformed("record cut short")
    rtype, rclass, ttl, length = RECORD.unpack_from(data, offset)
    offset += RECORD.size
    end = offset + length
    if end > len(data):
        raise Malformed("record data cut short")
    if rtype != Type.OPT:
        return None, end
    if data[start]:
        raise Malformed("OPT below a name")
    return read_edns(data, rclass, ttl, offset, end), end
