"""EDNS(0): the OPT record of a query (RFC 6891) and the one option that is checked, COOKIE (RFC 7873)."""

from __future__ import annotations

from msgspec import Struct

from devdns_resolver.codes import OPTION_COOKIE, PLAIN_SIZE, UDP_SIZE, Rcode

COOKIE_LENGTHS = frozenset({8, *range(16, 41)})


class Edns(Struct, frozen=True, gc=False):
    """What an OPT record says. `cookie` is where the data of the first COOKIE lies in the message, as (start, end)."""

    size: int = UDP_SIZE
    do: bool = False
    fault: Rcode | None = None
    cookie: tuple[int, int] | None = None


def read_edns(data: bytes, rclass: int, ttl: int, start: int, end: int) -> Edns:
    """An OPT from its CLASS and TTL fields and its options, data[start:end].

    Another version is BADVERS before its options are looked at; options that do not add up or a cookie of a wrong
    length are FORMERR.
    """
    size, version, do = max(rclass, PLAIN_SIZE), ttl >> 16 & 0xFF, bool(ttl & 0x8000)
    if version:
        return Edns(size, do, Rcode.BADVERS)
    cookie, whole = _options(data, start, end)
    good = whole and (cookie is None or cookie[1] - cookie[0] in COOKIE_LENGTHS)
    return Edns(size, do, None if good else Rcode.FORMERR, cookie)


def _options(data: bytes, start: int, end: int) -> tuple[tuple[int, int] | None, bool]:
    """The first COOKIE's place (later ones do not count), and whether the options fill the record exactly."""
    cookie = None
    while start + 4 <= end:
        code, stop = data[start] << 8 | data[start + 1], start + 4 + (data[start + 2] << 8 | data[start + 3])
        if code == OPTION_COOKIE and cookie is None:
            cookie = (start + 4, stop)
        start = stop
    return cookie, start == end
