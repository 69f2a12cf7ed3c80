"""A route must not lead back to devdns itself: its proxy, its DNS or its control sockets. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_address

from devdns.core.names import RESERVED_HOST, Zones
from devdns.core.routes import Target

Address = tuple[str, int]


def loop(target: Target, listeners: Iterable[Address], sockets: Collection[str], zones: Zones) -> str | None:
    """What of devdns this target is, in words, or None. `sockets` are absolute paths of our Unix sockets."""
    if target.path:
        return f"{target.path} is a control socket of devdns" if target.path in sockets else None
    for host, port in listeners:
        if port == target.port and _same(target.host, host, zones):
            return f"devdns itself listens on {host}:{port}"
    return None


def _same(target: str, listener: str, zones: Zones) -> bool:
    """True when connecting to `target` reaches a listener bound to `listener`."""
    if target == RESERVED_HOST or zones.of(target):
        return True  # each resolves to loopback, where the default listeners are
    try:
        asked, bound = ip_address(target), ip_address(listener)
    except ValueError:
        return target == listener
    return asked == bound or (bound.is_unspecified and asked.is_loopback)
