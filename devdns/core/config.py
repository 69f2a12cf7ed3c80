"""Configuration: the only reader of YAML and of the environment. Text and mappings in, frozen values or all errors out.

Variables and flags are checked like the file, and all that is wrong in one of them is said at once, with key and line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from devdns.core import routes_file
from devdns.core.errors import DevdnsError
from devdns.core.keys import IN_FILE, KEYS, SECTIONS, TOP, Key, schema
from devdns.core.kinds import Kind
from devdns.core.names import Zones
from devdns.core.routes import Route, parse_target
from devdns.core.routes_file import RouteLine
from devdns.core.settings import (
    Config,
    DnsConfig,
    DockerConfig,
    HttpConfig,
    HttpsConfig,
    MdnsConfig,
    TlsConfig,
)
from devdns.core.written import (
    Items,
    Node,
    Problems,
    Scalar,
    below,
    decode,
    fields,
    read_yaml,
    shown,
    stranger,
)

__all__ = [
    "KEYS",
    "Config",
    "ConfigFile",
    "DnsConfig",
    "DockerConfig",
    "HttpConfig",
    "HttpsConfig",
    "Key",
    "MdnsConfig",
    "RouteLine",
    "TlsConfig",
    "decode",
    "load",
    "parse",
    "routes",
    "schema",
]


#: Paths that are relative to the file that says them.
BESIDE_FILE = ("tls.cert", "tls.key")


class ConfigFile(Struct, frozen=True):
    """What one file says: settings by key path, their lines, the routes as written, and keys it must not set (ignored)."""

    path: str
    settings: dict[str, Any]
    lines: dict[str, int]
    routes: tuple[RouteLine, ...]
    ignored: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The name of this file as a source of routes."""
        return f"file:{self.path}"


class _Setting(Struct):
    value: Any
    line: int


def parse(text: str, path: str, *, routes_only: bool = False) -> ConfigFile:
    """What a file says, checked; raises `ConfigRefused` with every problem as `PATH:LINE: KEY: ...`.

    Of an attached file (`routes_only`) the other settings are named in `ignored` and not read.
    """
    problems = Problems(path)
    found: dict[str, _Setting] = {}
    entries: list[RouteLine] = []
    ignored: list[str] = []
    root = read_yaml(text, path)
    for key, node in fields(root, "", problems) if root else ():
        if key.text == "routes":
            entries += _route_lines(node, problems)
        elif key.text not in TOP:
            problems.add(key.line, below("", key.text), _stranger(key.text, node))
        elif routes_only:
            ignored.append(key.text)
        else:
            found |= _top(key, node, problems)
    if {"zone", "zones"} <= found.keys():
        problems.add(
            found["zones"].line, "zones", f"zone is there too, on line {found['zone'].line} - keep one of them"
        )
    settings = {name: setting.value for name, setting in found.items()}
    if problems:
        routes_file.claims(entries, Zones(_zones(settings)), problems)
    problems.refuse()
    lines = {name: setting.line for name, setting in found.items()}
    return ConfigFile(path, settings, lines, tuple(entries), tuple(ignored))


def _stranger(key: str, node: Node) -> str:
    """What to say of an unknown key at the top: a route that stands there belongs below `routes`."""
    said = stranger(key, TOP)
    if "did you mean" in said or not isinstance(node, Scalar) or node.is_null:
        return said
    try:
        parse_target(node.text)
    except DevdnsError:
        return said
    return "unknown key - if it is a route, put it below routes:"


def _route_lines(node: Node, problems: Problems) -> Iterable[RouteLine]:
    for key, value in fields(node, "routes", problems):
        line = routes_file.read_route(key, value, below("routes", key.text), problems)
        if line is not None:
            yield line


def _top(key: Scalar, node: Node, problems: Problems) -> dict[str, _Setting]:
    """Reads one top-level key: a setting, or a section of settings."""
    if key.text not in SECTIONS:
        return _setting(key.text, key.line, node, problems)
    found: dict[str, _Setting] = {}
    known = [each.partition(".")[2] for each in IN_FILE if each.startswith(key.text + ".")]
    for name, value in fields(node, key.text, problems, known):
        path = f"{key.text}.{name.text}"
        if path in IN_FILE:
            found |= _setting(path, name.line, value, problems)
        else:
            problems.add(name.line, below(key.text, name.text), stranger(name.text, known))
    return found


def _setting(path: str, line: int, node: Node, problems: Problems) -> dict[str, _Setting]:
    """Reads one value; null leaves the default in force."""
    if isinstance(node, Scalar) and node.is_null:
        return {}
    value = _value(IN_FILE[path].kind, node, path, problems)
    return {} if value is UNSET else {path: _Setting(value, line)}


