"""Any bytes whatever: no failure of ours, and every reply is a message that mirrors its query."""

from __future__ import annotations

import dns.exception
import dns.message
from hypothesis import given, settings
from support import dns_wire as wire
from support.dns_scene import view

from devdns_resolver.responder import Responder, Transport, Vantage

UPDATE = 5  # dnspython wants more of its question than that it is one


def fresh(transport: Transport = "udp") -> tuple[Responder, Vantage]:
    responder = Responder(view())
    responder.refresh()
    return responder, responder.vantage(responder.desk(transport, "127.0.0.1"), "127.0.0.1")


def check_mirrors(data: bytes, reply: bytes) -> None:
    """The invariants of every reply's header and question."""
    assert reply[:2] == data[:2]
    assert reply[2] & 0xF9 == 0x80 | data[2] & 0x79, "QR set; opcode and RD are the query's"
    assert not reply[3] & 0xE0, "RA, Z and AD are 0"
    assert reply[3] & 0x10 == data[3] & 0x10, "CD is the query's"
    if reply[4:6] == b"\0\1":
        end = question_end(data)
        assert reply[12:end] == data[12:end], "the question is copied byte for byte"


def question_end(data: bytes) -> int:
    at = 12
    while data[at]:
        at += data[at] + 1
    return at + 5


@settings(max_examples=400, deadline=None)
@given(wire.anything)
def test_any_bytes(data: bytes) -> None:
    for transport in ("udp", "tcp"):
        responder, vantage = fresh(transport)  # type: ignore[arg-type]
        reply = responder.respond(vantage, data)
        assert responder.counters.failures == 0
        if reply is None:
            assert len(data) < 12 or data[2] & 0x80
            continue
        check_mirrors(data, reply)
        if data[2] >> 3 & 15 != UPDATE:
            dns.message.from_wire(reply)


@settings(max_examples=300, deadline=None)
@given(wire.queries)
def test_a_question_is_what_a_foreign_parser_reads(data: bytes) -> None:
    responder, vantage = fresh()
    reply = responder.respond(vantage, data)
    assert reply is not None
    try:
        question = dns.message.from_wire(data, question_only=True).question
    except dns.exception.DNSException:
        assert wire.rcode(reply) in (1, 4)
    else:
        assert dns.message.from_wire(reply).question == question
