"""Rebinding protection: a name of the public tree must not lead a browser to this machine or its network.

Looked at are A, AAAA and the address hints of SVCB and HTTPS. The user's own domains (the `search` line of the system) and
the top-level domains that nobody can register may have private addresses, though never loopback or link-local ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from devdns_resolver.access import Address, plain_address
from devdns_resolver.forward_message import Found
from devdns_resolver.wirename import Labels, Malformed, read_name

#: Never an answer from elsewhere: this machine, this link (cloud metadata too), no address at all.
HERE = tuple(
    map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/127", "fe80::/10", "255.255.255.255/32"))
)
#: Networks behind somebody's router or VPN: RFC 1918, RFC 6598 (carrier-grade NAT, Tailscale), RFC 4193, RFC 3879.
PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"))
)
#: RFC 6762 appendix G, RFC 8375, and `internal`, which ICANN has set aside.
NOT_PUBLIC = frozenset({b"local", b"internal", b"intranet", b"private", b"corp", b"home", b"lan", b"arpa"})
#: What systems ask to find out whether a portal stands before the network; such a portal answers with its own address.
PORTAL_PROBES = tuple(
    tuple(name.encode().split(b"."))
    for name in (
        "captive.apple.com",
        "connectivity-check.ubuntu.com",
        "connectivitycheck.gstatic.com",
        "detectportal.firefox.com",
        "network-test.debian.org",
        "nmcheck.gnome.org",
        "ping.archlinux.org",
        "www.msftconnecttest.com",
    )
)
#: IPv4 addresses inside IPv6 ones: NAT64 (RFC 6052) and IPv4-compatible.
EMBEDDING = tuple(map(ip_network, ("64:ff9b::/96", "::/96")))
A, AAAA, SVCB, HTTPS = 1, 28, 64, 65
HINTS = {4: 4, 6: 16}


def rebinds(name: Labels, message: bytes, found: Iterable[Found], own: tuple[Labels, ...]) -> bool:
    """Whether the reply to the question for `name` (lower case) must be dropped. `own` are the user's domains."""
    private_too = is_public(name, own)
    return any(is_inside(address, private=private_too) for record in found for address in addresses(message, record))


def is_public(name: Labels, own: tuple[Labels, ...]) -> bool:
    """Whether a private address for the name is a stranger's doing."""
    if len(name) < 2 or name[-1] in NOT_PUBLIC or name in PORTAL_PROBES:
        return False
    return not is_own(name, own)


def is_own(name: Labels, own: tuple[Labels, ...]) -> bool:
    """Whether the name is one of the user's domains or below one."""
    return any(name[-len(domain) :] == domain for domain in own if domain)


def is_inside(address: Address, *, private: bool) -> bool:
    """Whether an address is this machine or link, or, if `private`, of a network that is not public."""
    if isinstance(address, IPv6Address) and any(address in network for network in EMBEDDING) and int(address) > 1:
        address = plain_address(str(ip_address(int(address) & 0xFFFFFFFF)))
    nets = HERE + PRIVATE if private else HERE
    return any(address in network for network in nets)


def addresses(message: bytes, record: Found) -> Iterable[Address]:
    """The addresses in a record, those of hints among them; data that are none of their type hold none."""
    data = message[slice(*record.data)]
    if (record.rtype, len(data)) in ((A, 4), (AAAA, 16)):
        return (_address(data),)
    return tuple(_hints(message, record)) if record.rtype in (SVCB, HTTPS) else ()


def _hints(message: bytes, record: Found) -> Iterable[Address]:
    """The parameters ipv4hint and ipv6hint (RFC 9460 section 7.3); raises `Malformed`."""
    at, end = record.data
    _, at = read_name(message, at + 2)
    while at + 4 <= end:
        code, size = int.from_bytes(message[at : at + 2], "big"), int.from_bytes(message[at + 2 : at + 4], "big")
        at += 4
        step = HINTS.get(code, 0)
        if at + size > end or (step and size % step):
            raise Malformed("a parameter that does not fit")
        for start in range(at, at + size, step) if step else ():
            yield _address(message[start : start + step])
        at += size


def _address(data: bytes) -> Address:
    address = ip_address(data)
    return getattr(address, "ipv4_mapped", None) or address
