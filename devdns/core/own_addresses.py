"""The loopback addresses that raw TCP names have for themselves. Standard library only, because the supervisor reads it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address

NETWORK = IPv4Network("127.77.0.0/16")


def is_own(host: str) -> bool:
    """True for an address of that network, also where IPv6 wraps it; false for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return isinstance(plain, IPv4Address) and plain in NETWORK
