"""Routes and the immutable table of them that readers take once per request.

A `Route` binds a claim (host and path prefix) to a pool of targets. `RouteTable` answers look-ups: exact host, then the
longest wildcard, then the longest path prefix by whole segments. A table never changes; `apply` makes the next one and
copies one shard of it, so that a change among 100,000 routes costs microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from msgspec import Struct
from msgspec.structs import replace

from devdns.core.errors import TargetRefused
from devdns.core.names import Claim, canonical

SHARDS = 256
SCHEMES = ("http", "https", "h2c", "tls")
#: The scheme of targets of raw TCP names: bytes are passed on as they come.
RAW = "tcp"
TARGET = re.compile(
    r"(?:(?P<scheme>[a-z0-9]+)://)?(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+):)?(?P<port>[0-9]{1,5})/?"
)
NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
BROADCAST = IPv4Address("255.255.255.255")
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
DEFAULT_PORTS = {"http": 80, "https": 443, "h2c": 80, "tls": 443}


class State(StrEnum):
    """What a route can do now; only `live` takes traffic at once."""

    LIVE = "live"
    STARTING = "starting"
    RESTARTING = "restarting"
    UNHEALTHY = "unhealthy"
    UNREACHABLE = "unreachable"


#: From what takes traffic, by what will soon, to what needs a hand.
BEST = {state: place for place, state in enumerate(State)}


class Target(Struct, frozen=True, gc=False, order=True):
    """Where requests go: an address and a port, or the path of a Unix socket (then `host` is empty and `port` 0).

    `trust` says how the certificate of an https one is checked (`Options.trust`). It is part of what a target is, because a
    connection that one route trusts must not carry the requests of another that would not.
    """

    host: str
    port: int
    scheme: str = "http"
    path: str = ""
    trust: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_target(text: str | int, scheme: str | None = None) -> Target:
    """`5173`, `host:port`, `http(s)|h2c|tls://host:port`, `unix:/path`; raises `TargetRefused`. A bare port is 127.0.0.1's."""
    raw = str(text).strip()
    if raw.startswith("unix:"):
        path = raw.removeprefix("unix:")
        if not path.startswith("/") or not path.isprintable():
            raise TargetRefused(
                f"target {raw!r}: a Unix socket needs an absolute path", "write it like unix:/run/app.sock"
            )
        return Target("", 0, scheme or "http", path)
    place, slash, path = raw.partition("://")[2].partition("/")
    if place and path:
        raise TargetRefused(f"target {str(text)!r} holds a path", f"leave out {slash + path!r}")
    found = TARGET.fullmatch(_with_port(raw, scheme) if place else raw)
    if not found:
        raise TargetRefused(
            f"target {str(text)!r} is not a port, host:port, URL or unix:/path", "write it like 5173 or 127.0.0.1:5173"
        )
    port, named = int(found["port"]), found["scheme"] or scheme or "http"
    if named not in SCHEMES and not named == scheme == RAW:
        hint = "write it below tcp:, or give devdns add its --tcp PORT" if named == RAW else ""
        raise TargetRefused(f"target {str(text)!r}: scheme {named!r} is not one of {', '.join(SCHEMES)}", hint)
    if not 0 < port < 65536:
        raise TargetRefused(f"target {str(text)!r}: port {port} is not between 1 and 65535")
    return Target(_target_host(found["host"] or "127.0.0.1", str(text)), port, named)


def _with_port(url: str, scheme: str | None) -> str:
    """The URL with the port of its scheme where it names none; raises `TargetRefused` for raw TCP, which has none of its own."""
    if re.search(r":[0-9]+/?$", url):
        return url
    named = url.partition("://")[0]
    if named == scheme == RAW:
        raise TargetRefused(f"target {url!r} names no port", f"write it like {url.rstrip('/')}:5432")
    return f"{url.rstrip('/')}:{DEFAULT_PORTS.get(named, 0)}"


def parse_raw_target(text: str | int) -> Target:
    """`5432`, `host:port`, `tcp://host:port`, `unix:/path`: where raw TCP goes; raises `TargetRefused`."""
    raw = str(text).strip()
    if "://" in raw and not raw.startswith(f"{RAW}://"):
        raise TargetRefused(f"target {raw!r} is not raw TCP", "write it like 5432, 10.0.0.5:5432 or unix:/run/app.sock")
    return parse_target(raw, RAW)


