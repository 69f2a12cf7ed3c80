"""The way to a service: dialling, retries, pools, time limits, backpressure, cancellation, drain."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress

import pytest
from support.http_proxy import BOUND, GET, LAST, OK, UNHELD, answering, backend, listening, route, running, stage
from support.waiting import until

from devdns.core.routes import Target
from devdns_proxy.client import unsent
from devdns_proxy.limits import Limits

POST = b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@asynccontextmanager
async def through(conversation, limits=None):
    """A service, the proxy before it and a connection to that."""
    async with (
        backend(conversation) as service,
        running(route("api", service.port), limits=limits) as proxy,
        await proxy.connect() as wire,
    ):
        yield service, proxy, wire


async def one_ok(reader, writer):
    """A service that answers one request and closes; one that asks for nothing is closed too."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
    writer.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# Dialling


async def test_a_service_on_ipv6_loopback_only_is_found():
    async with backend(answering(OK), host="::1") as service, running(route("api", service.port)) as proxy:
        assert (await proxy.say(LAST)).endswith(b"ok")


async def test_a_unix_socket_is_a_target(tmp_path):
    path = str(tmp_path / "app.sock")
    server = await asyncio.start_unix_server(one_ok, path)
    try:
        async with running(route("api", f"unix:{path}")) as proxy:
            assert (await proxy.say(LAST)).endswith(b"ok")
        async with running(route("api", f"unix:{path}.gone"), limits=UNHELD) as proxy:
            assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
    finally:
        server.close()


async def test_a_target_by_name_is_resolved():
    async with backend(answering(OK)) as service, running(route("api", f"localhost:{service.port}")) as proxy:
        assert (await proxy.say(LAST)).endswith(b"ok")


@contextmanager
def full_queue():
    """A listener whose accept queue is full: the kernel drops what asks for a connection."""
    with socket.socket() as listener, ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        listener.setblocking(False)
        for _ in range(3):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener, fillers


async def test_a_service_that_accepts_nothing_is_504_in_time():
    with full_queue() as (listener, _):
        limits = Limits(connect_time=0.1, connect_tries=2)
        async with running(route("api", listener.getsockname()[1]), limits=limits) as proxy:
            answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"0.1 s" in answer


async def one_answer(listener):
    """Accepts until somebody asks, and answers that one."""
    loop = asyncio.get_running_loop()
    while True:
        connection, _ = await loop.sock_accept(listener)
        with connection:
            if await loop.sock_recv(connection, 65536):
                await loop.sock_sendall(connection, OK)
                return


async def test_a_service_that_is_slow_to_accept_gets_the_request_in_the_end():
    with full_queue() as (listener, fillers):
        port = listener.getsockname()[1]
        async with (
            running(route("api", port), limits=Limits(connect_time=0.1)) as proxy,
            await proxy.connect() as wire,
        ):
            await wire.send(LAST)
            await until(lambda: proxy.proxy.counters.retries)
            fillers.close()
            async with asyncio.timeout(BOUND):
                await one_answer(listener)
            assert (await wire.response())[1] == b"ok"


# Pools and retries


async def test_a_pool_takes_turns_and_leaves_out_what_refuses():
    one, two = answering(OK.replace(b"ok", b"11")), answering(OK.replace(b"ok", b"22"))
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(backend(each)) for each in (one, two)]
        async with running(route("api", first.port, second.port)) as proxy, await proxy.connect() as wire:
            bodies = []
            for _ in range(4):
                await wire.send(GET)
                bodies.append((await wire.response())[1])
            assert bodies == [b"11", b"22", b"11", b"22"]
            proxy.route(route("api", closed_port(), second.port))
            for _ in range(4):
                await wire.send(POST.replace(b"Connection: close\r\n", b""))
                assert (await wire.response())[1] == b"22"


