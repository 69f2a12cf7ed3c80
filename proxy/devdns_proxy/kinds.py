"""What kinds of lines a request's field block has: those that travel on, those that are read here, those that are dropped."""

from __future__ import annotations

from devdns_proxy.fields import FORWARDED_PREFIX, HOP_BY_HOP, LINE, HeadRefused
from devdns_proxy.memo import ENTRIES

HOP = b"devdns-hop"
SPECIAL = HOP_BY_HOP | {b"host", b"content-length", b"expect", b"forwarded", b"x-request-id", b"x-real-ip", HOP}
#: Larger blocks, and those of more lines, are read without memory: all lines kept together stay under 4 MiB.
MAX_REMEMBERED = 4_096
MAX_LINES = 64

KEPT, DROPPED = b"", b"-"
#: The kind of each line of a block: `KEPT`, `DROPPED`, or the line itself where its field is read here.
Shape = tuple[bytes, ...]


def kind_of(line: bytes) -> bytes:
    """Raises `HeadRefused` for a malformed line."""
    if not LINE.fullmatch(line):
        raise HeadRefused(400, "a header line is malformed")
    name = line[: line.index(b":")].lower()
    if name in SPECIAL:
        return line
    plain = name.replace(b"_", b"-")  # CGI-like backends cannot tell X_Forwarded_For from X-Forwarded-For
    return DROPPED if plain in SPECIAL or plain.startswith(FORWARDED_PREFIX) else KEPT


class Kinds(dict[bytes, bytes]):
    """The kinds of lines seen before: most lines of a request were in the last one, and a kind depends on nothing else."""

    def __missing__(self, line: bytes) -> bytes:
        kind = kind_of(line)
        if len(self) >= ENTRIES:
            self.clear()
        self[line] = kind
        return kind


KINDS = Kinds()


def sort(lines: list[bytes], shape: Shape) -> tuple[list[bytes], dict[bytes, list[bytes]]]:
    """Lines that travel on as they came, and the values of those that do not, by their names in lower case.

    What a client spoofs is in neither.
    """
    kept: list[bytes] = []
    special: dict[bytes, list[bytes]] = {}
    for line, kind in zip(lines, shape, strict=True):
        if kind is KEPT:
            kept.append(line)
        elif kind is not DROPPED:
            name, _, value = line.partition(b":")
            special.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return kept, special
