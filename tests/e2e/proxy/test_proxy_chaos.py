"""Faults on purpose, on the wire: late, answered with 503, cut, flapping, and over by themselves."""

from __future__ import annotations

import time

import pytest
from support.http_proxy import GET, OK, Running, answering, backend, route, running
from support.waiting import until

from devdns.core.chaos import Chaos


@pytest.fixture
async def service():
    async with backend(answering(OK)) as made:
        yield made


def befalls(proxy: Running, seconds: float = 60.0, **faults: float) -> None:
    """As the link does when control tells of faults."""
    now = time.time()
    proxy.view.faults = {"api.dev.test": Chaos(since=now, until=now + seconds, **faults)}


async def test_an_error_is_a_503_that_says_so_and_keeps_the_connection(service):
    async with running(route("api", service.port)) as proxy, await proxy.connect() as wire:
        befalls(proxy, error=1.0)
        await wire.send(GET)
        head, body = await wire.response()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"asked for: error 100 %" in body
        assert b"devdns chaos api.dev.test --off" in body
        proxy.view.faults = {}
        await wire.send(GET)
        assert (await wire.response())[1] == b"ok"
    assert len(service.seen) <= 1


async def test_a_late_request_reaches_the_service_after_its_delay_and_in_order(service):
    async with running(route("api", service.port)) as proxy, await proxy.connect() as wire:
        befalls(proxy, latency=0.2)
        began = time.monotonic()
        await wire.send(GET + GET)
        assert [(await wire.response())[1] for _ in range(2)] == [b"ok", b"ok"]
        assert time.monotonic() - began >= 0.4


async def test_a_client_that_leaves_a_late_request_is_forgotten(service):
    async with running(route("api", service.port)) as proxy:
        befalls(proxy, latency=60.0)
        async with await proxy.connect() as wire:
            await wire.send(GET)
            await until(lambda: proxy.proxy.counters.in_flight == 1)
        await until(lambda: not proxy.proxy.context.clients)
        assert proxy.proxy.counters.in_flight == 0
    assert service.connections == 0


async def test_a_reset_is_one(service):
    async with running(route("api", service.port)) as proxy, await proxy.connect() as wire:
        befalls(proxy, reset=1.0)
        await wire.send(GET)
        with pytest.raises(ConnectionResetError):
            await wire.rest()
    assert service.connections == 0


async def test_a_flapping_service_is_down_half_of_the_time(service):
    async with running(route("api", service.port)) as proxy, await proxy.connect() as wire:
        befalls(proxy, flap=10.0)
        await wire.send(GET)
        assert (await wire.response())[1] == b"ok"
        now = time.time()
        proxy.view.faults = {"api.dev.test": Chaos(since=now - 15, until=now + 60, flap=10.0)}
        await wire.send(GET)
        assert (await wire.head()).startswith(b"HTTP/1.1 503 ")


async def test_a_fault_that_is_over_and_a_name_without_one_are_left_alone(service):
    async with running(route("api", service.port), route("web", service.port)) as proxy, await proxy.connect() as wire:
        befalls(proxy, seconds=-1.0, error=1.0)
        await wire.send(GET)
        assert (await wire.response())[1] == b"ok"
        befalls(proxy, error=1.0)
        await wire.send(GET.replace(b"api.", b"web."))
        assert (await wire.response())[1] == b"ok"
