"""Waiting for a connection: in order, for whichever is free first, a few being opened at a time; bursts on short queues."""

from __future__ import annotations

import asyncio
import http.server
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest
from support.http_proxy import GET, LAST, OK, answering, backend, route, running, stage
from support.waiting import until

from devdns.core.routes import Target
from devdns_proxy import connecting
from devdns_proxy.client import Client
from devdns_proxy.dialling import dial
from devdns_proxy.limits import Limits
from devdns_proxy.lines import Line

LONG = 60.0


def numbered(number: int) -> bytes:
    return GET.replace(b"GET /", b"GET /%d" % number)


def held(release: asyncio.Event, *, keep: bool = True):
    """A service that answers nothing before `release`."""

    async def conversation(self, wire):
        while True:
            self.seen.append((await wire.head()).split()[1])
            await release.wait()
            await wire.send(OK if keep else OK.replace(b"Date", b"Connection: close\r\nDate"))
            if not keep:
                return

    return conversation


@asynccontextmanager
async def asking(proxy, count: int, *, first: int = 0):
    """`count` connections that have asked for /`first`, and so on, in this order, while nothing is answered."""
    async with AsyncExitStack() as stack:
        wires = []
        for number in range(first, first + count):
            wire = await stack.enter_async_context(await proxy.connect())
            before = proxy.proxy.counters.in_flight
            await wire.send(numbered(number))
            await until(lambda before=before: proxy.proxy.counters.in_flight == before + 1)
            wires.append(wire)
        yield wires


@pytest.mark.parametrize("keep", [True, False])
async def test_a_few_are_opened_at_a_time_and_the_rest_wait_in_order(sent, keep):
    release = asyncio.Event()
    limits = Limits(opening=2, settle_time=LONG)
    async with (
        backend(held(release, keep=keep)) as service,
        running(route("api", service.port), limits=limits) as proxy,
    ):
        async with asking(proxy, 7) as wires:
            await until(lambda: len(service.seen) == 2)
            assert service.connections == 2
            release.set()
            for wire in wires:
                assert (await wire.response())[1] == b"ok"
        assert sent == [f"/{number}" for number in range(7)]
        assert len(service.seen) == 7
        if keep:
            assert service.connections < 7


async def test_a_connection_settles_without_an_answer():
    release = asyncio.Event()
    limits = Limits(opening=1, settle_time=0.01)
    async with backend(held(release)) as service, running(route("api", service.port), limits=limits) as proxy:
        async with asking(proxy, 5):
            await until(lambda: len(service.seen) == 5)
        assert service.connections == 5


@asynccontextmanager
async def two_brisk(then: Callable[[], Awaitable[object]], brisk_time: float):
    """Seven requests, two on their way: each connection answers its first one now, and does `then` before it answers the next."""
    release = asyncio.Event()

    async def conversation(self, wire):
        self.seen.append((await wire.head()).split()[1])
        await release.wait()
        while True:
            await wire.send(OK)
            self.seen.append((await wire.head()).split()[1])
            await then()

    limits = Limits(opening=2, settle_time=LONG, brisk_time=brisk_time)
    async with (
        backend(conversation) as service,
        running(route("api", service.port), limits=limits) as proxy,
        asking(proxy, 7) as wires,
    ):
        await until(lambda: len(service.seen) == 2)
        release.set()
        yield proxy, service, wires


async def test_connections_that_come_free_at_once_serve_the_whole_line():
    on = asyncio.Event()
    async with two_brisk(on.wait, LONG) as (proxy, service, wires):
        await until(lambda: len(service.seen) == 4)
        async with asking(proxy, 3, first=7) as more:
            on.set()
            for wire in wires + more:
                assert (await wire.response())[1] == b"ok"
        assert service.connections == 2
        assert not proxy.proxy.context.pool.lines


async def test_who_waits_for_long_behind_them_gets_others():
    async with two_brisk(asyncio.Event().wait, 0.01) as (_, service, _):
        await until(lambda: len(service.seen) == 7)
        assert service.connections > 2


