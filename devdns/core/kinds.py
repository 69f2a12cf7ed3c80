"""Kinds of values: each reads the text a person wrote into a value, or refuses it in words, and has its JSON Schema.

Configuration keys, route options, labels and the API share them, so that `15s` means the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, NoReturn

from msgspec import Struct

from devdns.core.errors import UsageRefused
from devdns.core.names import CONTROL_LABEL, MAX_HOST, RESERVED_HOST, canonical, parse_authority
from devdns.core.written import clipped

TRUE = ("true", "yes", "on")
FALSE = ("false", "no", "off")
TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)?")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
DAY = 86_400.0
LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9.]+):(?P<port>[0-9]{1,5})")
DOCKER_HOST = re.compile(r"(?:unix:///|(?:tcp|http|https|ssh)://[^/\s])[\x21-\x7e]*")
HEALTH = re.compile(r"/[\x21\x22\x24-\x7e]{0,2047}")
#: Zones of one label that nobody on the internet owns: RFC 6761, and what ICANN keeps out of the root.
PRIVATE_TOP = ("test", "internal", "lan", "home", "corp")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
MAX_WORKERS = 64
ACCESS_LOG_NAME = "access.log"

Schema = dict[str, Any]


class Kind(Struct, frozen=True):
    """How a value is read. A kind of `many` values takes a list (or one, or commas in a variable) and folds it into its value."""

    name: str  # as in `is not NAME`
    read: Callable[[str], Any]
    schema: Schema
    many: bool = False
    fold: Callable[[tuple[Any, ...]], Any] = tuple


def refuse(text: str, what: str, mend: str = "") -> NoReturn:
    """Raises `UsageRefused`: the text in quotes is not `what`."""
    raise UsageRefused(f"{clipped(repr(text))} is not {what}", mend)


def read_switch(text: str) -> bool:
    """`true`, `yes`, `on` and their opposites, in any case."""
    word = text.lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    refuse(text, "true or false")


def read_auto(text: str) -> bool | None:
    """A switch, or `auto` (None)."""
    if text.lower() == "auto":
        return None
    try:
        return read_switch(text)
    except UsageRefused:
        refuse(text, "auto, true or false")


def read_published(text: str) -> bool:
    """`published` (True) or `off`."""
    word = text.lower()
    if word == "published" or word in FALSE:
        return word == "published"
    refuse(text, "published or off")


def read_workers(text: str) -> int:
    """A count of processes."""
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= MAX_WORKERS:
        return int(text)
    refuse(text, f"a number from 1 to {MAX_WORKERS}")


def read_seconds(text: str) -> float:
    """`15s`, `500ms`, `1m`, `1h` or seconds; at most a day."""
    found = TIME.fullmatch(text)
    seconds = float(found[1]) * UNITS[found[2]] if found else DAY + 1
    if seconds <= DAY:
        return round(seconds, 6)
    refuse(text, "a time of at most a day", "write it like 15s, 500ms or 1m")


def read_timeout(text: str) -> float:
    """A time above zero."""
    return read_seconds(text) or refuse(text, "a time above zero", "write it like 60s")


def read_listen(text: str) -> tuple[str, int]:
    """`ADDR:PORT` or `[ADDR]:PORT`; port 0 means any free one."""
    found = LISTEN.fullmatch(text)
    try:
        address = ip_address(found["host"].strip("[]")) if found else None
    except ValueError:
        address = None
    if not found or address is None or (address.version == 6) != text.startswith("["):
        refuse(text, "an address and port", "write it like 127.0.0.1:8080 or [::1]:8080")
    if int(found["port"]) > 65535:
        refuse(text, "an address and port: ports end at 65535")
    return str(address), int(found["port"])


def fold_listen(addresses: tuple[Any, ...]) -> tuple[tuple[str, int], ...]:
    """At least one address, none twice (port 0 is another one each time)."""
    if not addresses:
        raise UsageRefused("needs at least one address", "leave the key out for the default ones")
    fixed = [each for each in addresses if each[1]]
    if len(set(fixed)) != len(fixed):
        raise UsageRefused("holds one address twice")
    return addresses


def read_https(text: str) -> tuple[str, int] | None:
    """An address and port, or `off` (None)."""
    return None if text.lower() in FALSE else read_listen(text)


def fold_https(addresses: tuple[Any, ...]) -> tuple[tuple[str, int], ...]:
    """`off` alone is no address at all."""
    if addresses == (None,):
        return ()
    if None in addresses:
        raise UsageRefused("off stands alone, not beside addresses")
    return fold_listen(addresses)


def read_forward(text: str) -> str:
    """`off`, `system`, or the address of a resolver as `ADDR:PORT` (53 when it has none)."""
    if text in ("off", "system"):
        return text
    try:
        host, port = str(ip_address(text.strip("[]"))), 53
    except ValueError:
        try:
            host, port = read_listen(text)
        except UsageRefused:
            refuse(text, "off, system or an address", "write it like 1.1.1.1 or [2606:4700::1]:53")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def fold_forward(values: tuple[Any, ...]) -> str | tuple[str, ...]:
    """One of the words alone, or addresses; an empty list is `off`."""
    words = {"off", "system"}.intersection(values)
    if words and len(values) > 1:
        raise UsageRefused(f"{min(words)} stands alone, not beside addresses")
    return values[0] if words else values or "off"


def read_network(text: str) -> str:
    """A network or an address in CIDR form."""
    try:
        return str(ip_network(text))
    except ValueError as error:
        bits = "has host bits set" in str(error)
        refuse(text, "a network" + (": it has host bits set" if bits else ""), "write it like 192.168.1.0/24")


def read_docker_host(text: str) -> str:
    """A URL as DOCKER_HOST takes it."""
    if DOCKER_HOST.fullmatch(text):
        return text
    refuse(text, "the URL of a Docker Engine", "write it like unix:///var/run/docker.sock or tcp://127.0.0.1:2375")


def fold_distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Any number of values, none twice."""
    if len(set(values)) != len(values):
        raise UsageRefused("holds one value twice")
    return values


