"""Which answers would lead a public name to this machine or its network."""

from __future__ import annotations

from ipaddress import ip_address

import dns.rdata
import pytest
from support.dns_wire import A, header, question, record

from devdns_resolver.forward_message import read
from devdns_resolver.forward_rebinding import is_inside, is_public, rebinds
from devdns_resolver.wirename import Malformed, labels_of

SEARCH = (labels_of("corp.example.com"),)


@pytest.mark.parametrize(
    ("address", "always", "private"),
    [
        ("127.0.0.1", True, True),
        ("127.255.1.1", True, True),
        ("0.0.0.0", True, True),
        ("169.254.169.254", True, True),
        ("255.255.255.255", True, True),
        ("10.0.0.1", False, True),
        ("172.16.0.1", False, True),
        ("172.31.255.255", False, True),
        ("172.32.0.1", False, False),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("100.128.0.1", False, False),
        ("192.0.2.1", False, False),
        ("8.8.8.8", False, False),
        ("::", True, True),
        ("::1", True, True),
        ("::7f00:1", True, True),
        ("fe80::1", True, True),
        ("fc00::1", False, True),
        ("fd12:3456::1", False, True),
        ("fec0::1", False, True),
        ("64:ff9b::127.0.0.1", True, True),
        ("64:ff9b::192.168.0.1", False, True),
        ("64:ff9b::8.8.8.8", False, False),
        ("2001:db8::1", False, False),
    ],
)
def test_addresses(address: str, *, always: bool, private: bool) -> None:
    found = ip_address(address)
    assert (is_inside(found, private=False), is_inside(found, private=True)) == (always, private)


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("example.com", True),
        ("evil.corp.example.org", True),
        ("xcorp.example.com", True),
        ("corp.example.com", False),
        ("wiki.corp.example.com", False),
        ("nas.lan", False),
        ("printer.local", False),
        ("x.home.arpa", False),
        ("1.0.168.192.in-addr.arpa", False),
        ("db.internal", False),
        ("router", False),
        ("captive.apple.com", False),
        ("evil.captive.apple.com", True),
    ],
)
def test_names(name: str, *, public: bool) -> None:
    assert is_public(labels_of(name), SEARCH) is public


def reply(rtype: int, text: str, qtype: int = A):
    data = dns.rdata.from_text(1, rtype, text).to_wire()
    assert data is not None
    message = header(0x8180, an=1) + question("evil.example", qtype) + record(b"\xc0\x0c", rtype, data, ttl=60)
    return read(message, message[12 : 12 + 18] + b"\0")


@pytest.mark.parametrize(
    ("rtype", "text", "dropped"),
    [
        (1, "192.168.1.1", True),
        (1, "192.0.2.1", False),
        (28, "::ffff:10.0.0.1", True),
        (65, "1 . alpn=h2 ipv4hint=192.0.2.1", False),
        (65, "1 . alpn=h2 ipv4hint=192.0.2.1,192.168.1.1", True),
        (64, "1 x.example. port=443 ipv6hint=::1", True),
        (16, '"192.168.1.1"', False),
    ],
)
def test_records(rtype: int, text: str, *, dropped: bool) -> None:
    answer, found = reply(rtype, text)
    assert rebinds(labels_of("evil.example"), answer.message, found, ()) is dropped


def test_a_domain_of_the_user_may_be_private_but_never_here() -> None:
    for text, dropped in (("10.8.0.1", False), ("127.0.0.1", True), ("169.254.169.254", True)):
        answer, found = reply(A, text)
        assert rebinds(labels_of("wiki.corp.example.com"), answer.message, found, SEARCH) is dropped


@pytest.mark.parametrize("data", [b"\0\1", b"\0\1\0\0\4\0\3abc", b"\0\1\0\0\4\0\4ab", b"\0\1\0\0\6\0\x11" + bytes(17)])
def test_hints_that_do_not_fit_are_no_answer(data: bytes) -> None:
    message = header(0x8180, an=1) + question("evil.example", 65) + record(b"\xc0\x0c", 65, data, ttl=60)
    answer, found = read(message, message[12:30] + b"\0")
    with pytest.raises(Malformed):
        rebinds(labels_of("evil.example"), answer.message, found, ())
