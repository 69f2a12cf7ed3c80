"""Raw TCP through a proxy on port 0: who speaks first, ends, resets, backpressure, and waiting for a service."""

import asyncio
import contextlib
import json
import socket
import struct

import pytest
from msgspec.structs import replace
from support.http_proxy import listening, view_of
from support.waiting import until

from devdns.core.routes import Options, Route, RouteTable, State, parse_raw_target
from devdns_proxy.limits import Limits
from devdns_proxy.server import Proxy

BOUND = 10
HERE = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)
MEGABYTE = 1 << 20


class Scene:
    """A proxy with one door. `route(target, ...)` says where it leads; `connect` comes in."""

    def __init__(self, proxy, view, door, log):
        self.proxy, self.view, self.log = proxy, view, log
        self.port = door

    def route(self, *targets, state=State.LIVE, relayed=False, **options):
        targets = tuple(parse_raw_target(each) for each in targets)
        route = Route(
            host="db.dev.test",
            port=self.port,
            address=HERE,
            targets=targets,
            source="manual",
            state=state,
            reason="" if state is State.LIVE else "as the test has it",
            options=Options(**options),
            relayed=relayed,
        )
        self.swap(route)
        return route

    def swap(self, *routes):
        self.view.swap(RouteTable(routes, generation=self.view.table.generation + 1))

    def figure(self, name):
        return next(each for each in self.proxy.families() if each.name == name).samples[0].value

    async def connect(self):
        return await asyncio.open_connection(HERE, self.port)

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def limits():
    return Limits()


@pytest.fixture
async def scene(tmp_path, limits):
    view, door = view_of(hold=BOUND), listening()
    proxy = Proxy(view, str(tmp_path / "web.sock"), limits)
    proxy.log_requests(str(tmp_path / "access.log"))
    await proxy.start([])
    port = door.getsockname()[1]
    await proxy.open_raw([door], "door")
    yield Scene(proxy, view, port, tmp_path / "access.log")
    await proxy.drain(1)