def read_zone(text: str) -> str:
    """A canonical zone; localhost, what reads as an IPv4 address, and everybody's top-level domains are none."""
    zone = canonical(text)
    last = zone.rpartition(".")[2]
    if last == RESERVED_HOST:
        raise UsageRefused(f"zone {text!r} is reserved: localhost is this machine (RFC 6761)")
    if NUMBER.fullmatch(last):
        refuse(text, "a zone: it ends in a number, as an address does")
    if zone == "local":
        raise UsageRefused(f"zone {text!r} belongs to mDNS (RFC 6762)", "write dev.test")
    if zone == last and zone not in PRIVATE_TOP:
        raise UsageRefused(f"zone {text!r} is a whole top-level domain", f"write {zone}.test")
    if len(zone) + len(CONTROL_LABEL) + 1 > MAX_HOST:
        refuse(text, "a zone: too long to hold names")
    return zone


def fold_zones(zones: tuple[Any, ...]) -> tuple[str, ...]:
    """At least one zone, none twice."""
    if not zones:
        raise UsageRefused("needs at least one zone")
    return fold_distinct(zones)


def read_path(text: str) -> str:
    """A path of the file system."""
    if text and "\0" not in text:
        return text
    refuse(text, "a path")


def read_access_log(text: str) -> str:
    """Where the access log goes: `off` (empty), `true` (`access.log` in the folder of state), a file, or `-`."""
    word = text.lower()
    return "" if word in FALSE else ACCESS_LOG_NAME if word in TRUE else read_path(text)


def read_ca(text: str) -> str:
    """The absolute path of a file of certificates: it is read by another process, in another folder."""
    if text.startswith("/") and text.isprintable():
        return text
    refuse(text, "the absolute path of a file of CA certificates", "write it like /home/me/ca.pem")


def read_host_field(text: str) -> str:
    """What is sent upstream as Host: a name or address, perhaps with a port."""
    found = parse_authority(text)
    if found is None:
        refuse(text, "a host", "write it like localhost:8000")
    host, port = found
    return host if port is None else f"{host}:{port}"


def read_health(text: str) -> str:
    """The path of a URL, with a query if need be, or `tcp` where a connect tells enough."""
    if HEALTH.fullmatch(text) or text == "tcp":
        return text
    refuse(text, "a path to probe", "write it like /healthz, or tcp")


_WORDS: Schema = {"type": "string", "pattern": "^(?i:true|false|yes|no|on|off)$"}
_TEXT: Schema = {"type": ["string", "number", "boolean"]}  # all are read as written: a zone may be called `off`
_TIME: Schema = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)?$"}]
}
_LISTEN: Schema = {"type": "string", "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$"}
_SWITCH: Schema = {"anyOf": [{"type": "boolean"}, _WORDS]}

_COUNT: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_WORKERS},
        {"type": "string", "pattern": "^0*([1-9]|[1-5][0-9]|6[0-4])$"},
    ]
}

SWITCH = Kind("true or false", read_switch, _SWITCH)
AUTO = Kind("auto, true or false", read_auto, {"anyOf": [*_SWITCH["anyOf"], {"const": "auto"}]})
PUBLISHED = Kind("published or off", read_published, {"enum": ["published", "off", False]})
WORKERS = Kind("a number", read_workers, _COUNT)
SECONDS = Kind("a time", read_seconds, _TIME)
TIMEOUT = Kind("a time", read_timeout, _TIME)
PATH = Kind("a path", read_path, _TEXT)
ACCESS_LOG = Kind("off, true, - or a path", read_access_log, _TEXT)
CA_FILE = Kind("an absolute path", read_ca, {"type": "string", "pattern": "^/"})
HOST_FIELD = Kind("a host", read_host_field, _TEXT)
HEALTH_PATH = Kind("a path of a URL", read_health, {"type": "string", "pattern": "^(/|tcp$)"})
ZONES = Kind("a zone, or a list of them", read_zone, _TEXT, many=True, fold=fold_zones)
LISTENERS = Kind("an ADDR:PORT, or a list of them", read_listen, _LISTEN, many=True, fold=fold_listen)
HTTPS = Kind(
    "off, or an ADDR:PORT, or a list of them",
    read_https,
    {"anyOf": [_LISTEN, {"type": "string", "pattern": "^(?i:off|false|no)$"}, {"const": False}]},
    many=True,
    fold=fold_https,
)
FORWARD = Kind(
    "off, system, or addresses", read_forward, {"anyOf": [_TEXT, {"const": False}]}, many=True, fold=fold_forward
)
NETWORKS = Kind("a list of networks", read_network, _TEXT, many=True, fold=fold_distinct)
DOCKER_HOSTS = Kind("a list of URLs", read_docker_host, _TEXT, many=True, fold=fold_distinct)
