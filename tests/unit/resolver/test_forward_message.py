"""Messages of the forwarder: asked, checked, read, aged and rendered, against dnspython and against any bytes."""

from __future__ import annotations

import contextlib

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dns_upstream import reply
from support.dns_wire import A, header, name, opt, question, record

from devdns_resolver.codes import HEADER
from devdns_resolver.forward_message import (
    MAX_RECORDS,
    Answer,
    aged,
    bare,
    capped,
    is_denial,
    is_reply,
    key_of,
    read,
    render,
    request,
    stale,
)
from devdns_resolver.query import Query, parse
from devdns_resolver.wirename import Malformed

SOA = "example.com. 600 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 30"


def asked(text: str = "wWw.Example.com", rdtype: str = "A", **options) -> tuple[bytes, Query, bytes]:
    """A client's query: its bytes, parsed, and its key."""
    data = dns.message.make_query(text, rdtype, id=77, **options).to_wire()
    query = parse(data)
    assert query is not None
    return data, query, key_of(data, query)


def came(key: bytes, *lines: str, **more) -> bytes:
    """An upstream's reply to the question of `key`."""
    return reply(dns.message.from_wire(request(key, 5)), *lines, **more).to_wire(max_size=65535)


def test_a_key_forgets_case_and_remembers_do_and_cd() -> None:
    plain = asked()[2]
    assert plain == asked("www.eXAMPLE.com", use_edns=0)[2]
    others = [
        asked(want_dnssec=True)[2],
        asked(flags=dns.flags.CD | dns.flags.RD)[2],
        asked(rdtype="AAAA")[2],
        asked("www.example.org")[2],
    ]
    assert len({plain, *others}) == 5


def test_the_query_to_an_upstream_is_ours() -> None:
    data, _, key = asked(use_edns=0, want_dnssec=True, options=[dns.edns.ECSOption("198.51.100.0", 24)])
    message = dns.message.from_wire(request(key, 0xABCD))
    assert (message.id, message.flags, message.payload) == (0xABCD, dns.flags.RD, 1232)
    assert message.ednsflags == dns.flags.DO
    assert message.options == ()
    assert str(message.question[0]) == "www.example.com. IN A"
    assert dns.message.from_wire(request(key, 1, edns=False)).edns == -1
    assert b"\xc6\x33\x64" in data  # what stayed here


REPLY = header(0x8180) + question("www.example.com")


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        (REPLY, True),
        (header(0x8180) + question("WWW.example.COM"), True),
        (header(0x8180, ident=0x1235) + question("www.example.com"), False),
        (header(0x0180) + question("www.example.com"), False),
        (header(0x8980) + question("www.example.com"), False),
        (header(0x8180) + question("www.example.org"), False),
        (header(0x8180) + question("www.example.com", 28), False),
        (header(0x8180) + question("www.example.com", A, 3), False),
        (header(0x8180, qd=2) + question("www.example.com") * 2, False),
        (header(0x8180, qd=0), False),
        (header(0x8181, qd=0), True),
        (REPLY[:20], False),
        (REPLY[:11], False),
        (b"", False),
    ],
)
def test_what_is_a_reply(data: bytes, *, fits: bool) -> None:
    key = asked("www.example.com")[2]
    assert is_reply(request(key, 0x1234), key, data) is fits


@pytest.mark.parametrize(
    ("lines", "more", "lifetime", "denial"),
    [
        (("@ 60 IN A 192.0.2.1", "@ 50 IN A 192.0.2.2"), {}, 50, False),
        (("@ 60 IN CNAME b.example.com.", "b.example.com. 7 IN A 192.0.2.1"), {}, 7, False),
        (("@ 2147483648 IN A 192.0.2.1",), {}, 0, False),
        ((), {"soa": SOA}, 30, True),
        ((), {"soa": SOA.replace(" 600 IN", " 10 IN")}, 10, True),
        ((), {"soa": SOA, "rcode": dns.rcode.NXDOMAIN}, 30, True),
        ((), {}, 0, True),
        ((), {"rcode": dns.rcode.NXDOMAIN}, 0, True),
        (("@ 20 IN CNAME b.example.com.",), {"soa": SOA}, 20, True),
        (("@ 20 IN CNAME b.example.com.",), {}, 0, True),
        (("@ 20 IN CNAME b.example.com.",), {"soa": SOA, "rcode": dns.rcode.NXDOMAIN}, 20, True),
    ],
)
def test_how_long_a_reply_may_be_kept(lines: tuple[str, ...], more: dict, lifetime: int, *, denial: bool) -> None:
    key = asked()[2]
    if "2147483648" in " ".join(lines):
        data = came(key, "@ 1 IN A 192.0.2.1").replace(b"\0\0\0\1\0\4\xc0", b"\x80\0\0\0\0\4\xc0")
    else:
        data = came(key, *lines, **more)
    answer, found = read(data, key)
    assert (answer.lifetime, is_denial(answer.message, found, key)) == (lifetime, denial)


def test_the_opt_goes_and_with_it_the_code_it_extends() -> None:
    key = asked("www.example.com")[2]
    data = header(0x8180, an=1, ar=2) + question("www.example.com")
    data += record(b"\xc0\x0c", A, bytes(4), ttl=9) + record(name("x"), A, bytes(4), ttl=3) + opt((10, bytes(8)))
    answer, found = read(data, key)
    assert (len(found), answer.rcode, answer.lifetime) == (2, 0, 3)
    assert dns.message.from_wire(answer.message).edns == -1
    badvers = header(0x8180, ar=1) + question("www.example.com") + record(b"\0", 41, b"", 1232, 1 << 24)
    assert read(badvers, key)[0].rcode == 16