async def once_then_close(self, wire):
    """Answers one request, reads the next one, and closes without a word."""
    self.seen.append(await wire.head())
    if len(self.seen) in (1, 3):
        await wire.send(OK)
    if len(self.seen) == 1:
        self.seen.append(await wire.head())


async def test_a_stale_connection_is_retried_for_an_idempotent_request():
    async with backend(once_then_close) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            for _ in range(2):
                await wire.send(GET)
                assert (await wire.response())[1] == b"ok"
        assert proxy.proxy.counters.retries == 1
        assert len(service.seen) == 3
        assert service.seen[1] == service.seen[2] != service.seen[0]  # a retry has the id of the request it repeats


async def test_a_written_post_is_never_sent_twice():
    async with backend(once_then_close) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await wire.response()
            await wire.send(POST)
            assert (await wire.head()).startswith(b"HTTP/1.1 502 ")
        assert len(service.seen) == 2


async def test_a_service_that_always_hangs_up_is_502_after_a_bounded_number_of_tries():
    async def conversation(self, wire):
        self.seen.append(await wire.head())

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        assert len(service.seen) == 3


async def test_nothing_is_retried_after_a_response_byte():
    async def conversation(self, wire):
        self.seen.append(await wire.head())
        await wire.send(b"HTTP/1.1 200 OK\r\n")

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        assert len(service.seen) == 1


async def test_an_idle_connection_that_the_service_closed_or_spoke_on_is_not_used():
    async def conversation(self, wire):
        unasked = {1: b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"}.get(self.connections, b"")
        self.seen.append(await wire.head())
        await wire.send(OK)
        await wire.send(unasked)
        if unasked:
            await wire.rest()

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        for _ in range(3):
            assert (await proxy.say(LAST)).endswith(b"ok")
            await until(lambda: not proxy.proxy.context.pool)
        assert service.connections == 3


async def test_idle_connections_expire():
    async with stage(OK) as (proxy, service):
        await proxy.say(LAST)
        context = proxy.proxy.context
        assert len(context.pool) == 1
        context.now += context.limits.pool_idle + 1
        context.pool.expire()
        assert len(context.pool) == 0
        async with asyncio.timeout(BOUND):
            await service.closed.wait()


# Time


async def test_a_head_that_does_not_come_is_408():
    async with running(limits=Limits(head_time=0.1)) as proxy, await proxy.connect() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost:")
        assert (await wire.head()).startswith(b"HTTP/1.1 408 ")


async def test_idle_connections_end():
    async with stage(OK, limits=Limits(idle_time=0.1, head_time=0.1)) as (proxy, _):
        async with await proxy.connect() as wire:
            assert await wire.rest() == b""
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await wire.response()
            assert await wire.rest() == b""


async def silent(self, wire):
    self.seen.append(await wire.head())
    self.seen.append(await wire.rest())
    self.closed.set()


async def test_a_service_that_does_not_answer_is_504_by_the_routes_own_time():
    async with backend(silent) as service, running(route("api", service.port, timeout=0.1)) as proxy:
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 504 ")
        assert (await proxy.say(POST)).startswith(b"HTTP/1.1 504 ")
        async with asyncio.timeout(BOUND):
            await service.closed.wait()


async def test_a_body_that_does_not_come_is_408():
    async with backend(silent) as service, running(route("api", service.port), limits=Limits(stall_time=0.1)) as proxy:
        assert (await proxy.say(POST[:-1])).startswith(b"HTTP/1.1 408 ")


# Streams


async def test_the_first_byte_of_a_stream_comes_at_once_and_leaving_cancels_the_service():
    async def conversation(self, wire):
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await wire.send(b"7\r\ndata: 1\r\n")
        assert await wire.rest() == b""
        self.closed.set()

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await wire.head()
            assert await wire.until(b"data: 1") == b"7\r\ndata: 1"
        async with asyncio.timeout(BOUND):
            await service.closed.wait()
        await until(lambda: not proxy.proxy.context.clients)
        assert proxy.proxy.counters.in_flight == 0


async def test_a_client_that_leaves_while_it_waits_cancels_the_service():
    async with backend(silent) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await until(lambda: service.seen)
        async with asyncio.timeout(BOUND):
            await service.closed.wait()


async def test_a_client_that_only_closed_its_side_gets_its_answers():
    async with stage(OK) as (proxy, _), await proxy.connect() as wire:
        await wire.send(GET * 3)
        wire.writer.write_eof()
        assert (await wire.rest()).count(b"ok") == 3


async def test_a_client_that_closed_its_side_after_a_whole_body_gets_its_answer_and_one_that_cut_it_does_not():
    async with backend(answering(OK)) as service, running(route("api", service.port)) as proxy:
        for data, answered in ((POST, True), (POST[:-1], False)):
            async with await proxy.connect() as wire:
                await wire.send(data)
                wire.writer.write_eof()
                with suppress(ConnectionResetError):
                    assert (await wire.rest()).startswith(b"HTTP/1.1 200") is answered


MANY = 64 << 20
PIECE = b"x" * 65_536


@pytest.mark.parametrize("framed", [b"Content-Length: %d" % MANY, b"Transfer-Encoding: chunked", b"Connection: close"])
async def test_a_slow_reader_holds_the_service_back(framed):
    sent = 0

    async def conversation(_, wire):
        nonlocal sent
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\n" + framed + b"\r\n\r\n")
        while sent < MANY:
            wire.writer.write(b"10000\r\n" + PIECE + b"\r\n" if b"chunked" in framed else PIECE)
            await wire.writer.drain()
            sent += len(PIECE)
        if b"chunked" in framed:
            await wire.send(b"0\r\n\r\n")

    async with through(conversation) as (_, proxy, wire):
        await wire.send(GET)
        await wire.head()
        before = -1
        while before != sent:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.1)
        assert sent < MANY // 2
        assert all(client.transport.get_write_buffer_size() < 1 << 20 for client in proxy.proxy.context.clients)
        got = 0
        while got < MANY:
            piece = await wire.reader.read(1 << 20)
            assert piece
            got += len(piece)
        assert got >= MANY


