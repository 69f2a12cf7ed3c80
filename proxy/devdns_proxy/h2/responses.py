"""A response head or trailer section, as the engine writes it in HTTP/1.1, as a field block of HTTP/2. Pure.

What is read here is our own output, and no other. The blocks use no dynamic table, so one is the same on every connection and may be
remembered by its head.
"""

from __future__ import annotations

from msgspec import Struct

from devdns_proxy.fields import HOP_BY_HOP
from devdns_proxy.http2.hpack import block
from devdns_proxy.memo import Memo

DROPPED = HOP_BY_HOP - {b"proxy-authenticate"}
OF_A_HANDSHAKE = DROPPED | {b"sec-websocket-accept"}


class Answer(Struct, frozen=True, gc=False):
    """A response head: its block, and how its body is framed in HTTP/1.1 (neither `length` nor `chunked`: there is none, or it ends with the connection)."""

    status: int
    block: bytes
    length: int | None
    chunked: bool

    @property
    def bodiless(self) -> bool:
        return self.status in (204, 304)


MEMO: Memo[tuple[bytes, bool], Answer] = Memo()


def answer(head: bytes, *, tunnel: bool) -> Answer:
    """What the head means, with its empty line, as an answer to an extended CONNECT (`tunnel`) or to any other request."""
    key = (head, tunnel)
    known = MEMO.get(key)
    if known is None:
        known = _read(head, tunnel=tunnel)
        MEMO.put(key, len(head), known)
    return known


def _read(head: bytes, *, tunnel: bool) -> Answer:
    line, *lines = head[:-4].split(b"\r\n")
    status = int(line[9:12])
    fields = [(name, value) for name, value in map(_field, lines) if name not in DROPPED]
    length = next((int(value) for name, value in fields if name == b"content-length"), None)
    chunked = any(_field(each) == (b"transfer-encoding", b"chunked") for each in lines)
    return Answer(status, block([(b":status", _said(status, tunnel=tunnel)), *_told(fields, status)]), length, chunked)


def _told(fields: list[tuple[bytes, bytes]], status: int) -> list[tuple[bytes, bytes]]:
    return [each for each in fields if each[0] not in OF_A_HANDSHAKE] if status == 101 else fields


def _said(status: int, *, tunnel: bool) -> bytes:
    """200 is what 101 was (RFC 8441 section 5); any other success would be one too, but nobody has switched."""
    if status == 101:
        return b"200"
    return b"502" if tunnel and 200 <= status < 300 else b"%d" % status


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.lower(), value.strip(b" \t")


def trailers(section: bytes) -> bytes:
    """The block of a trailer section; empty where there is none."""
    lines = section.rstrip(b"\r\n").split(b"\r\n")
    return block([_field(line) for line in lines]) if lines[0] else b""
