"""Field compression (RFC 7541), which the library hpack does: the only place that knows of it.

What was measured before it was chosen: jh2's compiled decoder is ten times as fast, but a truncated block makes it panic (and print a
traceback to stderr) and it takes paddings that the RFC forbids. That a block means what it meant, while the table is unchanged, costs less than either.
"""

from __future__ import annotations

from hpack import Decoder, Encoder, HPACKError, OversizedHeaderListError
from hpack.hpack import encode_integer

from devdns_proxy.http2.wire import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, Broken

Field = tuple[bytes, bytes]

#: What the fields of one section may come to, each with the 32 bytes that RFC 9113 section 6.5.2 counts.
MOST_FIELDS = 65_536
#: Tells the other side that our dynamic table has no room (RFC 7541 section 6.3): it begins the first block of a connection.
NO_TABLE = b"\x20"
#: Values that no compressor should keep (RFC 7541 section 7.1.3).
SENSITIVE = frozenset((b"set-cookie", b"authorization", b"proxy-authorization", b"cookie"))

ENCODER = Encoder()
ENCODER.header_table_size = 0
ENCODER.encode([(b":status", b"200")])  # takes the one size update away, which `NO_TABLE` is on each connection


def block(fields: list[Field]) -> bytes:
    """A block that means the same on every connection: no dynamic table is used."""
    return ENCODER.encode([(name, value, name in SENSITIVE) for name, value in fields])


def literal(name: bytes, value: bytes) -> bytes:
    """The same for one field, lower case, at the price of a copy: it goes out as it is (RFC 7541 section 6.2.2)."""
    return b"".join((b"\0", encode_integer(len(name), 7), name, encode_integer(len(value), 7), value))


class Reader:
    """What reads the blocks of one connection, in order. `steady`: the last one has left the table as it was."""

    __slots__ = ("_decoder", "steady")

    def __init__(self) -> None:
        self.steady = True
        self._decoder = Decoder(MOST_FIELDS)

    def fields(self, block: bytes) -> list[Field]:
        """Raises `Broken` for what cannot be read, or is too much: no later block could be read after it."""
        table = self._decoder.header_table
        entries, size = table.dynamic_entries, table.maxsize
        count, first = len(entries), entries[0] if entries else None
        try:
            fields = [(name, value) for name, value in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise Broken(ENHANCE_YOUR_CALM, "the field section is too large") from None
        except HPACKError:
            raise Broken(COMPRESSION_ERROR, "the field section cannot be read") from None
        # Entries come in at the front, and leave when one has come or the size is another.
        same = not entries or entries[0] is first
        self.steady = same and len(entries) == count and table.maxsize == size
        return fields
