"""What is not a query, byte by byte: dropped, FORMERR or NOTIMP, and always quickly."""

from __future__ import annotations

from time import thread_time

import pytest
from support import dns_wire as wire
from support.dns_scene import view

from devdns_resolver.responder import Responder

ANSWER = wire.record(wire.name("api.dev.test"), wire.A, bytes(4))
POINTER = b"\xc0\x0c"


def long_name(size: int) -> bytes:
    """A name of exactly `size` bytes below dev.test, its end included."""
    rest = size - len(b"\3dev\4test\0")
    whole, last = divmod(rest, 64)
    front = b"".join(b"\x3f" + b"x" * 63 for _ in range(whole)) + (
        bytes([last - 1]) + b"y" * (last - 1) if last else b""
    )
    return front + b"\3dev\4test\0"


def chain(hops: int) -> bytes:
    """A query whose second additional record is owned by a pointer through `hops` more, in the data of the first."""
    start = wire.HEADER_AND_QUESTION + 11
    pointers = b"\0\0" + b"".join(wire.u16(0xC000 | start + 2 * hop) for hop in range(hops))
    last = wire.u16(0xC000 | start + 2 * hops)
    return wire.query("api.dev.test", wire.A, wire.record(b"\0", 65280, pointers), wire.record(last, 65280))


DROPPED = {
    "nothing": b"",
    "11 bytes": wire.query()[:11],
    "a response": wire.query(flags=0x8000),
    "a response with garbage": wire.header(0x8180, 1) + b"\xff" * 20,
}
FORMERR = {
    "a header alone": wire.header(),
    "no question": wire.header(qd=0),
    "no question but a cookie": wire.header(qd=0, ar=1) + wire.opt((10, bytes(8))),
    "two questions": wire.header(qd=2) + wire.question() * 2,
    "a question counted twice": wire.header(qd=2) + wire.question(),
    "65535 questions": wire.header(qd=65535) + wire.question(),
    "an answer in a query": wire.header(an=1) + wire.question() + ANSWER,
    "authority in a query": wire.header(ns=1) + wire.question() + ANSWER,
    "a byte after the question": wire.query() + b"\0",
    "a byte after the OPT": wire.query("api.dev.test", wire.A, wire.opt()) + b"\0",
    "garbage after the header": wire.header() + b"\xff" * 30,
    "no type": wire.header() + wire.name("api.dev.test"),
    "half a class": wire.query()[:-1],
    "an additional record that is not there": wire.header(ar=1) + wire.question(),
    "a record cut in its header": wire.query("a.dev.test", wire.A, wire.opt()[:-3]),
    "a record cut in its data": wire.query("a.dev.test", wire.A, wire.opt((10, bytes(8)))[:-1]),
    "65535 records": wire.header(ar=65535) + wire.question() + wire.record(POINTER, 65280) * 1000,
    "name of 256 bytes": wire.header() + long_name(256) + wire.u16(1, 1),
    "label of 64": wire.header() + b"\x40" + b"x" * 64 + b"\3dev\4test\0" + wire.u16(1, 1),
    "reserved label type 0x80": wire.header() + b"\x80" + b"x" * 128 + b"\0" + wire.u16(1, 1),
    "pointer to itself": wire.header() + b"\xc0\x0c" + wire.u16(1, 1),
    "pointer forward": wire.header() + b"\xc0\x12" + wire.u16(1, 1) + wire.name("dev.test"),
    "pointer into the header": wire.header() + b"\xc0\x00" + wire.u16(1, 1),
    "an owner in the header": wire.query("a.dev.test", wire.A, wire.record(b"\xc0\x04", 65280)),
    "pointer cut in half": wire.header() + b"\xc0",
    "cyclic pointers": wire.query(
        "a.dev.test", wire.A, wire.record(b"\0", 65280, b"\xc0\x29\xc0\x27"), wire.record(b"\xc0\x27", 1)
    ),
    "a loop through a label": wire.header() + b"\1a\xc0\x0c" + wire.u16(1, 1),
    "a chain of 200 pointers": chain(200),
    "two OPTs": wire.query("a.dev.test", wire.A, wire.opt(), wire.opt()),
    "an OPT below a name": wire.query("a.dev.test", wire.A, wire.opt(owner=POINTER)),
    "an OPT among the authority of IXFR": wire.header(ns=1) + wire.question("dev.test", wire.IXFR) + wire.opt(),
    "an option longer than the OPT": wire.query(
        "a.dev.test", wire.A, wire.record(b"\0", wire.OPT, wire.u16(3, 9), 1232)
    ),
    "half an option": wire.query("a.dev.test", wire.A, wire.record(b"\0", wire.OPT, b"\0\3\0", 1232)),
}
FINE = {
    "name of 255 bytes": wire.header() + long_name(255) + wire.u16(1, 1),
    "a chain of 100 pointers": chain(100),
    "a signature nobody checks": wire.query("a.dev.test", wire.A, wire.record(b"\3key\0", 250, bytes(20), 255)),
    "an OPT before another record": wire.query("a.dev.test", wire.A, wire.opt(), wire.record(POINTER, 65280)),
}


def cost(data: bytes) -> float:
    """Seconds of CPU for one answer, the least of five: other programs run on this machine."""
    costs = []
    for _ in range(5):
        start = thread_time()
        respond(data)
        costs.append(thread_time() - start)
    return min(costs)


def respond(data: bytes) -> bytes | None:
    responder = Responder(view())
    responder.refresh()
    return responder.respond(responder.vantage(responder.desk("udp", "127.0.0.1"), "127.0.0.1"), data)


@pytest.mark.parametrize("data", DROPPED.values(), ids=DROPPED)
def test_dropped(data: bytes) -> None:
    assert respond(data) is None


@pytest.mark.parametrize("data", FORMERR.values(), ids=FORMERR)
def test_formerr(data: bytes) -> None:
    reply = respond(data)
    assert reply is not None
    assert (reply[:2], wire.rcode(reply)) == (data[:2], 1)
    assert reply[6:10] == bytes(4), "an error carries no records"
    assert cost(data) < 0.01


@pytest.mark.parametrize("data", FINE.values(), ids=FINE)
def test_answered(data: bytes) -> None:
    reply = respond(data)
    assert reply is not None
    assert (wire.rcode(reply), reply[6:8]) == (0, b"\0\1")


@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 5, 6, 7, 9, 15])
@pytest.mark.parametrize(
    "rest", [wire.question("dev.test", wire.SOA), b"", b"\xff" * 9], ids=["question", "empty", "garbage"]
)
def test_other_opcodes_are_not_implemented_whatever_follows(opcode: int, rest: bytes) -> None:
    reply = respond(wire.header(opcode << 11) + rest)
    assert reply is not None
    assert (wire.rcode(reply), reply[2] >> 3 & 15) == (4, opcode)


def test_the_worst_messages_take_less_than_10_ms() -> None:
    """64 KiB full of options, and 16 records each owned by the longest chain allowed."""
    assert cost(wire.query("a.dev.test", wire.A, wire.opt(*[(3, b"")] * 16_000))) < 0.01
    start = 0xC000 | wire.HEADER_AND_QUESTION + 11
    deep = chain(126) + wire.record(wire.u16(start + 2 * 126), 65280) * 4998
    for count in (16, 5000):
        assert cost(deep[:10] + wire.u16(count) + deep[12:]) < 0.01
