"""Names: the only place that lower-cases, IDNA-encodes and checks them (RFC 1123 section 2.1, RFC 1035 section 2.3.4).

A *host* here is always canonical: ASCII, lower case, no trailing dot, at most 253 characters. A *claim* is what a person
writes (`api`, `api.shop`, `api/v2`, `*.api`, a full name inside a zone); it becomes a host and a path prefix.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from msgspec import Struct

from devdns.core.errors import NameRefused

MAX_HOST = 253
MAX_LABEL = 63
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
PREFIX = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)+")
PORT = re.compile(r"[0-9]{0,5}")
RAW = re.compile(r"([^/:]+):([0-9]{1,5})")
CONTROL_LABEL = "devdns"
RESERVED_HOST = "localhost"


def canonical(text: str) -> str:
    """A host name in canonical form; raises `NameRefused` naming the label that is wrong."""
    host = text.removesuffix(".")
    if not host.isascii():
        host = _to_ascii(host)
    host = host.lower()
    if not host or len(host) > MAX_HOST:
        raise NameRefused(
            f"name {text!r} is {'empty' if not host else f'{len(host)} characters long, over {MAX_HOST}'}"
        )
    for label in host.split("."):
        _check_label(label, host, text)
    return host


def _to_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise NameRefused(f"name {host!r} is not a valid internationalised name: {error}") from None


def _check_label(label: str, host: str, text: str) -> None:
    """Raises `NameRefused`; the label is named where it is not the whole `host`, which was written as `text`."""
    where = f"name {text!r}" + ("" if label == host else f": its part {label[: MAX_LABEL + 1]!r}")
    if not label:
        raise NameRefused(f"name {text!r} has an empty part: two dots, or one in front")
    if len(label) > MAX_LABEL:
        raise NameRefused(f"{where} is {len(label)} characters long, over {MAX_LABEL}")
    if not LABEL.fullmatch(label):
        mend = host.replace("_", "-")
        hint = f"write {mend}" if all(map(LABEL.fullmatch, mend.split("."))) else ""
        raise NameRefused(f"{where} may hold only letters, digits and inner hyphens", hint)
    if label.startswith("xn--"):
        try:
            label.encode("ascii").decode("idna")
        except UnicodeError:
            raise NameRefused(f"{where} is not valid punycode") from None


class Zones(Struct, frozen=True):
    """The zones devdns is authoritative for, canonical; the first one completes short names."""

    names: tuple[str, ...] = ("dev.test",)

    @property
    def first(self) -> str:
        return self.names[0]

    def of(self, host: str) -> str | None:
        """The longest zone that holds the canonical `host` (its apex included), or None."""
        inside = [zone for zone in self.names if host == zone or host.endswith("." + zone)]
        return max(inside, key=len, default=None)

    def is_own(self, host: str) -> bool:
        """True for the names devdns answers itself: each apex and `devdns.ZONE`."""
        return any(host in (zone, f"{CONTROL_LABEL}.{zone}") for zone in self.names)


class Claim(Struct, frozen=True, order=True):
    """A claimable place: a canonical host (perhaps `*.` in front) and a path prefix, `""` or `/v2`; or a host and a raw TCP port."""

    host: str
    prefix: str = ""
    port: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host + self.prefix


def parse_claim(text: str, zones: Zones) -> Claim:
    """`api`, `api.shop`, `api/v2`, `*.api` or a full name inside a zone; raises `NameRefused`."""
    name, slash, rest = text.strip().partition("/")
    if ":" in name:
        raise NameRefused(f"{text!r} is a URL or holds a port, not a name", _named(text, zones))
    prefix = ("/" + rest).rstrip("/") if slash else ""
    if prefix and not PREFIX.fullmatch(prefix):
        raise NameRefused(f"path prefix {prefix!r} of {text!r} is not a plain path", "write it like api/v2")
    if prefix and any(segment in (".", "..") for segment in prefix.split("/")):
        raise NameRefused(f"path prefix {prefix!r} of {text!r} holds a dot segment")
    wildcard = name.startswith("*.")
    if name == "*":
        raise NameRefused(f"name {text!r} cannot be claimed", "claim a name such as api, or *.api")
    host = _complete(canonical(name[2:] if wildcard else name), zones)
    return Claim(_claimable(f"*.{host}" if wildcard else host, text, zones), prefix)


def parse_raw_claim(text: str, port: int, zones: Zones) -> Claim:
    """The raw TCP port `port` of `db` or a full name inside a zone; raises `NameRefused`. It has an address of its own, so no wildcard."""
    claim = parse_claim(text, zones)
    if claim.prefix or claim.host.startswith("*."):
        what = "a path" if claim.prefix else "a wildcard"
        raise NameRefused(f"name {text!r} is {what}, and raw TCP knows neither", "write a name such as db")
    return Claim(claim.host, port=port)


def parse_any_claim(text: str, zones: Zones) -> Claim:
    """What `str` of a claim gives, or a person writes for one: `api`, `api/v2`, or `db:5432` for raw TCP. Raises `NameRefused`."""
    raw = RAW.fullmatch(text.strip())
    if raw and 0 < int(raw[2]) < 65536:
        return parse_raw_claim(raw[1], int(raw[2]), zones)
    return parse_claim(text, zones)


def _named(url: str, zones: Zones) -> str:
    """What to write for the host of a URL, if it can be a name."""
    place = url.strip().rpartition("://")[2].partition("/")[0]
    found = parse_authority(place)
    short = found[0].removesuffix(f".{zones.first}") if found else ""
    return f"write {short}" if short and all(map(LABEL.fullmatch, short.split("."))) else ""


def _complete(host: str, zones: Zones) -> str:
    if zones.of(host) or host == RESERVED_HOST or host.endswith("." + RESERVED_HOST):
        return host
    full = f"{host}.{zones.first}"
    if len(full) > MAX_HOST:
        raise NameRefused(f"name {full[:40]!r}... is {len(full)} characters long, over {MAX_HOST}")
    return full


def _claimable(host: str, text: str, zones: Zones) -> str:
    bare = host.removeprefix("*.")
    if bare == RESERVED_HOST or bare.endswith("." + RESERVED_HOST):
        raise NameRefused(f"name {text!r} is reserved: localhost cannot be claimed (RFC 6761)")
    if zones.is_own(bare) and (bare == host or bare in zones.names):
        raise NameRefused(f"name {text!r} is reserved: devdns itself answers at {bare}")
    return host


def parse_authority(value: str) -> tuple[str, int | None] | None:
    """A Host field value (RFC 9110 section 7.2) as (canonical host, port); None when it is not one.

    The host of an IPv6 literal keeps its brackets; one trailing dot is dropped; port 0 to 65535, None when absent.
    """
    if value.startswith("["):
        literal, bracket, rest = value.partition("]")
        if not bracket or not _is_ipv6(literal[1:]) or (rest and not rest.startswith(":")):
            return None
        host, port = f"{literal}]".lower(), rest[1:]
    else:
        name, _, port = value.partition(":")
        host = name.removesuffix(".").lower()
        if not host or len(host) > MAX_HOST or not host.isascii() or not all(map(_plain, host.split("."))):
            return None
    if not PORT.fullmatch(port) or (port and int(port) > 65535):
        return None
    return host, int(port) if port else None


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _plain(label: str) -> bool:
    """A label a Host may carry: RFC 1123 plus underscores, which browsers send."""
    return 0 < len(label) <= MAX_LABEL and label.replace("-", "").replace("_", "").isalnum()
