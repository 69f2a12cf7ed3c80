"""What an announcement says as routes and refusals. Pure; announcements are strangers' input."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.core.kinds import read_host_field, read_switch
from devdns.core.names import MAX_LABEL, Zones, parse_claim
from devdns.core.routes import SCHEMES, Options, Route, Target, parse_target
from devdns.core.settings import MdnsConfig
from devdns.core.sources import Refusal

SOURCE = "mdns"
ROUTE = "dev.route"
MAX_NAMES = 16
MAX_SHOWN = 120
#: TXT keys that are options of the route, and how each is read.
OPTIONS: dict[str, Callable[[str], Any]] = {"dev.strip": read_switch, "dev.host": read_host_field}

Address = IPv4Address | IPv6Address


class Announced(Struct, frozen=True):
    """One service: the name of its instance, its addresses (newest first) and port, its TXT pairs as bytes."""

    instance: str
    addresses: tuple[Address, ...]
    port: int
    txt: Mapping[bytes, bytes | None]


class Reading(Struct, frozen=True):
    """What became of an announcement; empty when it asks for no name."""

    routes: tuple[Route, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.routes or self.refusals)


def plain(text: str) -> str:
    """A stranger's text for people: control and direction characters escaped, bounded."""
    text = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def slug(instance: str) -> str:
    """The instance name as a label: `My App (2)` becomes `my-app-2`; empty when nothing of it can stand in one."""
    words: list[str] = re.findall(r"[a-z0-9]+", instance.lower())
    return "-".join(words)[:MAX_LABEL].rstrip("-")


def read(service: Announced, config: MdnsConfig, zones: Zones, own: frozenset[Address]) -> Reading:
    """The routes of one service. `own` are this machine's addresses; others count only with `allow_remote`."""
    origin = f"mDNS service {plain(service.instance)}"
    txt = {key.lower(): value or b"" for key, value in reversed(list(service.txt.items()))}
    try:
        names = _names(txt, service.instance, config)
    except DevdnsError as error:
        return Reading(refusals=(Refusal(origin, ROUTE, error.message, error.hint),))
    if not names:
        return Reading()
    wanted = plain(",".join(names))
    usable = [each for each in service.addresses if config.allow_remote or each in own or each.is_loopback]
    if not usable:
        return Reading(refusals=(_elsewhere(service, origin, wanted),))
    try:
        target, options = _target(usable, service.port, txt), _options(txt)
    except DevdnsError as error:
        return Reading(refusals=(Refusal(origin, wanted, error.message, error.hint),))
    return _claims(names, zones, target, options, (origin, plain(service.instance)))


def _names(txt: Mapping[bytes, bytes], instance: str, config: MdnsConfig) -> list[str]:
    """The names asked for; the instance's own when there is no `dev.route` and that is wanted."""
    asked = _text(txt, ROUTE)
    if asked is None:
        return [slug(instance)] if config.default_names and slug(instance) else []
    names = [name for name in map(str.strip, asked.split(",")) if name]
    if not names:
        raise DevdnsError(f"TXT {ROUTE} is empty", f"write it like {ROUTE}=api")
    if len(names) > MAX_NAMES:
        raise DevdnsError(f"TXT {ROUTE} names {len(names)} routes, over {MAX_NAMES}")
    return names


def _text(txt: Mapping[bytes, bytes], key: str) -> str | None:
    """A TXT value; raises `DevdnsError` when it is not UTF-8."""
    value = txt.get(key.encode())
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise DevdnsError(f"TXT {key} is not UTF-8") from None


def _elsewhere(service: Announced, origin: str, wanted: str) -> Refusal:
    where = f"announced for {service.addresses[0]}, which is not" if service.addresses else "announced without"
    what = "an address of this machine" if service.addresses else "an address"
    return Refusal(origin, wanted, f"{where} {what}", "mdns: {allow_remote: true} takes it", quiet=True)


def _target(usable: list[Address], port: int, txt: Mapping[bytes, bytes]) -> Target:
    """IPv4 first, the newest first: what was announced before an address changed lives on for a second."""
    scheme = (_text(txt, "dev.scheme") or "http").lower()
    if scheme not in SCHEMES:
        raise DevdnsError(f"TXT dev.scheme {plain(scheme)!r} is not one of {', '.join(SCHEMES)}")
    address = next((each for each in usable if each.version == 4), usable[0])
    host = f"[{address}]" if address.version == 6 else str(address)
    return parse_target(f"{scheme}://{host}:{port}")


def _options(txt: Mapping[bytes, bytes]) -> Options:
    found = {}
    for key, reader in OPTIONS.items():
        text = _text(txt, key)
        if text is not None:
            try:
                found[key.removeprefix("dev.")] = reader(text)
            except DevdnsError as error:
                raise DevdnsError(f"TXT {key}: {error.message}", error.hint) from None
    return Options(**found)


def _claims(names: list[str], zones: Zones, target: Target, options: Options, who: tuple[str, str]) -> Reading:
    routes, refusals = [], []
    origin, owner = who
    for name in names:
        try:
            claim = parse_claim(name, zones)
        except DevdnsError as error:
            refusals.append(Refusal(origin, plain(name), error.message, error.hint))
            continue
        routes.append(
            Route(
                host=claim.host,
                prefix=claim.prefix,
                targets=(target,),
                source=SOURCE,
                owner=owner,
                origin=f"{origin}, TXT {ROUTE}",
                options=options,
            )
        )
    return Reading(tuple(routes), tuple(refusals))