def _target_host(host: str, text: str) -> str:
    """The address or name; what leads to link-local, multicast or unspecified addresses is refused (SSRF)."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        name = canonical(host)
        if NUMERIC.fullmatch(name.rpartition(".")[2]):  # `127.1` and `0x7f.1` are addresses to some resolvers
            raise TargetRefused(f"target {text!r}: {host!r} is neither an address nor a name") from None
        return name
    if forbidden(address):
        raise TargetRefused(
            f"target {text!r}: {address} is not the address of a service", "use 127.0.0.1 for this machine"
        )
    return str(address)


def forbidden(address: IPv4Address | IPv6Address) -> bool:
    """Addresses no route may lead to, also when a name resolves to one: metadata services live on link-local ones.

    What a gateway would make of an IPv6 address counts as well (RFC 6052, RFC 8215, RFC 3056).
    """
    if isinstance(address, IPv6Address):
        address = _inner(address) or address
    return address.is_link_local or address.is_unspecified or address.is_multicast or address == BROADCAST


#: Certificates are checked wherever the service is, or nowhere.
ALWAYS, NEVER = "always", "never"


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside one of IPv6."""
    if any(address in network for network in NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


class Options(Struct, frozen=True, gc=False):
    """How a route treats requests. Times in seconds; None means the default of the proxy, and of control for the probes.

    `verify` says whether the certificate of an https target is checked, `ca` is the absolute path of the CAs that may have
    signed it, in place of the system's; the default is to check it everywhere but on loopback.
    `redirect`: who comes without TLS is sent to https.
    `health` is the path that is probed, or `tcp` for a mere connect, `interval` how often while it is well.
    """

    strip: bool = False
    host: str | None = None
    health: str | None = None
    hold: float | None = None
    timeout: float | None = None
    interval: float | None = None
    verify: bool | None = None
    ca: str | None = None
    redirect: bool = False

    @property
    def trust(self) -> str:
        """How certificates are checked: the path of a CA file, `ALWAYS`, `NEVER`, or empty for the default."""
        return self.ca or {None: "", True: ALWAYS, False: NEVER}[self.verify]


def trusting(targets: Iterable[Target], options: Options) -> tuple[Target, ...]:
    """The targets of a route with these options: the https ones know how their certificate is checked."""
    trust = options.trust
    return tuple(replace(each, trust=trust) if trust and each.scheme == "https" else each for each in targets)


class Route(Struct, frozen=True, gc=False, kw_only=True):
    """One claim of one owner in one source.

    `source` is its provider (`manual`, `file:/path`, `docker`, `mdns`, ...), `owner` who claims inside that source (equal
    owners of one claim form a pool), `origin` where a person finds it (`devdns.yml:12`, `container shop-api-1, label dev.route`).
    `relayed`: its targets are ports of a relay that takes connections whether or not the service runs, and reads nothing while it does not.
    `port` is that of a raw TCP route, 0 for one of HTTP; `address` is the loopback address that its name has for itself, empty while
    nobody can connect there.
    """

    host: str
    prefix: str = ""
    port: int = 0
    address: str = ""
    targets: tuple[Target, ...]
    source: str
    owner: str = ""
    origin: str = ""
    state: State = State.LIVE
    reason: str = ""
    options: Options = Options()
    relayed: bool = False

    @property
    def claim(self) -> Claim:
        return Claim(self.host, self.prefix, self.port)

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host + self.prefix


def reached_without(route: Route) -> tuple[str, ...]:
    """The IPv4 addresses at which a raw TCP service listens on the very port of its name: who has a way there needs no relay."""
    hosts = (target.host for target in route.targets if target.port == route.port)
    return tuple(host for host in hosts if _is_own(host))


def _is_own(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback


def pool(routes: Iterable[Route]) -> Route:
    """Routes of one owner for one claim as a single one: the targets of those in the best state that any of them has.

    So a replica that starts or restarts takes nothing from those that are live, and one that was given up on nothing from these.
    """
    every = list(routes)
    best = min((route.state for route in every), key=BEST.__getitem__)
    chosen = [route for route in every if route.state is best]
    targets = tuple(dict.fromkeys(target for route in chosen for target in route.targets))
    relayed = all(route.relayed for route in chosen)
    return chosen[0] if len(every) == 1 else replace(chosen[0], targets=targets, relayed=relayed)


class Conflict(Struct, frozen=True, gc=False):
    """A claim that lost: kept as data and shown, never merged."""

    winner: Route
    loser: Route


class Change(Struct, frozen=True, tag="change"):
    """From one generation of the table to the next: claims that left, routes that came or changed."""

    generation: int
    removed: tuple[Claim, ...] = ()
    added: tuple[Route, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)

    def hosts(self) -> frozenset[str]:
        """The hosts whose routes are other ones after it."""
        return frozenset((*(claim.host for claim in self.removed), *(route.host for route in self.added)))


Shards = tuple[dict[str, tuple[Route, ...]], ...]


class RouteTable:
    """An immutable index of routes. `len` and iteration are over routes; `hosts` lists the hosts.

    Those of raw TCP lie in a shard of their own: no look-up of HTTP meets one.
    """

    __slots__ = ("_raw", "_shards", "_wildcards", "generation")

    def __init__(
        self,
        routes: Iterable[Route] = (),
        generation: int = 0,
        *,
        shards: Shards | None = None,
        wildcards: int = 0,
        raw: dict[str, tuple[Route, ...]] | None = None,
    ) -> None:
        self.generation = generation
        self._shards = shards or tuple({} for _ in range(SHARDS))
        self._wildcards = wildcards
        self._raw = raw if raw is not None else {}
        self.extend(routes)

    def extend(self, routes: Iterable[Route]) -> None:
        """Fills a table that nobody reads yet, part by part; once handed out a table never changes."""
        for route in routes:
            new = _put(self._raw if route.port else self._shards[hash(route.host) % SHARDS], route)
            self._wildcards += new and route.host.startswith("*.")

    def lookup(self, host: str, path: str = "/") -> Route | None:
        """The route for a canonical host and a raw path (no query), or None."""
        found = _longest(self.at(host), path)
        if found is not None or not self._wildcards:
            return found
        parent = host
        while parent := parent.partition(".")[2]:
            found = _longest(self.at("*." + parent), path)
            if found is not None:
                return found
        return None

    def at(self, host: str) -> tuple[Route, ...]:
        """The routes of exactly this host (which may be a `*.` one), longest prefix first."""
        return self._shards[hash(host) % SHARDS].get(host, ())

    def raw(self, host: str) -> tuple[Route, ...]:
        """The raw TCP routes of a canonical host."""
        return self._raw.get(host, ())

    def every_raw(self) -> Iterator[Route]:
        """All raw TCP routes."""
        for routes in self._raw.values():
            yield from routes

    def get(self, claim: Claim) -> Route | None:
        there = self.raw(claim.host) if claim.port else self.at(claim.host)
        return next((route for route in there if (route.prefix, route.port) == (claim.prefix, claim.port)), None)

    def hosts(self) -> Iterator[str]:
        """Each host once."""
        for shard in self._shards:
            yield from shard
        yield from (host for host in self._raw if not self.at(host))

    def apply(self, change: Change) -> RouteTable:
        """The next table. Shards that the change does not touch are shared with this one."""
        shards, copied = list(self._shards), set[int]()
        wildcards, raw = self._wildcards, self._raw
        if any(claim.port for claim in change.removed) or any(route.port for route in change.added):
            raw = dict(raw)

        def shard(place: Claim | Route) -> dict[str, tuple[Route, ...]]:
            if place.port:
                return raw
            host = place.host
            index = hash(host) % SHARDS
            if index not in copied:
                shards[index] = dict(shards[index])
                copied.add(index)
            return shards[index]

        for claim in change.removed:
            wildcards -= _drop(shard(claim), claim) and claim.host.startswith("*.")
        for route in change.added:
            wildcards += _put(shard(route), route) and route.host.startswith("*.")
        return RouteTable(generation=change.generation, shards=tuple(shards), wildcards=wildcards, raw=raw)

    def __iter__(self) -> Iterator[Route]:
        for shard in (*self._shards, self._raw):
            for routes in shard.values():
                yield from routes

    def __len__(self) -> int:
        return sum(len(routes) for shard in (*self._shards, self._raw) for routes in shard.values())

    def __repr__(self) -> str:
        return f"<RouteTable generation {self.generation}, {len(self)} routes>"


def _longest(routes: tuple[Route, ...], path: str) -> Route | None:
    for route in routes:
        prefix = route.prefix
        if not prefix or (path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/")):
            return route
    return None


def _put(shard: dict[str, tuple[Route, ...]], route: Route) -> bool:
    """Adds or replaces one route; True when its host is new."""
    there = shard.get(route.host, ())
    others = [other for other in there if (other.prefix, other.port) != (route.prefix, route.port)]
    shard[route.host] = tuple(sorted([*others, route], key=lambda each: (-len(each.prefix), each.port)))
    return not there


def _drop(shard: dict[str, tuple[Route, ...]], claim: Claim) -> bool:
    """Removes one route; True when its host is gone."""
    there = shard.get(claim.host, ())
    left = tuple(route for route in there if (route.prefix, route.port) != (claim.prefix, claim.port))
    if left:
        shard[claim.host] = left
    else:
        shard.pop(claim.host, None)
    return bool(there) and not left
