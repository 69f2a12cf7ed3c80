"""Response heads: a strict reading of the status line and the field block, and what goes on to the client.

A `Reply` is a pure function of the bytes of the head, so it may be remembered by them. What depends on the request
(HEAD, HTTP/1.0, closing) is added by whoever sends it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1

from msgspec import Struct

from devdns_proxy.fields import BLOCK, DIGITS, HOP_BY_HOP, TEXT, TOKEN, options, without

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (" + TEXT + rb"*+))?\r\n")
#: RFC 9112 section 5.1: a proxy removes the space before a colon from a response.
SPACED_COLON = re.compile(rb"(?m)^(" + TOKEN + rb"++)[ \t]+:")
SPECIAL = (HOP_BY_HOP - {b"proxy-authenticate", b"http2-settings"}) | {b"content-length"}
EVENTS = re.compile(rb"(?i)\r\ncontent-type:[ \t]*text/event-stream[ \t;\r]")
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class ReplyRefused(Exception):
    """A response that cannot be passed on; the client gets a 502 with this reason."""


class Reply(Struct, frozen=True, gc=False):
    """The head of a response.

    `head` is the status line and the lines that go on, without the empty line; `length` and `chunked` frame the body
    (neither: it lasts until the connection closes, unless `bodiless`). `keep`: the connection can carry another request;
    not after a response that announces a body where none may be, because that body may come all the same.
    `ready` is the whole head for a client that keeps an HTTP/1.1 connection, `parting` for one that does not; both are empty
    when Date is missing. `events`: an event stream, which never ends by itself.
    """

    status: int
    head: bytes
    ready: bytes
    parting: bytes
    length: int | None
    chunked: bool
    keep: bool
    dated: bool
    bodiless: bool
    upgrade: bytes = b""
    accept: bytes = b""
    events: bool = False


NO_REPLY = Reply(
    status=0, head=b"", ready=b"", parting=b"", length=-1, chunked=False, keep=False, dated=False, bodiless=False
)


def read_reply(data: bytes) -> Reply:
    """The response head `data`, which ends with its empty line; raises `ReplyRefused`."""
    line = STATUS_LINE.match(data)
    if line is None:
        raise ReplyRefused("the status line is malformed")
    minor, status = line[1], int(line[2])
    kept, special = _sort(_clean(data[line.end() :]))
    offered = options(special.get(b"connection"))
    nominated = offered - SPECIAL - {b"close"}
    if nominated:
        kept = without(kept, nominated)
    bodiless = status < 200 or status in (204, 304)
    length, chunked = _framing(special, minor, bodiless=bodiless)
    if length is not None and (status == 304 or not bodiless):
        kept.append(b"Content-Length: %d" % length)
    upgrade = b", ".join(special.get(b"upgrade", []))
    if upgrade and status in (101, 426):
        kept += [b"Connection: Upgrade", b"Upgrade: " + upgrade]
    head = b"\r\n".join([b"HTTP/1.1 %d %b" % (status, line[3] or b""), *kept]) + b"\r\n"
    dated = status < 200 or any(line[:5].lower() == b"date:" for line in kept)
    coding = b"Transfer-Encoding: chunked\r\n" if chunked and not bodiless else b""
    return Reply(
        status=status,
        head=head,
        ready=head + coding + b"\r\n" if dated else b"",
        parting=head + coding + b"Connection: close\r\n\r\n" if dated else b"",
        length=length,
        chunked=chunked,
        keep=b"close" not in offered
        and (minor == b"1" or b"keep-alive" in offered)
        and not (bodiless and (length or b"transfer-encoding" in special)),
        dated=dated,
        bodiless=bodiless,
        upgrade=upgrade.lower(),
        accept=_accept(kept) if status == 101 else b"",
        events=EVENTS.search(head) is not None,
    )


def websocket_accept(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that answers a key (RFC 6455 section 4.2.2)."""
    return b64encode(sha1(key + WEBSOCKET_GUID, usedforsecurity=False).digest())


def _clean(block: bytes) -> bytes:
    if BLOCK.fullmatch(block):
        return block
    block = SPACED_COLON.sub(rb"\1:", block)
    if not BLOCK.fullmatch(block):
        raise ReplyRefused("a header line is malformed")
    return block


def _sort(block: bytes) -> tuple[list[bytes], dict[bytes, list[bytes]]]:
    kept: list[bytes] = []
    special: dict[bytes, list[bytes]] = {}
    for line in block[:-4].split(b"\r\n"):
        name = line[: line.find(b":")].lower()
        if name in SPECIAL:
            special.setdefault(name, []).append(line[len(name) + 1 :].strip(b" \t"))
        elif line:
            kept.append(line)
    return kept, special


def _framing(special: dict[bytes, list[bytes]], minor: bytes, *, bodiless: bool) -> tuple[int | None, bool]:
    """As RFC 9112 section 6.3 has it for responses; what two clients could frame in two ways is refused."""
    lengths, codings = special.get(b"content-length"), special.get(b"transfer-encoding")
    if codings is not None and not bodiless:
        if lengths is not None:
            raise ReplyRefused("it has both Content-Length and Transfer-Encoding")
        if minor == b"0" or len(codings) != 1 or codings[0].lower() != b"chunked":
            raise ReplyRefused("its Transfer-Encoding is not one chunked")
        return None, True
    if lengths is None:
        return None, False
    if len(lengths) != 1 or not DIGITS.fullmatch(lengths[0]):
        raise ReplyRefused("its Content-Length is not one decimal number")
    return int(lengths[0]), False


def _accept(lines: list[bytes]) -> bytes:
    found = [line.partition(b":")[2].strip(b" \t") for line in lines if line[:21].lower() == b"sec-websocket-accept:"]
    return found[0] if len(found) == 1 else b""
