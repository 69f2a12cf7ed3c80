"""Plain requests over raw sockets: forwarding, keep-alive, pipelining, the two problems everybody meets."""

from __future__ import annotations

from support.http_proxy import GET, LAST, OK, UNHELD, answering, backend, route, running, stage

from devdns_proxy import refusals


async def test_a_request_reaches_the_service_and_its_answer_the_client():
    async with stage(OK) as (proxy, service):
        answer = await proxy.say(LAST)
    assert answer == b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    head = service.seen[0]
    assert head.startswith(b"GET / HTTP/1.1\r\nHost: api.dev.test\r\n")
    assert b"X-Forwarded-For: 127.0.0.1\r\n" in head


async def test_both_connections_are_kept():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        for _ in range(3):
            await wire.send(GET)
            assert (await wire.response())[1] == b"ok"
        assert service.connections == 1
        assert proxy.proxy.counters.tallies["api.dev.test"].statuses == {200: 3}
        assert proxy.proxy.counters.in_flight == 0


async def test_pipelined_requests_are_answered_in_order():
    async def slow_first(self, wire):
        for _ in range(3):
            head = await wire.head()
            self.seen.append(head)
            body = head.split(b" ")[1]
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with (
        backend(slow_first) as service,
        running(route("api", service.port)) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(b"".join(GET.replace(b"/ ", b"/%d " % n, 1) for n in range(3)))
        assert [(await wire.response())[1] for _ in range(3)] == [b"/0", b"/1", b"/2"]


async def test_an_unknown_name_is_explained():
    async with stage(OK) as (proxy, _):
        answer = await proxy.say(LAST.replace(b"api", b"nope"))
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"api.dev.test" in answer


async def test_the_live_names_are_read_once_for_each_table(monkeypatch):
    tables = []
    monkeypatch.setattr(
        refusals, "live_names", lambda table, real=refusals.live_names: tables.append(table) or real(table)
    )
    unknown = LAST.replace(b"api", b"nope")
    async with stage(OK) as (proxy, service):
        for _ in range(3):
            assert b"api.dev.test" in await proxy.say(unknown)
        proxy.route(route("shop", service.port))
        for _ in range(3):
            answer = await proxy.say(unknown)
            assert b"shop.dev.test" in answer
            assert b"api.dev.test" not in answer
    assert len(tables) == 2


async def test_a_refused_connection_is_502():
    async with backend(answering(OK)) as service:
        port = service.port
    async with running(route("api", port), limits=UNHELD) as proxy:
        answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"connection refused" in answer
