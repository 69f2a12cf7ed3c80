"""Services that speak HTTP/2, in the clear and by ALPN, on the wire: what they are sent, and what becomes of what they say."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from h2.settings import SettingCodes
from support.h2_service import Asked, Connection, h2_service, nothing
from support.http_proxy import GET, LAST, UNHELD, answering, backend, route, running
from support.http_tls import certificate, serving
from support.waiting import until

from devdns.core.routes import State
from devdns_proxy.h2up.lane import HIGH_WATER
from devdns_proxy.h2up.sending import WINDOW
from devdns_proxy.limits import Limits
from devdns_proxy.replies import websocket_accept

CANCEL, REFUSED, NO_ERROR = 8, 7, 0
POST = b"POST /in HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 5\r\n\r\nhello"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


@asynccontextmanager
async def stage(answer=Asked.ok, *, begun=nothing, more=nothing, limits=None, settings=None, **options):
    """A proxy whose only route, `api`, leads to a service of HTTP/2."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(h2_service(answer, begun=begun, more=more))
        service.settings = settings or {}
        proxy = await stack.enter_async_context(running(route("api", service.target, **options), limits=limits))
        yield proxy, service


async def test_a_request_is_sent_as_http_2_has_it():
    async with stage() as (proxy, service):
        async with await proxy.connect() as wire:
            for _ in range(3):
                await wire.send(
                    b"GET /a?b=c HTTP/1.1\r\nHost: api.dev.test:80\r\nTE: gzip\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                    b"X-UPPER: Kept \r\nCookie: a=b; c=d\r\nX-Request-ID: mine\r\n\r\n"
                )
                assert await wire.response() == (b"HTTP/1.1 200 OK\r\ndate: now\r\nContent-Length: 2\r\n\r\n", b"ok")
        fields = service.asked[0].fields
    assert len(service.asked) == 3
    assert len({each.connection for each in service.asked}) == 1
    assert fields[:4] == [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", b"api.dev.test:80"),
        (b":path", b"/a?b=c"),
    ]
    assert (b"x-upper", b"Kept") in fields
    assert (b"cookie", b"a=b; c=d") in fields
    assert (b"x-request-id", b"mine") in fields
    assert (b"x-forwarded-for", b"127.0.0.1") in fields
    assert [value for name, value in fields if name == b"te"] == [b"trailers"]
    assert not {name for name, _ in fields} & {b"connection", b"x-hop", b"host", b"transfer-encoding"}


async def test_bodies_and_trailers_reach_the_service():
    chunked = (
        b"PUT /up HTTP/1.1\r\nHost: api.dev.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n"
    )
    async with stage() as (proxy, service), await proxy.connect() as wire:
        await wire.send(POST)
        await wire.response()
        await wire.send(chunked)
        await wire.response()
        await wire.send(POST.replace(b"Content-Length: 5", b"Content-Length: 0").removesuffix(b"hello"))
        await wire.response()
        first, second, third = service.asked
    assert (first[b"content-length"], first.body) == (b"5", b"hello")
    assert (second.body, second.trailers) == (b"abcdefg", [(b"x-sum", b"7")])
    assert (third[b"content-length"], third.body) == (b"0", b"")


