"""Routes as people write them: `NAME: TARGET`, a list of targets, or a mapping with options.

The routes file, `devdns add`, the API and routes.json share this reading. A line is read without knowing the zones;
`bind` makes it a route of a source.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from devdns.core.errors import DevdnsError, NameRefused
from devdns.core.kinds import CA_FILE, HEALTH_PATH, HOST_FIELD, SECONDS, SWITCH, TIMEOUT, Kind, Schema
from devdns.core.names import Claim, Zones, parse_claim
from devdns.core.routes import Options, Route, Target, parse_target, trusting
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
KNOWN = ["target", *OPTIONS]
NO_OPTIONS = Options()


class RouteLine(Struct, frozen=True, gc=False):
    """One route as written: the name, its line (0 when it comes from no file), where it goes and how."""

    name: str
    line: int
    targets: tuple[Target, ...]
    options: Options = NO_OPTIONS


def read_line(name: str, value: object) -> RouteLine:
    """A route from plain values, as JSON gives them; raises `ConfigRefused` with every problem (`target: ...`)."""
    problems = Problems()
    line = read_route(Scalar(name, plain=False), written(value), "", problems)
    problems.refuse()
    if line is None:
        raise AssertionError("a route without problems was read")
    return line


def read_route(name: Scalar, node: Node, path: str, problems: Problems) -> RouteLine | None:
    """A route from its node, or None after saying what is wrong with it."""
    if not isinstance(node, Pairs):
        direct = _targets(node, path, problems)
        return RouteLine(name.text, name.line, direct) if direct else None
    found: dict[str, Any] = {}
    targets: tuple[Target, ...] | None = None
    for key, value in fields(node, path, problems):
        at = below(path, key.text)
        if key.text == "target":
            targets = _targets(value, at, problems)
        elif key.text in OPTIONS:
            found |= _option(key.text, value, at, problems)
        else:
            problems.add(key.line, at, stranger(key.text, KNOWN))
    if targets is None:
        problems.add(name.line, path, "has no target")
    if found.get("ca") and found.get("verify") is False:
        problems.add(name.line, path, "has a ca and verify: false - keep one of them")
    if not targets:
        return None
    options = Options(**found) if found else NO_OPTIONS
    return RouteLine(name.text, name.line, trusting(targets, options), options)


def _option(key: str, node: Node, at: str, problems: Problems) -> dict[str, Any]:
    if not isinstance(node, Scalar):
        problems.add(node.line, at, f"{shown(node)} is not {OPTIONS[key].name}")
    elif not node.is_null:
        try:
            return {key: OPTIONS[key].read(node.text)}
        except DevdnsError as error:
            problems.add(node.line, at, error)
    return {}


def _targets(node: Node, at: str, problems: Problems) -> tuple[Target, ...]:
    """One target or a pool of them, each once; empty after saying what is wrong."""
    nodes = node.values if isinstance(node, Items) else [node]
    targets = []
    for each in nodes:
        if isinstance(each, Scalar) and not each.is_null:
            try:
                targets.append(parse_target(each.text))
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
        at = below("routes", line.name)
        try:
            claim = parse_claim(line.name, zones)
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
    target: Schema = {
        "description": "port, host:port, http(s)|h2c|tls://host:port, or unix:/path",
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string", "minLength": 1}],
    }
    targets: Schema = {"anyOf": [target, {"type": "array", "items": target, "minItems": 1}]}
    options = {key: {"anyOf": [kind.schema, {"type": "null"}]} for key, kind in OPTIONS.items()}
    mapping: Schema = {
        "type": "object",
        "properties": {"target": targets} | options,
        "required": ["target"],
        "additionalProperties": False,
    }
    return {"type": ["object", "null"], "additionalProperties": {"anyOf": [*targets["anyOf"], mapping]}}