async def test_one_that_is_busy_with_a_long_response_makes_room():
    begun = OK.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked").replace(b"\r\n\r\nok", b"\r\n\r\n")
    release = asyncio.Event()

    async def conversation(self, wire):
        self.seen.append((await wire.head()).split()[1])
        await release.wait()
        await wire.send(OK)
        self.seen.append((await wire.head()).split()[1])
        await wire.send(begun)
        await asyncio.Event().wait()

    limits = Limits(opening=2, settle_time=LONG, brisk_time=LONG)
    async with (
        backend(conversation) as service,
        running(route("api", service.port), limits=limits) as proxy,
        asking(proxy, 7),
    ):
        await until(lambda: len(service.seen) == 2)
        release.set()
        await until(lambda: len(service.seen) == 7)
        assert service.connections > 2


async def test_one_that_served_the_line_and_ended_makes_room():
    async def ended():
        raise ConnectionResetError

    async with two_brisk(ended, LONG) as (_, service, wires):
        for wire in wires:
            assert (await wire.response())[1] == b"ok"
        assert service.connections == 7


async def test_whoever_leaves_the_line_gives_up_its_place():
    release = asyncio.Event()
    limits = Limits(opening=1, settle_time=LONG)
    async with backend(held(release)) as service, running(route("api", service.port), limits=limits) as proxy:
        async with asking(proxy, 4) as wires:
            await until(lambda: service.seen)
            for wire in wires[1:3]:
                wire.writer.transport.abort()
            await until(lambda: proxy.proxy.counters.in_flight == 2)
            release.set()
            assert (await wires[3].response())[1] == b"ok"
        assert service.seen == [b"/0", b"/3"]


async def test_a_dial_of_nobody_is_given_up(free_queue_of_none):
    async with running(route("api", free_queue_of_none), limits=Limits(connect_time=LONG)) as proxy:
        async with asking(proxy, 3):
            pass
        await until(lambda: proxy.proxy.counters.in_flight == 0)
        assert not proxy.proxy.context.pool.lines