async def test_megabytes_pass_the_windows_both_ways():
    def echo(asked: Asked) -> None:
        asked.head(200, (b"x", b"y"))
        pump(asked, asked.body)

    def pump(asked: Asked, left: bytes) -> None:
        while left and (room := min(asked.h2.local_flow_control_window(asked.number), 16_384)):
            asked.data(left[:room])
            left = left[room:]
        if left:
            asyncio.get_running_loop().call_later(0.001, pump, asked, left)
        else:
            asked.data(b"", end=True)

    sent = bytes(range(256)) * 12_000
    async with stage(echo) as (proxy, _), await proxy.connect() as wire:
        await wire.send(
            b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(sent)
            + sent
        )
        assert b"\r\nTransfer-Encoding: chunked\r\n" in await wire.head()
        body, said = b"", await wire.rest()
    while not said.startswith(b"0\r\n"):
        size, _, said = said.partition(b"\r\n")
        body, said = body + said[: int(size, 16)], said[int(size, 16) + 2 :]
    assert body == sent


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda a: a.head(204, (b"date", b"d"), end=True), b"HTTP/1.1 204 No Content\r\ndate: d\r\n\r\n"),
        (lambda a: (a.head(304, (b"date", b"d")), a.data(b"", end=True)), b"HTTP/1.1 304 Not Modified\r\ndate: d\r\n\r\n"),
        (
            lambda a: a.head(200, (b"date", b"d"), (b"grpc-status", b"5"), end=True),
            b"HTTP/1.1 200 OK\r\ndate: d\r\ngrpc-status: 5\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            lambda a: (a.head(103, (b"link", b"</a>")), a.head(200, (b"date", b"d"), end=True)),
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ndate: d\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            lambda a: (a.head(200, (b"date", b"d")), a.data(b"abc"), a.trail((b"grpc-status", b"0"), (b"x", b"1"))),
            b"HTTP/1.1 200 OK\r\ndate: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ngrpc-status: 0\r\nx: 1\r\n\r\n",
        ),
        (
            lambda a: (a.head(200, (b"date", b"d"), (b"content-length", b"3")), a.data(b"abc"), a.data(b"", end=True)),
            b"HTTP/1.1 200 OK\r\ndate: d\r\nContent-Length: 3\r\n\r\nabc",
        ),
    ],
)  # fmt: skip
async def test_a_response_is_told_in_http_1(answer, told):
    async with stage(answer) as (proxy, service), await proxy.connect() as wire:
        for _ in range(2):
            await wire.send(GET)
            assert (await wire.exactly(len(told))).lower() == told.lower()
    assert len(service.asked) == 2


async def test_an_end_that_comes_late_is_waited_for():
    waiting: list[Asked] = []

    def almost(asked: Asked) -> None:
        asked.head(200, (b"content-length", b"2"), (b"date", b"now"))
        asked.data(b"ok")
        waiting.append(asked)

    async with stage(almost) as (proxy, service), await proxy.connect() as wire:
        for _ in range(2):
            await wire.send(GET)
            await until(lambda: waiting)
            waiting.pop().data(b"", end=True)
            assert (await wire.response())[1] == b"ok"
    assert len({each.connection for each in service.asked}) == 1


async def test_head_has_no_body():
    def answer(asked: Asked) -> None:
        asked.head(200, (b"content-length", b"9"), end=True)

    async with stage(answer) as (proxy, _), await proxy.connect() as wire:
        for _ in range(2):
            await wire.send(b"HEAD / HTTP/1.1\r\nHost: api.dev.test\r\n\r\n")
            assert b"\r\nContent-Length: 9\r\n" in await wire.head()


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\nSet-Cookie: b"),
        (b"x", b"a\0"),
        (b"x\r\ny", b"a"),
        (b"x", b"a\nb"),
        (b"x y", b"a"),
        (b"x:y", b"b"),
        (b":path", b"/"),
        (b"Upper", b"a"),
    ],
)
async def test_nothing_in_a_field_becomes_a_line(field):
    async with stage(lambda asked: asked.head(200, field, end=True), limits=UNHELD) as (proxy, _):
        answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"Set-Cookie" not in answer


async def test_a_response_that_is_cancelled_is_cut():
    def half(asked: Asked) -> None:
        asked.head(200, (b"x", b"y"))
        asked.data(b"half")
        asked.cancel(CANCEL)

    async with stage(half) as (proxy, _):
        answer = await proxy.say(GET)
    assert b"\r\n4\r\nhalf\r\n" in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_what_the_service_refused_unread_is_sent_again_whatever_it_is():
    times: list[int] = []

    def refuse_once(asked: Asked) -> None:
        times.append(1)
        asked.cancel(REFUSED) if len(times) == 1 else asked.ok()

    async with stage(refuse_once) as (proxy, service), await proxy.connect() as wire:
        await wire.send(POST)
        assert (await wire.response())[1] == b"ok"
    assert [each.body for each in service.asked] == [b"hello", b"hello"]
    assert len({each[b"x-request-id"] for each in service.asked}) == 1


