"""What is counted of requests, in Prometheus's terms, and that it stays bounded."""

from __future__ import annotations

import msgspec
import pytest
from support.figures import value
from support.http_proxy import GET, LAST, OK, answering, backend, route, running, stage
from support.waiting import until

from devdns.control.metrics import render
from devdns.core.figures import Family
from devdns_proxy.counters import BOUNDS, LEFT, MAX_ROUTES, Counters
from devdns_proxy.figures import NAMED, families


def page(counters: Counters) -> bytes:
    return render(families(counters))


def test_statuses_and_latency_by_route():
    counters = Counters()
    api = counters.tally("api.dev.test")
    for seconds in (0.0004, BOUNDS[0], 0.002, 11.0):
        api.ended(200, seconds)
    api.ended(503, 0.3)
    text, route = page(counters), "api.dev.test"
    assert value(text, "devdns_http_requests_total", route=route, status="200") == 4
    assert value(text, "devdns_http_requests_total", route=route, status="503") == 1
    for step, count in {"0.001": 2, "0.0025": 3, "0.5": 4, "10.0": 4, "+Inf": 5}.items():
        assert value(text, "devdns_http_request_duration_seconds_bucket", route=route, le=step) == count
    assert value(text, "devdns_http_request_duration_seconds_count", route=route) == 5
    assert value(text, "devdns_http_request_duration_seconds_sum", route=route) == pytest.approx(11.3034)


def test_what_is_not_shown_by_name_is_shown_together():
    counters = Counters()
    for number in range(NAMED + 50):
        counters.tally(f"r{number}.dev.test").ended(200, 0.001)
    counters.tally("x" * 201).ended(200, 0.001)
    counters.tally("").ended(404, 0.001)
    text = page(counters)
    assert value(text, "devdns_http_requests_total", route="", status="200") == 51
    assert value(text, "devdns_http_requests_total", route="", status="404") == 1
    assert value(text, "devdns_http_requests_total", route=f"r{NAMED - 1}.dev.test", status="200") == 1
    assert value(text, "devdns_http_requests_total", route=f"r{NAMED}.dev.test", status="200") is None


def test_every_family_passes_the_border_at_the_bound_of_routes():
    counters = Counters()
    for number in range(MAX_ROUTES + 10):
        for status in range(200, 230):
            counters.tally(f"{'n' * 150}{number}.dev.test").ended(status, 0.001)
    assert len(counters.tallies) == MAX_ROUTES + 1
    told = msgspec.json.encode(families(counters))
    assert msgspec.json.decode(told, type=tuple[Family, ...]) == families(counters)


async def test_bytes_and_connections_are_counted_while_open_and_after():
    async with stage(OK) as (proxy, _):
        counters = proxy.proxy.counters
        async with await proxy.connect() as wire:
            await wire.send(GET)
            head, body = await wire.response()
            assert (counters.received, counters.sent) == (len(GET), len(head + body))
            assert (counters.open_connections, counters.in_flight) == (1, 0)
        answer = await proxy.say(LAST)
        assert (counters.received, counters.sent) == (len(GET + LAST), len(head + body + answer))
        assert (counters.connections, counters.dials, counters.waited, counters.reused) == (2, 1, 1, 1)


async def test_the_use_of_connections_to_services_is_told():
    async def silent(self, wire):
        self.seen.append(await wire.head())
        await wire.rest()

    async with backend(silent) as slow, stage(OK) as (proxy, service):
        proxy.route(route("api", service.port), route("slow", slow.port))
        await proxy.say(GET + LAST)
        async with await proxy.connect() as wire:
            await wire.send(GET.replace(b"api.", b"slow."))
            await until(lambda: slow.seen)
            text = render(proxy.proxy.families())
            used = [value(text, f"devdns_upstream_{what}") for what in ("open", "idle", "waiting")]
            assert used == [2, 1, 0]
            assert value(text, "devdns_http_in_flight") == 1


async def test_every_way_a_request_ends_is_told_once():
    told = []
    async with backend(answering(OK)) as service, running(route("api", service.port)) as proxy:
        proxy.proxy.context.access = told.append
        answer = await proxy.say(GET + LAST.replace(b"api.", b"gone."))
        await proxy.say(b"GET /x HTTP/1.1\r\nHost: api.dev.test\r\nHost: two\r\n\r\n")
    assert [(each.how, each.status, each.route, each.host) for each in told] == [
        ("whole", 200, "api.dev.test", "api.dev.test"),
        ("whole", 404, "", "gone.dev.test"),
        ("refused", 400, "", ""),
    ]
    first, second, third = told
    assert first.service == f"http://127.0.0.1:{service.port}"
    assert first.request_id
    assert first.sent + second.sent == len(answer)
    assert (first.method, first.target, third.method, third.target) == (b"GET", b"/", b"", b"")
    assert all(0 <= each.seconds < 10 for each in told)
    tallies = proxy.proxy.counters.tallies
    assert tallies["api.dev.test"].statuses == {200: 1}
    assert tallies[""].statuses == {404: 1, 400: 1}


async def test_a_client_that_leaves_before_an_answer_counts_as_left():
    async def silent(self, wire):
        self.seen.append(await wire.head())
        await wire.rest()
        self.closed.set()

    told = []
    async with backend(silent) as service, running(route("api", service.port)) as proxy:
        proxy.proxy.context.access = told.append
        wire = await proxy.connect()
        await wire.send(GET)
        await until(lambda: service.seen)
        wire.writer.transport.abort()
        await service.closed.wait()
    assert [(each.how, each.status) for each in told] == [("left", LEFT)]
    assert proxy.proxy.counters.in_flight == 0


async def test_a_response_that_breaks_off_is_cut_and_counted_once():
    async def broken(self, wire):
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")

    told = []
    async with backend(broken) as service, running(route("api", service.port)) as proxy:
        proxy.proxy.context.access = told.append
        await proxy.say(GET)
    assert [(each.how, each.status) for each in told] == [("cut", 200)]
    assert proxy.proxy.counters.tallies["api.dev.test"].statuses == {200: 1}
