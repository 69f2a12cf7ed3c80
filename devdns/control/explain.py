"""Why a name goes where it goes: a decision over the table and what is known around it. Asks nothing of the network.

`Question` is what was asked, `Facts` what control knows, `Check` what a connect to a target gave; out comes one `Explanation`.
"""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches
from itertools import islice
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from devdns.core.errors import NameRefused
from devdns.core.names import RESERVED_HOST, Claim, Zones, canonical, parse_authority, parse_claim
from devdns.core.routes import RAW, Route, RouteTable, State, reached_without
from devdns.core.sightings import Trouble
from devdns.core.sources import Refusal
from devdns.core.whence import trouble, whence

#: Hosts compared for a near name; more would take longer than a person waits for.
MOST_COMPARED = 500
#: `db:5432`, `tcp://db.dev.test:5432`: a place of raw TCP.
RAW_PLACE = re.compile(rf"(?:{RAW}://)?([^/:?]+):([0-9]{{1,5}})/?")


class Question(Struct, frozen=True):
    """A canonical host (perhaps `*.` in front) and a raw path, or a raw TCP port. `short` means the zone was added by us."""

    name: str
    host: str
    path: str = "/"
    short: bool = False
    port: int = 0


class Check(Struct, frozen=True):
    """What a connect to one target of the route gave; `ms` is how long it took, `mend` what helps besides naming another target."""

    target: str
    reachable: bool
    detail: str
    ms: float
    mend: str = ""


class Facts(Struct, frozen=True):
    """What is known besides the table: the claims that lost, refusals with their source, and each source's trouble.

    `seen` are the targets of the route that the proxies find closed, at the Unix time `now`; `faults` those on purpose, in words.
    """

    zones: Zones
    beaten: tuple[Route, ...] = ()
    refusals: tuple[tuple[str, Refusal], ...] = ()
    troubles: tuple[tuple[str, str], ...] = ()
    seen: tuple[Trouble, ...] = ()
    now: float = 0.0
    faults: str = ""


class Explanation(Struct, frozen=True):
    """The answer; `lines` say the same to people."""

    question: Question
    zone: str
    verdict: str
    route: Route | None = None
    checks: tuple[Check, ...] = ()
    beaten: tuple[Route, ...] = ()
    refusals: tuple[tuple[str, Refusal], ...] = ()
    seen: tuple[Trouble, ...] = ()
    hint: str = ""
    lines: tuple[str, ...] = ()


def parse_question(name: str, zones: Zones) -> Question:
    """A name as claimed (`api`, `api/v2`, `*.api`), a full name, or a URL; raises `NameRefused`."""
    if "://" in name and not name.strip().startswith(f"{RAW}://"):
        return _of_url(name)
    raw = RAW_PLACE.fullmatch(name.strip())
    if raw:
        return replace(parse_question(raw[1], zones), name=name, port=int(raw[2]))
    host, slash, rest = name.strip().partition("?")[0].partition("/")
    bare = host.removeprefix("*.")
    if bare == "*":
        raise NameRefused(f"name {name!r} stands for no name", "ask for a name such as api, or *.api")
    full = canonical(bare)
    short = not (zones.of(full) or bare.endswith(".") or _outside(full, zones))
    if short:
        full = canonical(f"{full}.{zones.first}")
    return Question(name, ("*." if bare != host else "") + full, slash + rest or "/", short)


def _of_url(url: str) -> Question:
    try:
        parts = urlsplit(url.strip())
    except ValueError as error:
        raise NameRefused(f"{url!r} is not a URL: {error}") from None
    found = parse_authority(parts.netloc.rpartition("@")[2])
    if found is None:
        raise NameRefused(f"{url!r} names no host", "write it like http://api.dev.test/v2")
    return Question(url, found[0], parts.path or "/")


def _outside(host: str, zones: Zones) -> bool:
    """True for what nobody means as a short name: localhost, and names that end like a zone (`api.test`)."""
    last = host.rpartition(".")[2]
    return last == RESERVED_HOST or ("." in host and last in {zone.rpartition(".")[2] for zone in zones.names})


def find(question: Question, table: RouteTable) -> Route | None:
    """The route that answers; a `*.` question means that very wildcard. A name that has none of HTTP may have one of raw TCP."""
    if question.port:
        return table.get(Claim(question.host, port=question.port))
    raw = table.raw(question.host)
    return table.lookup(question.host, question.path) or (raw[0] if raw and question.path == "/" else None)


