"""Which names one leaf is for. Pure.

Clients take a wildcard for one label only, and none below a top-level domain: OpenSSL, Chromium and Firefox refuse `*.test`.
"""

from __future__ import annotations

from devdns.core.errors import NameRefused
from devdns.core.names import Zones, canonical


def names_for(host: str, zones: Zones) -> tuple[str, ...]:
    """The names of the leaf for a canonical host in a zone: its parent and all beside it, or itself where no wildcard is taken."""
    parent = host if host in zones.names else host.partition(".")[2]
    return (parent, f"*.{parent}") if "." in parent else (host,)


def names_of_route(host: str, zones: Zones) -> tuple[str, ...]:
    """The names of the leaf for a route's host, which may be a wildcard."""
    return names_for(host.replace("*", "any", 1), zones) if host.startswith("*.") else names_for(host, zones)


def checked(name: str, zones: Zones) -> str:
    """A name that the proxy was asked for, canonical; raises `NameRefused` for one that no leaf is for."""
    host = canonical(name)
    if zones.of(host) is None:
        raise NameRefused(f"name {name[:80]!r} is in no zone of this devdns")
    return host