@pytest.fixture
def free_queue_of_none():
    """The port of a listener that accepts nothing more."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_target_that_accepts_nothing_fails_for_all_within_the_time_of_one(free_queue_of_none):
    limits = Limits(opening=2, connect_time=0.1, connect_tries=2)
    async with running(route("api", free_queue_of_none), limits=limits) as proxy:
        started = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(proxy.say(LAST) for _ in range(20)))
        assert asyncio.get_running_loop().time() - started < 10 * 0.1 * 2  # one after the other they would take 20
        assert all(answer.startswith(b"HTTP/1.1 504 ") for answer in answers)
        await until(lambda: not proxy.proxy.context.pool.lines)  # the dials that went on end after the answers


@pytest.fixture
def asked(monkeypatch):
    """The sockets with which a TCP connection was asked for."""
    made, unconnected = [], connecting.unconnected

    def noted(family):
        made.append(unconnected(family))
        return made[-1]

    monkeypatch.setattr(connecting, "unconnected", noted)
    return made


async def test_a_service_whose_queue_was_full_is_asked_anew_before_the_kernel_would(asked, free_queue_of_none):
    async with running(route("api", free_queue_of_none), limits=Limits(connect_time=LONG)) as proxy:
        async with asking(proxy, 1):
            await until(lambda: len(asked) == len(connecting.AGAIN) + 1)
            assert proxy.proxy.counters.dials == 1
        await until(lambda: all(each.fileno() < 0 for each in asked))


async def test_whichever_is_taken_first_is_the_connection_and_the_others_are_given_up(asked):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as filler:
        filler.connect(listener.getsockname())
        dialling = asyncio.create_task(connecting.tcp(asyncio.get_running_loop(), listener.getsockname()))
        await until(lambda: len(asked) >= 2)
        listener.accept()[0].close()
        with await dialling as connected:
            assert [each for each in asked if each.fileno() >= 0] == [connected]
            assert connected.getpeername() == listener.getsockname()


async def taking_one_now_and_then(listener: socket.socket, proxy, count: int) -> None:
    """Takes and answers a connection each time that dials have failed for those who still wait."""
    loop, counters, pool = asyncio.get_running_loop(), proxy.proxy.counters, proxy.proxy.context.pool
    for _ in range(count):
        enough = counters.dials + 2
        await until(lambda enough=enough: counters.dials >= enough or not pool.waiting)
        connection, _ = await loop.sock_accept(listener)
        with connection:
            await loop.sock_recv(connection, 65_536)
            await loop.sock_sendall(connection, OK.replace(b"Date", b"Connection: close\r\nDate"))


async def test_nobody_is_given_up_by_a_service_that_takes_others():
    count, limits = 7, Limits(opening=2, connect_time=0.2, connect_tries=4)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        listener.setblocking(False)
        async with running(route("api", listener.getsockname()[1]), limits=limits) as proxy:
            serving = asyncio.create_task(taking_one_now_and_then(listener, proxy, count))
            answers = await asyncio.gather(*(proxy.say(LAST) for _ in range(count)))
            assert [answer[:13] for answer in answers] == [b"HTTP/1.1 200 "] * count
            await serving


async def test_all_who_wait_for_a_target_that_refuses_are_told_by_one_dial():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with running(route("api", port), limits=Limits(opening=1, refused_hold=0.0)) as proxy:
        answers = await asyncio.gather(*(proxy.say(LAST) for _ in range(20)))
        assert all(answer.startswith(b"HTTP/1.1 502 ") for answer in answers)


async def test_a_fault_of_ours_while_sending_is_a_500_for_its_request_only(monkeypatch):
    async with backend(answering(OK)) as service, running(route("api", service.port)) as proxy:

        def broken(self, _):
            monkeypatch.undo()
            raise ZeroDivisionError

        monkeypatch.setattr("devdns_proxy.client.Client._send", broken)
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 500 ")
        assert (await proxy.say(LAST)).endswith(b"ok")
        assert proxy.proxy.counters.in_flight == 0


# Short accept queues


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@contextmanager
def python_server(server: type[http.server.HTTPServer]):
    """The server of the standard library as it comes: one connection per request, an accept queue of five."""
    assert server.request_queue_size == 5
    serving = server(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield serving.server_port
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()


@pytest.mark.parametrize("server", [http.server.HTTPServer, http.server.ThreadingHTTPServer])
async def test_a_burst_does_not_overflow_a_queue_of_five(server):
    with python_server(server) as port:
        async with running(route("api", port), limits=Limits(settle_time=LONG)) as proxy:
            answers = await asyncio.gather(*(proxy.say(LAST) for _ in range(100)))
            assert all(answer.endswith(b"\r\n\r\nok") for answer in answers)
            assert proxy.proxy.counters.retries == 0
            assert proxy.proxy.counters.dials == 100


async def test_a_full_queue_of_a_unix_socket_is_waited_for(tmp_path):
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as filler:
        listener.bind(path)
        listener.listen(0)
        filler.connect(path)
        async with running(route("api", f"unix:{path}")) as proxy:
            asked = asyncio.ensure_future(proxy.say(LAST))
            await until(lambda: proxy.proxy.counters.dials)
            loop = asyncio.get_running_loop()
            listener.setblocking(False)
            first, _ = await loop.sock_accept(listener)
            second, _ = await asyncio.wait_for(loop.sock_accept(listener), 5)
            with first, second:
                assert await loop.sock_recv(second, 65_536)
                await loop.sock_sendall(second, OK)
                second.shutdown(socket.SHUT_WR)
                assert (await asked).endswith(b"ok")


async def test_a_request_that_lost_its_connection_gets_a_new_one_and_not_one_that_may_end_too():
    async with stage(OK, limits=Limits(opening=0)) as (proxy, service):
        context = proxy.proxy.context
        client, target = Client(context), Target("127.0.0.1", service.port)
        upstream = await dial(context, target)
        line = Line(context, target)
        client._retries = 1
        line.join(client)
        assert not line.give(upstream, used=True)
        assert len(line) == 1
        upstream.transport.abort()
