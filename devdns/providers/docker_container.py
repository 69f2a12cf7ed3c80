"""A container as devdns sees it: the few facts kept from what the Engine says of it, and nothing else.

Decoding is total in shape (what is missing or null is empty) and drops what is not asked for; environment values never
get past it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.core.written import clipped
from devdns.providers.docker_labels import ALMOST, PREFIX

COMPOSE = "com.docker.compose."
KEPT = tuple(COMPOSE + name for name in ("project", "service", "oneoff"))
TCP = re.compile(r"([0-9]{1,5})(?:/tcp)?")
NEVER = "0001-"
#: What Docker and Compose let a name be; anything else in its place was put there by hand, and could confuse a terminal.
WORD = re.compile(r"[A-Za-z0-9_.-]{1,255}")
LOCAL = "127.0.0.1"
HOST_NETWORK = "host"
SHARED = "container:"


class ContainerRefused(DevdnsError):
    """The Engine described a container in a way that cannot be read."""


class Published(Struct, frozen=True, rename="pascal"):
    """Where a port is published: an address of the engine's machine (empty or unspecified: every one) and a port."""

    host_ip: str = ""
    host_port: str = ""


class Container(Struct, frozen=True, kw_only=True):
    """`offered` are its TCP ports (exposed or published), `addresses` its own by network name; `started` orders by age.

    `publishes` are the ports meant to be published, `published` where they are now (nowhere while it is down). `shares` is the id of the
    container whose network it uses (`--network container:ID`).
    """

    id: str
    name: str
    status: str
    health: str = ""
    exit_code: int = 0
    started: str = ""
    labels: Mapping[str, str] = {}
    offered: tuple[int, ...] = ()
    publishes: tuple[int, ...] = ()
    published: Mapping[int, tuple[Published, ...]] = {}
    addresses: tuple[str, ...] = ()
    host_network: bool = False
    shares: str = ""

    @property
    def project(self) -> str:
        return self.labels.get(KEPT[0], "")

    @property
    def service(self) -> str:
        return self.labels.get(KEPT[1], "")

    @property
    def is_service(self) -> bool:
        return bool(self.project and self.service)

    @property
    def address(self) -> str:
        """Its first own address, empty while it has none."""
        return self.addresses[0] if self.addresses else ""

    @property
    def one_off(self) -> bool:
        """True for `docker compose run`: it bears the labels of the service and is no replica of it."""
        return self.labels.get(KEPT[2], "").lower() == "true"

    @property
    def owner(self) -> str:
        """Who claims: the compose service (its replicas are a pool, its recreation keeps the claim), else the name."""
        return f"{self.project}/{self.service}" if self.is_service else self.name


class Reach(Struct, frozen=True):
    """How this host gets to one port of a container; `host` is empty when it does not.

    `open` says whether somebody listens there, `tired` that nobody has for long, `relayed` that docker-proxy stands between.
    """

    host: str = ""
    port: int = 0
    open: bool = False
    published: bool = False
    tired: bool = False
    relayed: bool = False


NOWHERE = Reach()


class Ground(Struct, frozen=True):
    """The engine's machine: the address of its published ports, and whether containers' own addresses mean anything here.

    They do not for an engine elsewhere or without privileges: 172.17.0.2 there may be another engine's container here.
    """

    host: str = LOCAL
    routed: bool = True


class _Health(Struct, rename="pascal"):
    status: str = ""


class _State(Struct, rename="pascal"):
    status: str = ""
    exit_code: int = 0
    started_at: str = ""
    health: _Health | None = None


class _Config(Struct, rename="pascal"):
    labels: dict[str, str] | None = None
    exposed_ports: dict[str, Any] | None = None


class _HostConfig(Struct, rename="pascal"):
    network_mode: str = ""
    port_bindings: dict[str, Any] | None = None


