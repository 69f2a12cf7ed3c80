"""Which authority a name falls under: one of our zones, `localhost.`, the rest of `test.`, or nobody here."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from devdns.core.names import CONTROL_LABEL
from devdns_resolver.query import Question
from devdns_resolver.wirename import Labels

LOCALHOST: Labels = (b"localhost",)
TEST: Labels = (b"test",)


class Kind(Enum):
    """How names of an authority answer."""

    ZONE = "every name exists"
    LOCALHOST = "every name is this machine"
    TEST = "nothing exists outside the zones"


class Authority(Struct, frozen=True):
    """An apex (in the case of the question, so that it compresses) and the primary server its SOA and NS name."""

    kind: Kind
    apex: Labels
    primary: Labels


def authority_of(question: Question, zones: tuple[Labels, ...]) -> Authority | None:
    """The authority for the name asked, `zones` being ours, longest first; None outside all of them."""
    name, asked = question.name, question.labels
    for zone in zones:
        if name[-len(zone) :] == zone:
            apex = asked[-len(zone) :]
            return Authority(Kind.ZONE, apex, (CONTROL_LABEL.encode(), *apex))
    for apex, kind in ((LOCALHOST, Kind.LOCALHOST), (TEST, Kind.TEST)):
        if name[-1:] == apex:
            return Authority(kind, asked[-1:], LOCALHOST)
    return None


def is_above_zone(name: Labels, zones: tuple[Labels, ...]) -> bool:
    """An empty non-terminal such as `test.`: it exists, or resolvers would take everything below for absent (RFC 8020)."""
    return any(zone[-len(name) :] == name for zone in zones)