def _value(kind: Kind, node: Node, place: str, problems: Problems) -> Any:
    """The value of a node, or UNSET after saying everything that is wrong with it."""
    nodes = node.values if isinstance(node, Items) and kind.many else [node]
    read = [_element(kind, each, place, problems) for each in nodes]
    if UNSET in read:
        return UNSET
    try:
        return kind.fold(tuple(read)) if kind.many else read[0]
    except DevdnsError as error:
        problems.add(node.line, place, error)
        return UNSET


def _element(kind: Kind, node: Node, place: str, problems: Problems) -> Any:
    try:
        if isinstance(node, Scalar) and not node.is_null:
            return kind.read(node.text)
        what = "an entry without a value" if isinstance(node, Scalar) else shown(node)
        problems.add(node.line, place, f"{what} is not {kind.name}")
    except DevdnsError as error:
        problems.add(node.line, place, error)
    return UNSET


def load(
    file: ConfigFile | None, environ: Mapping[str, str], installed: Mapping[str, str] = MappingProxyType({})
) -> Config:
    """The settings in force: defaults, then the file's, then the variables'; raises `ConfigRefused` with every problem.

    An empty variable counts as absent. Lists in variables are separated by commas. `installed` are variables, too, which count
    where nothing else says anything: what this machine was set up for.
    """
    problems = Problems(file.path if file else "")
    settings = _variables(installed, problems) | (_placed(file) if file else {})
    named = _variables(environ, problems)
    if {"zone", "zones"} & named.keys():
        settings = {path: value for path, value in settings.items() if path not in ("zone", "zones")}
    settings |= named
    for path, what in _contradictions(settings, named):
        line = 0 if path in named or file is None else file.lines.get(path, 0)
        problems.add(line, path if line else _place(IN_FILE[path]), what)
    problems.refuse()
    return _config(settings)


def _placed(file: ConfigFile) -> dict[str, Any]:
    """What the file says; paths of certificates in it are relative to its folder."""
    folder = PurePath(file.path).parent
    settings = dict(file.settings)
    return settings | {key: str(folder / settings[key]) for key in BESIDE_FILE if key in settings}


def _variables(environ: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    """The settings that variables name, by key path."""
    found = {}
    for key in IN_FILE.values():
        text = environ.get(key.variable, "").strip()
        if not text:
            continue
        value = _value(key.kind, _from_variable(key.kind, text), _place(key), problems)
        if value is not UNSET:
            found[key.path] = value
    return found


def _from_variable(kind: Kind, text: str) -> Node:
    if not kind.many:
        return Scalar(text)
    return Items(0, [Scalar(part.strip()) for part in text.split(",") if part.strip()])


def _place(key: Key) -> str:
    """How a setting that came from a variable or a flag is named in a problem."""
    return f"{key.path} ({', '.join(filter(None, (key.variable, key.flag)))})"


def _contradictions(settings: Mapping[str, Any], named: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Settings that cannot stand together, each under the key to change."""
    if {"zone", "zones"} <= named.keys():
        yield "zones", "DEVDNS_ZONE is set too - keep one of them"
    if ("tls.cert" in settings) != ("tls.key" in settings):
        there, missing = ("cert", "key") if "tls.cert" in settings else ("key", "cert")
        yield f"tls.{there}", f"needs tls.{missing} beside it"
    everybody = [host for host, _ in settings.get("dns.listen", ()) if host in ("0.0.0.0", "::")]
    if everybody and not settings.get("dns.allow"):
        yield "dns.listen", f"{everybody[0]} is open to every network - name in dns.allow who may ask"


def _zones(settings: Mapping[str, Any]) -> tuple[str, ...]:
    zones: tuple[str, ...] = settings.get("zones") or settings.get("zone") or Config().zones
    return zones


def _config(settings: Mapping[str, Any]) -> Config:
    tree: dict[str, Any] = {"zones": _zones(settings)}
    for path, value in settings.items():
        section, dot, name = path.partition(".")
        if dot:
            tree.setdefault(section, {})[name] = value
        elif path not in ("zone", "zones"):
            tree[path] = value
    return msgspec.convert(tree, Config)


def routes(file: ConfigFile, zones: Zones) -> tuple[Route, ...]:
    """The routes of a file in its order; raises `ConfigRefused` naming every refused name and both lines of a double claim."""
    problems = Problems(file.path)
    found = routes_file.claims(file.routes, zones, problems)
    problems.refuse()
    name = PurePath(file.path).name
    return tuple(
        routes_file.bind(line, claim, source=file.source, owner=file.path, origin=f"{name}:{line.line}")
        for claim, line in found.items()
    )
