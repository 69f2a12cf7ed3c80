"""Names on the wire (RFC 1035 sections 3.1 and 4.1.4), read strictly; case is kept as it came."""

from __future__ import annotations

from devdns_resolver.codes import HEADER

Labels = tuple[bytes, ...]

MAX_NAME = 255
#: A legal name of 127 labels can be reached by as many pointers; a longer chain only costs time.
MAX_HOPS = 127


class Malformed(Exception):
    """Bytes that are not a DNS message; the answer is FORMERR. It never leaves the parser."""


def read_name(data: bytes, offset: int) -> tuple[Labels, int]:
    """The name at `offset` and where it ends in place; raises `Malformed`.

    A pointer must lead before the part of the name that holds it, so that self, forward and cyclic ones cannot be.
    """
    labels: list[bytes] = []
    size, hops, start, end = 1, 0, offset, 0
    try:
        while length := data[offset]:
            if length < 64:
                label = data[offset + 1 : offset + 1 + length]
                size, offset = size + length + 1, offset + length + 1
                labels.append(label)
                if size > MAX_NAME:
                    raise Malformed("name over 255 bytes")
            elif length >= 192:
                end, hops = end or offset + 2, hops + 1
                offset = (length & 63) << 8 | data[offset + 1]
                if not HEADER <= offset < start or hops > MAX_HOPS:
                    raise Malformed("pointer that does not lead back")
                start = offset
            else:
                raise Malformed("reserved label type")
    except IndexError:
        raise Malformed("name cut short") from None
    return tuple(labels), end or offset + 1


def labels_of(host: str) -> Labels:
    """The labels of a canonical host name (`devdns.core.names`)."""
    return tuple(host.encode("ascii").split(b"."))


def host_of(labels: Labels) -> str | None:
    """The canonical host that these labels spell, or None when no host is written with them."""
    name = b".".join(labels).lower()
    if not labels or not name.isascii() or name.count(b".") != len(labels) - 1:
        return None
    return name.decode("ascii")