@pytest.mark.parametrize(("request_", "status"), [(LAST, b"200"), (POST, b"502")])
async def test_what_was_cancelled_without_an_answer_is_sent_again_only_where_it_may(request_, status):
    times: list[int] = []

    def fail_once(asked: Asked) -> None:
        times.append(1)
        asked.cancel(CANCEL) if len(times) == 1 else asked.ok()

    async with stage(fail_once) as (proxy, _), await proxy.connect() as wire:
        await wire.send(request_)
        assert (await wire.head()).startswith(b"HTTP/1.1 " + status)
    assert len(times) == (2 if status == b"200" else 1)


async def test_a_goaway_lets_what_was_taken_end_and_sends_the_rest_elsewhere():
    first: list[Asked] = []

    def answer(asked: Asked) -> None:
        if asked.connection is asked.connection.service.connections[0]:
            first.append(asked)
        else:
            asked.ok()

    async with stage(answer) as (proxy, service), await proxy.connect() as one, await proxy.connect() as two:
        await one.send(POST)
        await until(lambda: len(first) == 1)
        await two.send(POST)
        await until(lambda: len(first) == 2)
        first[0].connection.go_away(first[0].number)
        assert (await two.response())[1] == b"ok"
        first[0].ok()
        assert (await one.response())[1] == b"ok"
        await until(service.connections[0].transport.is_closing)
        await one.send(GET)
        assert (await one.response())[1] == b"ok"
    assert len(service.connections) == 2


async def test_no_more_streams_at_once_than_the_service_takes():
    waiting: list[Asked] = []
    two = {SettingCodes.MAX_CONCURRENT_STREAMS: 2}
    async with AsyncExitStack() as stack:
        proxy, service = await stack.enter_async_context(stage(waiting.append, settings=two))
        wires = [await stack.enter_async_context(await proxy.connect()) for _ in range(5)]
        for wire in wires:
            await wire.send(GET)
        await until(lambda: len(waiting) == 5)
        most = max(sum(each.connection is connection for each in waiting) for connection in service.connections)
        assert (most, len(service.connections)) == (2, 3)
        for each in waiting:
            each.ok()
        for wire in wires:
            assert (await wire.response())[1] == b"ok"


async def test_a_client_that_leaves_cancels_its_stream_and_no_other():
    waiting: list[Asked] = []
    async with stage(waiting.append) as (proxy, service), await proxy.connect() as other:
        await other.send(GET)
        async with await proxy.connect() as wire:
            await wire.send(GET.replace(b"/", b"/leaves", 1))
            await until(lambda: len(waiting) == 2)
        left = next(each for each in waiting if each[b":path"] == b"/leaves")
        await until(lambda: left.reset == CANCEL)
        next(each for each in waiting if each is not left).ok()
        assert (await other.response())[1] == b"ok"
    assert len(service.connections) == 1