class _Endpoint(Struct, rename={"address": "IPAddress", "address6": "GlobalIPv6Address"}):
    address: str = ""
    address6: str = ""


class _NetworkSettings(Struct, rename="pascal"):
    ports: dict[str, list[Published] | None] | None = None
    networks: dict[str, _Endpoint | None] | None = None


class _Inspection(Struct, rename="pascal"):
    id: str
    name: str
    state: _State = msgspec.field(default_factory=_State)
    config: _Config = msgspec.field(default_factory=_Config)
    host_config: _HostConfig = msgspec.field(default_factory=_HostConfig)
    network_settings: _NetworkSettings = msgspec.field(default_factory=_NetworkSettings)


def parse(inspection: Mapping[str, Any]) -> Container:
    """What `GET /containers/ID/json` says, as a `Container`; raises `ContainerRefused` when it is not one."""
    try:
        seen = msgspec.convert(inspection, _Inspection)
    except msgspec.ValidationError as error:
        raise ContainerRefused(
            f"the Engine's description of a container cannot be read: {clipped(str(error))}"
        ) from None
    name = seen.name.removeprefix("/")
    ports = _tcp(seen.network_settings.ports or {})
    published = {port: tuple(places) for port, places in ports.items() if places}
    bound = _tcp(seen.host_config.port_bindings or {})
    mode = seen.host_config.network_mode
    return Container(
        id=seen.id,
        name=name if WORD.fullmatch(name) else clipped(repr(name)),
        status=seen.state.status,
        health=seen.state.health.status if seen.state.health else "",
        exit_code=seen.state.exit_code,
        started=_age(seen.state.started_at),
        labels={key: value for key, value in (seen.config.labels or {}).items() if _is_kept(key, value)},
        offered=tuple(sorted({*ports, *_tcp(seen.config.exposed_ports or {})})),
        publishes=tuple(sorted({*published, *bound})),
        published=published,
        addresses=_addresses(seen.network_settings.networks or {}),
        host_network=mode == HOST_NETWORK,
        shares=mode.removeprefix(SHARED) if mode.startswith(SHARED) else "",
    )


def _is_kept(key: str, value: str) -> bool:
    if key in KEPT:
        return WORD.fullmatch(value) is not None
    return key.startswith(PREFIX) or ALMOST.fullmatch(key) is not None


def _tcp(ports: Mapping[str, Any]) -> dict[int, Any]:
    """`{"80/tcp": x, "53/udp": y}` as `{80: x}`."""
    found = ((TCP.fullmatch(key), value) for key, value in ports.items())
    return {int(match[1]): value for match, value in found if match}


def _addresses(networks: Mapping[str, _Endpoint | None]) -> tuple[str, ...]:
    """Its own addresses, in the order of the networks' names; IPv4 before IPv6 in each."""
    ends = [end for _, end in sorted(networks.items()) if end]
    return tuple(address for end in ends for address in (end.address, end.address6) if address)


def _age(started: str) -> str:
    """A text that sorts as the time does: without the Z, a fraction that was cut short is still the smaller one."""
    return "" if started.startswith(NEVER) else started.removesuffix("Z")


def is_stale(container: Container, summary: Mapping[str, Any]) -> bool:
    """True when a line of `GET /containers/json` shows that `container` is not what it was."""
    networks = (summary.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = {str(end.get("IPAddress", "")) for end in networks.values() if end} - {""}
    health = _health_of(str(summary.get("Status", "")))
    names = [str(name).removeprefix("/") for name in summary.get("Names") or []]
    return (
        summary.get("State") != container.status
        or container.name not in names
        or health != container.health.replace("none", "")
        or not addresses <= set(container.addresses)
    )


def _health_of(status: str) -> str:
    """`Up 2 minutes (healthy)` as `healthy`; empty without a health check."""
    for health in ("unhealthy", "healthy", "starting"):
        if status.endswith((f"({health})", f"(health: {health})")):
            return health
    return ""
