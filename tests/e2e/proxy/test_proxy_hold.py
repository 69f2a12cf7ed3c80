"""Change without loss, as a client sees it: a request waits for its route, goes on in order, and is answered in the end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

import pytest
from support.http_proxy import GET, LAST, OK, Wire, answering, backend, route, running
from support.waiting import until

from devdns.core.frames import Hello
from devdns.core.names import Claim
from devdns.core.routes import Change, State
from devdns.core.settings import Config
from devdns_proxy.limits import Limits

POST = b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
CHUNKED = b"PUT / HTTP/1.1\r\nHost: api.dev.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
HEAD = LAST.replace(b"GET", b"HEAD")
OFFER = b"GET / HTTP/1.1\r\nHost: api.dev.test\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
EXPECTING = (
    b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
)
SOON = Limits(refused_hold=60.0)
MOST = 5.0


def restarting(*targets, state=State.RESTARTING, **options):
    return route("api", *(targets or (1,)), state=state, reason="its container is being restarted", **options)


@pytest.fixture
def dead():
    """A port that refuses, and that nobody else can have; `listening_on` makes it listen."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one


@pytest.fixture
def dead_too():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        yield other


def port_of(sock: socket.socket) -> int:
    return sock.getsockname()[1]


def says(body: bytes, *, keep: bool = True) -> bytes:
    close = b"" if keep else b"Connection: close\r\n"
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (close, len(body), body)


