"""The upstreams of the system, from the texts of its resolv.conf files; what is read when is decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address

from msgspec import Struct

from devdns_resolver.access import plain_address
from devdns_resolver.forward_upstreams import Address
from devdns_resolver.wirename import Labels, labels_of

PORT = 53
#: Where programs keep the servers that DHCP or a VPN gave, while /etc/resolv.conf names a server on this machine: the first
#: is everybody's, the others are systemd-resolved's and NetworkManager's.
PATHS = (
    "/etc/resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
)
#: systemd-resolved's stub and its proxy; neither may be asked, since it may ask us.
STUBS = frozenset({"127.0.0.53", "127.0.0.54"})


class SystemDns(Struct, frozen=True):
    """What the system says: servers in their order, and the domains it completes short names with."""

    upstreams: tuple[Address, ...] = ()
    search: tuple[Labels, ...] = ()


def resolv_conf(text: str) -> SystemDns:
    """One file as glibc reads it (resolv.conf(5)); lines it would not understand are passed over."""
    servers: list[Address] = []
    search: tuple[Labels, ...] = ()
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]):
            servers.append((words[1], PORT))
        elif words and words[0] in ("search", "domain"):
            search = tuple(filter(None, map(_domain, words[1:])))
    return SystemDns(tuple(servers), search)


def chosen(texts: Iterable[str], is_us: Callable[[Address], bool]) -> SystemDns:
    """The upstreams of the first text, of `PATHS`, that names any which is neither us nor a stub; search domains of all."""
    read = [resolv_conf(text) for text in texts]
    usable = [tuple(each for each in found.upstreams if each[0] not in STUBS and not is_us(each)) for found in read]
    search = tuple(dict.fromkeys(domain for found in read for domain in found.search))
    return SystemDns(next(filter(None, usable), ()), search)


def parse_address(text: str) -> Address:
    """`ADDR:PORT` or `[ADDR]:PORT` as the configuration holds them."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def same_address(one: str, other: str) -> bool:
    """Whether two texts are one address."""
    return plain_address(one) == plain_address(other)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _domain(text: str) -> Labels | None:
    name = text.strip(".").lower()
    return labels_of(name) if name.isascii() and "." in name else None
