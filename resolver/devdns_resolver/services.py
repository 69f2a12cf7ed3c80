"""SRV and TXT of registered names (RFC 2782, RFC 6763 section 6): where HTTP clients go, and what stands behind."""

from __future__ import annotations

from devdns.core.routes import Route, RouteTable, Target
from devdns_resolver.codes import Type
from devdns_resolver.query import Question
from devdns_resolver.records import TTL, Record
from devdns_resolver.settings import Settings
from devdns_resolver.wirename import Labels, host_of, labels_of

SERVICE: Labels = (b"_http", b"_tcp")
MAX_STRING = 255


def service_records(question: Question, table: RouteTable, settings: Settings) -> tuple[Record, ...]:
    """The SRV or TXT records asked for; empty when the name is not registered."""
    name, owner = question.name, question.labels
    below = name[:2] == SERVICE
    host = host_of(name[2:] if below else name)
    if host is None:
        return ()
    if question.qtype == Type.TXT:
        return tuple(
            Record(owner, Type.TXT, TTL, (_strings(route),)) for route in (*registered(host, table), *table.raw(host))
        )
    if below and settings.http_port is not None and registered(host, table):
        # The proxy's port, not the target's: NAME resolves to the proxy's address.
        return (Record(owner, Type.SRV, TTL, (0, 0, settings.http_port, labels_of(host))),)
    return ()


def registered(host: str, table: RouteTable) -> tuple[Route, ...]:
    """The routes that serve `host`: its own, else those of the longest wildcard above it."""
    routes, parent = table.at(host), host
    while not routes and (parent := parent.partition(".")[2]):
        routes = table.at("*." + parent)
    return routes


def _strings(route: Route) -> tuple[bytes, ...]:
    """`key=value` strings of one route; paths of files and containers stay with `explain`."""
    place = ("tcp", str(route.port)) if route.port else ("path", route.prefix or "/")
    pairs = [place, ("state", str(route.state)), ("source", route.source.partition(":")[0])]
    return tuple(
        f"{key}={value}".encode("utf-8", "replace")[:MAX_STRING]
        for key, value in (*pairs, *(pair for target in route.targets for pair in _reached(target)))
    )


def _reached(target: Target) -> tuple[tuple[str, str], ...]:
    """A target and, unless it is a Unix socket, its port."""
    whole = ("target", str(target))
    return (whole,) if target.path else (whole, ("port", str(target.port)))