@asynccontextmanager
async def listening_on(sock: socket.socket, conversation):
    """A service at a port that refused until now."""

    async def serve(reader, writer):
        try:
            await conversation(Wire(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, sock=sock)
    try:
        yield server
    finally:
        server.close()


def replying(answer: bytes):
    async def conversation(wire):
        while True:
            await wire.head()
            await wire.send(answer)

    return conversation


async def held(proxy, count=1):
    await until(lambda: len(proxy.proxy.context.holding) == count)


# What is held, and what it gets


async def whole(self, wire):
    head = await wire.head()
    body = b""
    if b"100-continue" in head:
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if b"chunked" in head:
        body = await wire.until(b"0\r\n\r\n")
    elif b"Content-Length: 5" in head:
        body = await wire.exactly(5)
    self.seen.append(head + body)
    await wire.send(OK if not head.startswith(b"HEAD") else OK.removesuffix(b"ok"))


@pytest.mark.parametrize("state", [State.RESTARTING, State.STARTING])
@pytest.mark.parametrize("asked", [LAST, HEAD, POST, CHUNKED], ids=["get", "head", "post", "chunked"])
async def test_a_request_waits_until_its_route_is_live(asked, state):
    async with backend(whole) as service, running(restarting(state=state)) as proxy, await proxy.connect() as wire:
        await wire.send(asked)
        await held(proxy)
        assert not service.seen
        proxy.route(route("api", service.port))
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert asked.partition(b"\r\n\r\n")[2] == service.seen[0].partition(b"\r\n\r\n")[2]
        counters = proxy.proxy.counters
        assert (counters.held, counters.released, counters.in_flight) == (1, 1, 0)
        assert len(proxy.proxy.context.holding) == proxy.proxy.context.holding.size == 0


async def test_no_100_is_said_before_the_service_says_it():
    async with backend(whole) as service, running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(EXPECTING)
        await held(proxy)
        proxy.route(route("api", service.port))
        assert (await wire.head()).startswith(b"HTTP/1.1 100 ")
        await wire.send(b"hello")
        assert (await wire.head()).startswith(b"HTTP/1.1 200 ")
        assert service.seen[0].endswith(b"\r\n\r\nhello")


async def test_an_upgrade_waits_as_any_other():
    async def echo(_, wire):
        await wire.head()
        await wire.send(SWITCHED)
        await wire.send(await wire.exactly(4))

    async with backend(echo) as service, running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(OFFER)
        await held(proxy)
        proxy.route(route("api", service.port))
        assert (await wire.head()).startswith(b"HTTP/1.1 101 ")
        await wire.send(b"ping")
        assert await wire.exactly(4) == b"ping"


async def test_requests_behind_a_held_one_wait_their_turn():
    async def numbered(self, wire):
        while True:
            head = await wire.head()
            self.seen.append(head)
            await wire.send(says(head.split()[1]))

    async with (
        backend(numbered) as service,
        backend(answering(says(b"other"))) as other,
        running(restarting(), route("other", other.port)) as proxy,
        await proxy.connect() as wire,
    ):
        elsewhere = GET.replace(b"api.dev", b"other.dev")
        await wire.send(GET.replace(b"/ ", b"/1 ") + elsewhere + GET.replace(b"/ ", b"/3 "))
        await held(proxy)
        assert not other.seen
        proxy.route(route("api", service.port), route("other", other.port))
        assert [(await wire.response())[1] for _ in range(3)] == [b"/1", b"other", b"/3"]


async def test_they_go_on_in_the_order_they_came(sent):
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(backend(answering(OK)))
        proxy = await stack.enter_async_context(running(restarting(), limits=Limits(opening=1)))
        wires = []
        for number in range(150):
            wires.append(await stack.enter_async_context(await proxy.connect()))
            await wires[-1].send(GET.replace(b"/ ", b"/%d " % number))
            await held(proxy, number + 1)
        proxy.route(route("api", service.port))
        for wire in wires:
            assert (await wire.response())[1] == b"ok"
        assert sent == [f"/{number}" for number in range(150)]
        assert len(service.seen) == 150
        assert service.connections < 50


# How a hold ends otherwise

ENDS = [
    (None, b"HTTP/1.1 404 "),
    (restarting(state=State.UNHEALTHY), b"HTTP/1.1 503 "),
    (restarting(state=State.UNREACHABLE), b"HTTP/1.1 502 "),
]


@pytest.mark.parametrize(("now", "status"), ENDS)
async def test_who_waits_is_answered_at_once_when_the_route_will_not_come_back(now, status):
    async with running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(LAST)
        await held(proxy)
        proxy.route(*([now] if now else []))
        assert (await wire.rest()).startswith(status)
        assert proxy.proxy.counters.in_flight == 0


@pytest.mark.parametrize(("usual", "own"), [(0.3, None), (60.0, 0.3)])
async def test_the_wait_is_bounded_and_its_answer_says_how_long_it_was(usual, own):
    async with running(restarting(hold=own), hold=usual) as proxy:
        answer = await proxy.say(LAST)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert b"its container is being restarted" in answer
        assert b"The request waited 0." in answer
        assert proxy.proxy.counters.over == 1
        assert proxy.proxy.counters.in_flight == len(proxy.proxy.context.holding) == 0


async def test_a_wait_that_was_over_leaves_a_connection_that_can_ask_again():
    async with (
        backend(answering(OK)) as service,
        running(restarting(), hold=0.1) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(GET)
        assert (await wire.response())[0].startswith(b"HTTP/1.1 503 ")
        proxy.route(route("api", service.port))
        await wire.send(GET)
        assert (await wire.response())[1] == b"ok"


async def test_each_request_of_a_connection_has_its_own_time():
    async with running(restarting(), hold=0.3) as proxy, await proxy.connect() as wire:
        for _ in range(2):
            await wire.send(GET)
            assert b"The request waited 0." in (await wire.response())[1]
        assert proxy.proxy.counters.over == 2


async def test_a_client_that_gives_up_is_dropped_at_once():
    async with backend(answering(OK)) as service, running(restarting()) as proxy:
        async with await proxy.connect() as first, await proxy.connect() as second:
            await first.send(POST)
            await held(proxy, 1)
            await second.send(LAST)
            await held(proxy, 2)
            first.writer.close()
            await held(proxy, 1)
            assert proxy.proxy.counters.given_up == 1
            proxy.route(route("api", service.port))
            assert (await second.rest()).endswith(b"ok")
        assert len(service.seen) == 1
        assert proxy.proxy.counters.in_flight == 0


async def test_a_body_is_not_read_ahead_beyond_its_bound_and_its_client_is_not_forgotten():
    limits = Limits(ahead=10_000)
    async with running(restarting(), limits=limits) as proxy, await proxy.connect() as wire:
        await wire.send(POST.replace(b": 5", b": 50000000") + b"x" * 20_000)
        await until(lambda: any(client.deaf() for client in proxy.proxy.context.clients))
        await wire.send(b"x" * 20_000)
        assert proxy.proxy.counters.received < 30_000
        assert 20_000 < proxy.proxy.context.holding.size < 21_000
        wire.writer.transport.abort()
        await held(proxy, 0)
        assert proxy.proxy.counters.received < 30_000


async def test_a_long_body_goes_on_when_the_route_is_back():
    async def measuring(self, wire):
        self.seen.append(await wire.head())
        await wire.exactly(3_000_000)
        await wire.send(OK)

    async with backend(measuring) as service, running(restarting()) as proxy, await proxy.connect() as wire:
        wire.writer.write(
            b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
        )
        await until(lambda: any(client.deaf() for client in proxy.proxy.context.clients))
        proxy.route(route("api", service.port))
        assert (await wire.response())[1] == b"ok"


@pytest.mark.parametrize("limits", [Limits(held=1), Limits(held_bytes=200)])
async def test_more_than_may_wait_are_answered_at_once(limits):
    async with running(restarting(), limits=limits) as proxy, await proxy.connect() as wire:
        await wire.send(GET + b"")
        await held(proxy)
        answer = await proxy.say(POST.replace(b"Content-Length", b"X: %b\r\nContent-Length" % (b"x" * 200)))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Too many requests wait" in answer


async def test_what_comes_behind_a_held_request_counts_and_is_read_no_further():
    behind = GET[:-2] + b"X: %b" % (b"x" * 20_000)
    async with backend(answering(OK)) as service, running(restarting()) as proxy, await proxy.connect() as wire:
        holding = proxy.proxy.context.holding
        await wire.send(GET + behind[:10_000])
        await held(proxy)
        assert 10_000 < holding.size < 11_000
        [client] = proxy.proxy.context.clients
        assert client.deaf()
        await wire.send(behind[10_000:])
        proxy.route(route("api", service.port))
        assert (await wire.response())[1] == b"ok"
        await wire.send(b"\r\n\r\n")
        assert (await wire.response())[1] == b"ok"
        assert holding.size == 0


async def test_what_comes_later_counts_too_and_who_left_is_not_waited_for():
    async with running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(GET)
        await held(proxy)
        holding = proxy.proxy.context.holding
        assert holding.size < 100
        await wire.send(GET * 100)
        await until(lambda: holding.size > len(GET) * 100)
        wire.writer.transport.abort()
        await held(proxy, 0)
        assert holding.size == 0


async def test_who_sends_more_behind_a_held_request_than_may_be_held_is_answered():
    limits = Limits(held_bytes=1_000)
    async with running(restarting(), limits=limits) as proxy, await proxy.connect() as wire:
        await wire.send(POST[:-2].replace(b"Connection: close\r\n", b""))
        await held(proxy)
        await wire.send(b"lo" + LAST[:-2] + b"X: %b\r\n\r\n" % (b"x" * 2_000))
        answers = await wire.rest()
        assert answers.count(b"HTTP/1.1 503 ") == answers.count(b"Too many requests wait") == 2
        assert not len(proxy.proxy.context.holding)


async def test_a_proxy_that_stops_answers_who_waits():
    async with running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(GET)
        await held(proxy)
        stopping = asyncio.ensure_future(proxy.proxy.drain(5.0))
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nConnection: close\r\n" in answer
        wire.writer.close()
        await asyncio.wait_for(stopping, 5.0)


async def test_other_zones_while_a_request_waits():
    async with backend(answering(OK)) as service, running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(LAST)
        await held(proxy)
        proxy.view.hello = Hello(1, "another", Config(zones=("shop.test", "dev.test")))
        proxy.route(route("api", service.port))
        assert (await wire.rest()).endswith(b"ok")


async def test_a_loop_is_told_at_once_whatever_its_route_does():
    looped = LAST.replace(b"\r\n\r\n", b"\r\nDevdns-Hop: i-test\r\n\r\n")
    async with running(restarting()) as proxy:
        assert (await proxy.say(looped)).startswith(b"HTTP/1.1 508 ")


async def test_a_change_elsewhere_wakes_nobody():
    async with running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(LAST)
        await held(proxy)
        client = next(iter(proxy.proxy.context.clients))
        place = client._place
        table = proxy.view.table
        for number in range(5):
            change = Change(table.generation + 1, (Claim("gone.dev.test"),), (route(f"new{number}", 1),))
            table = table.apply(change)
            proxy.view.swap(table, change)
        await asyncio.sleep(0)
        assert client._place is place


async def test_a_route_for_a_longer_path_takes_who_waits_for_it():
    async with backend(answering(OK)) as service, running(restarting()) as proxy, await proxy.connect() as wire:
        await wire.send(LAST.replace(b"/ ", b"/v2/x "))
        await held(proxy)
        proxy.route(restarting(), route("api/v2", service.port))
        assert (await wire.rest()).endswith(b"ok")


async def test_a_nearer_wildcard_takes_who_waits_for_another():
    wild = route("*.shop", 1, state=State.RESTARTING)
    async with backend(answering(OK)) as service, running(wild) as proxy, await proxy.connect() as wire:
        await wire.send(LAST.replace(b"api.dev", b"a.b.shop.dev"))
        await held(proxy)
        proxy.route(wild, route("*.b.shop", service.port))
        assert (await wire.rest()).endswith(b"ok")


# A live route that refuses


@pytest.mark.parametrize("asked", [LAST, POST], ids=["get", "post"])
async def test_a_service_that_is_being_restarted_is_waited_for(dead, asked):
    async with running(route("api", port_of(dead)), limits=SOON) as proxy, await proxy.connect() as wire:
        await wire.send(asked)
        await held(proxy)
        async with listening_on(dead, replying(OK)):
            assert (await wire.rest()).endswith(b"ok")
        assert not len(proxy.proxy.context.watches)


async def test_one_watch_dials_for_all_who_wait(dead):
    async with running(route("api", port_of(dead)), limits=SOON) as proxy, AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(await proxy.connect()) for _ in range(200)]
        for wire in wires:
            await wire.send(GET)
        await held(proxy, 200)
        counters = proxy.proxy.counters
        before = counters.dials
        await until(lambda: counters.dials >= before + 5)
        assert counters.dials < 60
        async with listening_on(dead, replying(OK)):
            for wire in wires:
                assert (await wire.response())[1] == b"ok"


async def test_a_new_port_is_used_at_once(dead):
    async with (
        backend(answering(OK)) as service,
        running(route("api", port_of(dead)), limits=SOON) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(LAST)
        await held(proxy)
        proxy.route(route("api", service.port))
        assert (await wire.rest()).endswith(b"ok")
        assert not len(proxy.proxy.context.watches)


async def test_a_port_that_stays_dead_is_waited_for_once(dead):
    async with running(route("api", port_of(dead)), limits=Limits(refused_hold=0.3)) as proxy:
        first = await proxy.say(LAST)
        assert first.startswith(b"HTTP/1.1 502 ")
        assert b"connection refused" in first
        assert b"The request waited 0." in first
        assert b"\r\nRetry-After: 1\r\n" in first
        assert [watch.open for watch in proxy.proxy.context.watches] == [True]
        started = asyncio.get_running_loop().time()
        for _ in range(5):
            assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        assert asyncio.get_running_loop().time() - started < 0.3 * 5


async def test_a_route_that_names_its_hold_is_waited_for_that_long(dead):
    limits = Limits(refused_hold=0.1)
    async with (
        running(route("api", port_of(dead), hold=60.0), limits=limits) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(GET)
        await held(proxy)
        [watch] = proxy.proxy.context.watches
        await until(lambda: watch.tried - watch.since > limits.refused_hold * 2)
        assert not watch.open
        async with listening_on(dead, replying(OK)):
            assert (await wire.response())[1] == b"ok"


async def test_a_breaker_never_denies_a_service_that_is_back(dead, monkeypatch):
    monkeypatch.setattr("devdns_proxy.watches.FIRST", 60.0)  # nobody but a request may find out
    monkeypatch.setattr("devdns_proxy.watches.MOST", 60.0)
    async with running(route("api", port_of(dead)), limits=Limits(refused_hold=0.0)) as proxy:
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        [watch] = proxy.proxy.context.watches
        await until(lambda: not watch.fresh)
        async with listening_on(dead, replying(OK)), await proxy.connect() as wire:
            await wire.send(GET)
            assert (await wire.response())[1] == b"ok"
        assert not len(proxy.proxy.context.watches)


async def test_no_more_targets_are_waited_for_than_may_be_watched(dead, dead_too, monkeypatch):
    monkeypatch.setattr("devdns_proxy.watches.MOST_WATCHES", 1)
    routes = route("api", port_of(dead)), route("other", port_of(dead_too))
    other = LAST.replace(b"api.", b"other.")
    async with running(*routes, limits=SOON) as proxy, await proxy.connect() as first:
        await first.send(LAST)
        await held(proxy)
        [watch] = proxy.proxy.context.watches
        assert (await proxy.say(other)).startswith(b"HTTP/1.1 502 ")
        assert list(proxy.proxy.context.watches) == [watch]
        async with await proxy.connect() as second:
            first.writer.close()
            await held(proxy, 0)
            await second.send(other)
            await held(proxy)
            assert [each.target.port for each in proxy.proxy.context.watches] == [port_of(dead_too)]
            async with listening_on(dead_too, replying(OK)):
                assert (await second.head()).startswith(b"HTTP/1.1 200 ")


async def test_a_breaker_closes_by_itself_and_by_a_change_of_its_route(dead):
    async with running(route("api", port_of(dead)), limits=Limits(refused_hold=0.0)) as proxy:
        watches = proxy.proxy.context.watches
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        assert len(watches) == 1
        proxy.route(route("api", port_of(dead), timeout=9.0))
        assert len(watches) == 0
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        async with listening_on(dead, replying(OK)):
            await until(lambda: not len(watches))


async def test_of_two_dead_targets_the_first_to_come_back_serves(dead, dead_too):
    async with (
        running(route("api", port_of(dead), port_of(dead_too)), limits=SOON) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(GET)
        await held(proxy)
        async with listening_on(dead_too, replying(OK)):
            assert (await wire.response())[1] == b"ok"


async def test_a_refused_request_follows_its_route_into_a_restart(dead):
    async with (
        backend(answering(OK)) as service,
        running(route("api", port_of(dead)), limits=Limits(refused_hold=0.4)) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(LAST)
        await held(proxy)
        proxy.route(restarting())
        await until(lambda: next(iter(proxy.proxy.context.clients))._place.failed is None)
        client = next(iter(proxy.proxy.context.clients))
        assert client.deadline > proxy.proxy.context.now + 10
        proxy.route(route("api", service.port))
        assert (await wire.rest()).endswith(b"ok")


async def test_what_waits_for_a_silent_target_follows_its_route(queue_of_none):
    limits = Limits(connect_time=60.0)
    async with (
        backend(answering(OK)) as service,
        running(route("api", queue_of_none), limits=limits) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(LAST)
        await until(lambda: proxy.proxy.context.pool.lines)
        proxy.route(restarting(queue_of_none))
        await held(proxy)
        assert not proxy.proxy.context.pool.lines
        proxy.route(route("api", service.port))
        assert (await wire.rest()).endswith(b"ok")


@pytest.fixture
def queue_of_none():
    """The port of a listener that accepts nothing more."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_silent_target_is_not_waited_for_again_and_again(queue_of_none):
    limits = Limits(connect_time=0.1, connect_tries=2)
    async with running(route("api", queue_of_none), limits=limits) as proxy:
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 504 ")
        dials = proxy.proxy.counters.dials
        assert [watch.open for watch in proxy.proxy.context.watches] == [True]
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 504 ")
        assert proxy.proxy.counters.dials <= dials + 1


# What was written


async def test_a_get_whose_service_dies_waits_for_the_next_one():
    async def dying(self, wire):
        self.seen.append(await wire.head())
        proxy.route(restarting(service.port))

    async with (
        backend(dying) as service,
        backend(answering(OK)) as after,
        running(route("api", service.port)) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(LAST)
        await held(proxy)
        proxy.route(route("api", after.port))
        assert (await wire.rest()).endswith(b"ok")
        assert len(service.seen) == len(after.seen) == 1


async def test_a_post_whose_service_dies_is_not_repeated():
    async def dying(self, wire):
        self.seen.append(await wire.head())
        await wire.exactly(5)
        proxy.route(restarting(service.port))

    async with backend(dying) as service, running(route("api", service.port)) as proxy:
        assert (await proxy.say(POST)).startswith(b"HTTP/1.1 502 ")
        assert len(service.seen) == 1


async def silent(self, wire):
    self.seen.append(await wire.head())
    await asyncio.Event().wait()


@pytest.mark.parametrize(("asked", "start"), [(LAST, b"HTTP/1.1 200 "), (POST, b"HTTP/1.1 502 ")], ids=["get", "post"])
async def test_an_answer_of_a_service_that_is_down_is_not_waited_for(asked, start):
    async with backend(silent) as service, backend(answering(OK)) as after:
        limits = Limits(left_time=0.1)
        async with running(route("api", service.port), limits=limits) as proxy, await proxy.connect() as wire:
            await wire.send(asked)
            await until(lambda: service.seen)
            proxy.route(restarting(service.port))
            await until(lambda: len(proxy.proxy.context.holding) or proxy.proxy.counters.in_flight == 0)
            proxy.route(route("api", after.port))
            assert (await wire.rest()).startswith(start)


async def test_a_service_that_is_back_elsewhere_before_its_time_is_over_gets_what_the_old_place_was_asked():
    async with backend(silent) as service, backend(answering(OK)) as after:
        limits = Limits(left_time=0.1)
        async with running(route("api", service.port), limits=limits) as proxy, await proxy.connect() as wire:
            await wire.send(LAST)
            await until(lambda: service.seen)
            proxy.route(restarting(service.port))
            proxy.route(route("api", after.port))
            assert (await wire.rest()).startswith(b"HTTP/1.1 200 ")


async def test_the_time_of_a_service_that_went_down_is_not_that_of_the_one_asked_next():
    going = asyncio.Event()

    async def dies(self, wire):
        self.seen.append(await wire.head())
        await going.wait()

    limits = Limits(left_time=0.1, connect_time=60.0)
    async with (
        backend(dies) as service,
        backend(answering(OK)) as after,
        running(route("api", service.port), limits=limits) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(LAST)
        await until(lambda: service.seen)
        proxy.route(restarting(service.port))
        with crowded() as full:
            proxy.route(route("api", full))
            going.set()
            context = proxy.proxy.context
            ticked = context.now
            await until(lambda: context.now > ticked + 0.3)
            proxy.route(route("api", after.port))
            assert (await wire.rest()).startswith(b"HTTP/1.1 200 ")


@contextmanager
def crowded():
    """A port of this machine that answers no connect: its queue is full."""
    with socket.socket() as sock, ExitStack() as waiting:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for _ in range(3):
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(sock.getsockname())
        yield sock.getsockname()[1]


async def test_a_service_that_is_back_where_it_was_may_take_its_time():
    """What said that it goes down was a signal that it ignored, or a pause."""
    going = asyncio.Event()

    async def slow(self, wire):
        self.seen.append(await wire.head())
        await going.wait()
        await wire.send(OK)

    limits = Limits(left_time=0.0)
    async with (
        backend(slow) as service,
        running(route("api", service.port), limits=limits) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(GET)
        await until(lambda: service.seen)
        context = proxy.proxy.context
        proxy.route(restarting(service.port))
        proxy.route(route("api", service.port))
        ticked = context.now
        await until(lambda: context.now > ticked + 0.2)
        going.set()
        assert (await wire.response())[1] == b"ok"


async def test_a_service_that_goes_down_says_nothing_of_the_next_request():
    going = asyncio.Event()

    async def answers_one(self, wire):
        self.seen.append(await wire.head())
        await going.wait()
        await (wire.send(OK) if len(self.seen) == 1 else asyncio.Event().wait())

    async with backend(answers_one) as service, backend(answering(OK)) as after:
        live = route("api", service.port, timeout=0.5)
        async with running(live, limits=Limits(left_time=60.0)) as proxy, await proxy.connect() as wire:
            await wire.send(GET)
            await until(lambda: service.seen)
            proxy.route(restarting(service.port))
            going.set()
            assert (await wire.response())[1] == b"ok"
            proxy.route(live)
            await wire.send(GET)
            await until(lambda: len(service.seen) == 2)
            proxy.route(route("api", after.port, timeout=0.5))
            assert (await wire.head()).startswith(b"HTTP/1.1 504 ")
        assert after.seen == []


async def test_a_response_that_has_begun_is_finished_whatever_the_table_says():
    going = asyncio.Event()

    async def slow(self, wire):
        self.seen.append(await wire.head())
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        await going.wait()
        await wire.send(b"lf")

    limits = Limits(left_time=0.0)
    async with (
        backend(slow) as service,
        running(route("api", service.port), limits=limits) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(GET)
        await wire.until(b"ha")
        proxy.route(restarting(service.port))
        proxy.route(route("api", 1))
        going.set()
        assert await wire.exactly(2) == b"lf"


async def test_a_request_that_is_served_by_its_old_target_is_not_cut_by_an_edit():
    """Another target in the file does not mean that the old one is down."""
    going = asyncio.Event()

    async def slow(self, wire):
        self.seen.append(await wire.head())
        await going.wait()
        await wire.send(OK)

    limits = Limits(left_time=0.0)
    async with (
        backend(slow) as service,
        running(route("api", service.port), limits=limits) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(GET)
        await until(lambda: service.seen)
        context = proxy.proxy.context
        proxy.route(route("api", 1))
        ticked = context.now
        await until(lambda: context.now > ticked + 0.2)
        going.set()
        assert (await wire.response())[1] == b"ok"


async def test_who_accepts_for_a_service_that_is_down_is_found_out():
    """As docker-proxy does on a published port: it takes the connection and the request, and closes."""
    down = True

    async def published(self, wire):
        if down:
            return
        self.seen.append(await wire.head())
        await wire.send(says(b"up", keep=False))

    async with backend(published) as service, running(route("api", service.port), limits=SOON) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await held(proxy)
            async with await proxy.connect() as posting:
                await posting.send(POST)
                await held(proxy, 2)
                down = False
                assert (await wire.response())[1] == b"up"
                assert (await posting.rest()).endswith(b"up")
        assert len(service.seen) == 2


async def test_two_services_swap_ports_and_nobody_gets_the_other():
    """Each says its name; their kept connections stay open, as those of a process that is going do."""

    def named(name):
        return answering(says(name))

    async with AsyncExitStack() as stack:
        a, b = [await stack.enter_async_context(backend(named(name))) for name in (b"a", b"b")]
        proxy = await stack.enter_async_context(running(route("a", a.port), route("b", b.port)))
        wires = {name: await stack.enter_async_context(await proxy.connect()) for name in "ab"}

        async def ask():
            found = []
            for name, wire in wires.items():
                await wire.send(GET.replace(b"api", name.encode()))
                found.append((await wire.response())[1])
            return found

        assert await ask() == [b"a", b"b"]
        before = a.connections, b.connections
        change = Change(1, (), (route("a", b.port), route("b", a.port)))
        proxy.view.swap(proxy.view.table.apply(change), change)
        assert await ask() == [b"b", b"a"]
        assert (a.connections, b.connections) == (before[0] + 1, before[1] + 1)


async def test_five_hundred_wait_at_once_and_all_are_answered():
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(backend(answering(OK)))
        proxy = await stack.enter_async_context(running(restarting()))
        wires = [await stack.enter_async_context(await proxy.connect()) for _ in range(500)]
        for wire in wires:
            await wire.send(GET)
        await held(proxy, 500)
        for wire in wires[:50]:
            wire.writer.transport.abort()
        await held(proxy, 450)
        proxy.route(route("api", service.port))
        for wire in wires[50:]:
            assert (await wire.response())[1] == b"ok"
        counters = proxy.proxy.counters
        assert (counters.held, counters.released, counters.given_up) == (500, 450, 50)


@pytest.mark.parametrize("name", [b"unknown", b"api"])
async def test_thousands_of_pipelined_requests_are_answered_by_ourselves(name):
    count = 1_500
    async with running(route("api", 1, state=State.UNHEALTHY)) as proxy, await proxy.connect() as wire:
        await wire.send(GET.replace(b"api", name) * count)
        heads = {(await wire.response())[0].split(b"\r\n")[0] for _ in range(count)}
        assert len(heads) == 1
        assert b" 500 " not in heads.pop()
