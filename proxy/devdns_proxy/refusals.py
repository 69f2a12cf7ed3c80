"""The problems the proxy states itself, each with its reason and the line that mends it. Pure."""

from __future__ import annotations

import re
from itertools import islice
from urllib.parse import quote

from devdns.core.chaos import Chaos
from devdns.core.names import Zones, parse_authority
from devdns.core.routes import Route, RouteTable, State
from devdns.core.whence import whence
from devdns_proxy.fields import HeadRefused
from devdns_proxy.heads import Meaning
from devdns_proxy.problems import Problem

TITLES = {
    400: "Bad request",
    405: "Method refused",
    408: "The request took too long",
    414: "The request line is too long",
    417: "Expectation refused",
    431: "The request head is too long",
    505: "HTTP version refused",
}
HOST = re.compile(rb"(?im)^host:[ \t]*([^\r\n]*?)[ \t]*\r$")
#: What a target may hold (RFC 3986 appendix A), and the percent sign of what is encoded already.
SAFE = "%/?:@!$&'()*+,;=-._~"
#: Routes looked at for names to offer; how many are shown is the pages' business.
LISTED = 2_000


def refused_head(refused: HeadRefused) -> Problem:
    """A head that cannot be trusted: nothing of it is repeated."""
    return Problem(refused.status, TITLES.get(refused.status, "Bad request"), refused.reason)


def live_names(table: RouteTable) -> tuple[str, ...]:
    """Names worth offering, sorted; of a very large table only a part is looked at."""
    routes = islice(table, LISTED)
    live = (route for route in routes if route.state is State.LIVE and route.host[:1] != "*" and not route.port)
    return tuple(sorted(route.name for route in live))


def unknown_name(meaning: Meaning, path: str, table: RouteTable, live: tuple[str, ...], zones: Zones) -> Problem:
    """404: no route; `live` are the names of `table` worth offering. The page says what would add one; the hint here is for where that would not help."""
    host = meaning.host
    zone, there = zones.of(host), table.at(host)
    if zone is None:
        detail, hint = f"{host} is outside the zones of this devdns", f"its names end in {' or '.join(zones.names)}"
    elif there:
        prefixes = ", ".join(route.prefix for route in there)
        detail, hint = f"{host} has routes for some paths only", f"its paths are {prefixes}"
    elif table.at(f"*.{host}"):
        detail, hint = f"*.{host} covers the names below {host}, not {host} itself", f"devdns explain {host}"
    else:  # what stopped or was refused is known to control alone
        detail, hint = f"{host} is inside the zone {zone}, but no route has this name", f"devdns explain {host}"
    return Problem(404, f"No route for {host}", detail, hint, host=host, path=path, live=live)


def not_ready(meaning: Meaning, path: str) -> Problem:
    """503: this process has not heard from control yet."""
    return Problem(
        503, "devdns is starting", "The routes are not known yet.", host=meaning.host, path=path, retry_after=1
    )


def crowded(address: str) -> Problem:
    """503: this client has as many requests in hand as one may."""
    return Problem(
        503, "Too many connections", f"All connections that {address} may have are busy with requests.", retry_after=1
    )


def loop(meaning: Meaning, path: str) -> Problem:
    """508: the request has been here before."""
    return Problem(
        508,
        f"{meaning.host} leads back to devdns",
        "The target of this route is devdns itself, so the request would go round for ever.",
        f"devdns explain {meaning.host}",
        host=meaning.host,
        path=path,
    )


def down(route: Route, path: str, waited: float = 0.0) -> Problem:
    """503 or 502 for a route that is known and not live, with the provider's reason. `waited`: seconds that the request was held."""
    status = 502 if route.state is State.UNREACHABLE else 503
    return Problem(
        status,
        f"{route.name} is {route.state}",
        _sentence(route.reason or f"It {_origin(route)}") + _patience(waited),
        f"devdns explain {route.name}",
        host=route.host,
        path=path,
        retry_after=None if status == 502 else 1,
    )


def too_many(route: Route, path: str) -> Problem:
    """503: more requests than may be held at once wait already."""
    return Problem(
        503,
        "Too many requests wait",
        f"{route.name} is {route.state}, and as many requests as may wait for services do so.",
        f"devdns explain {route.name}",
        host=route.host,
        path=path,
        retry_after=1,
    )


def stopping(route: Route, path: str) -> Problem:
    """503: the proxy stops while the request is held."""
    reason = f"The request waited for {route.name}, which is {route.state}."
    return Problem(503, "devdns is stopping", reason, host=route.host, path=path, retry_after=1)


def redirected(meaning: Meaning, target: bytes, port: int) -> Problem:
    """308: the same request by TLS, at `port` of the host; `target` is in origin form, or `*`."""
    rest = target if target[:1] == b"/" else b"/"
    place = meaning.host if port == 443 else f"{meaning.host}:{port}"
    url = f"https://{place}{quote(rest, safe=SAFE)}"
    return Problem(308, "It is at https", f"This name is served at {url}", host=meaning.host, location=url)


def misdirected(meaning: Meaning, path: str, asked: str) -> Problem:
    """421: the connection was opened for another name; a client repeats the request on one of its own."""
    return Problem(
        421,
        "This connection is for another name",
        f"It was opened for {asked}, and {meaning.host} is served elsewhere.",
        host=meaning.host,
        path=path,
    )


def passed_through(route: Route, path: str) -> Problem:
    """502: a request without TLS, or on a connection that named nobody, for a service that speaks TLS with its clients itself."""
    detail = f"The service of {route.name} speaks TLS with its clients itself."
    return Problem(502, f"{route.name} takes only TLS", detail, f"write https://{route.host}/", route.host, path)


def not_tls(data: bytes, port: int) -> Problem:
    """400: plain HTTP, beginning with `data`, at the port where TLS is spoken. Only a host that reads as one is repeated."""
    found = HOST.search(data)
    parsed = parse_authority(found[1].decode("latin-1")) if found else None
    hint = f"https://{parsed[0]}{'' if port == 443 else f':{port}'}/" if parsed else ""
    return Problem(400, "This port speaks TLS", "The request came without it.", f"write {hint}" if hint else "")


def on_purpose(route: Route, path: str, chaos: Chaos) -> Problem:
    """503: a fault that was asked for."""
    return Problem(
        503,
        f"{route.name} fails on purpose",
        f"This fault was asked for: {chaos}. It ends by itself.",
        f"to end it now: devdns chaos {route.name} --off",
        host=route.host,
        path=path,
        retry_after=1,
    )


def unreachable(route: Route, path: str, reason: str, waited: float = 0.0, *, timed_out: bool) -> Problem:
    """502 or 504: a live route whose targets did not take the request."""
    return Problem(
        504 if timed_out else 502,
        f"{route.name} does not answer",
        f"{_sentence(reason)}{_patience(waited)} The route {_origin(route)}.",
        f"devdns explain {route.name}",
        host=route.host,
        path=path,
        retry_after=1,
    )


def _sentence(reason: str) -> str:
    """A reason with its full stop."""
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def _patience(waited: float) -> str:
    """How long the request was held, as one more sentence."""
    return f" The request waited {waited:.{0 if waited >= 10 else 1}f} s for it." if waited >= 0.05 else ""


def _origin(route: Route) -> str:
    """Who says so, as the end of a sentence."""
    if route.source == "manual":
        return f"was added with {route.origin}" if route.origin else "was added by hand"
    return f"comes from {whence(route.source, route.origin)}"
