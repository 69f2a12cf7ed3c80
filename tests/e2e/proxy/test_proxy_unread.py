"""A request that an engine's proxy took for a container and never read is sent again, whatever its method; no other one is."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from itertools import count

import pytest
from msgspec.structs import replace
from support.http_proxy import listening, route, running
from support.waiting import until

from devdns_proxy.unread import was_reset

POST = b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: api.dev.test\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def waiting(sock):
    """The bytes that have come and nobody has read."""
    try:
        return sock.recv(65_536, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


async def unread(sock, whole):
    """As docker-proxy does when the container refuses: closes without reading."""
    await until(lambda: waiting(sock).endswith(whole))


async def read(sock, whole):
    """As it does when the container takes all of it and dies."""
    await until(lambda: waiting(sock).endswith(whole))
    sock.recv(65_536)


@asynccontextmanager
async def relay(behave, whole, times=1):
    """A port whose first connections with a request end by `behave`; later ones are answered. Yields the port and what those sent."""
    loop, heard, number = asyncio.get_running_loop(), [], count()

    async def converse(sock):
        with sock:
            sock.setblocking(False)
            await until(lambda: waiting(sock))
            if next(number) < times:
                await behave(sock, whole)
                return
            while data := await loop.sock_recv(sock, 65_536):
                heard.append(data)
                await loop.sock_sendall(sock, OK)

    async def serve(listener, conversations):
        while True:
            sock, _ = await loop.sock_accept(listener)
            conversations.append(asyncio.create_task(converse(sock)))

    with listening() as listener:
        tasks = []
        tasks.append(asyncio.create_task(serve(listener, tasks)))
        try:
            yield listener.getsockname()[1], heard
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def relayed(port, *, yes=True):
    return replace(route("api", port), relayed=yes)


@pytest.mark.parametrize(
    ("head", "body"),
    [(POST, b"hello"), (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"), (POST.replace(b": 5", b": 0"), b"")],
    ids=["sized", "chunked", "empty"],
)
async def test_what_nobody_read_is_sent_again(head, body):
    async with relay(unread, body) as (port, heard), running(relayed(port)) as proxy:
        assert b" 200 OK" in await proxy.say(head + body)
    assert len(heard) == 1
    assert heard[0].endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("request_", [POST + b"hello", NEXT], ids=["POST", "GET"])
async def test_what_nobody_reads_again_and_again_waits_as_for_a_refused_dial(request_):
    """docker-proxy takes longer to find that out than any proof of a connection lasts, where a container's address is silent."""
    async with relay(unread, request_[-4:], times=8) as (port, heard), running(relayed(port)) as proxy:
        assert b" 200 OK" in await proxy.say(request_)
        assert proxy.proxy._context.counters.held
    assert len(heard) == 1


async def test_what_follows_in_the_same_connection_is_kept_in_order():
    first = POST.replace(b"Connection: close\r\n", b"") + b"hello"
    async with relay(unread, b"hello") as (port, heard), running(relayed(port)) as proxy:
        answers = await proxy.say(first + NEXT)
    assert answers.count(b" 200 OK") == 2
    assert [each.split(b" ")[1] for each in heard] == [b"/", b"/next"]


@pytest.mark.parametrize(
    ("behave", "yes"),
    [pytest.param(read, True, id="it was read"), pytest.param(unread, False, id="a service itself closed")],
)
async def test_what_a_service_may_have_read_is_not_sent_again(behave, yes):
    async with relay(behave, b"hello") as (port, heard), running(relayed(port, yes=yes)) as proxy:
        assert b" 502 " in await proxy.say(POST + b"hello")
    assert heard == []


async def test_a_body_in_pieces_is_not_sent_again():
    async with (
        relay(unread, b"lo") as (port, heard),
        running(relayed(port)) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(POST + b"hel")
        await until(lambda: any(client._upstream for client in proxy.proxy._context.clients))
        await wire.send(b"lo")
        assert b" 502 " in await wire.rest()
    assert heard == []


@pytest.fixture
def pair():
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield near, far


def test_an_end_in_order_is_no_reset(pair):
    near, far = pair
    near.sendall(b"hello")
    assert far.recv(5) == b"hello"
    far.close()
    assert near.recv(1) == b""
    assert not was_reset(near)


def test_closed_with_bytes_unread_is_a_reset(pair):
    near, far = pair
    near.sendall(b"hello")
    far.close()
    assert was_reset(near)


def test_bytes_that_came_after_the_end_are_a_reset(pair):
    near, far = pair
    far.close()
    near.sendall(b"hello")
    assert near.recv(1) == b""
    assert was_reset(near)


def test_a_unix_socket_never_says():
    near, far = socket.socketpair()
    with near:
        far.close()
        assert not was_reset(near)
