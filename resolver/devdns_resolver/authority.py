"""Which authority a name falls under: one of our zones, `localhost.`, the rest of `test.`, or nobody here."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from devdns.core.names import CONTROL_LABEL
from devdns_resolver.wirename import Labels

LOCALHOST: Labels = (b"localhost",)
TEST: Labels = (b"test",)


class Kind(Enum):
    """How names of an authority answer."""

    ZONE = "every name exists"
    LOCALHOST = "every name is this machine"
    TEST = "nothing exists outside the zones"


class Authority(Struct, frozen=True, gc=False):
    """An apex, and the primary server that its SOA and NS name."""

    kind: Kind
    apex: Labels
    primary: Labels


def authority_of(name: Labels, zones: tuple[Labels, ...]) -> Authority | None:
    """The authority for a name in lower case, `zones` being ours, longest first; None outside all of them."""
    for zone in zones:
        if name[-len(zone) :] == zone:
            return Authority(Kind.ZONE, zone, (CONTROL_LABEL.encode(), *zone))
    for apex, kind in ((LOCALHOST, Kind.LOCALHOST), (TEST, Kind.TEST)):
        if name[-1:] == apex:
            return Authority(kind, apex, LOCALHOST)
    return None


def is_above_zone(name: Labels, zones: tuple[Labels, ...]) -> bool:
    """An empty non-terminal such as `test.`: it exists, or resolvers would take everything below for absent (RFC 8020)."""
    return any(zone[-len(name) :] == name for zone in zones)
