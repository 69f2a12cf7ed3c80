"""Request heads: a strict reading of the request line and the field block (RFC 9112), and what goes on to the service.

`Meaning` is what the field block alone means, so it may be remembered by its bytes; what differs per request (method,
target, request id) stays outside. Anything that two parsers could read in two ways is refused.
"""

from __future__ import annotations

import re

from msgspec import Struct

from devdns.core.names import Zones, parse_authority
from devdns_proxy.fields import BLOCK, DIGITS, FORWARDED_PREFIX, HOP_BY_HOP, TOKEN, alias, options, without

REQUEST_LINE = re.compile(rb"(" + TOKEN + rb"{1,64}+) ([\x21-\x7e\x80-\xff]++) HTTP/1\.([01])\r\n")
OTHER_VERSION = re.compile(TOKEN + rb"{1,64}+ [\x21-\x7e\x80-\xff]++ HTTP/[0-9]\.[0-9]\r\n")
ABSOLUTE = re.compile(rb"(?i:http)://([^/?#@]+)([/?][\x21-\x7e\x80-\xff]*)?")
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
HOP = b"devdns-hop"
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))  # RFC 9110 section 9.2.2

SPECIAL = HOP_BY_HOP | {b"host", b"content-length", b"expect", b"forwarded", b"x-request-id", b"x-real-ip", HOP}


