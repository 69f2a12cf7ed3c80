"""Who may ask: this machine, containers at their gateway, and the networks of `dns.allow` (RFC 5358: never an open resolver)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from devdns_resolver.settings import Client

Address = IPv4Address | IPv6Address
Bridges = Mapping[Address, IPv4Network | IPv6Network]


class Access:
    """The networks in force, and those of bridges by gateway. Raises ValueError for a text that is not a network."""

    def __init__(self, allow: Iterable[str] = (), bridges: Bridges | None = None) -> None:
        self.bridges = bridges or {}
        self.networks = tuple(ip_network(text, strict=False) for text in allow)

    def client(self, source: str | bytes, listener: str) -> Client | None:
        """The class of the client at address `source` that asked the listener at `listener`; None is refused.

        A query from the very address it came in on is this machine's: the kernel lets no other send from it.
        """
        address, here = plain_address(source), plain_address(listener)
        if address.is_loopback or (address == here and not address.is_unspecified):
            return Client.LOOPBACK
        if here in self.bridges and address in self.bridges[here]:
            return Client.BRIDGE
        return Client.ALLOWED if any(address in network for network in self.networks) else None


def plain_address(text: str | bytes) -> Address:
    """An address, written or as its bytes, without scope; what a dual-stack socket shows as ::ffff:a.b.c.d is IPv4."""
    address = ip_address(text.partition("%")[0] if isinstance(text, str) else text)
    return getattr(address, "ipv4_mapped", None) or address