@pytest.fixture
async def service(scene):
    """`await service(talk)` starts one; it returns the port. Each connection is `talk(reader, writer)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(talk, port=0):
            server = await asyncio.start_server(talk, HERE, port)
            stack.callback(server.close)
            return server.sockets[0].getsockname()[1]

        yield start


async def echo(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def rest(reader):
    async with asyncio.timeout(BOUND):
        return await reader.read()


async def test_a_service_may_speak_first(scene, service):
    async def banner(reader, writer):
        writer.write(b"220 hello\r\n")
        await reader.read()
        writer.close()

    scene.route(str(await service(banner)))
    reader, writer = await scene.connect()
    async with asyncio.timeout(BOUND):
        assert await reader.readline() == b"220 hello\r\n"
    writer.close()


async def test_half_a_connection_goes_on(scene, service):
    async def late(reader, writer):
        whole = await reader.read()
        writer.write(whole[::-1])
        writer.close()

    scene.route(str(await service(late)))
    reader, writer = await scene.connect()
    writer.write(b"abc")
    writer.write_eof()
    assert await rest(reader) == b"cba"
    writer.close()
    await until(lambda: scene.figure("devdns_tcp_connections_open") == 0)
    assert (scene.figure("devdns_tcp_received_bytes_total"), scene.figure("devdns_tcp_sent_bytes_total")) == (3, 3)


@pytest.mark.parametrize("when", ["before a byte", "after some"])
async def test_a_reset_of_the_service_is_a_reset_for_the_client(scene, service, when):
    async def rude(reader, writer):
        await reader.read(1)
        if when == "after some":
            writer.write(b"some")
            await writer.drain()
            await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    scene.route(str(await service(rude)))
    reader, writer = await scene.connect()
    writer.write(b"x")
    if when == "after some":
        assert await reader.readexactly(4) == b"some"
        writer.write(b"x")
    with pytest.raises(ConnectionResetError):
        await rest(reader)
    writer.close()


async def test_a_reset_of_the_client_is_a_reset_for_the_service(scene, service):
    seen = asyncio.get_running_loop().create_future()

    async def talk(reader, writer):
        try:
            await reader.readexactly(2)
        except (OSError, asyncio.IncompleteReadError) as error:
            seen.set_result(error)
        writer.close()

    scene.route(str(await service(talk)))
    _, writer = await scene.connect()
    writer.write(b"x")
    await until(lambda: scene.figure("devdns_tcp_connections_open"))
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
    async with asyncio.timeout(BOUND):
        assert isinstance(await seen, ConnectionResetError)


async def test_a_slow_reader_holds_the_service_back_and_gets_every_byte(scene, service):
    written = 0
    size = 64 * MEGABYTE

    async def pour(_, writer):
        nonlocal written
        for _ in range(64):
            writer.write(b"x" * MEGABYTE)
            await writer.drain()
            written += MEGABYTE
        writer.close()

    scene.route(str(await service(pour)))
    reader, writer = await scene.connect()
    reader._transport.pause_reading()
    await until(lambda: any(each.outward._rest for each in scene.proxy._raw.relays))
    assert written < size / 2
    reader._transport.resume_reading()
    got = 0
    async with asyncio.timeout(BOUND):
        while data := await reader.read(MEGABYTE):
            got += len(data)
    assert got == size
    writer.close()


async def test_all_bytes_arrive_both_ways_at_once(scene, service):
    scene.route(str(await service(echo)))
    reader, writer = await scene.connect()
    sent = bytes(range(256)) * 4096 * 8

    async def send():
        for start in range(0, len(sent), 99_991):
            writer.write(sent[start : start + 99_991])
            await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    assert await rest(reader) == sent
    await sending
    writer.close()


async def test_a_connection_waits_while_its_route_restarts_and_goes_to_the_new_target(scene, service):
    scene.route("1", state=State.RESTARTING)
    reader, writer = await scene.connect()
    writer.write(b"hello")
    writer.write_eof()
    await until(lambda: scene.figure("devdns_tcp_held_total") == 1)
    scene.route(str(await service(echo)))
    assert await rest(reader) == b"hello"
    writer.close()


async def test_connections_wait_for_a_live_service_that_refuses(scene, service):
    port = listening()
    number = port.getsockname()[1]
    port.close()
    scene.route(str(number))
    pairs = [await scene.connect() for _ in range(20)]
    await until(lambda: scene.figure("devdns_tcp_held_total") == 20)
    await service(echo, number)
    for reader, writer in pairs:
        writer.write(b"x")
        writer.write_eof()
        assert await rest(reader) == b"x"
        writer.close()
    assert scene.figure("devdns_tcp_failed_total") == 0


async def test_who_waits_does_not_depend_on_who_came_first(scene, service):
    port = listening()
    number = port.getsockname()[1]
    port.close()
    scene.route(str(number))
    first, one = await scene.connect()
    (dialling,) = await until(lambda: set(scene.proxy._raw.waiting))
    second, two = await scene.connect()
    await until(lambda: scene.figure("devdns_tcp_held_total") == 2)
    dialling.cancel()
    with pytest.raises(ConnectionResetError):
        await rest(first)
    await service(echo, number)
    two.write(b"x")
    two.write_eof()
    assert await rest(second) == b"x"
    one.close()
    two.close()


async def test_behind_a_relay_a_connection_counts_when_it_stays_open(scene, service):
    """docker-proxy accepts for a service that is down, and ends the connection at once."""
    down = True

    async def relay(reader, writer):
        if down:
            writer.close()
        else:
            await echo(reader, writer)

    scene.route(str(await service(relay)), relayed=True)
    reader, writer = await scene.connect()
    writer.write(b"x")
    await until(lambda: scene.figure("devdns_tcp_held_total") == 1)
    down = False
    async with asyncio.timeout(BOUND):
        assert await reader.readexactly(1) == b"x"
    writer.close()


@pytest.mark.parametrize("limits", [Limits(refused_hold=0.1)])
async def test_a_wait_that_is_over_ends_in_a_reset_and_is_told(scene, limits):
    scene.route("1")
    reader, writer = await scene.connect()
    with pytest.raises(ConnectionResetError):
        await rest(reader)
    writer.close()
    assert scene.figure("devdns_tcp_failed_total") == 1
    (failure,) = scene.proxy.sightings("life").failures
    assert (failure.route, "connection refused" in failure.reason) == (f"db.dev.test:{scene.port}", True)
    (line,) = await until(scene.lines)
    assert (line["method"], line["ended"], line["route"], line["status"]) == ("TCP", "refused", failure.route, 0)


@pytest.mark.parametrize("state", [State.UNHEALTHY, State.UNREACHABLE])
async def test_what_is_not_on_its_way_is_not_waited_for(scene, state):
    scene.route("1", state=state)
    reader, writer = await scene.connect()
    with pytest.raises(ConnectionResetError):
        await rest(reader)
    writer.close()
    assert scene.figure("devdns_tcp_held_total") == 0


async def test_the_end_of_a_route_turns_away_who_waits_and_leaves_those_inside(scene, service):
    scene.route(str(await service(echo)))
    inside, inner = await scene.connect()
    inner.write(b"a")
    assert await inside.readexactly(1) == b"a"
    scene.route("1", state=State.RESTARTING)
    waiting, outer = await scene.connect()
    await until(lambda: scene.figure("devdns_tcp_held_total") == 1)
    scene.swap()
    with pytest.raises(ConnectionResetError):
        await rest(waiting)
    inner.write(b"b")
    assert await inside.readexactly(1) == b"b"
    inner.close()
    outer.close()


async def test_what_a_dying_service_ended_is_cut_when_its_route_goes_down(scene, service):
    async def half(reader, writer):
        await reader.readexactly(1)
        writer.write(b"half of it")
        writer.write_eof()
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    route = scene.route(str(await service(half)))
    reader, writer = await scene.connect()
    writer.write(b"x")
    assert await rest(reader) == b"half of it"
    scene.swap(replace(route, state=State.RESTARTING, reason="container db died"))
    await until(lambda: scene.figure("devdns_tcp_connections_open") == 0)
    writer.close()
    (line,) = await until(scene.lines)
    assert (line["ended"], line["bytes_out"]) == ("cut", 10)


async def test_a_target_of_a_pool_that_refuses_is_passed_over(scene, service):
    scene.route("1", str(await service(echo)))
    for _ in range(4):
        reader, writer = await scene.connect()
        writer.write(b"x")
        writer.write_eof()
        assert await rest(reader) == b"x"
        writer.close()


async def test_a_unix_socket_is_a_target(scene, tmp_path):
    path = tmp_path / "db.sock"
    server = await asyncio.start_unix_server(echo, path)
    scene.route(f"unix:{path}")
    reader, writer = await scene.connect()
    writer.write(b"x")
    writer.write_eof()
    assert await rest(reader) == b"x"
    writer.close()
    server.close()


@pytest.mark.parametrize("limits", [Limits(connections_loopback=2)])
async def test_connections_are_bounded(scene, service, limits):
    scene.route(str(await service(echo)))
    pairs = [await scene.connect() for _ in range(2)]
    await until(lambda: scene.figure("devdns_tcp_connections_open") == 2)
    with pytest.raises(ConnectionResetError):  # by the connect itself, or after it
        await rest((await scene.connect())[0])
    for _, each in pairs:
        each.close()


async def test_http_meets_no_raw_route(scene):
    scene.route("1")
    assert scene.proxy.context.route("db.dev.test", b"/") is None


async def test_a_drain_gives_up_what_waits_and_cuts_what_is_open(scene, service):
    port = await service(echo)
    scene.route(str(port))
    reader, writer = await scene.connect()
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    scene.route("1", state=State.STARTING)
    waiting, other = await scene.connect()
    await until(lambda: scene.figure("devdns_tcp_held_total") == 1)
    await scene.proxy.drain(0.1)
    for each in (reader, waiting):
        with pytest.raises(ConnectionResetError):
            await rest(each)
    writer.close()
    other.close()
