"""Who is answered, and with which address."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from support import dns_wire as wire
from support.dns_scene import hello, view
from support.dns_transcript import answers

from devdns_resolver.access import Access
from devdns_resolver.responder import Responder
from devdns_resolver.settings import Client, Settings, settings_for

ALLOW = ("192.0.2.0/24", "2001:db8::/64")


@pytest.mark.parametrize(
    ("source", "listener", "allowed", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", (), Client.LOOPBACK),
        ("127.8.9.10", "127.0.0.53", (), Client.LOOPBACK),
        ("::1", "::1", (), Client.LOOPBACK),
        ("::ffff:127.0.0.1", "::", (), Client.LOOPBACK),
        ("192.0.2.1", "192.0.2.1", (), Client.LOOPBACK),
        ("fe80::1%eth0", "fe80::1%eth0", (), Client.LOOPBACK),
        ("192.0.2.9", "192.0.2.1", (), None),
        ("192.0.2.9", "192.0.2.1", ALLOW, Client.ALLOWED),
        ("192.0.3.9", "192.0.2.1", ALLOW, None),
        ("2001:db8::7", "::", ALLOW, Client.ALLOWED),
        ("2001:db8:1::7", "::", ALLOW, None),
        ("::ffff:192.0.2.9", "::", ALLOW, Client.ALLOWED),
        ("0.0.0.0", "0.0.0.0", (), None),
        ("::", "::", (), None),
        ("10.0.0.1", "127.0.0.1", (), None),
    ],
)
def test_client(source: str, listener: str, allowed: tuple[str, ...], expected: Client | None) -> None:
    assert Access(allowed).client(source, listener) is expected


@pytest.mark.parametrize(
    ("http", "client", "listener", "a", "aaaa", "port"),
    [
        ((("127.0.0.1", 80),), Client.LOOPBACK, "127.0.0.53", "127.0.0.1", "", 80),
        ((("127.0.0.1", 80), ("::1", 81)), Client.LOOPBACK, "127.0.0.53", "127.0.0.1", "::1", 80),
        ((("::1", 81),), Client.LOOPBACK, "::1", "127.0.0.1", "::1", 81),
        ((("::", 81),), Client.LOOPBACK, "::1", "127.0.0.1", "::1", 81),
        ((("127.0.0.7", 80),), Client.LOOPBACK, "127.0.0.53", "127.0.0.7", "", 80),
        ((("127.0.0.7", 80), ("127.0.0.1", 8080)), Client.LOOPBACK, "127.0.0.53", "127.0.0.1", "", 8080),
        ((("0.0.0.0", 80),), Client.LOOPBACK, "0.0.0.0", "127.0.0.1", "", 80),
        ((("127.0.0.1", 80), ("192.0.2.1", 8080)), Client.ALLOWED, "192.0.2.1", "192.0.2.1", "", 8080),
        ((("0.0.0.0", 80),), Client.ALLOWED, "192.0.2.1", "192.0.2.1", "", 80),
        ((("0.0.0.0", 80),), Client.LOOPBACK, "192.0.2.1", "127.0.0.1", "", 80),
        ((("127.0.0.1", 80),), Client.ALLOWED, "192.0.2.1", "127.0.0.1", "", 80),
        ((("::", 80),), Client.ALLOWED, "2001:db8::1", "", "2001:db8::1", 80),
        ((("0.0.0.0", 80),), Client.ALLOWED, "0.0.0.0", "127.0.0.1", "", 80),
        ((), Client.LOOPBACK, "127.0.0.1", "127.0.0.1", "", None),
    ],
)
def test_where_the_proxy_is(
    http: tuple[tuple[str, int], ...], client: Client, listener: str, a: str, aaaa: str, port: int | None
) -> None:
    found = settings_for(hello(http=http), client, listener)
    assert (",".join(found.a), ",".join(found.aaaa), found.http_port) == (a, aaaa, port)


def test_inner_zones_come_before_outer_ones() -> None:
    found = settings_for(hello(zones=("dev.test", "a.dev.test", "b.a.dev.test")), Client.LOOPBACK, "127.0.0.1")
    assert [len(zone) for zone in found.zones] == [4, 3, 2]
    assert found == Settings(found.zones, ("127.0.0.1",), ("::1",), 8080)


@pytest.mark.parametrize("source", ["192.0.2.9", "10.1.2.3", "2001:db8::1"])
@pytest.mark.parametrize("asked", ["api.dev.test", "dev.test", "localhost", "other.test", "example.com"])
def test_strangers_are_refused_whatever_they_ask(source: str, asked: str) -> None:
    responder = Responder(view())
    responder.refresh()
    desk = responder.desk("udp", "0.0.0.0")
    responder.respond(responder.vantage(desk, "127.0.0.1"), wire.query(asked))
    reply = responder.respond(responder.vantage(desk, source), wire.query(asked))
    assert reply is not None
    assert (wire.rcode(reply), reply[6:12]) == (5, bytes(6))
    assert len(reply) <= len(wire.query(asked)), "no amplification"


def test_an_allowed_network_gets_the_address_it_asked() -> None:
    responder = Responder(view(allow=ALLOW, http=(("127.0.0.1", 80), ("192.0.2.1", 80))))
    responder.refresh()
    desk = responder.desk("udp", "192.0.2.1")
    told = {
        source: answers(responder.respond(responder.vantage(desk, source), wire.query()) or b"")
        for source in ("192.0.2.9", "192.0.2.1", "127.0.0.1")
    }
    assert told == {
        "192.0.2.9": "api.dev.test. 1 IN A 192.0.2.1",
        "192.0.2.1": "api.dev.test. 1 IN A 127.0.0.1",
        "127.0.0.1": "api.dev.test. 1 IN A 127.0.0.1",
    }


def test_without_aaaa_the_name_still_has_its_a() -> None:
    """An NXDOMAIN here would make stub resolvers drop the A as well."""
    responder = Responder(view(http=(("127.0.0.1", 80),)))
    responder.refresh()
    vantage = responder.vantage(responder.desk("udp", "127.0.0.1"), "127.0.0.1")
    reply = responder.respond(vantage, wire.query("api.dev.test", wire.AAAA))
    assert reply is not None
    assert (wire.rcode(reply), reply[6:10]) == (0, b"\0\0\0\1")


def test_a_bridge_serves_its_network_at_its_gateway_only() -> None:
    access = Access(bridges={ip_address("172.17.0.1"): ip_network("172.17.0.0/16")})
    assert access.client("172.17.0.5", "172.17.0.1") is Client.BRIDGE
    assert access.client(ip_address("172.17.0.5").packed, "172.17.0.1") is Client.BRIDGE
    assert access.client("172.17.0.1", "172.17.0.1") is Client.LOOPBACK
    assert access.client("172.18.0.5", "172.17.0.1") is None
    assert access.client("172.17.0.5", "192.168.1.2") is None