def explain(question: Question, table: RouteTable, facts: Facts, checks: tuple[Check, ...] = ()) -> Explanation:
    """The whole answer for one question."""
    zone = facts.zones.of(question.host.removeprefix("*."))
    if zone is None:
        return _said(question, "", "outside", _outside_lines(question, facts.zones))
    if facts.zones.is_own(question.host):
        return _said(question, zone, "own", [f"{question.host} is devdns itself: its page and its API answer there"])
    refusals = tuple(each for each in facts.refusals if _means(each[1].name, question.host, facts.zones))
    route = find(question, table)
    if route is None:
        return _unknown(question, zone, table, facts, refusals)
    verdict = _verdict(route, checks)
    lines = [*_route_lines(question, route, verdict), *_check_lines(checks), *_seen_lines(facts)]
    lines += _raw_lines(question, route, table)
    if facts.faults:
        lines.append(f"it fails on purpose: {facts.faults} - devdns chaos {shlex.quote(route.name)} --off ends that")
    lines += _beaten_lines(facts.beaten)
    lines += [*_refusal_lines(refusals), *_trouble_lines(facts, route.source)]
    hint = _hint(verdict, route, facts.zones, checks)
    lines += [hint] if hint else []
    return Explanation(question, zone, verdict, route, checks, facts.beaten, refusals, facts.seen, hint, tuple(lines))


def _said(question: Question, zone: str, verdict: str, lines: list[str]) -> Explanation:
    return Explanation(question, zone, verdict, lines=tuple(lines))


def _outside_lines(question: Question, zones: Zones) -> list[str]:
    line = f"{question.host} is outside the zones of this devdns ({', '.join(zones.names)}): its answer comes from elsewhere"
    first = question.host.partition(".")[0]
    return [line, f"the name here would be {first}.{zones.first}"]


def _unknown(
    question: Question, zone: str, table: RouteTable, facts: Facts, refusals: tuple[tuple[str, Refusal], ...]
) -> Explanation:
    short = question.host.removesuffix("." + zone)
    mends = [each.hint for _, each in refusals if each.hint]
    hint = mends[0] if mends else f"devdns add {short} PORT   (or the label dev.route={short} on its container)"
    elsewhere = [route.name for route in table.at(question.host)]
    place = f"{question.host}:{question.port}" if question.port else question.host
    lines = [f"{place} is no place of raw TCP" if question.port else f"{place} resolves, but no route has this name"]
    if elsewhere:
        lines = [f"{question.host} has routes, but none for the path {question.path}: {', '.join(elsewhere)}"]
    lines += [*_spelling_lines(question), *_refusal_lines(refusals)]
    if table.raw(question.host):
        lines.append(f"raw TCP under this name: {', '.join(each.name for each in table.raw(question.host))}")
    near = near_name(question.host, zone, table)
    if near and not elsewhere:
        lines.append(f"a near name that exists: {near}")
    lines += _elsewhere_lines(question, facts.zones, table)
    parent = question.host.partition(".")[2]
    if table.at(parent):
        lines.append(f"{parent} exists and does not cover names below it; the wildcard *.{parent} would")
    if table.at(f"*.{question.host}"):
        lines.append(f"*.{question.host} covers the names below it, not {question.host} itself")
    lines += [f"it may be missing because a source is degraded: {trouble(*each)}" for each in facts.troubles]
    lines += [] if mends else [f"to add it: {hint}"]
    return Explanation(question, zone, "unknown", refusals=refusals, hint=hint, lines=tuple(lines))


def _elsewhere_lines(question: Question, zones: Zones, table: RouteTable) -> list[str]:
    """For a name that we completed: the same one in our other zones, and a zone that was perhaps mistyped."""
    if not question.short:
        return []
    bare = question.host.removesuffix("." + zones.first)
    lines = [f"{bare}.{zone} exists" for zone in zones.names[1:] if table.at(f"{bare}.{zone}")]
    for zone in zones.names:
        parts = bare.rsplit(".", zone.count(".") + 1)
        typed = ".".join(parts[1:])
        if parts[0] != bare and len(parts) == zone.count(".") + 2 and get_close_matches(typed, [zone], 1, 0.7):
            lines.append(f"did you mean {parts[0]}.{zone}? the zone here is {zone}, not {typed}")
    return lines


