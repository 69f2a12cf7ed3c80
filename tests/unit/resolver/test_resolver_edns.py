"""EDNS(0): sizes, versions, flags, cookies, truncation."""

from __future__ import annotations

import dns.flags
import dns.message
import pytest
from support import dns_wire as wire
from support.dns_scene import hello, route, table

from devdns.core.frames import TableView
from devdns_resolver.responder import Responder, Transport

MANY = route("many.dev.test", *(str(5000 + number) for number in range(100)))
SOME = route("some.dev.test", *(str(5000 + number) for number in range(18)))


def respond(data: bytes, transport: Transport = "udp") -> bytes:
    responder = Responder(TableView(hello(), table(MANY, SOME)))
    responder.refresh()
    reply = responder.respond(responder.vantage(responder.desk(transport, "127.0.0.1"), "127.0.0.1"), data)
    assert reply is not None
    return reply


@pytest.mark.parametrize("length", range(42))
def test_cookies(length: int) -> None:
    good = length == 8 or 16 <= length <= 40
    reply = dns.message.from_wire(respond(wire.query("api.dev.test", wire.A, wire.opt((10, bytes(length))))))
    assert reply.rcode() == (0 if good else 1)
    assert reply.edns == 0
    assert reply.options == ()


def test_only_the_first_cookie_counts() -> None:
    assert wire.rcode(respond(wire.query("api.dev.test", wire.A, wire.opt((10, bytes(8)), (10, b"x"))))) == 0
    assert wire.rcode(respond(wire.query("api.dev.test", wire.A, wire.opt((10, b"x"), (10, bytes(8)))))) == 1


@pytest.mark.parametrize("option", [(3, b""), (8, b"\0\1\x18\0\x7f\0\0"), (11, b""), (12, bytes(30)), (65001, b"?")])
def test_unknown_options_are_ignored_and_not_echoed(option: tuple[int, bytes]) -> None:
    reply = dns.message.from_wire(respond(wire.query("api.dev.test", wire.A, wire.opt(option))))
    assert (reply.rcode(), reply.edns, reply.options, len(reply.answer)) == (0, 0, (), 1)


@pytest.mark.parametrize("version", [1, 2, 255])
def test_badvers_says_version_0_and_looks_at_nothing_else(version: int) -> None:
    reply = dns.message.from_wire(respond(wire.query("api.dev.test", wire.A, wire.opt((10, b"bad"), version=version))))
    assert (reply.rcode(), reply.edns, len(reply.answer)) == (16, 0, 0)


def test_opt_only_for_opt() -> None:
    assert dns.message.from_wire(respond(wire.query())).edns == -1
    assert dns.message.from_wire(respond(wire.query("example.com", wire.A, wire.opt()))).edns == 0


def test_do_is_copied_and_the_rest_of_the_flags_is_not() -> None:
    for flags in (0, 0x7FFF):
        assert dns.message.from_wire(respond(wire.query("api.dev.test", wire.A, wire.opt(flags=flags)))).ednsflags == 0
    reply = dns.message.from_wire(respond(wire.query("api.dev.test", wire.A, wire.opt(flags=0xFFFF))))
    assert reply.ednsflags == dns.flags.DO


@pytest.mark.parametrize(
    ("asked", "additional", "limit"),
    [
        ("many.dev.test", (), 512),
        ("some.dev.test", (), 512),
        ("many.dev.test", (wire.opt(size=0),), 512),
        ("some.dev.test", (wire.opt(size=511),), 512),
        ("many.dev.test", (wire.opt(size=65535),), 1232),
        ("many.dev.test", (wire.opt(size=900),), 900),
    ],
)
def test_truncated_over_udp_whole_over_tcp(asked: str, additional: tuple[bytes, ...], limit: int) -> None:
    data = wire.query(asked, wire.TXT, *additional)
    cut, whole = respond(data), respond(data, "tcp")
    assert len(cut) <= limit < len(whole)
    short = dns.message.from_wire(cut)
    assert short.flags & dns.flags.TC
    assert (short.rcode(), short.answer, short.edns) == (0, [], 0 if additional else -1)
    full = dns.message.from_wire(whole)
    assert not full.flags & dns.flags.TC
    assert len(full.answer) == 1


def test_what_fits_a_larger_size_is_whole_over_udp() -> None:
    data = wire.query("some.dev.test", wire.TXT, wire.opt(size=1232))
    assert respond(data)[3:] == respond(data, "tcp")[3:]
    assert len(respond(data)) > 512


@pytest.mark.parametrize("size", [0, 1, 511])
def test_a_size_below_512_means_512(size: int) -> None:
    reply = dns.message.from_wire(respond(wire.query("api.dev.test", wire.A, wire.opt(size=size))))
    assert (len(reply.answer), bool(reply.flags & dns.flags.TC)) == (1, False)
