"""Routes as people write them: `NAME: TARGET`, a list of targets, or a mapping with options.

The routes file, `devdns add`, the API and routes.json share this reading. A line is read without knowing the zones;
`bind` makes it a route of a source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from devdns.core.errors import DevdnsError, NameRefused
from devdns.core.kinds import (
    CA_FILE,
    HEALTH_PATH,
    HOST_FIELD,
    RAW_HEALTH,
    RAW_PORT,
    SECONDS,
    SWITCH,
    TIMEOUT,
    Kind,
    Schema,
)
from devdns.core.names import Claim, Zones, parse_claim, parse_raw_claim
from devdns.core.routes import Options, Route, Target, parse_raw_target, parse_target, trusting
from devdns.core.written import Items, Node, Pairs, Problems, Scalar, below, fields, shown, stranger, written

#: What may stand beside `target` in the mapping form of a route.
OPTIONS: dict[str, Kind] = {
    "strip": SWITCH,
    "host": HOST_FIELD,
    "health": HEALTH_PATH,
    "hold": SECONDS,
    "timeout": TIMEOUT,
    "interval": TIMEOUT,
    "verify": SWITCH,
    "ca": CA_FILE,
    "redirect": SWITCH,
}
#: The same of a raw TCP name.
RAW_OPTIONS: dict[str, Kind] = {"port": RAW_PORT, "health": RAW_HEALTH, "hold": SECONDS, "interval": TIMEOUT}
NO_OPTIONS = Options()


class RouteLine(Struct, frozen=True, gc=False):
    """One route as written: the name, its line (0 when it comes from no file), where it goes and how; `port` is that of raw TCP, else 0."""

    name: str
    line: int
    targets: tuple[Target, ...]
    options: Options = NO_OPTIONS
    port: int = 0


class _Form(Struct, frozen=True):
    """How routes of one kind are written."""

    options: dict[str, Kind]
    target: Callable[[str], Target]

    @property
    def known(self) -> list[str]:
        return ["target", *self.options]


HTTP = _Form(OPTIONS, parse_target)
TCP = _Form(RAW_OPTIONS, parse_raw_target)


def read_line(name: str, value: object, port: int = 0) -> RouteLine:
    """A route from plain values, as JSON gives them; raises `ConfigRefused` with every problem (`target: ...`).

    `port` is that of a raw TCP name, 0 for HTTP.
    """
    problems, scalar = Problems(), Scalar(name, plain=False)
    if port:
        line = read_raw(scalar, written(value), "", problems, port)
    else:
        line = read_route(scalar, written(value), "", problems)
    problems.refuse()
    if line is None:
        raise AssertionError("a route without problems was read")
    return line


def read_route(name: Scalar, node: Node, path: str, problems: Problems) -> RouteLine | None:
    """A route from its node, or None after saying what is wrong with it."""
    read = _read(name, node, path, problems, HTTP)
    if read is None:
        return None
    targets, found = read
    if found.get("ca") and found.get("verify") is False:
        problems.add(name.line, path, "has a ca and verify: false - keep one of them")
    options = Options(**found) if found else NO_OPTIONS
    return RouteLine(name.text, name.line, trusting(targets, options), options)


def read_raw(name: Scalar, node: Node, path: str, problems: Problems, port: int = 0) -> RouteLine | None:
    """The same for a raw TCP name: its port is `port`, else the one it says, else that of its target."""
    read = _read(name, node, path, problems, TCP)
    if read is None:
        return None
    targets, found = read
    port = found.pop("port", 0) or port or targets[0].port
    if not port:
        problems.add(name.line, path, "has no port: a Unix socket names none - write {target: ..., port: 5432}")
        return None
    return RouteLine(name.text, name.line, targets, Options(**found) if found else NO_OPTIONS, port)


def _read(
    name: Scalar, node: Node, path: str, problems: Problems, form: _Form
) -> tuple[tuple[Target, ...], dict[str, Any]] | None:
    """The targets and options of a route, or None after saying what is wrong."""
    if not isinstance(node, Pairs):
        direct = _targets(node, path, problems, form)
        return (direct, {}) if direct else None
    found: dict[str, Any] = {}
    targets: tuple[Target, ...] | None = None
    for key, value in fields(node, path, problems):
        at = below(path, key.text)
        if key.text == "target":
            targets = _targets(value, at, problems, form)
        elif key.text in form.options:
            found |= _option(key.text, value, at, problems, form)
        else:
            problems.add(key.line, at, stranger(key.text, form.known))
    if targets is None:
        problems.add(name.line, path, "has no target")
    return (targets, found) if targets else None


def _option(key: str, node: Node, at: str, problems: Problems, form: _Form) -> dict[str, Any]:
    if not isinstance(node, Scalar):
        problems.add(node.line, at, f"{shown(node)} is not {form.options[key].name}")
    elif not node.is_null:
        try:
            return {key: form.options[key].read(node.text)}
        except DevdnsError as error:
            problems.add(node.line, at, error)
    return {}


def _targets(node: Node, at: str, problems: Problems, form: _Form) -> tuple[Target, ...]:
    """One target or a pool of them, each once; empty after saying what is wrong."""
    nodes = node.values if isinstance(node, Items) else [node]
    targets = []
    for each in nodes:
        if isinstance(each, Scalar) and not each.is_null:
            try:
                targets.append(form.target(each.text))
            except DevdnsError as error:
                problems.add(each.line, at, error)
        else:
            problems.add(each.line, at, "has no target" if isinstance(each, Scalar) else f"{shown(each)} is no target")
    if not nodes:
        problems.add(node.line, at, "has no target: the list is empty")
    return tuple(dict.fromkeys(targets))


def bind(line: RouteLine, claim: Claim, *, source: str, owner: str = "", origin: str = "") -> Route:
    """A line as the route of a source for its claim (`parse_claim` of its name)."""
    return Route(
        host=claim.host,
        prefix=claim.prefix,
        port=claim.port,
        targets=line.targets,
        source=source,
        owner=owner,
        origin=origin,
        options=line.options,
    )


def claims(lines: Iterable[RouteLine], zones: Zones, problems: Problems) -> dict[Claim, RouteLine]:
    """Each line under its claim; says names that are refused and lines that claim the same place."""
    found: dict[Claim, RouteLine] = {}
    for line in lines:
        at = below("tcp" if line.port else "routes", line.name)
        try:
            claim = parse_raw_claim(line.name, line.port, zones) if line.port else parse_claim(line.name, zones)
        except NameRefused as error:
            problems.add(line.line, at, error)
            continue
        if claim.prefix and any(target.scheme == "tls" for target in line.targets):
            problems.add(line.line, at, f"a tls target takes whole connections, not those for {claim.prefix} alone")
            continue
        first = found.setdefault(claim, line)
        if first is not line:
            problems.add(line.line, at, f"claims {claim} as line {first.line} does ({below('', first.name)})")
    return found


def schema() -> Schema:
    """The JSON Schema of the `routes` mapping."""
    return _schema("port, host:port, http(s)|h2c|tls://host:port, or unix:/path", HTTP)


def raw_schema() -> Schema:
    """The JSON Schema of the `tcp` mapping."""
    return _schema("port, host:port, tcp://host:port, or unix:/path", TCP)


def _schema(description: str, form: _Form) -> Schema:
    target: Schema = {
        "description": description,
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string", "minLength": 1}],
    }
    targets: Schema = {"anyOf": [target, {"type": "array", "items": target, "minItems": 1}]}
    options = {key: {"anyOf": [kind.schema, {"type": "null"}]} for key, kind in form.options.items()}
    mapping: Schema = {
        "type": "object",
        "properties": {"target": targets} | options,
        "required": ["target"],
        "additionalProperties": False,
    }
    return {"type": ["object", "null"], "additionalProperties": {"anyOf": [*targets["anyOf"], mapping]}}
