"""The little of HTTP/2 that asking a service for a sign of life takes: a greeting, one GET, and the status of its answer. Pure.

Nothing is compressed on the way there; of an answer only the first field is read, which is its status (RFC 9113 section 8.3).
"""

from __future__ import annotations

from msgspec import Struct

HEADERS, RST_STREAM, SETTINGS, GOAWAY = 1, 3, 4, 7
ACK, END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
FRAME_HEAD = 9
MOST_FRAME = 16_384
#: The static table's entries of `:status` (RFC 7541 appendix A).
STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
#: Digits in HPACK's Huffman code (RFC 7541 appendix B): 5 bits for 0 to 2, 6 for the others.
DIGITS = {f"{digit:05b}": digit for digit in range(3)} | {f"{0x16 + digit:06b}": digit for digit in range(3, 10)}


class Frame(Struct, frozen=True):
    """The head of a frame: `length` bytes follow."""

    length: int
    kind: int
    flags: int
    stream: int


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A whole frame (RFC 9113 section 4.1)."""
    return b"".join((len(payload).to_bytes(3), bytes((kind, flags)), stream.to_bytes(4), payload))


def read_frame(head: bytes) -> Frame:
    """The head of a frame, of `FRAME_HEAD` bytes; raises `ValueError` for one that is longer than may be."""
    found = Frame(int.from_bytes(head[:3]), head[3], head[4], int.from_bytes(head[5:9]) & 0x7FFF_FFFF)
    if found.length > MOST_FRAME:
        raise ValueError("the answer is no HTTP/2")
    return found


#: What a client says first; a service answers with its settings.
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
UNDERSTOOD = frame(SETTINGS, ACK, 0)


def get(path: str, host: str, scheme: str) -> bytes:
    """A GET on the first stream."""
    fields = {":method": "GET", ":scheme": scheme, ":authority": host, ":path": path, "user-agent": "devdns-probe"}
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())
    return frame(HEADERS, END_STREAM | END_HEADERS, 1, block)


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 0x7F:
        return bytes((len(raw),)) + raw
    rest, size = len(raw) - 0x7F, bytearray(b"\x7f")
    while rest > 0x7F:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    size.append(rest)
    return bytes(size) + raw


def status(flags: int, payload: bytes) -> int:
    """The status that a HEADERS frame begins with, 0 where it says none that is understood."""
    at = (1 if flags & PADDED else 0) + (5 if flags & PRIORITY else 0)
    while payload[at : at + 1] and payload[at] >> 5 == 1:  # the size of the table may be set first
        at = _after(payload, at)
    field = payload[at] if at < len(payload) else 0
    if field & 0x80:
        return STATUSES.get(field & 0x7F, 0)
    index = field & (0x3F if field & 0x40 else 0x0F)
    return _value(payload[at + 1 :]) if index in STATUSES else 0


def _after(payload: bytes, at: int) -> int:
    """Where a number of a five-bit prefix ends."""
    if payload[at] & 0x1F != 0x1F:
        return at + 1
    at += 1
    while payload[at : at + 1] and payload[at] & 0x80:
        at += 1
    return at + 1


def _value(data: bytes) -> int:
    if not data:
        return 0
    text = data[1 : 1 + (data[0] & 0x7F)]
    if not data[0] & 0x80:
        return int(text) if len(text) == 3 and text.isdigit() else 0
    bits, digits = "".join(f"{byte:08b}" for byte in text), [0]
    while len(digits) < 4:
        size = next((size for size in (5, 6) if bits[:size] in DIGITS), 0)
        if not size:
            return 0
        digits.append(DIGITS[bits[:size]])
        bits = bits[size:]
    return int("".join(map(str, digits)))
