"""Docker labels: the one table of them, and reading a container's labels into wishes for routes and refusals.

Pure and total: any strings in, never an exception out. What a container offers (ports, addresses, its default name) is
docker_routes' business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.core.kinds import HEALTH_PATH, HOST_FIELD, SECONDS, SWITCH, TIMEOUT, Kind, refuse
from devdns.core.names import Claim, Zones, parse_claim, parse_raw_claim
from devdns.core.routes import RAW, SCHEMES, Options
from devdns.core.sources import Refusal
from devdns.core.written import clipped

PREFIX = "dev."
ROUTE = "route"
#: The X of `dev.route.X`: several routes of one container.
FAMILY = re.compile(r"[A-Za-z0-9_-]{1,63}")
#: `dev-route`, `dev_route`, `devdns.route`, `Dev.Route`: what people write for `dev.route`.
ALMOST = re.compile(r"(?:dev|devdns)[._-]([A-Za-z_-]{2,20})(?:\..*)?", re.IGNORECASE)
#: An option of routes that no label may set: whoever starts a container would choose what devdns reads here.
CA = re.compile(r"dev\.ca(?:\.[A-Za-z0-9_-]{1,63})?")
CA_HINT = "name the CA file in devdns.yml, or add the label dev.verify=false"
LIKENESS = 0.74
MAX_NAMES = 100
MAX_QUOTED = 253
MAX_REASON = 400


def read_port(text: str) -> int:
    """A TCP port."""
    if re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) < 65536:
        return int(text)
    return refuse(text, "a port from 1 to 65535", "write it like 8000")


def read_ports(text: str) -> tuple[int, ...]:
    """TCP ports with commas between them, each once."""
    return tuple(dict.fromkeys(read_port(each.strip()) for each in text.split(",")))


def read_scheme(text: str) -> str:
    """How the service is spoken to."""
    if text in SCHEMES:
        return text
    return refuse(text, f"one of {', '.join(SCHEMES)}")


NAMES = Kind("names", str, {"type": "string", "minLength": 1})
PORT = Kind("port", read_port, {"type": "string", "pattern": "^[0-9]{1,5}$"})
PORTS = Kind("ports", read_ports, {"type": "string", "pattern": "^[0-9]{1,5}( *, *[0-9]{1,5})*$"})
SCHEME = Kind("scheme", read_scheme, {"enum": list(SCHEMES)})


class Label(Struct, frozen=True):
    """A label that devdns reads: `dev.NAME`; `families` says whether `dev.NAME.X` is read too."""

    name: str
    kind: Kind
    example: str
    doc: str
    families: bool = True

    @property
    def key(self) -> str:
        return PREFIX + self.name


LABELS = {
    label.name: label
    for label in (
        Label(
            "route",
            NAMES,
            "api,www",
            "the names: api, api.shop, api/v2, *.api or a full name inside a zone; several with commas",
        ),
        Label("port", PORT, "8000", "the port inside the container; needed when it offers several TCP ports"),
        Label(
            "tcp",
            PORTS,
            "5432",
            "raw TCP: the port inside the container, and of the name; several with commas; HTTP only with dev.port beside it",
        ),
        Label("health", HEALTH_PATH, "/healthz", "the path that tells whether the service is ready and stays well"),
        Label("interval", TIMEOUT, "10s", "how often that path is asked while the service is well"),
        Label("strip", SWITCH, "true", "the path prefix is taken off before the request goes on"),
        Label("host", HOST_FIELD, "localhost:8000", "the Host that the service sees; unchanged without it"),
        Label(
            "scheme",
            SCHEME,
            "http",
            "how the service is spoken to: http, https, h2c (HTTP/2 in the clear, as gRPC), or tls: it speaks TLS with its clients itself",
        ),
        Label(
            "verify",
            SWITCH,
            "false",
            "whether the certificate of an https service is checked; not on loopback by default",
        ),
        Label("redirect", SWITCH, "true", "who comes without TLS is sent to https"),
        Label("hold", SECONDS, "15s", "how long requests wait while the container restarts"),
        Label("enable", SWITCH, "false", "false: no route, not even a default name", families=False),
    )
}


class Wish(Struct, frozen=True):
    """One claim as the labels ask for it. `label` is where it stands; `port` None means the only one there is."""

    label: str
    claim: Claim
    port: int | None = None
    scheme: str = "http"
    options: Options = Options()


class Reading(Struct, frozen=True):
    """What the labels of a container say.

    `enabled` false: nothing of it is a route. `named` false: no label names it, so a default name may, with the options in `plain`.
    """

    enabled: bool = True
    named: bool = False
    wishes: tuple[Wish, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    plain: Mapping[str, Any] = {}


class _Bad(Struct, frozen=True):
    """A value that was refused, kept in its place so that each route that needs it can say so."""

    label: str
    reason: str
    hint: str


def read(labels: Mapping[str, str], container: str, zones: Zones) -> Reading:
    """Every `dev.*` label of the container named `container`. `enabled` false means that nothing of it is a route."""
    reader = _Reader(container, zones)
    families: dict[str, dict[str, Any]] = {"": {}}
    for key in sorted(labels):
        named = _recognised(key)
        if named is None:
            reader.stranger(key, labels[key])
        else:
            field, family = named
            families.setdefault(family, {})[field] = _value(LABELS[field], key, labels[key])
    enable = families[""].pop("enable", True)
    if isinstance(enable, _Bad):
        reader.refuse(container, enable)
    if enable is not True:
        return Reading(enabled=False, refusals=tuple(reader.refusals))
    return reader.wish(families)


def origin(container: str, label: str) -> str:
    """Where a person finds it."""
    return f"container {container}, label {label}"


def wishes_for(label: str, name: str, said: Mapping[str, Any], zones: Zones) -> list[Wish]:
    """The wishes for one name as its labels say: one for HTTP, or one for each raw TCP port, and HTTP where a port is named for it.

    Raises `NameRefused`.
    """
    raw = [raw_wish(label, parse_raw_claim(name, port, zones), said) for port in said.get("tcp", ())]
    return raw if raw and "port" not in said else [*raw, wish_for(label, parse_claim(name, zones), said)]


def raw_wish(label: str, claim: Claim, said: Mapping[str, Any]) -> Wish:
    """The wish for a raw TCP port; what is said of HTTP is not for it."""
    options = {field: said[field] for field in ("interval", "hold") if field in said}
    if said.get("health") == "tcp":
        options["health"] = "tcp"
    return Wish(label, claim, claim.port, RAW, Options(**options))


def wish_for(label: str, claim: Claim, said: Mapping[str, Any]) -> Wish:
    """The wish for one claim with the options that its labels say."""
    options = Options(
        **{
            field: said[field]
            for field in ("strip", "host", "health", "interval", "hold", "verify", "redirect")
            if field in said
        }
    )
    return Wish(label, claim, said.get("port"), said.get("scheme", "http"), options)


def _recognised(key: str) -> tuple[str, str] | None:
    """(name in the table, family) of a label that is ours."""
    name, dot, family = key.removeprefix(PREFIX).partition(".")
    label = LABELS.get(name) if key.startswith(PREFIX) else None
    if label is None or (dot and not (label.families and FAMILY.fullmatch(family))):
        return None
    return name, family


def _value(label: Label, key: str, text: str) -> Any:
    """The value as its kind reads it, or `_Bad`."""
    try:
        return label.kind.read(text.strip())
    except DevdnsError as error:
        return _Bad(key, f"label {key}: {error.message}", error.hint or f"write it like {label.example}")


class _Reader:
    """Gathers the wishes of one container, each claim once, and what is wrong with the others."""

    def __init__(self, container: str, zones: Zones) -> None:
        self._container = container
        self._zones = zones
        self._wishes: dict[Claim, Wish] = {}
        self.refusals: list[Refusal] = []

    def refuse(self, name: str, bad: _Bad) -> None:
        shown = name[:MAX_QUOTED] if name.isprintable() else clipped(repr(name))
        reason = bad.reason if len(bad.reason) <= MAX_REASON else bad.reason[: MAX_REASON - 3] + "..."
        self.refusals.append(Refusal(origin(self._container, bad.label), shown, reason, bad.hint))

    def stranger(self, key: str, value: str) -> None:
        """Refuses a key that is nearly one of ours; other people's labels are their own business."""
        if CA.fullmatch(key):
            self.refuse(self._container, _Bad(key, f"label {key} would name a file of this host", CA_HINT))
            return
        found = ALMOST.fullmatch(key)
        near = get_close_matches(found[1].lower(), LABELS, 1, LIKENESS) if found else []
        if near:
            quoted = clipped(repr(key))
            hint = f"did you mean {LABELS[near[0]].key}?"
            self.refuse(
                value if near[0] == ROUTE else self._container,
                _Bad(quoted, f"label {quoted} is not one of devdns", hint),
            )

    def wish(self, families: Mapping[str, Mapping[str, Any]]) -> Reading:
        """A wish for each name of each family; a family takes from the plain labels what it does not say itself."""
        plain = {field: value for field, value in families[""].items() if field != ROUTE}
        named = any(ROUTE in said for said in families.values())
        for family, said in sorted(families.items()):
            if ROUTE in said:
                self._names(f"{LABELS[ROUTE].key}.{family}".removesuffix("."), {**plain, **said})
            elif family:
                self._nameless(family, min(said))
        sound = named or self._sound(self._container, plain)
        return Reading(sound, named, tuple(self._wishes.values()), tuple(self.refusals), plain)

    def _sound(self, name: str, said: Mapping[str, Any]) -> bool:
        """Refuses `name` once for each value that could not be read."""
        bad = [value for value in said.values() if isinstance(value, _Bad)]
        for each in bad:
            self.refuse(name, each)
        return not bad

    def _nameless(self, family: str, field: str) -> None:
        key = f"{LABELS[field].key}.{family}"
        hint = f"add {LABELS[ROUTE].key}.{family}=NAME, or call it {LABELS[field].key}"
        self.refuse(family, _Bad(key, f"label {key} has no {LABELS[ROUTE].key}.{family} beside it", hint))

    def _names(self, label: str, said: Mapping[str, Any]) -> None:
        names = list(dict.fromkeys(name.strip() for name in said[ROUTE].split(",")))
        if len(names) > MAX_NAMES:
            reason = f"label {label} holds {len(names)} names, over {MAX_NAMES}"
            self.refuse(said[ROUTE], _Bad(label, reason, "claim a wildcard, such as *.api"))
            return
        for name in names:
            if self._sound(name, said):
                self._name(label, name, said)

    def _name(self, label: str, name: str, said: Mapping[str, Any]) -> None:
        try:
            wishes = wishes_for(label, name, said, self._zones)
        except DevdnsError as error:
            self.refuse(name, _Bad(label, f"label {label}: {error.message}", error.hint))
            return
        for wish in wishes:
            self._wish(label, name, wish)

    def _wish(self, label: str, name: str, wish: Wish) -> None:
        claim = wish.claim
        first = self._wishes.setdefault(claim, wish)
        if first.label != label:  # a pool of two different services, if it were let through
            reason = f"label {label}: {claim} is what {first.label} of the same container claims"
            self.refuse(name, _Bad(label, reason, "give it another name"))