def near_name(host: str, zone: str, table: RouteTable) -> str:
    """The registered host most like this one (the zone, which they share, counts for nothing), or empty."""
    names = [each.removesuffix("." + zone) for each in islice(table.hosts(), MOST_COMPARED) if each.endswith(zone)]
    near = get_close_matches(host.removesuffix("." + zone), names, 1, 0.7)
    return f"{near[0]}.{zone}" if near else ""


def _means(name: str, host: str, zones: Zones) -> bool:
    """True when a refused name, as written, would have been this host."""
    try:
        return parse_claim(name, zones).host == host
    except NameRefused:
        return name.partition("/")[0].rstrip(".").lower() in (host, host.partition(".")[0])


def _verdict(route: Route, checks: tuple[Check, ...]) -> str:
    if route.state is State.LIVE and checks and not any(check.reachable for check in checks):
        return State.UNREACHABLE.value
    return route.state.value


def _hint(verdict: str, route: Route, zones: Zones, checks: tuple[Check, ...]) -> str:
    if verdict != State.UNREACHABLE or route.state is not State.LIVE:
        return ""
    start = next((each.mend for each in checks if each.mend), "start the service")
    if route.source == "manual":
        name = route.name.replace("." + zones.first, "", 1)
        return f"{start}, or mend it with devdns add {shlex.quote(name)} TARGET"
    return f"{start}, or mend its target at {whence(route.source, route.origin)}"


def _route_lines(question: Question, route: Route, verdict: str) -> list[str]:
    targets = ", ".join(str(target) for target in route.targets) or "nowhere"
    state = verdict + (f" ({route.reason})" if route.reason else "")
    lines = [f"{route.name} -> {targets}: {state}", f"from {whence(route.source, route.origin)}"]
    lines += _spelling_lines(question)
    if route.host != question.host:
        lines.append(f"{question.host} is covered by the wildcard {route.host}")
    return lines


def _raw_lines(question: Question, route: Route, table: RouteTable) -> list[str]:
    """Where raw TCP is spoken, what containers are told, and the other ports of the name."""
    lines = []
    if route.port and route.address:
        lines.append(
            f"clients on this machine reach it at {route.address}:{route.port}, the address of {route.host} alone"
        )
        lines.append(raw_horizon(route))
    others = [each.name for each in table.raw(question.host) if each is not route]
    return lines + ([f"raw TCP under the same name: {', '.join(others)}"] if others else [])


def raw_horizon(route: Route) -> str:
    """What a container gets that asks for this name: our address means nothing to it, and the gateway has no port of its own for each name."""
    own = ", ".join(reached_without(route))
    if own:
        return f"containers on the same network get {own}, the container's own address; others get no address"
    return "containers get no address for it: it is reached from this machine only"


def _spelling_lines(question: Question) -> list[str]:
    """What a name in other letters is on the wire."""
    return [] if question.name.isascii() else [f"{question.name} is {question.host} in DNS and in URLs"]


def _check_lines(checks: tuple[Check, ...]) -> list[str]:
    return [
        f"{each.target} {'is reachable' if each.reachable else 'is not reachable'}: {each.detail}" for each in checks
    ]


def _seen_lines(facts: Facts) -> list[str]:
    """What the proxies do about targets that take no connection."""
    return [
        f"the proxy could not reach it for {max(0, facts.now - each.since):.0f} s: {each.reason}; "
        + ("its circuit breaker is open: requests fail at once" if each.open else f"requests that wait: {each.waiting}")
        for each in facts.seen
    ]


def _beaten_lines(beaten: tuple[Route, ...]) -> list[str]:
    return [f"it beat a claim from {whence(route.source, route.origin or route.owner)}" for route in beaten]


def _refusal_lines(refusals: tuple[tuple[str, Refusal], ...]) -> list[str]:
    return [
        f"refused from {whence(source, each.origin)}: {each.reason}" + (f" - {each.hint}" if each.hint else "")
        for source, each in refusals
    ]


def _trouble_lines(facts: Facts, source: str) -> list[str]:
    return [
        f"its source is degraded, and its last routes are kept: {trouble(name, reason)}"
        for name, reason in facts.troubles
        if name == source
    ]
