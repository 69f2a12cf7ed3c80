"""The text of a hosts file: our block put in, taken out, and nothing else of it changed. Bytes in, bytes out.

A block is marked with its owner, so that two devdns (of two users, say) do not fight. Line ends are those of the file. A file
whose last line has no end gets one with the block, and loses it again with the block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from devdns.core.errors import DevdnsError

LOOPBACK = ("127.0.0.1", "::1")
JOINED = ", the line above had no end"
#: What a hosts file may be given as a name: whoever tells the names may be another user than who writes them (RFC 1123 section 2.1).
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
#: Names in one block. Every program reads the whole file for every name it looks up.
MOST_NAMES = 10_000
#: The first mark of anybody's block, where that is what follows.
ANY_FIRST = re.compile(rb"\A(# >>> devdns [^\r\n,]+)(?=\r?\n)")


def _marks(owner: str) -> tuple[str, str]:
    return f"# >>> devdns {owner}", f"# <<< devdns {owner}"


def block(owner: str, names: Iterable[str], *, end: bytes = b"\n", joined: bool = False) -> bytes:
    """The lines of our block: one for each name and address, so that no line grows too long for any reader.

    What is no name of at least two labels is left out, and so are those behind the first `MOST_NAMES`.
    """
    first, last = _marks(owner)
    known = sorted(filter(NAME.fullmatch, names))[:MOST_NAMES]
    lines = [f"{first}{JOINED if joined else ''}"]
    lines += [f"{address}\t{name}" for name in known for address in LOOPBACK]
    return b"".join(line.encode() + end for line in (*lines, last))


def with_block(text: bytes, owner: str, names: Iterable[str]) -> bytes:
    """The text with our block in it: in its place, or at the end. Raises `DevdnsError` for marks that do not match."""
    found = _find(text, owner)
    if found is not None:
        joined = JOINED.encode() in found[0].splitlines()[0]
        ours = block(owner, names, end=line_end(text), joined=joined)
        return text[: found.start()] + ours + text[found.end() :]
    joined = bool(text) and not text.endswith(b"\n")
    ours = block(owner, names, end=line_end(text), joined=joined)
    return text + (line_end(text) if joined else b"") + ours


def without_block(text: bytes, owner: str) -> bytes:
    """The text without our block, as it was before it was put in."""
    found = _find(text, owner)
    if found is None:
        return text
    before, after = text[: found.start()], text[found.end() :]
    if JOINED.encode() in found[0].splitlines()[0]:
        if not after:
            before = before.removesuffix(line_end(text))
        after = ANY_FIRST.sub(rb"\1%s" % JOINED.encode(), after)  # the next block knows it then
    return before + after


def has_block(text: bytes, owner: str) -> bool:
    """Raises `DevdnsError` for marks that do not match."""
    return _find(text, owner) is not None


def names_in(text: bytes, owner: str) -> tuple[str, ...]:
    """The names that our block holds."""
    found = _find(text, owner)
    rows = [line.split() for line in found[0].decode("utf-8", "replace").splitlines()[1:-1]] if found else []
    return tuple(sorted({row[1] for row in rows if len(row) == 2}))


def line_end(text: bytes) -> bytes:
    """CRLF where the first line of the file ends so."""
    return b"\r\n" if re.match(rb"[^\n]*\r\n", text) else b"\n"


def _find(text: bytes, owner: str) -> re.Match[bytes] | None:
    first, last = (re.escape(mark.encode()) for mark in _marks(owner))
    ours = re.compile(
        rb"^%s(?:%s)?\r?\n(?:(?!# >>>)[^\n]*\n)*?%s(?:\r?\n|\Z)" % (first, re.escape(JOINED.encode()), last),
        re.MULTILINE,
    )
    found = ours.search(text)
    if found is None and re.search(rb"^(?:%s|%s)(?=[\r\n,]|\Z)" % (first, last), text, re.MULTILINE):
        raise DevdnsError("one of the marks of our block in the hosts file is gone", "take the rest of it out by hand")
    return found


def torn(current: bytes, old: bytes, new: bytes) -> bool:
    """Whether `current` is what an end in the middle of writing `new` over `old` leaves: the start of one, the rest of the other."""
    shared = zip(current, new, strict=False)
    same = next((at for at, (one, other) in enumerate(shared) if one != other), min(len(current), len(new)))
    return current not in (old, new) and current[same:] == old[same:]
