"""The grammar that request heads, response heads and trailers share (RFC 9110 section 5, RFC 9112 section 5).

Bytes in, bytes out. A block of field lines is accepted whole or not at all: no folding, no bare CR or LF, no NUL,
no space before the colon, so that what passes here has one reading only.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
TEXT = rb"[\t\x20-\x7e\x80-\xff]"
LINE = re.compile(TOKEN + rb"++:" + TEXT + rb"*+")
BLOCK = re.compile(rb"(?:" + TOKEN + rb"++:" + TEXT + rb"*+\r\n)*+\r\n")
DIGITS = re.compile(rb"[0-9]{1,18}")
#: A CR or LF that is not part of CRLF, or a NUL; the last byte may be the CR of a pair that is still on its way.
BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")

#: Fields of one hop: they never travel on as they came (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)
#: What a trailer must not carry: framing, routing and what we vouch for ourselves (RFC 9110 section 6.5.1).
NOT_IN_TRAILERS = HOP_BY_HOP | {
    b"content-length",
    b"host",
    b"forwarded",
    b"expect",
    b"authorization",
    b"cookie",
    b"set-cookie",
    b"content-encoding",
    b"content-type",
    b"content-range",
    b"trailer",
    b"x-request-id",
    b"x-real-ip",
    b"devdns-hop",
}
FORWARDED_PREFIX = b"x-forwarded-"


class HeadRefused(Exception):
    """A head that is answered with `status` and a closed connection."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def options(values: list[bytes] | None) -> frozenset[bytes]:
    """The members of comma-separated lists, lower case, empty ones dropped."""
    if not values:
        return NOTHING
    whole = values[0] if len(values) == 1 else b",".join(values)
    return _members(whole) if len(whole) <= MAX_CACHED else _members.__wrapped__(whole)


NOTHING: frozenset[bytes] = frozenset()
MAX_CACHED = 64


@lru_cache(256)
def _members(value: bytes) -> frozenset[bytes]:
    members = {member.strip(b" \t").lower() for member in value.split(b",")}
    members.discard(b"")
    return frozenset(members)


def without(lines: list[bytes], names: Set[bytes]) -> list[bytes]:
    """The lines whose field name is not in `names` (lower case)."""
    return [line for line in lines if line[: line.index(b":")].lower() not in names]


def trailers(block: bytes) -> bytes | None:
    """A trailer section with its closing CRLF, less the fields that must not be there; None when it is malformed."""
    if not BLOCK.fullmatch(block):
        return None
    kept = [line + b"\r\n" for line in block[:-2].split(b"\r\n") if line and _may_trail(alias(line))]
    return b"".join(kept) + b"\r\n"


def _may_trail(name: bytes) -> bool:
    return name not in NOT_IN_TRAILERS and not name.startswith(FORWARDED_PREFIX)


def alias(line: bytes) -> bytes:
    """The name of a field as CGI-like backends see it: they cannot tell `X_Forwarded_For` from `X-Forwarded-For`."""
    return line.partition(b":")[0].lower().replace(b"_", b"-")
