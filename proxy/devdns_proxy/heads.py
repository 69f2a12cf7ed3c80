"""Request heads: a strict reading of the request line and the field block (RFC 9112), and what goes on to the service.

`Meaning` is what the field block alone means, so it may be remembered by its bytes; what differs per request (method,
target, request id) stays outside. Anything that two parsers could read in two ways is refused.
"""

from __future__ import annotations

import re

from msgspec import Struct

from devdns.core.names import parse_authority
from devdns_proxy.door import PLAIN, Door
from devdns_proxy.fields import DIGITS, TOKEN, HeadRefused, options, without
from devdns_proxy.kinds import HOP, KEPT, KINDS, MAX_LINES, MAX_REMEMBERED, SPECIAL, Shape, kind_of, sort
from devdns_proxy.memo import Memo
from devdns_proxy.places import Origin, place_of

#: No `#` in a target: a fragment is the client's (RFC 9110 section 7.1), and where services see one they cut there or do not.
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb"{1,64}+) ([\x21\x22\x24-\x7e\x80-\xff]++) HTTP/1\.([01])\r\n")
OTHER_VERSION = re.compile(TOKEN + rb"{1,64}+ [\x21\x22\x24-\x7e\x80-\xff]++ HTTP/[0-9]\.[0-9]\r\n")
ABSOLUTE = re.compile(rb"(?i:(https?))://([^/?#@]+)([/?][\x21-\x7e\x80-\xff]*)?")
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))  # RFC 9110 section 9.2.2

NEVER_NOMINATED = SPECIAL | {b"close"}


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


def form(method: bytes, target: bytes, authority: bytes, door: Door = PLAIN) -> bytes:
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
    if found[1].lower() != door.scheme.encode():
        raise HeadRefused(400, f"the request target is not one of {door.scheme}, which is spoken here")
    if not _same(found[2], authority, door.port):
        raise HeadRefused(400, "the request target and the Host field name two hosts")
    rest: bytes = found[3] or (b"*" if method == b"OPTIONS" else b"/")
    return rest if rest[:1] in b"/*" else b"/" + rest


def _same(one: bytes, other: bytes, default: int) -> bool:
    """Two authorities of a scheme with this default port that mean the same host and port."""
    first, second = parse_authority(one.decode("latin-1")), parse_authority(other.decode("latin-1"))
    return first is not None and second is not None and _defaulted(*first, default) == _defaulted(*second, default)


def _defaulted(host: str, port: int | None, default: int) -> tuple[str, int]:
    return host, default if port is None else port


class Outline(Struct, frozen=True, gc=False):
    """What a block means but for the lines that pass through: those at `others` (the last first) do not, `tail` is ours.

    Safe because it is remembered under all that it depends on: the lines that are read, by their bytes and places, the minor
    version and the origin. A block whose passing lines are read too (named by Connection, or beside Upgrade) has none.
    """

    meaning: Meaning
    others: tuple[int, ...]
    tail: bytes

    def filled(self, lines: list[bytes]) -> Meaning:
        """The meaning with these lines, which are used up."""
        for at in self.others:
            del lines[at]
        lines.append(self.tail)
        same, fields = self.meaning, b"\r\n".join(lines)
        return Meaning(same.host, same.authority, fields, same.request_id, same.keep, same.own, same.loop)


OUTLINES: Memo[tuple[Shape, bytes, Origin], Outline] = Memo()


def read_block(block: bytes, minor: bytes, origin: Origin) -> Meaning:
    """The meaning of a field block (with its closing empty line) of an HTTP/1.`minor` request; raises `HeadRefused`."""
    if not block.endswith(b"\r\n\r\n"):
        raise HeadRefused(400, "a request needs exactly one Host field")  # the block holds no line at all
    lines = block[:-4].split(b"\r\n")
    if len(block) > MAX_REMEMBERED or len(lines) > MAX_LINES:
        return _read(lines, tuple(map(kind_of, lines)), minor, origin)[0]
    shape = tuple(map(KINDS.__getitem__, lines))
    outline = OUTLINES.get((shape, minor, origin))
    if outline is not None:
        return outline.filled(lines)
    meaning, tail = _read(lines, shape, minor, origin)
    if tail is not None:
        others = tuple(at for at in reversed(range(len(shape))) if shape[at] is not KEPT)
        OUTLINES.put((shape, minor, origin), len(block), Outline(meaning, others, tail))
    return meaning


def _read(lines: list[bytes], shape: Shape, minor: bytes, origin: Origin) -> tuple[Meaning, bytes | None]:
    """The meaning of lines of these kinds, and the lines of ours at its end where they and the meaning may be remembered."""
    kept, special = sort(lines, shape)
    offered = options(special.get(b"connection"))
    length, chunked = _framing(special, minor)
    place = place_of(special.get(b"host"), origin)
    expect = _expect(special.get(b"expect"), minor)
    upgrade = b""
    if b"upgrade" in offered and minor == b"1" and length is None and not chunked:
        upgrade = _upgrade(special.get(b"upgrade", []))
    nominated = offered - NEVER_NOMINATED
    if nominated:
        kept = without(kept, nominated)
    request_id = _request_id(special.get(b"x-request-id"))
    hops = special.get(HOP)
    ours = [place.vouched, b"Devdns-Hop: " + b", ".join([*hops, place.instance]) if hops else place.hop]
    if request_id:
        ours.append(b"X-Request-ID: " + request_id)
    if expect:
        ours.append(b"Expect: 100-continue")
    tail = b"\r\n".join([*ours, *_carried(length, upgrade, chunked=chunked), b""])
    meaning = Meaning(
        host=place.host,
        authority=place.authority,
        fields=b"\r\n".join([*kept, tail]),
        request_id=request_id,
        keep=b"close" not in offered and (minor == b"1" or b"keep-alive" in offered),
        own=place.own,
        loop=hops is not None and place.instance.lower() in options(hops),
        length=length,
        chunked=chunked,
        expect=expect,
        upgrade=upgrade,
        key=_key(kept) if upgrade else b"",
    )
    return meaning, tail if meaning.memorable and not nominated else None


def _carried(length: int | None, upgrade: bytes, *, chunked: bool) -> list[bytes]:
    """The lines of this hop: how the body is framed, and what is offered instead of HTTP."""
    if chunked:
        return [b"Transfer-Encoding: chunked"]
    if length is not None:
        return [b"Content-Length: %d" % length]
    return [b"Connection: Upgrade\r\nUpgrade: " + upgrade] if upgrade else []


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


def _expect(values: list[bytes] | None, minor: bytes) -> bool:
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


def _request_id(values: list[bytes] | None) -> bytes:
    return values[0] if values is not None and len(values) == 1 and REQUEST_ID.fullmatch(values[0]) else b""
