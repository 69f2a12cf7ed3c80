"""A route must not lead back to devdns itself: its proxy, its DNS or its control sockets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from devdns.core import own_addresses
from devdns.core.names import RESERVED_HOST, Zones
from devdns.core.routes import RAW, Target

Address = tuple[str, int]


def loop(target: Target, listeners: Iterable[Address], is_own: Callable[[str], bool], zones: Zones) -> str | None:
    """What of devdns this target is, in words, or None. `is_own` tells our Unix sockets, by whatever path."""
    if own_addresses.is_own(target.host) or (target.scheme == RAW and zones.of(target.host)):
        return f"{target.host} is where devdns itself takes raw TCP"
    if target.path:
        return f"{target.path} is a control socket of devdns" if is_own(target.path) else None
    for host, port in listeners:
        if port == target.port and _same(target.host, host, zones):
            return f"devdns itself listens on {host}:{port}"
    return None


def _same(target: str, listener: str, zones: Zones) -> bool:
    """True when connecting to `target` reaches a listener bound to `listener`."""
    if target == RESERVED_HOST or zones.of(target):
        return True  # each resolves to loopback, where the default listeners are
    try:
        asked, bound = _address(target), _address(listener)
    except ValueError:
        return target == listener
    return asked == bound or (bound.is_unspecified and asked.is_loopback)


def _address(text: str) -> IPv4Address | IPv6Address:
    """The address that is connected to: `::ffff:127.0.0.1` is 127.0.0.1. Raises ValueError for a name."""
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
