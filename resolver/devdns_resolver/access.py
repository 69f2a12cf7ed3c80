"""Who may ask: this machine and the networks of `dns.allow`, nobody else (RFC 5358: never an open resolver)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from devdns_resolver.settings import Client

Address = IPv4Address | IPv6Address


class Access:
    """The networks in force. Raises ValueError for a text that is not a network."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self.networks = tuple(ip_network(text, strict=False) for text in allow)

    def client(self, source: str | bytes, listener: str) -> Client | None:
        """The class of the client at address `source` that asked the listener at `listener`; None is refused.

        A query from the very address it came in on is this machine's: the kernel lets no other send from it.
        """
        address = plain_address(source)
        if address.is_loopback or (address == plain_address(listener) and not address.is_unspecified):
            return Client.LOOPBACK
        return Client.ALLOWED if any(address in network for network in self.networks) else None


def plain_address(text: str | bytes) -> Address:
    """An address, written or as its bytes, without scope; what a dual-stack socket shows as ::ffff:a.b.c.d is IPv4."""
    address = ip_address(text.partition("%")[0] if isinstance(text, str) else text)
    return getattr(address, "ipv4_mapped", None) or address
