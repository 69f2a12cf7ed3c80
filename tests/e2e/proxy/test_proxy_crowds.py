"""Many clients and several targets: who is refused or loses a connection, and which target of a pool gets a request."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from support.http_proxy import GET, LAST, OK, answering, backend, route, running
from support.waiting import until

from devdns_proxy.limits import Limits

POST = b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 2\r\n\r\nhi"
OFFER = b"GET / HTTP/1.1\r\nHost: api.dev.test\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"


async def silent(self, wire):
    """Reads requests and never answers."""
    while True:
        self.seen.append(await wire.head())


async def one_ok(reader, writer):
    with suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
    writer.close()


@asynccontextmanager
async def connected(proxy, count: int):
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(await proxy.connect()) for _ in range(count)]
        await until(lambda: len(proxy.proxy.context.crowds) == count)
        yield wires


async def test_the_oldest_idle_connection_makes_room():
    async with backend(answering(OK)) as service:
        limits = Limits(connections_loopback=3, connections_elsewhere=2)
        async with running(route("api", service.port), limits=limits) as proxy, connected(proxy, 3) as wires:
            await wires[0].send(GET)
            await wires[0].response()
            await wires[1].send(b"GET / HT")
            assert (await proxy.say(LAST)).endswith(b"ok")
            assert await wires[0].rest() == b""
            await wires[2].send(GET)
            assert (await wires[2].response())[1] == b"ok"
            assert len(proxy.proxy.context.crowds) == 2
        await until(lambda: not len(proxy.proxy.context.crowds))


async def test_who_sends_slowly_makes_room_before_who_waits_for_a_service():
    limits = Limits(connections_loopback=2, connections_elsewhere=1)
    async with (
        backend(silent) as service,
        running(route("api", service.port), limits=limits) as proxy,
        connected(proxy, 2) as wires,
    ):
        await wires[0].send(GET)
        await wires[1].send(POST[:-1])
        await until(lambda: len(service.seen) == 2)
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await until(lambda: len(service.seen) == 3)
        assert await wires[1].rest() == b""


async def test_a_client_whose_connections_are_all_busy_is_refused_until_one_is_free():
    async with backend(silent) as service:
        limits = Limits(connections_loopback=2, connections_elsewhere=1)
        async with running(route("api", service.port), limits=limits) as proxy, connected(proxy, 2) as wires:
            for wire in wires:
                await wire.send(GET)
            await until(lambda: len(service.seen) == 2)
            async with await proxy.connect() as wire:
                answer = await wire.rest()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"127.0.0.1" in answer
            wires[0].writer.transport.abort()
            await until(lambda: len(proxy.proxy.context.crowds) == 1)
            async with await proxy.connect() as wire:
                await wire.send(GET)
                await until(lambda: len(service.seen) == 3)
        assert proxy.proxy.counters.in_flight == 0


async def test_each_address_has_its_own_limit_and_loopback_a_larger_one():
    limits = Limits(connections_loopback=1, connections_elsewhere=0)
    loop = asyncio.get_running_loop()
    async with (
        backend(silent) as service,
        running(route("api", service.port), limits=limits) as proxy,
        connected(proxy, 1) as wires,
    ):
        await wires[0].send(GET)
        await until(lambda: service.seen)
        with socket.socket() as other:
            other.bind(("127.0.0.2", 0))
            other.setblocking(False)
            await loop.sock_connect(other, ("127.0.0.1", proxy.port))
            await loop.sock_sendall(other, GET)
            await until(lambda: len(service.seen) == 2)


async def test_tunnels_do_not_count():
    async def conversation(_, wire):
        await wire.head()
        await wire.send(SWITCHED)
        await wire.rest()

    limits = Limits(connections_loopback=1, connections_elsewhere=1)
    async with (
        backend(conversation) as service,
        running(route("api", service.port), limits=limits) as proxy,
        AsyncExitStack() as stack,
    ):
        for _ in range(3):
            wire = await stack.enter_async_context(await proxy.connect())
            await wire.send(OFFER)
            assert (await wire.head()).startswith(b"HTTP/1.1 101 ")
        assert len(proxy.proxy.context.crowds) == 0
        assert len(proxy.proxy.context.tunnels) == 6


# Pools


@asynccontextmanager
async def pool(*conversations):
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(backend(each)) for each in conversations]
        yield (
            services,
            await stack.enter_async_context(running(route("api", *(each.port for each in services)))),
        )


async def test_the_least_busy_target_is_chosen_and_equals_take_turns():
    async with pool(silent, answering(OK), answering(OK)) as (services, proxy), await proxy.connect() as stuck:
        await stuck.send(GET)
        await until(lambda: services[0].seen)
        for _ in range(6):
            assert (await proxy.say(LAST)).endswith(b"ok")
        assert [len(each.seen) for each in services] == [1, 3, 3]
        stuck.writer.transport.abort()
        await until(lambda: proxy.proxy.counters.in_flight == 0)
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await until(lambda: len(services[0].seen) == 2)


async def test_requests_at_once_spread_evenly():
    async with pool(silent, silent, silent) as (services, proxy), AsyncExitStack() as stack:
        for count in range(1, 10):
            wire = await stack.enter_async_context(await proxy.connect())
            await wire.send(GET)
            await until(lambda wanted=count: sum(len(each.seen) for each in services) == wanted)
        assert [len(each.seen) for each in services] == [3, 3, 3]


async def test_a_target_that_refuses_comes_last_until_it_takes_a_connection():
    async with pool(answering(OK), answering(OK)) as (services, proxy):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            gone = listener.getsockname()[1]
        proxy.route(route("api", gone, services[1].port))
        for _ in range(5):
            assert (await proxy.say(LAST)).endswith(b"ok")
        assert len(services[1].seen) == 5
        assert proxy.proxy.counters.retries == 1
        back = await asyncio.start_server(one_ok, "127.0.0.1", gone)
        async with back:
            await until(lambda: not len(proxy.proxy.context.watches))
            for _ in range(4):
                assert (await proxy.say(LAST)).endswith(b"ok")
            assert len(services[1].seen) == 7
        assert proxy.proxy.counters.retries == 1
