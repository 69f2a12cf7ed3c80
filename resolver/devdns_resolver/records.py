"""Records as values, and the ones every zone has: SOA, NS and addresses. How they look on the wire is `packet`'s."""

from __future__ import annotations

from msgspec import Struct

from devdns_resolver.codes import Type
from devdns_resolver.wirename import Labels

#: A change in the stack is seen within a second; a denial is never kept (RFC 2308 section 5: minimum and TTL 0).
TTL = 1
NEGATIVE_TTL = 0
REFRESH, RETRY, EXPIRE = 3600, 600, 86400


class Record(Struct, frozen=True, gc=False):
    """One resource record of class IN; `data` are the arguments of its type's RDATA."""

    owner: Labels
    rtype: Type
    ttl: int
    data: tuple[object, ...]


def addresses(owner: Labels, rtype: Type, texts: tuple[str, ...]) -> tuple[Record, ...]:
    """A or AAAA records."""
    return tuple(Record(owner, rtype, TTL, (text,)) for text in texts)


def name_server(apex: Labels, primary: Labels) -> Record:
    """The NS at an apex."""
    return Record(apex, Type.NS, TTL, (primary,))


def start_of_authority(apex: Labels, primary: Labels, serial: int) -> Record:
    """The SOA that stands at the apex and in every negative answer. The serial follows the table's generation."""
    times = (serial % 2**32, REFRESH, RETRY, EXPIRE, NEGATIVE_TTL)
    return Record(apex, Type.SOA, NEGATIVE_TTL, (primary, (b"hostmaster", *apex), times))
