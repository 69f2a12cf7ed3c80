"""UDP on real sockets: every listener, any bytes, and strangers."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator

import pytest
import uvloop
from support import dns_wire as wire
from support.dns_scene import route, table, view
from support.dns_server import Running, running


@pytest.fixture(scope="module", params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(view(), "127.0.0.1", "::1", "127.0.0.53", loops=request.param) as server:
        yield server


def exchange(host: str, port: int, data: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(2.0)
        client.connect((host, port))
        client.send(data)
        return client.recv(65535)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.0.0.53"])
def test_every_listener_answers_from_the_address_asked(server: Running, host: str) -> None:
    assert wire.rcode(exchange(host, server.port, wire.query())) == 0


def test_still_answering_after_20000_random_and_mutated_packets(server: Running) -> None:
    rng = random.Random(20)
    seeds = [
        wire.query(),
        wire.query("api.dev.test", wire.TXT, wire.opt((10, bytes(8)))),
        wire.query("dev.test", wire.ANY),
    ]
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        for number in range(20_000):
            data = bytearray(rng.choice(seeds)) if number % 2 else bytearray(rng.randbytes(rng.randrange(1, 80)))
            for _ in range(rng.randrange(4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            client.sendto(data, ("127.0.0.1", server.port))
            if number % 50 == 0:
                assert wire.rcode(exchange("127.0.0.1", server.port, wire.query(f"n{number}.dev.test"))) == 0
    assert server.resolver.counters.failures == 0


@pytest.mark.parametrize("hosts", [("0.0.0.0", "::"), ("0.0.0.0",)])
def test_a_socket_bound_to_no_address_replies_from_the_one_asked(hosts: tuple[str, ...]) -> None:
    """The client's socket is connected: it hears nothing from elsewhere."""
    with running(view(), *hosts) as server:
        for host in ("127.0.0.1", "127.0.0.53", "127.1.2.3", *(["::1"] if "::" in hosts else [])):
            for _ in range(2):
                assert wire.rcode(exchange(host, server.port, wire.query())) == 0
        assert len(server.resolver._responder._desks) <= 6


def test_a_dual_stack_socket_answers_both_families() -> None:
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", 0))
    port = udp.getsockname()[1]
    with running(view(), udp=[udp]):
        for host in ("127.0.0.53", "::1"):
            assert wire.rcode(exchange(host, port, wire.query())) == 0


def test_the_largest_datagram_is_survived(server: Running) -> None:
    assert wire.rcode(exchange("127.0.0.1", server.port, wire.query() + bytes(60_000))) == 1


def test_a_change_is_seen_by_the_next_query(server: Running) -> None:
    asked = wire.query("fresh.dev.test", wire.TXT)
    assert exchange("127.0.0.1", server.port, asked)[6:8] == b"\0\0"
    server.swap(table(route("fresh.dev.test", "9"), generation=8))
    assert exchange("127.0.0.1", server.port, asked)[6:8] == b"\0\1"
    server.swap(table())


def test_stop_leaves_what_is_queued_to_the_next_holder_of_the_socket() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as kept, socket.socket(type=socket.SOCK_DGRAM) as client:
        with running(view()) as server:
            inherited = server.resolver._udp[""][0]._socket.dup()
            kept.close()
        client.settimeout(2.0)
        client.sendto(wire.query(), inherited.getsockname())
        assert inherited.recv(512) == wire.query()
        inherited.close()