async def test_a_slow_reader_is_cut_only_when_it_stops_reading():
    big = OK.replace(b": 2", b": %d" % MANY) + b"x" * (MANY - 2)
    async with stage(big) as (proxy, _):
        with socket.socket() as reader:
            loop = asyncio.get_running_loop()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            reader.setblocking(False)
            await loop.sock_connect(reader, ("127.0.0.1", proxy.port))
            await loop.sock_sendall(reader, GET)
            await until(lambda: any(client.paused for client in proxy.proxy.context.clients))
            client = next(iter(proxy.proxy.context.clients))
            for _ in range(20):
                before = client._unsent = unsent(client.transport)
                async with asyncio.timeout(BOUND):
                    while unsent(client.transport) == before:
                        assert await loop.sock_recv(reader, 512)
                assert client.paused
                client.expire()
                assert not client.transport.is_closing()
                assert client.deadline > proxy.proxy.context.now
            await until(lambda: client.expire() or client.transport.is_closing())


async def test_a_connection_that_a_slow_reader_had_paused_serves_the_next_one():
    size = 30_000  # one read: the response is complete before its reader is found to be slow
    body = OK.replace(b": 2", b": %d" % size)[:-2] + b"x" * size
    async with stage(body) as (proxy, service), await proxy.connect() as slow:
        await slow.send(GET)
        await until(lambda: service.seen)
        client = next(iter(proxy.proxy.context.clients))
        client.transport.set_write_buffer_limits(high=1)
        for count in range(2, 1_000):
            await slow.send(GET)
            await until(lambda n=count: len(service.seen) == n and not proxy.proxy.counters.in_flight)
            if client.paused:
                break
        assert client.paused
        assert (await proxy.say(LAST)).endswith(b"x")
        assert service.connections == 1


