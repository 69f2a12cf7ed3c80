"""The JSON of the API: one function per shape, from the model's values to plain ones. Field names are the contract.

A whole table is told in pieces of at most 1,000 routes, so that 100,000 of them do not hold up a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from devdns.control.explain import Explanation
from devdns.control.rates import WINDOW, Rate
from devdns.control.sources import Source
from devdns.core.frames import SLICE
from devdns.core.routes import RAW, Change, Conflict, Route, RouteTable
from devdns.core.sightings import Trouble
from devdns.core.sources import Refusal
from devdns.core.whence import trouble, whence

VERSION = 1
#: Routes that are told in the order of their names; sorting more would hold up a change.
MOST_SORTED = 10_000
Json = dict[str, Any]


def text(value: Any) -> bytes:
    """One line of JSON."""
    return msgspec.json.encode(value)


def url(route: Route, port: int) -> str:
    """Where a browser, or a client of raw TCP, goes for this route; a wildcard stays one."""
    if route.port:
        return f"{RAW}://{route.name}"
    return f"http://{route.host}{'' if port == 80 else f':{port}'}{route.prefix}"


def route_shape(route: Route, port: int) -> Json:
    """A route, with the URL that leads to it."""
    return {
        "name": route.name,
        "url": url(route, port),
        "host": route.host,
        "prefix": route.prefix,
        "port": route.port,
        "address": route.address,
        "targets": [str(target) for target in route.targets],
        "source": route.source,
        "owner": route.owner,
        "origin": route.origin,
        "state": route.state.value,
        "reason": route.reason,
        "options": msgspec.to_builtins(route.options),
    }


def conflict_shape(conflict: Conflict) -> Json:
    """A claim that lost, beside the one that beat it."""
    return {"name": conflict.winner.name, "winner": _side(conflict.winner), "loser": _side(conflict.loser)}


def _side(route: Route) -> Json:
    return {"source": route.source, "origin": route.origin, "targets": [str(target) for target in route.targets]}


def refusal_shape(source: str, refusal: Refusal) -> Json:
    """Something a source names that cannot become a route."""
    return {"source": source, **msgspec.to_builtins(refusal)}


def source_shape(source: Source) -> Json:
    """How a source is, and how many routes it states."""
    return {
        "source": source.source,
        "state": source.state,
        "reason": source.reason,
        "hint": source.hint,
        "routes": source.routes,
    }


def trouble_shape(trouble: Trouble) -> Json:
    """A target that takes no connection, as the proxies see it."""
    return {
        "target": trouble.target,
        "breaker": "open" if trouble.open else "closed",
        "reason": trouble.reason,
        "since": trouble.since,
        "waiting": trouble.waiting,
    }


def change_shape(change: Change, port: int) -> Json:
    """A change: names that left, routes that came or changed."""
    return {
        "version": VERSION,
        "generation": change.generation,
        "removed": [str(claim) for claim in change.removed],
        "added": [route_shape(route, port) for route in change.added],
    }


def table_pieces(table: RouteTable, port: int, conflicts: Iterable[Conflict], refusals: list[Json]) -> Iterator[bytes]:
    """The body of `/routes`, in pieces that join to one line of JSON. Routes are sorted by name, but for a very large table."""
    yield b'{"version":%d,"generation":%d,"routes":[' % (VERSION, table.generation)
    routes = iter(sorted(table, key=lambda route: route.name) if len(table) <= MOST_SORTED else table)
    comma = b""
    while part := [route_shape(route, port) for route in islice(routes, SLICE)]:
        yield comma + text(part)[1:-1]
        comma = b","
    yield b'],"conflicts":' + text([conflict_shape(each) for each in conflicts])
    yield b',"refusals":' + text(refusals) + b"}"


def rates_shape(rates: Mapping[str, Rate]) -> Json:
    """Requests per second over the window, in all and by route, the busiest first."""
    rows = sorted(rates.items(), key=lambda row: (-row[1].requests, row[0]))
    return {
        "version": VERSION,
        "window": WINDOW,
        "requests": round(sum(rate.requests for rate in rates.values()), 3),
        "errors": round(sum(rate.errors for rate in rates.values()), 3),
        "routes": [{"name": name, "requests": rate.requests, "errors": rate.errors} for name, rate in rows],
    }


def explanation_shape(found: Explanation, port: int) -> Json:
    """The answer to why a name goes where it goes."""
    return {
        "version": VERSION,
        "name": found.question.name,
        "host": found.question.host,
        "path": found.question.path,
        "zone": found.zone,
        "verdict": found.verdict,
        "route": route_shape(found.route, port) if found.route else None,
        "checks": msgspec.to_builtins(found.checks),
        "beaten": [route_shape(route, port) for route in found.beaten],
        "refusals": [refusal_shape(source, each) for source, each in found.refusals],
        "seen": [trouble_shape(each) for each in found.seen],
        "hint": found.hint,
        "lines": list(found.lines),
    }


def problems(
    sources: Iterable[Json],
    processes: Iterable[Json],
    refusals: Iterable[tuple[str, Refusal]],
    conflicts: Iterable[Conflict],
) -> list[str]:
    """What a person should look at, one line each, the worst first."""
    lines = [f"process {each['name']} is {each['state']}" for each in processes if each["state"] != "running"]
    lines += [
        f"{trouble(each['source'], each['reason'])}{_mend(each['hint'])}"
        for each in sources
        if each["state"] == "degraded"
    ]
    lines += [
        f"{whence(source, each.origin)}: {each.name} refused: {each.reason}{_mend(each.hint)}"
        for source, each in refusals
        if not (each.quiet or each.pending)
    ]
    for conflict in conflicts:
        winner, loser = conflict.winner, conflict.loser
        beaten, by = whence(loser.source, loser.origin), whence(winner.source, winner.origin)
        lines.append(f"{winner.name}: {beaten} lost to {by}")
    return lines


def _mend(hint: str) -> str:
    return f" - {hint}" if hint else ""


def error_shape(error: str, detail: str, code: int) -> Json:
    """A refusal: a word for machines, a line for people, the status."""
    return {"error": error, "detail": detail, "code": code}