class HeadRefused(Exception):
    """A head that is answered with `status` and a closed connection."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Origin(Struct, frozen=True, gc=False):
    """Where a connection comes from and who answers it: constant for all its requests."""

    address: str
    instance: str
    zones: Zones
    scheme: str = "http"


class Meaning(Struct, frozen=True, gc=False):
    """What a field block means.

    `host` is canonical, `authority` as it came; `fields` are the lines for the service, without Host and without a new
    request id. `length` and `chunked` frame the body (neither: no body). `upgrade` is the protocol offered, `key` the
    client's Sec-WebSocket-Key.
    """

    host: str
    authority: bytes
    fields: bytes
    request_id: bytes
    keep: bool
    own: bool
    loop: bool
    length: int | None = None
    chunked: bool = False
    expect: bool = False
    upgrade: bytes = b""
    key: bytes = b""

    @property
    def memorable(self) -> bool:
        """True for a head that may be remembered: no body, no Expect, no Upgrade."""
        return self.length is None and not (self.chunked or self.expect or self.upgrade)


def refuse_line(data: bytes) -> HeadRefused:
    """Why the request line at the start of `data` is refused."""
    if OTHER_VERSION.match(data):
        return HeadRefused(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    return HeadRefused(400, "the request line is malformed")


def form(method: bytes, target: bytes, authority: bytes) -> bytes:
    """The target in the form a service expects (RFC 9112 section 3.2); raises `HeadRefused`.

    Origin form passes as it came, absolute form must agree with Host and loses scheme and authority, `*` is for OPTIONS.
    """
    if method == b"CONNECT":
        raise HeadRefused(405, "CONNECT is refused: this is not a forward proxy")
    if target[:1] == b"/":
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    found = ABSOLUTE.fullmatch(target)
    if not found:
        raise HeadRefused(400, "the request target is malformed")
    if not _same(found[1], authority):
        raise HeadRefused(400, "the request target and the Host field name two hosts")
    rest: bytes = found[2] or (b"*" if method == b"OPTIONS" else b"/")
    return rest if rest[:1] in b"/*" else b"/" + rest


def _same(one: bytes, other: bytes) -> bool:
    """Two authorities of the scheme http that mean the same host and port."""
    first, second = parse_authority(one.decode("latin-1")), parse_authority(other.decode("latin-1"))
    return first is not None and second is not None and _place(*first) == _place(*second)


def _place(host: str, port: int | None) -> tuple[str, int]:
    return host, 80 if port is None else port


def read_block(block: bytes, minor: bytes, origin: Origin) -> Meaning:
    """The meaning of a field block (with its closing empty line) of an HTTP/1.`minor` request; raises `HeadRefused`."""
    if not BLOCK.fullmatch(block):
        raise HeadRefused(400, "a header line is malformed")
    kept, special = _sort(block)
    offered = options(special.get(b"connection", []))
    length, chunked = _framing(special, minor)
    host, authority, port = _host(special.get(b"host", []))
    expect = _expect(special.get(b"expect", []), minor)
    upgrade = b""
    if minor == b"1" and b"upgrade" in offered and length is None and not chunked:
        upgrade = _upgrade(special.get(b"upgrade", []))
    nominated = offered - SPECIAL - {b"close"}
    if nominated:
        kept = without(kept, nominated)
    request_id = _request_id(special.get(b"x-request-id", []))
    hops = b", ".join(special.get(HOP, []))
    lines = [*kept, *_ours(origin, authority, port, hops)]
    if request_id:
        lines.append(b"X-Request-ID: " + request_id)
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    elif length is not None:
        lines.append(b"Content-Length: %d" % length)
    if expect:
        lines.append(b"Expect: 100-continue")
    if upgrade:
        lines += [b"Connection: Upgrade", b"Upgrade: " + upgrade]
    return Meaning(
        host=host,
        authority=authority,
        fields=b"\r\n".join(lines) + b"\r\n",
        request_id=request_id,
        keep=b"close" not in offered and (minor == b"1" or b"keep-alive" in offered),
        own=origin.zones.is_own(host),
        loop=origin.instance.encode().lower() in options([hops]),
        length=length,
        chunked=chunked,
        expect=expect,
        upgrade=upgrade,
        key=_key(kept) if upgrade else b"",
    )


def _sort(block: bytes) -> tuple[list[bytes], dict[bytes, list[bytes]]]:
    """Lines that travel on as they came, and the values of those that do not. What a client spoofs is in neither."""
    kept: list[bytes] = []
    special: dict[bytes, list[bytes]] = {}
    for line in block[:-4].split(b"\r\n"):
        name = line[: line.find(b":")].lower()
        if name in SPECIAL:
            special.setdefault(name, []).append(line[len(name) + 1 :].strip(b" \t"))
        elif not (name.startswith(FORWARDED_PREFIX) or (b"_" in name and _spoofs(line))):
            kept.append(line)
    return [line for line in kept if line], special


def _spoofs(line: bytes) -> bool:
    name = alias(line)
    return name in SPECIAL or name.startswith(FORWARDED_PREFIX)


def _framing(special: dict[bytes, list[bytes]], minor: bytes) -> tuple[int | None, bool]:
    """Content-Length and whether the body is chunked (RFC 9112 section 6); both, doubled or unknown ones are refused."""
    lengths, codings = special.get(b"content-length"), special.get(b"transfer-encoding")
    if codings is not None:
        if lengths is not None:
            raise HeadRefused(400, "Content-Length and Transfer-Encoding exclude each other")
        if minor == b"0":
            raise HeadRefused(400, "HTTP/1.0 has no Transfer-Encoding")
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            raise HeadRefused(400, "the only Transfer-Encoding understood is one chunked")
        return None, True
    if lengths is None:
        return None, False
    if len(lengths) != 1 or not DIGITS.fullmatch(lengths[0]):
        raise HeadRefused(400, "Content-Length must be one decimal number")
    return int(lengths[0]), False


def _host(values: list[bytes]) -> tuple[str, bytes, int | None]:
    if len(values) != 1:
        raise HeadRefused(400, "a request needs exactly one Host field")
    parsed = parse_authority(values[0].decode("latin-1"))
    if parsed is None:
        raise HeadRefused(400, "the Host field is malformed")
    return parsed[0], values[0], parsed[1]


def _expect(values: list[bytes], minor: bytes) -> bool:
    """True when the client waits for 100 Continue; an HTTP/1.0 one cannot (RFC 9110 section 10.1.1)."""
    if not values or minor == b"0":
        return False
    if len(values) != 1 or values[0].lower() != b"100-continue":
        raise HeadRefused(417, "the only expectation understood is 100-continue")
    return True


def _upgrade(values: list[bytes]) -> bytes:
    """The protocols offered, less h2c: a service that takes it would read everything after it behind our back."""
    offers = [offer.strip(b" \t") for value in values for offer in value.split(b",")]
    return b", ".join(offer for offer in offers if offer and offer.lower() != b"h2c")


def _key(lines: list[bytes]) -> bytes:
    keys = [line.partition(b":")[2].strip(b" \t") for line in lines if line[:18].lower() == b"sec-websocket-key:"]
    return keys[0] if len(keys) == 1 else b""


def _request_id(values: list[bytes]) -> bytes:
    return values[0] if len(values) == 1 and REQUEST_ID.fullmatch(values[0]) else b""


def _ours(origin: Origin, authority: bytes, port: int | None, hops: bytes) -> tuple[bytes, ...]:
    """The fields we vouch for. The port is the one the client believes in, as Traefik has it: Host's, else the scheme's."""
    address, scheme = origin.address.encode(), origin.scheme.encode()
    node = b'"[%b]"' % address if b":" in address else address
    own = origin.instance.encode()
    return (
        b"X-Forwarded-For: " + address,
        b"X-Forwarded-Host: " + authority,
        b"X-Forwarded-Proto: " + scheme,
        b"X-Forwarded-Port: %d" % (port or (443 if origin.scheme == "https" else 80)),
        b'Forwarded: for=%b;host="%b";proto=%b' % (node, authority, scheme),
        b"Devdns-Hop: " + (hops + b", " + own if hops else own),
    )