async def test_a_client_that_does_not_read_holds_up_its_own_stream_only():
    sent: dict[bytes, int] = {}

    def pour(asked: Asked) -> None:
        if asked[b":path"] != b"/pour":
            asked.ok()
            return
        asked.head(200, (b"x", b"y"))
        push(asked)

    def push(asked: Asked) -> None:
        if asked.reset is not None or asked.connection.transport.is_closing():
            return
        while room := min(asked.h2.local_flow_control_window(asked.number), 16_384):
            asked.data(b"x" * room)
            sent[b"/pour"] = sent.get(b"/pour", 0) + room
        asyncio.get_running_loop().call_later(0.001, push, asked)

    async with stage(pour) as (proxy, _), await proxy.connect() as slow, await proxy.connect() as other:
        slow.writer.transport.pause_reading()
        await slow.send(GET.replace(b"/", b"/pour", 1))
        await until(lambda: sent.get(b"/pour", 0) >= WINDOW)
        for _ in range(50):
            await other.send(GET)
            assert (await other.response())[1] == b"ok"
        before = sent[b"/pour"]
        assert before < WINDOW + 16 * 1_048_576  # its window, and what the kernel keeps for the client
        slow.writer.transport.resume_reading()
        await slow.exactly(before)
        await until(lambda: sent[b"/pour"] > before)


