"""The system's upstreams: what its files say, which of them count, and when they are read again."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from devdns_resolver.forward_io import Files, Listeners
from devdns_resolver.forward_sources import LOOK_EVERY, Sources
from devdns_resolver.forward_system import SystemDns, chosen, parse_address, resolv_conf

STUB = "# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch corp.example.com\n"


@pytest.mark.parametrize(
    ("text", "servers", "search"),
    [
        ("", [], []),
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ["192.0.2.1", "2001:db8::1"], []),
        ("nameserver fe80::1%eth0", ["fe80::1%eth0"], []),
        ("nameserver\t192.0.2.1 # mine\r\n", ["192.0.2.1"], []),
        ("#nameserver 192.0.2.1\n;nameserver 192.0.2.2\nnameserver example.com\nnameserver\n", [], []),
        ("search a.example b.example.\nnameserver 192.0.2.1", ["192.0.2.1"], ["a.example", "b.example"]),
        ("domain corp.example\nsearch Lan x.EXAMPLE", [], ["x.example"]),
        ("\ufffd\0 junk\nsearch \u00fc.example\nsearch", [], []),
    ],
)
def test_a_file(text: str, servers: list[str], search: list[str]) -> None:
    found = resolv_conf(text)
    assert [host for host, port in found.upstreams if port == 53] == servers
    assert [b".".join(labels).decode() for labels in found.search] == search


@pytest.mark.parametrize(
    ("texts", "servers"),
    [
        (("nameserver 192.0.2.1", "nameserver 192.0.2.2", ""), ["192.0.2.1"]),
        ((STUB, "nameserver 192.0.2.2", "nameserver 192.0.2.3"), ["192.0.2.2"]),
        ((STUB, "", "nameserver 192.0.2.3"), ["192.0.2.3"]),
        (("nameserver 127.0.0.1\nnameserver 192.0.2.1", "", ""), ["192.0.2.1"]),
        (("nameserver 127.0.0.1", STUB, ""), []),
    ],
)
def test_the_first_file_that_names_somebody_else_counts(texts: tuple[str, ...], servers: list[str]) -> None:
    found = chosen(texts, {("127.0.0.1", 53)}.__contains__)
    assert [host for host, _ in found.upstreams] == servers


def test_search_domains_are_those_of_all_files() -> None:
    found = chosen((STUB, "search vpn.example corp.example.com"), lambda _: False)
    assert found == SystemDns((), ((b"corp", b"example", b"com"), (b"vpn", b"example")))


@pytest.mark.parametrize(
    ("text", "address"),
    [("192.0.2.1:53", ("192.0.2.1", 53)), ("[2001:db8::1]:5353", ("2001:db8::1", 5353))],
)
def test_configured_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


def test_files_are_read_when_they_change_come_and_go(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    files = Files([str(one), str(two)])
    assert files.changed() == ("", "")
    assert files.changed() is None
    one.write_text("a")
    assert files.changed() == ("a", "")
    (tmp_path / "new").write_text("b")
    (tmp_path / "new").replace(one)
    two.write_bytes(b"\xff")
    assert files.changed() == ("b", "\ufffd")
    assert files.changed() is None
    one.unlink()
    assert files.changed() == ("", "\ufffd")


def test_listeners_are_us_however_they_are_written() -> None:
    ours = Listeners()
    ours.add("127.0.0.53", 53)
    ours.add("::1", 53)
    assert ("127.0.0.53", 53) in ours
    assert ("0:0:0:0:0:0:0:1", 53) in ours
    assert ("127.0.0.53", 5300) not in ours
    assert ("127.0.0.1", 53) not in ours
    assert "127.0.0.53" not in ours


@pytest.mark.parametrize(
    ("everywhere", "ours", "others"),
    [("0.0.0.0", ("127.0.0.1", "127.8.8.8"), ("192.0.2.1", "::1")), ("::", ("::1",), ("127.0.0.1", "2001:db8::1"))],
)
def test_where_we_listen_everywhere_every_local_address_of_that_kind_is_us(everywhere, ours, others) -> None:
    listeners = Listeners()
    listeners.add(everywhere, 53)
    assert all((host, 53) in listeners for host in ours)
    assert not any((host, 53) in listeners for host in others)
    assert not any((host, 5353) in listeners for host in ours)


def test_the_sources_follow_the_files_and_forget_who_was_dead(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    sources = Sources((str(path),))
    assert sources.refresh(0.0) is False  # forwarding is off
    sources.configure("system")
    assert sources.refresh(0.1) is True
    assert sources.shown() == ["192.0.2.1#53", "192.0.2.2#53"]
    for upstream in sources.upstreams.order():
        upstream.missed(0.2, surely=True)
    path.write_text("search corp.example.com\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    assert sources.refresh(0.1 + LOOK_EVERY / 2) is False
    assert sources.upstreams.silent
    assert sources.refresh(0.1 + LOOK_EVERY) is False
    assert not sources.upstreams.silent
    assert sources.search == ((b"corp", b"example", b"com"),)
    path.write_text("nameserver 192.0.2.3\n")
    assert sources.refresh(5.0) is True
    assert sources.shown() == ["192.0.2.3#53"]


def test_configured_upstreams_do_not_come_from_the_files(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\nsearch corp.example.com\n")
    sources = Sources((str(path),))
    sources.listeners.add("127.0.0.1", 53)
    sources.configure(("192.0.2.9:53", "127.0.0.1:53", "127.0.0.1:5353"))
    assert sources.refresh(0.0) is True
    assert sources.shown() == ["192.0.2.9#53", "127.0.0.1#5353"]
    assert sources.search == ((b"corp", b"example", b"com"),)


def test_a_port_of_our_own_is_found_by_binding_only() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        ours = Listeners()
        ours.add("0.0.0.0", taken.getsockname()[1])
        assert taken.getsockname() in ours
