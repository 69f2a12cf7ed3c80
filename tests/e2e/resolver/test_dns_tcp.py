"""TCP as RFC 7766 wants it, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
from collections.abc import Iterator

import pytest
import uvloop
from support import dns_wire as wire
from support.dns_scene import route, table, view
from support.dns_server import Running, running
from support.waiting import wait_until

BOUND = 5.0


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(view(), loops=request.param, connections=32, idle=60.0) as server:
        yield server


def connect(server: Running) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=BOUND)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def numbered(ident: int, text: str = "api.dev.test") -> bytes:
    return framed(wire.u16(ident) + wire.query(text)[2:])


def read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def reply(client: socket.socket) -> bytes:
    return read(client, int.from_bytes(read(client, 2), "big"))


def pushed(client: socket.socket, data: bytes, limit: int) -> int:
    """How many bytes the server takes, up to `limit`, until it takes no more."""
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < limit:
            sent += client.send(data)
    return sent


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of 1,000 connections live in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def gone(client: socket.socket) -> bool:
    """Whether the server has hung up."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_query_in_pieces_of_one_byte(server: Running) -> None:
    with connect(server) as client:
        for byte in numbered(7):
            client.sendall(bytes([byte]))
        assert reply(client)[:2] == wire.u16(7)


def test_three_queries_in_one_segment_and_half_of_a_fourth(server: Running) -> None:
    with connect(server) as client:
        fourth = numbered(4)
        client.sendall(numbered(1) + numbered(2) + numbered(3) + fourth[:9])
        assert [reply(client)[:2] for _ in range(3)] == [wire.u16(ident) for ident in (1, 2, 3)]
        client.sendall(fourth[9:])
        assert reply(client)[:2] == wire.u16(4)


def test_half_close_after_the_queries_still_gets_every_reply(server: Running) -> None:
    with connect(server) as client:
        client.sendall(b"".join(numbered(ident, f"n{ident}.dev.test") for ident in range(200)))
        client.shutdown(socket.SHUT_WR)
        assert [reply(client)[:2] for _ in range(200)] == [wire.u16(ident) for ident in range(200)]
        assert gone(client)


def test_half_close_within_a_query_ends_the_connection(server: Running) -> None:
    with connect(server) as client:
        client.sendall(numbered(1) + numbered(2)[:5])
        client.shutdown(socket.SHUT_WR)
        assert reply(client)[:2] == wire.u16(1)
        assert gone(client)


def test_what_is_not_a_query_gets_nothing_and_the_next_is_answered(server: Running) -> None:
    with connect(server) as client:
        client.sendall(framed(b"") + framed(b"short") + framed(wire.query(flags=0x8000)) + numbered(9))
        assert reply(client)[:2] == wire.u16(9)


def test_a_message_of_65535_bytes(server: Running) -> None:
    with connect(server) as client:
        client.sendall(framed(wire.query() + bytes(65535 - len(wire.query()))))
        assert wire.rcode(reply(client)) == 1


def hung_up(client: socket.socket, seconds: float) -> bool:
    """Whether the server hangs up within so many seconds."""
    client.settimeout(seconds)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def test_idle_and_drip_fed_connections_are_closed_and_busy_ones_stay() -> None:
    drops = iter(numbered(1, ".".join(["x" * 60] * 3) + ".dev.test"))
    with (
        running(view(), idle=1.5) as server,
        connect(server) as idle,
        connect(server) as dripping,
        connect(server) as busy,
    ):
        rounds = {idle: 0, dripping: 0}
        for client in rounds:
            while not hung_up(client, 0.05):
                busy.sendall(numbered(2))
                assert reply(busy)[:2] == wire.u16(2)
                dripping.sendall(bytes([next(drops)]))
                rounds[client] += 1
        assert rounds[idle] >= 8, "idle for a while"
        assert rounds[dripping] < 40, "not kept open by bytes"


def test_over_the_cap_the_one_that_asked_longest_ago_gives_way() -> None:
    with running(view(), connections=3, idle=60.0) as server:
        clients = [connect(server) for _ in range(3)]
        for client in (*clients, clients[0]):
            client.sendall(numbered(1))
            reply(client)
        newcomer = connect(server)
        newcomer.sendall(numbered(5))
        assert reply(newcomer)[:2] == wire.u16(5)
        assert gone(clients[1])
        for client in (clients[2], clients[0]):
            client.sendall(numbered(6))
            assert reply(client)[:2] == wire.u16(6)
        for client in (*clients, newcomer):
            client.close()


def test_1000_idle_connections_while_udp_answers(many_files: None) -> None:
    with running(view(), idle=60.0) as server:
        clients = [connect(server) for _ in range(1_000)]
        with socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.settimeout(1.0)
            udp.sendto(wire.query(), ("127.0.0.1", server.port))
            assert wire.rcode(udp.recv(512)) == 0
        for client in (clients[0], clients[-1]):
            client.sendall(numbered(3))
            assert reply(client)[:2] == wire.u16(3)
        for client in clients:
            client.close()
        wait_until(lambda: not server.on_loop(len, server.resolver._connections), what="all connections gone")


def test_who_does_not_read_is_not_read_and_others_are_served() -> None:
    """Replies of 58 KB to queries of 30 bytes: the sender is stopped by backpressure, then closed when its time is up."""
    big = route("big.dev.test", *(str(1000 + number) for number in range(1_500)))
    many = framed(wire.query("big.dev.test", wire.TXT)) * 1_000
    with running(view(), idle=1.0) as server, connect(server) as greedy, connect(server) as other:
        server.swap(table(big))
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(0.2)
        sent = pushed(greedy, many, 20_000_000)
        assert sent < 20_000_000
        other.sendall(numbered(8))
        assert reply(other)[:2] == wire.u16(8)
        (held,) = [each for each in server.on_loop(list, server.resolver._connections) if each._buffer]
        assert server.on_loop(held._transport.get_write_buffer_size) < 200_000
        assert len(held._buffer) < 600_000
        wait_until(lambda: len(server.resolver._connections) < 2, what="the greedy one closed")


def test_reset_in_the_middle_harms_nobody(server: Running) -> None:
    for _ in range(20):
        client = connect(server)
        client.sendall(numbered(1) * 50 + b"\0")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    with connect(server) as client:
        client.sendall(numbered(2))
        assert reply(client)[:2] == wire.u16(2)
    assert server.resolver.counters.failures == 0


def test_stop_answers_what_was_asked_and_hangs_up() -> None:
    with running(view(), idle=60.0) as server:
        clients = [connect(server) for _ in range(3)]
        for client in clients:
            client.sendall(numbered(1))
            assert reply(client)[:2] == wire.u16(1)
    for client in clients:
        assert gone(client)
        client.close()