async def test_a_service_that_does_not_read_holds_up_the_client():
    async with stage(limits=UNHELD) as (proxy, service), await proxy.connect() as wire:
        service.reads = False
        await wire.send(b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 100000000\r\n\r\n")
        wire.writer.write(b"x" * 32_000_000)  # more than the kernel keeps between the two
        client = await until(lambda: next((each for each in proxy.proxy.context.clients if each.deaf()), None))
        await until(lambda: service.asked and len(service.asked[0].body) == 65_535)
        assert client._upstream.transport.get_write_buffer_size() < HIGH_WATER + 4 * 262_144


async def test_both_sides_speak_at_once():
    def echo(asked: Asked) -> None:
        asked.data(b"", end=True)

    def more(asked: Asked) -> None:
        asked.data(asked.body)
        asked.body = b""

    def begin(asked: Asked) -> None:
        asked.head(200, (b"x", b"y"))

    async with stage(echo, begun=begin, more=more) as (proxy, _), await proxy.connect() as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert (await wire.head()).startswith(b"HTTP/1.1 200 ")
        for word in (b"one", b"two", b"six"):
            await wire.send(b"3\r\n" + word + b"\r\n")
            assert await wire.until(word + b"\r\n")
        await wire.send(b"0\r\n\r\n")
        assert await wire.until(b"0\r\n\r\n")


async def test_a_service_that_restarts_loses_no_request():
    async with stage() as (proxy, service), await proxy.connect() as wire:
        await wire.send(GET)
        await wire.response()
        service.stop()
        await wire.send(GET)
        await until(lambda: proxy.proxy.counters.held)
        await service.listen()
        assert (await wire.response())[1] == b"ok"
        service.stop()
        await until(lambda: not proxy.proxy.context.links.known())
        await wire.send(POST)
        await until(lambda: proxy.proxy.counters.held == 2)
        await service.listen()
        assert (await wire.response())[1] == b"ok"


async def test_a_request_whose_connection_dies_under_it_is_sent_again():
    times: list[int] = []

    def die_once(asked: Asked) -> None:
        times.append(1)
        asked.connection.transport.abort() if len(times) == 1 else asked.ok()

    async with stage(die_once) as (proxy, service), await proxy.connect() as wire:
        await wire.send(GET)
        assert (await wire.response())[1] == b"ok"
    assert len(service.connections) == 2


async def test_a_relay_that_accepts_for_a_service_that_is_not_there_is_no_answer():
    async with AsyncExitStack() as stack:

        async def hang_up(_, wire) -> None:
            await wire.exactly(24)

        relay = await stack.enter_async_context(backend(hang_up))
        proxy = await stack.enter_async_context(running(route("api", f"h2c://127.0.0.1:{relay.port}")))
        wire = await stack.enter_async_context(await proxy.connect())
        await wire.send(POST)
        await until(lambda: relay.connections > 2)
        assert proxy.proxy.counters.held
        service = await stack.enter_async_context(h2_service())
        proxy.route(route("api", service.target))
        assert (await wire.response())[1] == b"ok"
        assert service.asked[0].body == b"hello"


async def test_a_route_that_leads_elsewhere_takes_its_connections_along():
    async with stage() as (proxy, service), h2_service() as other, await proxy.connect() as wire:
        await wire.send(GET)
        await wire.response()
        proxy.route(route("api", other.target))
        await wire.send(GET)
        await wire.response()
        await until(service.connections[0].transport.is_closing)
        assert len(other.asked) == 1


async def test_a_request_is_held_for_a_route_that_starts():
    async with stage() as (proxy, service), await proxy.connect() as wire:
        live = route("api", service.target)
        proxy.route(route("api", service.target, state=State.STARTING))
        await wire.send(POST)
        await until(lambda: proxy.proxy.counters.held)
        proxy.route(live)
        assert (await wire.response())[1] == b"ok"


async def test_a_connection_that_nobody_uses_is_closed():
    async with stage(limits=Limits(pool_idle=0.01)) as (proxy, service), await proxy.connect() as wire:
        await wire.send(GET)
        await wire.response()
        await until(service.connections[0].transport.is_closing)
        await until(lambda: not proxy.proxy.context.links.known())
        assert not proxy.proxy.context.pool.open


async def test_what_speaks_http_1_is_told_apart():
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(backend(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
        there = route("api", f"h2c://127.0.0.1:{service.port}")
        proxy = await stack.enter_async_context(running(there, limits=UNHELD))
        answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"does not speak HTTP/2: is it http:// there?" in answer


async def test_a_service_that_breaks_the_rules_costs_its_own_requests_only():
    def wrong(asked: Asked) -> None:
        asked.connection.transport.write(b"\0\0\0\1\5\0\0\0\0")  # HEADERS on no stream

    async with stage(wrong, limits=UNHELD) as (proxy, _), await proxy.connect() as wire:
        await wire.send(POST)
        assert (await wire.head()).startswith(b"HTTP/1.1 502 ")


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("h2up"), "api")


async def test_an_https_service_that_chooses_http_2_is_spoken_to_in_it(signed):
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(h2_service(tls=serving(*signed, "h2", "http/1.1")))
        proxy = await stack.enter_async_context(running(route("api", f"https://127.0.0.1:{service.port}")))
        wire = await stack.enter_async_context(await proxy.connect())
        for _ in range(3):
            await wire.send(GET)
            assert (await wire.response())[1] == b"ok"
    assert len({each.connection for each in service.asked}) == 1
    assert service.asked[0][b":scheme"] == b"https"


async def test_an_upgrade_is_offered_in_http_1_where_requests_go_in_http_2(signed):
    spoken: list[str | None] = []
    tls = serving(*signed, "h2", "http/1.1")

    class Both(asyncio.Protocol):
        """Node's servers are like this: whoever chooses HTTP/2 gets it, and WebSocket in HTTP/1.1."""

        def connection_made(self, transport) -> None:
            spoken.append(transport.get_extra_info("ssl_object").selected_alpn_protocol())
            self.transport = transport
            if spoken[-1] == "h2":
                transport.set_protocol(inner := service_connection())
                inner.connection_made(transport)

        def data_received(self, data: bytes) -> None:
            if b"Upgrade: websocket" in data:
                accept = websocket_accept(KEY)
                self.transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
            else:
                self.transport.write(data)

    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(h2_service())

        def service_connection() -> Connection:
            return Connection(service)

        server = await asyncio.get_running_loop().create_server(Both, "127.0.0.1", 0, ssl=tls)
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        proxy = await stack.enter_async_context(running(route("api", f"https://127.0.0.1:{port}")))
        async with await proxy.connect() as wire, await proxy.connect() as upgraded:
            await wire.send(GET)
            assert (await wire.response())[1] == b"ok"
            await upgraded.send(
                GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
            )
            assert (await upgraded.head()).startswith(b"HTTP/1.1 101 ")
            await upgraded.send(b"ping")
            assert await upgraded.exactly(4) == b"ping"
            await wire.send(GET)
            assert (await wire.response())[1] == b"ok"
    assert spoken == ["h2", "http/1.1"]
