"""Requests that come again on a connection: what is remembered of them never shows."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time

import pytest
from support.http_proxy import BOUND, GET, OK, answering, backend, listening, route, running, stage
from support.waiting import until

from devdns.core.chaos import Chaos
from devdns.core.config import Config
from devdns.core.frames import Hello
from devdns.core.routes import State
from devdns_proxy import pool
from devdns_proxy.answering import READY

#: Often enough for everything that is remembered to be so.
WARM = 5
EVIL = OK.replace(b"ok", b"no")


async def warmed(wire, request=GET):
    for _ in range(WARM):
        await wire.send(request)
        assert (await wire.response())[1] == b"ok"


def anonymous(head: bytes) -> bytes:
    """A head as the service saw it, without what is new in each."""
    return re.sub(rb"X-Request-ID: [0-9a-f]+", b"X-Request-ID:", head)


async def test_every_one_of_them_is_the_same_but_for_its_id():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        await warmed(wire)
        ids = {re.search(rb"X-Request-ID: ([0-9a-f]{32})\r\n", head)[1] for head in service.seen}
        assert len(ids) == WARM
        assert len({anonymous(head) for head in service.seen}) == 1
        assert service.connections == 1


async def test_the_route_in_force_counts():
    async with stage(OK) as (proxy, first), backend(answering(EVIL)) as second, await proxy.connect() as wire:
        await warmed(wire)
        proxy.route(route("api", second.port))
        await wire.send(GET)
        assert (await wire.response())[1] == b"no"
        proxy.route(route("api", first.port, state=State.UNHEALTHY, reason="it is ill"))
        await wire.send(GET)
        assert (await wire.response())[0].startswith(b"HTTP/1.1 503 ")
        proxy.route(route("api", first.port))
        await warmed(wire)
        proxy.route()
        await wire.send(GET)
        assert (await wire.response())[0].startswith(b"HTTP/1.1 404 ")


async def test_the_hello_in_force_counts():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        await warmed(wire)
        proxy.view.hello = Hello(1, "i-other", Config())
        await wire.send(GET)
        await wire.response()
        assert b"\r\nDevdns-Hop: i-other\r\n" in service.seen[-1]


async def test_faults_asked_for_befall_it():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        await warmed(wire)
        proxy.view.faults = {"api.dev.test": Chaos(since=0.0, until=time.time() + 60, error=1.0)}
        await wire.send(GET)
        assert (await wire.response())[0].startswith(b"HTTP/1.1 503 ")
        proxy.view.faults = {}
        await warmed(wire)
        assert len(service.seen) == 2 * WARM


async def test_another_request_in_between_is_another_request():
    others = [
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"/ ", b"/x "),
        GET.replace(b"\r\n\r\n", b"\r\nX-Mine: 1\r\n\r\n"),
        GET.replace(b"\r\n\r\n", b"\r\nX-Request-ID: mine\r\n\r\n"),
        GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nhi"),
    ]

    async def conversation(self, wire):
        while True:
            head = await wire.head()
            self.seen.append(head)
            if b"Content-Length: 2" in head:
                await wire.exactly(2)
            await wire.send(OK[:-2] if head.startswith(b"HEAD") else OK)

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        for other in others:
            async with await proxy.connect() as wire:
                await warmed(wire)
                await wire.send(other)
                await (wire.head() if other.startswith(b"HEAD") else wire.response())
                lone = service.seen[-1]
                await warmed(wire)
                assert lone.startswith(other.split(b" HTTP/1.1")[0])
                assert len({anonymous(head) for head in service.seen[-WARM:]}) == 1
                assert anonymous(lone) != anonymous(service.seen[-1])


@pytest.mark.parametrize(
    "second",
    [
        GET,
        GET.replace(b"/ ", b"/other "),
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        GET[:-2],
        b"\r\n" + GET,
        b"\0",
    ],
)
async def test_what_follows_in_the_same_piece_is_read_the_same_cold_and_warm(second):
    async def answers(wire):
        wire.writer.write(GET + second)
        wire.writer.write_eof()
        return re.sub(rb"(?:Date|X-Request-ID): [^\r]*|\"request_id\"[^,}]*|id [0-9a-f]{32}", b"", await wire.rest())

    async with stage(OK) as (proxy, service):
        async with await proxy.connect() as wire:
            cold = await answers(wire)
        seen = [anonymous(head) for head in service.seen]
        async with await proxy.connect() as wire:
            await warmed(wire)
            service.seen.clear()
            assert await answers(wire) == cold
        assert [anonymous(head) for head in service.seen] == seen


async def test_a_request_in_two_pieces_is_one():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        await warmed(wire)
        for cut in range(1, len(GET), 7):
            await wire.send(GET[:cut])
            await until(lambda n=cut: next(iter(proxy.proxy.context.clients))._held == GET[:n])
            await wire.send(GET[cut:])
            assert (await wire.response())[1] == b"ok"
        assert len({anonymous(head) for head in service.seen}) == 1


# A service that speaks or goes between two requests of one client


class Service:
    """A service whose every byte the test writes itself, at once."""

    def __init__(self) -> None:
        self.listener = listening()
        self.port = self.listener.getsockname()[1]

    async def accept(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(BOUND):
            connection, _ = await loop.sock_accept(self.listener)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent is there at once
        return connection

    async def serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(BOUND):
            assert (await loop.sock_recv(connection, 65_536)).startswith(b"GET ")
        connection.send(OK)


def speaks(connection):
    connection.send(EVIL)


def leaves(connection):
    connection.close()


def says_goodbye(connection):
    connection.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("clients", [pool.ONE_LOOK, 0])
@pytest.mark.parametrize("first", ["client", "service"])
@pytest.mark.parametrize("act", [speaks, leaves, says_goodbye])
async def test_what_a_service_said_before_a_request_is_never_its_answer(act, first, clients, monkeypatch):
    """Both have happened when the event loop looks, in either order: the connection looks fit for the next request.

    With more clients than the loop finds at one look, each connection is looked at by itself.
    """
    monkeypatch.setattr(pool, "ONE_LOOK", clients)
    service = Service()
    with service.listener:
        async with running(route("api", service.port)) as proxy, await proxy.connect() as wire:
            client = wire.writer.get_extra_info("socket").fileno()
            wire.writer.write(GET)
            connection = await service.accept()
            with connection:
                await service.serve(connection)
                assert (await wire.response())[1] == b"ok"
                for _ in range(WARM):
                    wire.writer.write(GET)
                    await service.serve(connection)
                    assert (await wire.response())[1] == b"ok"
                if first == "client":
                    assert os.write(client, GET) == len(GET)
                    act(connection)
                else:
                    act(connection)
                    assert os.write(client, GET) == len(GET)
                with await service.accept() as other:
                    await service.serve(other)
                    assert (await wire.response())[1] == b"ok"


async def slow_reader(proxy, loop):
    """A connection that takes in no more than it has to."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", proxy.port))
    return sock


async def answered(proxy, service, asked):
    """The proxy's side of the only connection, once its service has been asked so often and has answered."""
    await until(lambda: len(service.seen) == asked)
    (client,) = proxy.proxy.context.clients
    await until(lambda: client._state == READY)
    return client


async def test_it_waits_for_a_client_that_does_not_read_its_answers():
    body, loop, asked = b"x" * 40_000, asyncio.get_running_loop(), 1
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\nDate: now\r\n\r\n" + body
    async with stage(big) as (proxy, service):
        with await slow_reader(proxy, loop) as sock:
            await loop.sock_sendall(sock, GET)
            while not (client := await answered(proxy, service, asked)).paused:
                asked += 1
                await loop.sock_sendall(sock, GET)
            time_to_read = client.deadline
            await loop.sock_sendall(sock, GET)
            await until(lambda: client._held == GET)
            assert len(service.seen) == asked
            assert client.deadline == time_to_read <= client._context.now + client._context.limits.stall_time
            got = b""
            async with asyncio.timeout(BOUND):
                while got.count(body) <= asked:
                    got += await loop.sock_recv(sock, 1 << 20)
        assert len(service.seen) == asked + 1
