"""The name in a ClientHello, read before anything answers it (RFC 8446 section 4.1.2, RFC 6066 section 3). Bytes in, a name out.

Nothing here judges the hello: what is malformed has no name, and the TLS library says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

HANDSHAKE = 22
CLIENT_HELLO = 1
SERVER_NAME = 0
RECORD = 5  # type, version, length
MESSAGE = 4  # type, length
FIXED = 34  # legacy_version, random
#: An address is no name, though some clients send theirs (RFC 6066 section 3).
NAME = re.compile(r"(?!(?:.*\.)?[0-9]+$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,126}")
MOST_NAME = 253


class Unfinished(Exception):
    """The hello goes on in bytes that have not come."""


class Hello:
    """One hello while it comes. Each record is read once: pieces of a byte must not cost as much as all that came before."""

    __slots__ = ("_at", "_found")

    def __init__(self) -> None:
        self._at = 0  # where the first record begins that is not whole yet
        self._found = b""

    def name(self, data: bytes) -> str | None:
        """The canonical name that the client asks for, None where there is none; raises `Unfinished`.

        `data` is all that has come; its first byte says that it is a handshake. A hello may be cut into any number of records.
        """
        message = self._message(data)
        if message is None:
            return None
        try:
            return _name(message)
        except (IndexError, ValueError):
            return None

    def _message(self, data: bytes) -> bytes | None:
        """The body of the first handshake message, None where it is no ClientHello or its records are none."""
        while True:
            at = self._at
            if len(data) < at + RECORD:
                raise Unfinished
            size = int.from_bytes(data[at + 3 : at + RECORD], "big")
            if data[at] != HANDSHAKE or data[at + 1] != 3 or not size:
                return None
            end = at + RECORD + size
            found = self._found + data[at + RECORD : end]
            if found[0] != CLIENT_HELLO if found else False:
                return None
            whole = MESSAGE + int.from_bytes(found[1:MESSAGE], "big") if len(found) >= MESSAGE else None
            if whole is not None and len(found) >= whole:
                return found[MESSAGE:whole]
            if len(data) < end:
                raise Unfinished
            self._at, self._found = end, found


def _name(body: bytes) -> str | None:
    for kind, value in _extensions(body):
        if kind == SERVER_NAME:
            # a list with one entry: its length, the type host_name, the length of the name, the name
            if value[2] != 0 or int.from_bytes(value[3:5], "big") != len(value) - 5:
                return None
            name = value[5:].decode("ascii").lower()
            return name if len(name) <= MOST_NAME and NAME.fullmatch(name) else None
    return None


def _extensions(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Each extension, of any type (those of GREASE are among them); raises IndexError where a length leads out of the body."""
    at = FIXED
    at += 1 + body[at]  # the session id
    at += 2 + int.from_bytes(_two(body, at), "big")  # the cipher suites
    at += 1 + body[at]  # the compression methods
    at += 2  # the length of the extensions: they end where the message does
    while at < len(body):
        kind, size = int.from_bytes(_two(body, at), "big"), int.from_bytes(_two(body, at + 2), "big")
        at += 4
        if at + size > len(body):
            raise IndexError
        yield kind, body[at : at + size]
        at += size


def _two(body: bytes, at: int) -> bytes:
    if at + 2 > len(body):
        raise IndexError
    return body[at : at + 2]
