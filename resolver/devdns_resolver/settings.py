"""What answers depend on besides the table, seen from one client class on one listener. No clock, no environment."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address

from msgspec import Struct

from devdns.core.frames import Hello
from devdns_resolver.wirename import Labels, labels_of

LOOPBACK4 = "127.0.0.1"
LOOPBACK6 = "::1"
#: A network that no service is in (RFC 5737): who asks from elsewhere may reach none by itself, as far as we know.
NOWHERE = IPv4Network("192.0.2.0/32")


class Client(StrEnum):
    """Who asks: this machine, a container at its bridge's address, or a network that `dns.allow` names."""

    LOOPBACK = "loopback"
    BRIDGE = "bridge"
    ALLOWED = "allowed"


class Settings(Struct, frozen=True):
    """Zones as labels, longest first; where the proxy is reached (`http_port` None: nowhere); whether others' names are forwarded.

    `reach` is the network in which who asks may reach a service itself; None for this machine, which has loopback.
    """

    zones: tuple[Labels, ...] = ((b"dev", b"test"),)
    a: tuple[str, ...] = (LOOPBACK4,)
    aaaa: tuple[str, ...] = ()
    http_port: int | None = None
    forwards: bool = False
    reach: IPv4Network | IPv6Network | None = None


def settings_for(
    hello: Hello, client: Client, listener: str, network: IPv4Network | IPv6Network | None = None
) -> Settings:
    """The settings for `client` asking the listener bound to address `listener`, which serves the `network` of a bridge or none."""
    zones = sorted((labels_of(zone) for zone in hello.config.zones), key=len, reverse=True)
    a, aaaa = _here(hello, listener) if client is Client.ALLOWED else ((), ())
    if client is Client.BRIDGE:
        a = (listener,)  # the supervisor listens there for the proxy as well
    reach = None if client is Client.LOOPBACK else network or NOWHERE
    if not a and not aaaa:
        a, aaaa = (_loopback4(hello),), _loopback6(hello)
    forwards = hello.config.dns.forward != "off"
    return Settings(tuple(zones), a, aaaa, _port(hello, (*a, *aaaa)), forwards=forwards, reach=reach)


def _here(hello: Hello, listener: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """For a client elsewhere loopback is another machine: the address it asked, where the proxy listens there too."""
    address = ip_address(listener)
    everywhere = "0.0.0.0" if address.version == 4 else "::"
    if address.is_unspecified or address.is_loopback or not {listener, everywhere} & {host for host, _ in hello.http}:
        return (), ()
    return ((listener,), ()) if address.version == 4 else ((), (listener,))


def _loopback4(hello: Hello) -> str:
    """The proxy's IPv4 loopback address; 127.0.0.1 when it has none, since names resolve whatever listens."""
    hosts = [host for host, _ in hello.http if host.startswith("127.")]
    return LOOPBACK4 if LOOPBACK4 in hosts else next(iter(hosts), LOOPBACK4)


def _loopback6(hello: Hello) -> tuple[str, ...]:
    """`::1` only where the proxy listens on it: a client that prefers IPv6 would be refused otherwise."""
    return (LOOPBACK6,) if any(host in (LOOPBACK6, "::") for host, _ in hello.http) else ()


def _port(hello: Hello, reached: tuple[str, ...]) -> int | None:
    """The proxy's port at an address that is given out, else the first one it has."""
    ports = [port for host, port in hello.http if host in reached] or [port for _, port in hello.http]
    return ports[0] if ports else None