@pytest.mark.parametrize(
    "rest",
    [
        header(0x8180, an=1) + question("www.example.com"),
        header(0x8180) + question("www.example.com") + b"\0",
        header(0x8180, an=1) + question("www.example.com") + record(b"\xc0\x0c", A, bytes(4))[:-1],
        header(0x8180, an=1) + question("www.example.com") + record(b"\xc0\xff", A, bytes(4)),
        header(0x8180, an=1) + question("www.example.com") + opt(),
        header(0x8180, an=MAX_RECORDS + 1) + question("www.example.com") + record(b"\0", A) * (MAX_RECORDS + 1),
    ],
)
def test_malformed_replies_are_no_answers(rest: bytes) -> None:
    with pytest.raises(Malformed):
        read(rest, asked("www.example.com")[2])


def test_ttls_go_down_to_nothing_and_stale_ones_are_given() -> None:
    data, query, key = asked()
    answer, _ = read(came(key, "@ 60 IN CNAME b.example.com.", "b.example.com. 7 IN A 192.0.2.1", soa=SOA), key)

    def ttls(message: bytearray) -> list[int]:
        shown = dns.message.from_wire(render(data, query, message, 65535))
        return [rrset.ttl for rrset in (*shown.answer, *shown.authority)]

    assert ttls(aged(answer, 0)) == [60, 7, 600]
    assert ttls(aged(answer, 10)) == [50, 0, 590]
    assert ttls(stale(answer, 30)) == [30, 30, 30]
    assert ttls(aged(capped(answer, 50), 10)) == [40, 0, 40]


def test_a_reply_that_does_not_fit_has_tc_and_nothing_else() -> None:
    data, query, key = asked(use_edns=0)
    answer, _ = read(came(key, *(f"@ 60 IN A 192.0.2.{n}" for n in range(100))), key)
    whole = render(data, query, aged(answer, 0), 65535)
    assert render(data, query, aged(answer, 0), len(whole)) == whole
    cut = dns.message.from_wire(render(data, query, aged(answer, 0), len(whole) - 1))
    assert cut.flags & dns.flags.TC
    assert (cut.answer, cut.edns, cut.id, str(cut.question[0].name)) == ([], 0, 77, "wWw.Example.com.")


@pytest.mark.parametrize(
    ("limit", "sections", "tc"),
    [(65535, (1, 1, 1), False), (170, (1, 1, 0), False), (120, (1, 0, 0), False), (60, (0, 0, 0), True)],
)
def test_what_is_not_the_answer_goes_first(limit: int, sections: tuple[int, int, int], *, tc: bool) -> None:
    data, query, key = asked("www.example.com")
    message = header(0x8180, an=1, ns=1, ar=1) + question("www.example.com")
    for rtype in (16, 2, 16):
        message += record(b"\xc0\x0c", rtype, b"\x1b" + bytes(27) if rtype == 16 else name("a" * 50), ttl=60)
    shown = dns.message.from_wire(render(data, query, aged(read(message, key)[0], 0), limit))
    assert tuple(map(len, (shown.answer, shown.authority, shown.additional))) == sections
    assert bool(shown.flags & dns.flags.TC) is tc


def test_a_denial_keeps_its_soa_or_is_truncated() -> None:
    data, query, key = asked()
    answer, _ = read(came(key, "@ 60 IN CNAME b.example.com.", soa=SOA), key)
    whole = render(data, query, aged(answer, 0), 512)
    assert dns.message.from_wire(render(data, query, aged(answer, 0), len(whole) - 1)).flags & dns.flags.TC


def test_a_note_is_for_those_with_edns() -> None:
    for edns, seen in ((0, [22]), (-1, [])):
        data, query, key = asked(use_edns=edns)
        shown = dns.message.from_wire(render(data, query, bare(key, 2), 512, 22))  # type: ignore[arg-type] # SERVFAIL
        assert [int(option.code) for option in shown.options] == seen
        assert shown.rcode() == dns.rcode.SERVFAIL


@given(rest=st.binary(max_size=200), answers=st.integers(0, 3), more=st.integers(0, 3), edns=st.booleans())
def test_any_bytes_after_the_question_are_read_or_refused(rest: bytes, answers: int, more: int, *, edns: bool) -> None:
    data, query, key = asked("www.example.com", use_edns=0 if edns else -1)
    message = header(0x8180, an=answers, ar=more) + question("www.example.com") + rest
    with contextlib.suppress(Malformed):
        answer, _ = read(message, key)
        assert answer.lifetime >= 0
        out = render(data, query, aged(answer, 3), 65535)
        assert out[:2] == data[:2]
        assert parse(b"\0\0\0\0" + out[4:]) is not None


@given(st.binary(max_size=80))
def test_any_bytes_are_a_reply_or_not(data: bytes) -> None:
    key = asked("www.example.com")[2]
    sent = request(key, 0x1234)
    if is_reply(sent, key, data):
        assert data[:2] == sent[:2]
        with contextlib.suppress(Malformed):
            assert isinstance(read(data, key)[0], Answer)
    assert is_reply(sent, key, sent[:2] + b"\x81" + sent[3:])
    assert len(sent) > HEADER
