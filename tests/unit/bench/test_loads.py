"""The loads and bad networks: what they send is right, and a stall is seen by everybody who was due in it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from concurrent.futures import Future

import pytest
from support.waiting import until

from devdns_bench import timing, websocket
from devdns_bench.links import RETRANSMISSION, Link, reply, upstream
from devdns_bench.probe_backend import Backend
from devdns_bench.probe_wire import Place


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.asynccontextmanager
async def _backend(takes: float = 0.0):
    port = _free()
    backend = Backend("api-1", takes)
    server = await backend.serve("127.0.0.1", port)
    try:
        yield port
    finally:
        server.close()
        await backend.drain()
        await until(lambda: not any("_converse" in repr(task) for task in asyncio.all_tasks()))


async def test_a_stall_of_one_second_puts_p99_at_what_those_who_were_due_waited():
    stalled = False

    async def answer(reader, writer):
        nonlocal stalled
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                if not stalled:
                    stalled = True
                    time.sleep(1.0)  # noqa: ASYNC251 - the whole server stands still
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        writer.close()

    async def serve(ready):
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        ready.set_result(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    # The server has a thread and a loop of its own: the prober must not stand still with it.
    ready: Future[int] = Future()
    threading.Thread(target=lambda: asyncio.run(serve(ready)), daemon=True).start()
    port = await asyncio.to_thread(ready.result, 5)
    phases = await timing.timed(lambda: ("127.0.0.1", port, "api"), 100, 2.0)
    found = timing.figures(phases)
    assert found["failed"] == 0
    assert 0.85 < max(found["new_p99"], found["kept_p99"]) < 1.3
    assert sum(each.total > 0.3 for each in phases) > 50  # those due in it waited, not the one that met it


async def test_phases_of_requests_that_go_well():
    async with _backend(0.02) as port:
        found = timing.figures(await timing.timed(lambda: ("127.0.0.1", port, "api"), 50, 0.4))
    assert found["failed"] == 0
    assert 0.02 < found["first_p50"] < found["new_p50"] < 1
    assert found["kept_p50"] > 0.02


async def test_what_fails_took_the_whole_patience():
    port = _free()
    phases = await timing.timed(lambda: ("127.0.0.1", port, "api"), 50, 0.1)
    assert {each.total for each in phases} == {timing.PATIENCE}
    assert timing.figures(phases)["failed"] == 5


async def test_websocket_messages_come_back():
    port = _free()
    server = await asyncio.get_running_loop().create_server(websocket.Echo, "127.0.0.1", port)
    async with server:
        assert await websocket.load(Place("127.0.0.1", port, "api"), clients=2, seconds=0.2) > 10


async def test_a_load_on_what_is_no_websocket_is_refused():
    async with _backend() as port:
        with pytest.raises(ValueError, match="no WebSocket"):
            await websocket.load(Place("127.0.0.1", port, "api"), clients=1, seconds=0.1)


def test_the_accept_key_is_that_of_the_rfc():
    assert websocket.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_short_frame_holds_no_more_than_it_can():
    with pytest.raises(ValueError, match="126 bytes"):
        websocket.masked(b"x" * 126)


@pytest.mark.parametrize(
    ("delay", "loss", "least"), [(0.03, 0.0, 0.06), (0.0, 1.0, 2 * RETRANSMISSION), (0.0, 0.0, 0.0)]
)
async def test_a_link_is_as_late_as_it_is_told(delay, loss, least):
    async with _backend() as port, Link(_free(), port, delay=delay, loss=loss) as link:
        found = timing.figures(await timing.timed(lambda: ("127.0.0.1", link.port, "api"), 20, 0.1))
    assert found["failed"] == 0
    assert least <= found["new_p50"] < least + 1


def test_the_upstreams_reply_is_a_message():
    query = bytes.fromhex("123401000001000000000000") + b"\1w\7example\3com\0\0\1\0\1"
    message = reply(query)
    assert message[:2] == b"\x12\x34"
    assert message[-4:] == socket.inet_aton("192.0.2.1")
    assert reply(query[:-3] + b"\x1c\0\1")[6:8] == b"\0\0"  # AAAA: nothing there


async def test_a_dead_upstream_is_silent():
    with contextlib.suppress(PermissionError):
        transport = await upstream("127.0.0.77", "dead")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.sendto(b"\0" * 20, ("127.0.0.77", 53))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asyncio.get_running_loop().sock_recv(client, 100)
        transport.close()
