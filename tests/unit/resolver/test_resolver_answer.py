"""The decision, called as it is: pure values in, pure values out."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from msgspec.structs import replace
from support.dns_scene import route, table

from devdns_resolver.answer import Forward, Reply, answer
from devdns_resolver.codes import Rcode, Type
from devdns_resolver.query import Query, Question
from devdns_resolver.settings import Settings
from devdns_resolver.wirename import Labels, labels_of

SETTINGS = Settings(((b"inner", b"dev", b"test"), (b"dev", b"test")), ("127.0.0.1",), ("::1",), 8080)
FORWARDING = Settings(SETTINGS.zones, ("127.0.0.1",), (), 8080, forwards=True)


def asked(name: str | Labels, rtype: int = Type.A, settings: Settings = SETTINGS, *more: str) -> Reply | Forward:
    labels = labels_of(name) if isinstance(name, str) else name
    routes = table(*(route(each, "9000") for each in more))
    return answer(Query(question=Question(labels, rtype, 1, 12)), routes, settings)


def reply(name: str | Labels, rtype: int = Type.A, settings: Settings = SETTINGS, *more: str) -> Reply:
    found = asked(name, rtype, settings, *more)
    assert isinstance(found, Reply)
    return found


def test_only_what_is_nobodys_here_is_forwarded() -> None:
    forwarded = asked("example.com", settings=FORWARDING)
    assert isinstance(forwarded, Forward)
    assert forwarded.question.labels == (b"example", b"com")
    for name in ("api.dev.test", "other.test", "localhost", "a.localhost"):
        assert reply(name, settings=FORWARDING).ra
    assert not reply("api.dev.test").ra
    assert reply("example.com") == Reply(Rcode.REFUSED)


@pytest.mark.parametrize("rtype", [Type.AXFR, Type.IXFR])
def test_transfers_are_refused_even_where_others_are_forwarded(rtype: Type) -> None:
    assert reply("example.com", rtype, FORWARDING).rcode == Rcode.REFUSED


@pytest.mark.parametrize(
    ("name", "apex"),
    [("a.inner.dev.test", "inner.dev.test"), ("inner.dev.test", "inner.dev.test"), ("ainner.dev.test", "dev.test")],
)
def test_the_innermost_zone_denies(name: str, apex: str) -> None:
    (soa,) = reply(name, 15).authority
    assert (soa.owner, soa.ttl) == (labels_of(apex), 0)


def test_names_above_a_zone_exist_and_their_neighbours_do_not() -> None:
    deep = Settings(((b"x", b"y", b"test"),))
    assert [reply(name, settings=deep).rcode for name in ("test", "y.test", "z.test", "a.y.test")] == [0, 0, 3, 3]


def test_a_dot_within_a_label_does_not_make_two() -> None:
    labels = (b"api.shop", b"dev", b"test")
    assert reply("api.shop.dev.test", Type.TXT, SETTINGS, "api.shop.dev.test").answers
    assert not reply(labels, Type.TXT, SETTINGS, "api.shop.dev.test").answers
    assert reply(labels).answers


@pytest.mark.parametrize("label", [b"\xff\xfe", b"a b", b"\0", b"-x-", b"\x1b[31m"])
def test_names_that_no_host_has_still_exist(label: bytes) -> None:
    assert reply((label, b"dev", b"test")).rcode == Rcode.NOERROR
    assert reply((label, b"dev", b"test"), Type.TXT).rcode == Rcode.NOERROR


def test_a_name_of_its_own_beats_the_wildcard_and_the_nearest_wildcard_wins() -> None:
    def ports(name: str) -> list[bytes]:
        strings = [
            record.data[0] for record in reply(name, Type.TXT, SETTINGS, "a.wild.dev.test", "*.b.wild.dev.test").answers
        ]
        return [text for found in strings if isinstance(found, tuple) for text in found if text.startswith(b"port=")]

    assert ports("a.wild.dev.test") == [b"port=9000"]
    assert ports("x.b.wild.dev.test") == [b"port=9000"]
    assert ports("b.wild.dev.test") == [b"port=7000"]
    assert ports("wild.dev.test") == []


def test_without_a_proxy_there_is_no_srv() -> None:
    nowhere = Settings(SETTINGS.zones, ("127.0.0.1",), (), None)
    assert reply("_http._tcp.api.dev.test", Type.SRV).answers
    assert not reply("_http._tcp.api.dev.test", Type.SRV, nowhere).answers


def test_long_strings_are_cut_at_what_txt_can_hold() -> None:
    long = route("long.dev.test", f"unix:/{'x' * 300}")
    found = answer(Query(question=Question(labels_of("long.dev.test"), Type.TXT, 1, 12)), table(long), SETTINGS)
    assert isinstance(found, Reply)
    (record,) = found.answers
    (strings,) = record.data
    assert isinstance(strings, tuple)
    assert max(map(len, strings)) == 255


def test_the_serial_follows_the_table() -> None:
    for generation, serial in ((0, 0), (12, 12), (2**32 + 5, 5)):
        found = answer(
            Query(question=Question((b"dev", b"test"), Type.SOA, 1, 12)), table(generation=generation), SETTINGS
        )
        assert isinstance(found, Reply)
        assert found.answers[0].data[2][0] == serial  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "network", "expected"),
    [
        ("db.dev.test", None, ["127.77.3.9"]),
        ("shut.dev.test", None, []),
        ("db.dev.test", "172.17.0.0/16", ["172.17.0.3"]),
        ("db.dev.test", "172.18.0.0/16", []),
        ("shut.dev.test", "172.17.0.0/16", []),
        ("api.dev.test", "172.17.0.0/16", ["127.0.0.1"]),
    ],
)
def test_a_raw_tcp_name_is_an_address_that_means_something_to_who_asks(
    name: str, network: str | None, expected: list[str]
) -> None:
    seen_from = replace(SETTINGS, reach=ip_network(network) if network else None)
    assert [record.data[0] for record in reply(name, settings=seen_from).answers] == expected
    assert reply(name, Type.ANY, seen_from).answers == reply(name, settings=seen_from).answers
    assert (reply(name, Type.AAAA, seen_from).answers == ()) == (name != "api.dev.test")


def test_a_name_of_http_and_raw_tcp_is_the_gateway_for_containers() -> None:
    bridge = replace(SETTINGS, a=("172.17.0.1",), reach=ip_network("172.17.0.0/16"))
    assert [each.data for each in reply("db.dev.test", Type.A, bridge, "db.dev.test").answers] == [("172.17.0.1",)]
    assert [each.data for each in reply("db.dev.test", Type.A, SETTINGS, "db.dev.test").answers] == [("127.77.3.9",)]
