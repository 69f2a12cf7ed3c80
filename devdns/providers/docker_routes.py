"""From a container to its routes: which names it gets, which port, and in which state. Pure.

A port is never guessed: several without a label are a refusal with the list. What a container is not given, and why, is
a refusal too, a quiet one where nobody asked for a name.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from devdns.core.errors import DevdnsError
from devdns.core.names import Zones
from devdns.core.routes import Route, State, Target, parse_target, trusting
from devdns.core.sources import Refusal
from devdns.providers.docker_container import KEPT, LOCAL, Container, Ground, Reach
from devdns.providers.docker_events import paused, stopped
from devdns.providers.docker_labels import LABELS, ROUTE, Reading, Wish, origin, read, wishes_for

#: Docker's states of a container that keeps its names; in all others it is not there.
THERE = ("running", "paused", "restarting")
MAX_PORTS_SHOWN = 10
NAME_IT = f"add the label {LABELS[ROUTE].key}=NAME"


class Rules(Struct, frozen=True):
    """What holds for every container of one source."""

    zones: Zones
    source: str = "docker"
    default_names: bool = True
    ground: Ground = Ground()


class Plan(Struct, frozen=True):
    """What a container is to get: wishes, each with its port, and refusals."""

    wishes: tuple[Wish, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(wish.port for wish in self.wishes if wish.port))


def plan(container: Container, rules: Rules) -> Plan:
    """The names of a container, from its labels or by default, with the port of each."""
    reading = read(container.labels, container.name, rules.zones)
    if not reading.enabled:
        return Plan(refusals=reading.refusals or (_quiet(container, container.name, "label dev.enable is false"),))
    wished = Plan(reading.wishes, reading.refusals) if reading.named else _default(container, reading, rules)
    absent = _absence(container)
    if absent:
        hint = "" if container.one_off else f"docker start {container.name}"
        gone = tuple(_quiet(container, str(wish.claim), absent, hint) for wish in wished.wishes)
        return Plan(refusals=gone)
    settled = [_with_port(container, wish) for wish in wished.wishes]
    return Plan(
        tuple(each for each in settled if isinstance(each, Wish)),
        (*wished.refusals, *(each for each in settled if isinstance(each, Refusal))),
    )


def downfall(container: Container, before: Container | None) -> str:
    """Why a container is down that was up, in words; empty when it is up. `before` is what it was."""
    name = container.name
    if container.status == "restarting":
        return f"container {name} ended with exit code {container.exit_code} and is being restarted"
    if container.status == "paused":
        return paused(name)
    if container.status not in THERE:
        return stopped(name, container.exit_code if container.status == "exited" else "")
    left = before is not None and _has_network(before) and not _has_network(container)
    return f"container {name} is on no network now" if left else ""


def _has_network(container: Container) -> bool:
    return bool(container.addresses or container.published or container.host_network)


def _absence(container: Container) -> str:
    """Why the container is not there, empty when it is."""
    if container.one_off:
        return f"container {container.name} is a one-off run, no replica of service {container.service}"
    if container.status in THERE:
        return ""
    ended = f" (exit code {container.exit_code})" if container.status == "exited" else ""
    return f"container {container.name} is {container.status or 'gone'}{ended}"


def _quiet(container: Container, name: str, reason: str, hint: str = "") -> Refusal:
    return Refusal(f"container {container.name}", name, reason, hint, quiet=True)


def _with_port(container: Container, wish: Wish) -> Wish | Refusal:
    """The wish with the port it names or the only one there is."""
    if wish.port is not None:
        return wish
    if len(container.offered) == 1:
        return replace(wish, port=container.offered[0])
    key = wish.label.replace(LABELS[ROUTE].key, LABELS["port"].key, 1)
    offered = ", ".join(str(port) for port in container.offered[:MAX_PORTS_SHOWN])
    more = "..." if len(container.offered) > MAX_PORTS_SHOWN else ""
    reason = f"offers several TCP ports: {offered}{more}" if offered else "names no TCP port"
    example = container.offered[0] if offered else LABELS["port"].example
    where = origin(container.name, wish.label)
    return Refusal(where, str(wish.claim), f"container {container.name} {reason}", f"add the label {key}={example}")


def _default(container: Container, reading: Reading, rules: Rules) -> Plan:
    """`service.project` for a compose service with exactly one published TCP port, else why there is none."""
    name = f"{container.service}.{container.project}".replace("_", "-") if container.is_service else container.name
    why = _no_default(container, reading, rules)
    if not why:
        said = reading.plain if "tcp" in reading.plain else {"port": container.publishes[0], **reading.plain}
        try:
            wishes = wishes_for(KEPT[1], name, said, rules.zones)
        except DevdnsError as error:
            why = error.message
        else:
            return Plan(tuple(wishes), reading.refusals)
    if not reading.plain:
        return Plan(refusals=(*reading.refusals, _quiet(container, name, why, NAME_IT)))
    key = LABELS[min(reading.plain)].key
    reason = f"label {key} stands without {LABELS[ROUTE].key}, and {why}"
    return Plan(refusals=(*reading.refusals, Refusal(origin(container.name, key), name, reason, NAME_IT)))


def _no_default(container: Container, reading: Reading, rules: Rules) -> str:
    """Why a container without a name gets no default one; empty when it gets one."""
    if not container.is_service:
        return f"container {container.name} has no label {LABELS[ROUTE].key} and is no compose service"
    if not rules.default_names:
        return "docker.default_names is off"
    count = len(container.publishes)
    if count == 1 or "tcp" in reading.plain or (count and "port" in reading.plain):
        return ""
    published = f"publishes {count} TCP ports" if count else "publishes no TCP port"
    return f"service {container.service} {published}: a default name needs exactly one"


def routes(container: Container, planned: Plan, found: Mapping[int, Reach], rules: Rules) -> tuple[Route, ...]:
    """The routes of a container; `found` says how each port is reached, a port not in it is still being tried."""
    return tuple(_route(container, wish, found.get(wish.port or 0), rules) for wish in planned.wishes)


def _route(container: Container, wish: Wish, reach: Reach | None, rules: Rules) -> Route:
    """The wish as a route. Its target is where it is reached, or would be: none while the container is down."""
    state, reason = verdict(container, wish.port or 0, reach, rules.ground)
    host, port = (reach.host, reach.port) if reach and reach.host else (container.address, wish.port)
    targets: tuple[Target, ...] = ()
    try:
        if host:
            there = parse_target(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", wish.scheme)
            targets = trusting((there,), wish.options)
    except DevdnsError as error:
        state, reason = State.UNREACHABLE, error.message
    return Route(
        host=wish.claim.host,
        prefix=wish.claim.prefix,
        port=wish.claim.port,
        targets=targets,
        source=rules.source,
        owner=container.owner,
        origin=origin(container.name, wish.label),
        state=state,
        reason=reason,
        options=wish.options,
        relayed=bool(reach and reach.relayed),
    )


def verdict(container: Container, port: int, reach: Reach | None, ground: Ground) -> tuple[State, str]:
    """The state of one port of a container that is there, and the reason in words (empty when live)."""
    name = container.name
    if container.status == "restarting":
        return State.RESTARTING, f"container {name} ended with exit code {container.exit_code} and is being restarted"
    if container.status == "paused":
        return State.UNREACHABLE, paused(name)
    if container.health == "unhealthy":
        return State.UNHEALTHY, f"the health check of container {name} fails: docker inspect {name} shows its output"
    if container.health == "starting":
        return State.STARTING, f"the health check of container {name} has not passed yet"
    return _reached(container, port, reach, ground)


def _reached(container: Container, port: int, reach: Reach | None, ground: Ground) -> tuple[State, str]:
    if reach is None:
        return State.STARTING, f"looking for the way to port {port} of container {container.name}"
    if not reach.host:
        return State.UNREACHABLE, _publish(container, port, ground)
    if reach.open:
        return State.LIVE, ""
    if not reach.tired:
        return State.STARTING, f"nothing listens on port {port} of container {container.name} yet"
    mend = f"let it listen on 0.0.0.0:{port} inside the container, or name its port with the label {LABELS['port'].key}"
    publish = (
        "" if reach.published else f"; where this host has no route to {reach.host}, {_line(container, port, ground)}"
    )
    return State.UNREACHABLE, f"nothing listens on port {port} of container {container.name}: {mend}{publish}"


def _publish(container: Container, port: int, ground: Ground) -> str:
    """Why this host does not get there, with the line to add."""
    what = f"port {port} of container {container.name}"
    if container.published.get(port):
        return f"{what} is published, and does not answer at {ground.host}"
    if not container.address and not container.shares:
        return f"{what} is on no network with an address: run it with --network bridge"
    address, line = container.address or "an address", _line(container, port, ground)
    return f"this host does not route to {address} for {what}, which is not published: {line}"


def _line(container: Container, port: int, ground: Ground) -> str:
    """The line that publishes a port to this host."""
    place = f"127.0.0.1::{port}" if ground.host == LOCAL else f"{port}"
    if container.is_service:
        return f'add ports: ["{place}"] to service {container.service}'
    return f"add -p {place} to docker run"
