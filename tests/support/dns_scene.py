"""The scene of the resolver's tests and of its README: two zones, a few routes, a proxy on both loopbacks."""

from __future__ import annotations

from devdns.core.config import Config, DnsConfig
from devdns.core.frames import VERSION, Hello, TableView
from devdns.core.routes import Route, RouteTable, State, parse_raw_target, parse_target

HTTP = (("127.0.0.1", 8080), ("::1", 8080))
GENERATION = 7


def route(name: str, *targets: str, source: str = "file:/home/me/devdns.yml", state: State = State.LIVE) -> Route:
    host, slash, prefix = name.partition("/")
    return Route(
        host=host,
        prefix=slash + prefix,
        targets=tuple(parse_target(target) for target in targets),
        source=source,
        state=state,
    )


def raw(name: str, target: str, address: str, source: str = "file:/home/me/devdns.yml", port: int = 5432) -> Route:
    """A raw TCP route."""
    state = State.LIVE if address else State.UNREACHABLE
    targets = (parse_raw_target(target),)
    return Route(host=name, port=port, address=address, targets=targets, source=source, state=state)


ROUTES = (
    route("api.dev.test", "5173"),
    route("api.dev.test/v2", "http://172.17.0.2:8000", source="docker", state=State.STARTING),
    route("pool.dev.test", "5001", "5002"),
    route("sock.dev.test", "unix:/run/app.sock", source="manual"),
    route("*.wild.dev.test", "7000"),
    route("cart.shop.test", "6000"),
    raw("db.dev.test", "172.17.0.3:5432", "127.77.3.9", source="docker"),
    raw("shut.dev.test", "15432", ""),
)


def table(*more: Route, generation: int = GENERATION) -> RouteTable:
    return RouteTable((*ROUTES, *more), generation=generation)


def hello(
    *,
    zones: tuple[str, ...] = ("dev.test", "shop.test"),
    allow: tuple[str, ...] = (),
    http: tuple[tuple[str, int], ...] = HTTP,
    forward: str | tuple[str, ...] = "off",
) -> Hello:
    return Hello(VERSION, "scene", Config(zones=zones, dns=DnsConfig(allow=allow, forward=forward)), http)


def view(**settings: object) -> TableView:
    return TableView(hello(**settings), table())  # type: ignore[arg-type]
