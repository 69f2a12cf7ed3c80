"""A DNS client of a few lines for the demonstration: asks for an A record over UDP (RFC 1035 section 4)."""

from __future__ import annotations

import secrets
import socket
import struct

A, IN = 1, 1
RECURSION_DESIRED = 0x0100
SECONDS = 2.0


class NoAnswer(Exception):
    """The server said nothing, or nothing that answers the question; `str` says what."""


def ask(name: str, server: tuple[str, int], seconds: float = SECONDS) -> str:
    """The first IPv4 address of `name`; raises `NoAnswer`."""
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", A, IN)
    with socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(server)
            sock.send(struct.pack("!HHHHHH", number, RECURSION_DESIRED, 1, 0, 0, 0) + question)
            reply = sock.recv(4096)
        except OSError as error:
            raise NoAnswer(f"no DNS answer from {server[0]} port {server[1]}: {error}") from None
    return address(reply, number, question)


def address(reply: bytes, number: int, question: bytes) -> str:
    """The address in a reply to that question; raises `NoAnswer` for any other bytes."""
    if len(reply) < 12:
        raise NoAnswer(f"a DNS reply of {len(reply)} bytes is too short")
    found, flags, _, answers, _, _ = struct.unpack_from("!HHHHHH", reply)
    if found != number or not flags & 0x8000 or reply[12 : 12 + len(question)].lower() != question.lower():
        raise NoAnswer("a DNS reply to another question")
    if flags & 0xF or not answers:
        raise NoAnswer(f"a DNS reply with code {flags & 0xF} and {answers} answers")
    try:
        kind, kind_class, _, length, data = struct.unpack_from("!HHIH4s", reply, _after_name(reply, 12 + len(question)))
    except (IndexError, struct.error):
        raise NoAnswer("a DNS reply that is cut short") from None
    if (kind, kind_class, length) != (A, IN, 4):
        raise NoAnswer(f"a DNS answer of type {kind}")
    return socket.inet_ntoa(data)


def _after_name(reply: bytes, place: int) -> int:
    """A pointer ends a name (section 4.1.4), as does the empty label."""
    while reply[place]:
        if reply[place] >= 0xC0:
            return place + 2
        place += reply[place] + 1
    return place + 1
