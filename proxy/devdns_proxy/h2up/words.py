"""HTTP/1.1, as the engine writes and reads it, turned into the fields of HTTP/2 and back. Pure; frames are `h2up.link`'s.

What comes from a service is checked line by line before it becomes bytes: HPACK carries CR, LF and NUL, which must not become lines
of their own (RFC 9113 section 8.2.1).
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from msgspec import Struct

from devdns_proxy.fields import DIGITS, LINE
from devdns_proxy.framing import Body, Chunked, Sized
from devdns_proxy.http2.hpack import Field, block, literal
from devdns_proxy.memo import ENTRIES, Memo
from devdns_proxy.replies import ReplyRefused

#: What only HTTP/1.1 says of a connection (RFC 9113 section 8.2.2).
OF_A_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade", b"http2-settings")
)
CHUNKED = b"\r\nTransfer-Encoding: chunked\r\n"
LENGTH = b"\r\nContent-Length: "
GRPC = b"application/grpc"
#: gRPC refuses a caller that does not say so; the client's own `te` is of its hop.
TRAILERS_WANTED = (b"te", b"trailers")
PHRASES = {str(status.value).encode(): status.phrase.encode() for status in HTTPStatus}


#: The field that is another one in each request.
REQUEST_ID = b"X-Request-ID: "


class Asked(Struct):
    """A request as HTTP/2 has it: its block of fields; `body` frames what follows the head, None when nothing does."""

    block: bytes
    body: Body | None


#: Blocks of `Host`, and of all fields but the last.
MEMO: Memo[bytes, tuple[bytes, bytes]] = Memo()


def asked(head: bytes, scheme: bytes) -> Asked:
    """The request head that `Exchange` has composed, which ends with its empty line; its `Host` is the first field.

    What is another one in each request, its path and its id, is copied; the rest is remembered.
    """
    begin = head.index(b"\r\n") + 2
    method, target, _ = head[:begin].split(b" ")
    end = head.rindex(b"\r\n", 0, -4) + 2
    own = b""
    if head.startswith(REQUEST_ID, end):
        own = literal(b"x-request-id", head[end + len(REQUEST_ID) : -4])
    else:
        end = len(head) - 2
    authority, fields = _blocks(head[begin:end])
    return Asked(b"".join((_begun(method, scheme), authority, literal(b":path", target), fields, own)), _body(head))


@lru_cache
def _begun(method: bytes, scheme: bytes) -> bytes:
    return block([(b":method", method), (b":scheme", scheme)])


def _blocks(lines: bytes) -> tuple[bytes, bytes]:
    known = MEMO.get(lines)
    if known is None:
        host, *others = lines[:-2].split(b"\r\n")
        fields = [field for each in others if (field := _field(each)) is not None]
        known = block([(b":authority", host[6:])]), b"".join(map(_block, [*fields, TRAILERS_WANTED]))
        MEMO.put(lines, len(lines), known)
    return known


@lru_cache(ENTRIES)
def _block(field: Field) -> bytes:
    return block([field])


def _body(head: bytes) -> Body | None:
    """Only one of the two lines is ever there, and it is ours: what the client wrote was read, and not passed on."""
    if CHUNKED in head:
        return Chunked(payload_only=True)
    at = head.rfind(LENGTH)
    if at < 0:
        return None
    length = int(head[at + len(LENGTH) : head.index(b"\r\n", at + 2)])
    return Sized(length) if length else None


@lru_cache(ENTRIES)
def _field(line: bytes) -> Field | None:
    name, _, value = line.partition(b":")
    name = name.lower()
    if name in OF_A_CONNECTION:
        return None
    return name, value.strip(b" \t")


def trailing(section: bytes) -> list[Field]:
    """The fields of a trailer section, with or without its closing empty line."""
    return [field for line in section.split(b"\r\n") if line and (field := _field(line)) is not None]


class Told(Struct):
    """The head of a response as HTTP/1.1 has it. `length` bytes follow; None: chunks, or the head that this one only announces."""

    head: bytes
    length: int | None = None
    chunked: bool = False


def told(fields: list[Field], *, ended: bool, to_head: bool = False) -> Told:
    """The head of a response; raises `ReplyRefused`. `ended`: nothing follows it; `to_head`: it answers HEAD.

    A length is kept unless trailers may come: HTTP/1.1 has them behind chunks only, and for gRPC they are the answer.
    """
    name, status = fields[0] if fields else (b"", b"")
    if name != b":status" or len(status) != 3 or not status.isdigit() or status == b"101":
        raise ReplyRefused(f"its status is {status[:10].decode('latin-1')!r}")
    lines = [b"HTTP/1.1 %b %b" % (status, PHRASES.get(status, b""))]
    lines += [line for name, value in fields[1:] if (line := _line(name, value))]
    if status[:1] == b"1":
        return Told(_joined(lines))
    names = dict(fields)
    if to_head or status in (b"204", b"304"):
        return Told(_joined(lines), 0)
    if ended:
        if _length(names.get(b"content-length", b"0")):
            raise ReplyRefused("its body is shorter than it says")
        return Told(_joined(lines if b"content-length" in names else [*lines, b"content-length: 0"]), 0)
    if b"content-length" in names and b"trailer" not in names and not _is_grpc(names):
        return Told(_joined(lines), _length(names[b"content-length"]))
    lines = [line for line in lines if not line.startswith(b"content-length:")]
    return Told(_joined([*lines, b"transfer-encoding: chunked"]), chunked=True)


def _joined(lines: list[bytes]) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


def _length(value: bytes) -> int:
    if not DIGITS.fullmatch(value):
        raise ReplyRefused("its Content-Length is not one decimal number")
    return int(value)


def _is_grpc(names: dict[bytes, bytes]) -> bool:
    return names.get(b"content-type", b"").startswith(GRPC)


def told_last(fields: list[Field]) -> bytes:
    """The end of a chunked body with these trailers; raises `ReplyRefused`."""
    lines = [line for name, value in fields if (line := _line(name, value))]
    return _joined([b"0", *lines])


@lru_cache(ENTRIES)
def _line(name: bytes, value: bytes) -> bytes:
    """One line of HTTP/1.1, empty for a field that says nothing there; raises `ReplyRefused` for what would be no line."""
    line = b"%b: %b" % (name, value)
    if b":" in name or name != name.lower() or not LINE.fullmatch(line):
        raise ReplyRefused("a field of it is malformed")
    return b"" if name in OF_A_CONNECTION else line