async def test_a_slow_service_holds_the_uploader_back():
    go = asyncio.Event()
    received = 0

    async def conversation(_, wire):
        nonlocal received
        await wire.head()
        await go.wait()
        while received < MANY:
            received += len(await wire.reader.read(1 << 20))
        await wire.send(OK)

    async with through(conversation) as (_, _, wire):
        wire.writer.write(b"PUT / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: %d\r\n\r\n" % MANY)
        sent = 0
        with suppress(TimeoutError):
            while sent < MANY:
                wire.writer.write(PIECE)
                sent += len(PIECE)
                async with asyncio.timeout(0.3):
                    await wire.writer.drain()
        assert sent < MANY // 2
        go.set()
        while sent < MANY:
            await wire.send(PIECE)
            sent += len(PIECE)
        assert (await wire.response())[1] == b"ok"


async def test_pipelined_requests_wait_outside_when_too_many():
    gate = asyncio.Event()

    async def conversation(self, wire):
        while True:
            self.seen.append(await wire.head())
            await gate.wait()
            await wire.send(OK)

    async with through(conversation) as (service, proxy, wire):
        count = 20_000
        wire.writer.write(GET * count)
        await until(lambda: service.seen)
        client = next(iter(proxy.proxy.context.clients))
        await until(lambda: not client._reading)
        assert len(client._held) < 1 << 20
        gate.set()
        got = b""
        while got.count(b"HTTP/1.1 200") < 200:
            got += await wire.reader.read(65_536)


async def test_a_client_that_sends_and_never_reads_is_not_read_from_for_ever():
    big = OK.replace(b": 2", b": 10002") + b"x" * 10_000
    async with stage(big) as (proxy, service), await proxy.connect() as wire:
        wire.writer.write(GET * 200_000)
        await until(lambda: service.seen)
        client = next(iter(proxy.proxy.context.clients))
        await until(lambda: client.paused and not client._reading)
        assert len(client._held) < 1 << 20
        assert client.transport.get_write_buffer_size() < 1 << 20
        for _ in range(500):
            await wire.response()


# The end


async def test_drain_lets_requests_finish_and_ends_the_rest():
    gate = asyncio.Event()

    async def conversation(self, wire):
        self.seen.append(await wire.head())
        await gate.wait()
        await wire.send(OK)

    async with through(conversation) as (service, proxy, busy), await proxy.connect() as idle:
        await busy.send(GET)
        await until(lambda: service.seen)
        draining = asyncio.create_task(proxy.proxy.drain(5))
        assert await idle.rest() == b""
        gate.set()
        answer = await busy.rest()
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"ok")
        busy.writer.close()
        await draining


async def test_drain_cuts_what_takes_too_long():
    async with through(silent) as (service, proxy, wire):
        await wire.send(GET)
        await until(lambda: service.seen)
        await proxy.proxy.drain(0.05)
        with suppress(ConnectionResetError):
            assert await wire.rest() == b""
        assert not proxy.proxy.context.clients


async def test_several_proxies_share_a_listening_socket():
    async with backend(answering(OK)) as service, running(route("api", service.port)) as proxy:
        from devdns_proxy.server import Proxy  # noqa: PLC0415 # only here

        shared = listening()
        one, two = Proxy(proxy.view, "web.sock"), Proxy(proxy.view, "web.sock")
        await one.start([shared.dup()])
        await two.start([shared.dup()])
        port = shared.getsockname()[1]
        for _ in range(6):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(LAST)
            assert (await reader.read()).endswith(b"ok")
            writer.close()
        await one.drain(0)
        await two.drain(0)
        shared.close()


def test_a_target_is_a_key():
    assert Target("127.0.0.1", 1) == Target("127.0.0.1", 1)
    assert len({Target("127.0.0.1", 1), Target("127.0.0.1", 1), Target("127.0.0.1", 1, "https")}) == 2
