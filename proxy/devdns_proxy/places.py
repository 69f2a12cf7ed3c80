"""What a Host value means for a client at some address: whose name it is, and the fields the proxy vouches for."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from devdns.core.names import Zones, parse_authority
from devdns_proxy.door import PORTS
from devdns_proxy.fields import HeadRefused


class Origin(Struct, frozen=True, gc=False, eq=False):
    """Where a connection comes from and who answers it: constant for all its requests, and compared by identity."""

    address: str
    instance: str
    zones: Zones
    scheme: str = "http"


class Place(Struct, frozen=True, gc=False):
    """What a Host value means for a client: whose name it is, and the lines we vouch for."""

    host: str
    authority: bytes
    own: bool
    vouched: bytes
    hop: bytes
    instance: bytes


MAX_AUTHORITY = 300


def place_of(values: list[bytes] | None, origin: Origin) -> Place:
    """The place that the values of a head's Host fields name; raises `HeadRefused` unless there is one, and well-formed."""
    if values is None or len(values) != 1:
        raise HeadRefused(400, "a request needs exactly one Host field")
    if len(values[0]) > MAX_AUTHORITY:
        raise HeadRefused(400, "the Host field is malformed")
    return _read_place(values[0], origin)


@lru_cache(256)
def _read_place(authority: bytes, origin: Origin) -> Place:
    """The port is the one the client believes in, as Traefik has it: Host's own, else the scheme's."""
    parsed = parse_authority(authority.decode("latin-1"))
    if parsed is None:
        raise HeadRefused(400, "the Host field is malformed")
    host, port = parsed
    address, scheme, instance = origin.address.encode(), origin.scheme.encode(), origin.instance.encode()
    vouched = (
        b"X-Forwarded-For: " + address,
        b"X-Forwarded-Host: " + authority,
        b"X-Forwarded-Proto: " + scheme,
        b"X-Forwarded-Port: %d" % (port or PORTS[origin.scheme]),
        b'Forwarded: for=%b;host="%b";proto=%b' % (_node(address), authority, scheme),
    )
    own = origin.zones.is_own(host)
    return Place(host, authority, own, b"\r\n".join(vouched), b"Devdns-Hop: " + instance, instance)


def _node(address: bytes) -> bytes:
    """An address as `Forwarded` has it (RFC 7239 section 6)."""
    return b'"[%b]"' % address if b":" in address else address
