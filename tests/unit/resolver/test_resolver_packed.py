"""Packed answers: what is kept never changes an answer, and never grows beyond its bounds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support import dns_wire as wire
from support.dns_scene import hello, route, table, view

from devdns_resolver import responder as responder_module
from devdns_resolver.packed import normal
from devdns_resolver.responder import Desk, Responder, Vantage


def fresh() -> tuple[Responder, Desk]:
    responder = Responder(view())
    responder.refresh()
    return responder, responder.desk("udp", "127.0.0.1")


def as_edge(responder: Responder, vantage: Vantage, data: bytes) -> bytes | None:
    """What a UDP listener does with one message."""
    found = vantage.answers.get(data[2:])
    return data[:2] + found[0] if found is not None else responder.respond(vantage, data)


@st.composite
def likenesses(draw: st.DrawFn) -> list[bytes]:
    """Messages that differ where kept replies could be mixed up: ID, letter case, and the last 8 bytes."""
    data = draw(wire.anything)
    out = [data]
    for _ in range(draw(st.integers(1, 4))):
        other = bytearray(draw(st.sampled_from(out)))
        change = draw(st.sampled_from(["ident", "case", "upper", "tail", "byte"]))
        if change == "ident":
            other[:2] = draw(st.binary(min_size=2, max_size=2))
        elif change == "case":
            other = bytearray(
                byte ^ 0x20 if chr(byte).isalpha() and byte < 128 and draw(st.booleans()) else byte for byte in other
            )
        elif change == "upper":
            other[12:] = other[12:].upper()
        elif change == "tail" and len(other) > 20:
            other[-8:] = draw(st.binary(min_size=8, max_size=8))
        elif other:
            other[draw(st.integers(0, len(other) - 1))] = draw(st.integers(0, 255))
        out.append(bytes(other))
    return out


@settings(max_examples=400, deadline=None)
@given(likenesses())
def test_a_kept_reply_is_the_reply_that_would_be_built(messages: list[bytes]) -> None:
    warm, desk = fresh()
    vantage = warm.vantage(desk, "127.0.0.1")
    for data in (*messages, *messages):
        cold, other = fresh()
        assert as_edge(warm, vantage, data) == cold.respond(cold.vantage(other, "127.0.0.1"), data)


def test_a_question_that_looks_like_a_cookie_is_not_one() -> None:
    """Its last label holds what stands before a cookie: the 8 bytes after it are the question's, not to be evened out."""
    label = b"ab\x00\x0a\x00\x08xyz"
    warm, desk = fresh()
    vantage = warm.vantage(desk, "127.0.0.1")
    for qtype in (wire.A, wire.TXT):
        data = wire.header() + bytes([len(label)]) + label + b"\0" + wire.u16(qtype, 1)
        reply = warm.respond(vantage, data)
        assert data[-12:-8] == b"\x00\x0a\x00\x08"
        assert reply is not None
        assert reply[12:] == data[12:]


def test_id_case_and_cookie_share_one_reply() -> None:
    responder, desk = fresh()
    vantage = responder.vantage(desk, "127.0.0.1")
    for ident in range(3):
        for spelling in ("api.dev.test", "API.dev.test", "aPi.Dev.TEST"):
            for cookie in (bytes(8), b"12345678"):
                data = wire.query(spelling, wire.A, wire.opt((10, cookie)))
                responder.respond(vantage, wire.u16(ident) + data[2:])
    assert len(vantage.answers) == 1
    assert (responder.counters.total(hit=False), responder.counters.total(hit=True)) == (1, 17)


def test_transport_and_client_class_do_not_share() -> None:
    responder = Responder(view(allow=("192.0.2.0/24",)))
    responder.refresh()
    udp, tcp = responder.desk("udp", "192.0.2.1"), responder.desk("tcp", "192.0.2.1")
    places = [
        responder.vantage(desk, source) for desk in (udp, tcp) for source in ("127.0.0.1", "192.0.2.9", "198.51.100.1")
    ]
    assert len({id(place.answers) for place in places}) == 6
    assert responder.vantage(udp, "127.0.0.2") is places[0]


def test_a_new_table_or_new_settings_drop_everything() -> None:
    responder, desk = fresh()
    asked = wire.query("new.dev.test", wire.TXT)
    before = responder.respond(responder.vantage(desk, "127.0.0.1"), asked)
    responder.view.table = table(route("new.dev.test", "9"), generation=8)
    responder.refresh()
    after = responder.respond(responder.vantage(desk, "127.0.0.1"), asked)
    assert before is not None
    assert after is not None
    assert (before[6:8], after[6:8]) == (b"\0\0", b"\0\1")
    responder.view.hello = hello(zones=("other.test",))
    responder.refresh()
    gone = responder.respond(responder.vantage(desk, "127.0.0.1"), asked)
    assert gone is not None
    assert wire.rcode(gone) == 3


def test_at_most_20000_are_kept_then_all_go() -> None:
    responder, desk = fresh()
    vantage = responder.vantage(desk, "127.0.0.1")
    for number in range(responder_module.MAX_ANSWERS):
        responder.respond(vantage, wire.query(f"n{number}.dev.test"))
    assert len(vantage.answers) == responder_module.MAX_ANSWERS == 20_000
    responder.respond(vantage, wire.query("one-more.dev.test"))
    assert len(vantage.answers) == 1


def test_what_is_large_or_refused_is_not_kept() -> None:
    responder, desk = fresh()
    vantage = responder.vantage(desk, "127.0.0.1")
    responder.respond(vantage, wire.query("api.dev.test", wire.A, wire.opt((12, bytes(600)))))
    stranger = responder.vantage(desk, "192.0.2.1")
    responder.respond(stranger, wire.query())
    assert (vantage.answers, stranger.answers) == ({}, {})


def test_sources_are_remembered_in_bounds() -> None:
    responder, desk = fresh()
    for number in range(5_000):
        responder.vantage(desk, f"127.0.{number // 250}.{number % 250}")
    assert len(desk.vantages) <= responder_module.MAX_SOURCES


def test_the_key_leaves_types_alone() -> None:
    """Type 65 and type 97 differ by the bit that makes letters small."""
    assert normal(wire.query("API.dev.test", 65)[2:]) == normal(wire.query("api.dev.test", 65)[2:])
    assert normal(wire.query("api.dev.test", 65)[2:]) != normal(wire.query("api.dev.test", 97)[2:])
