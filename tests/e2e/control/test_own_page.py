"""The page for people over the wire: its event stream, who may follow it, and what connections to it may cost."""

import asyncio

import pytest
from support.control import Doors, Scripted, registry_of, route
from support.http_proxy import BOUND, Wire, listening
from support.own import raw, view_of
from support.waiting import until

from devdns.core.sources import Statement
from devdns_proxy import own_live, own_relay, own_wire
from devdns_proxy.limits import Limits
from devdns_proxy.server import Proxy

HOST = b"Host: devdns.dev.test:8080\r\n"
LIVE = b"GET /live HTTP/1.1\r\n" + HOST + b"\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Scene:
    """Control, and a proxy whose view is changed by hand."""

    def __init__(self, registry, doors, proxy, view, port):
        self.registry, self.doors, self.proxy, self.view, self.port = registry, doors, proxy, view, port

    async def connect(self):
        return Wire(*await asyncio.open_connection("127.0.0.1", self.port))

    async def put(self, name):
        await self.registry.put(route(name))
        self.view.table = self.registry.table


@pytest.fixture
def limits():
    return Limits()


@pytest.fixture
async def scene(limits):
    docker = Scripted("docker", Statement((route("web", "127.0.0.1:1", "docker"),)))
    async with registry_of(docker) as registry, Doors(registry) as doors:
        view = view_of(registry.table)
        proxy = Proxy(view, "web.sock", limits)
        listener = listening()
        await proxy.start([listener])
        yield Scene(registry, doors, proxy, view, listener.getsockname()[1])
        async with asyncio.timeout(BOUND):
            await proxy.drain(0.0)


async def test_the_stream_is_the_content_of_the_page_now_and_whenever_it_is_another(scene):
    page = (await raw(scene.port, "GET / HTTP/1.1", "Host: devdns.dev.test:8080")).body.decode()
    async with await scene.connect() as wire:
        await wire.send(LIVE)
        head = await wire.head()
        assert b"text/event-stream" in head
        assert b"no-store" in head
        first = (await wire.until(b"\n\n")).decode()
        content = first.partition("data: ")[2].partition("\n")[0]
        assert f"<main>{content}</main>" in page
        await scene.put("new")
        second = await wire.until(b"new.dev.test:8080")
        assert b"data: <section" in second


async def test_everybody_with_the_same_host_is_told_the_same_and_nothing_is_drawn_for_nobody(scene):
    async with await scene.connect() as one, await scene.connect() as two:
        for wire in (one, two):
            await wire.send(LIVE)
            await wire.until(b"web.dev.test")
        await scene.put("new")
        assert await one.until(b"new.dev.test:8080") == await two.until(b"new.dev.test:8080")
    await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("page for ")])


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: devdns.dev.test:8080\r\nOrigin: http://evil.dev.test:8080\r\n",
        b"Host: devdns.dev.test:8080\r\nSec-Fetch-Site: same-site\r\n",
        b"Host: devdns.dev.test:9999\r\n",
    ],
)
async def test_no_other_page_may_follow(scene, lines):
    async with await scene.connect() as wire:
        await wire.send(b"GET /live HTTP/1.1\r\n" + lines + b"\r\n")
        head, body = await wire.response()
        assert head.startswith(b"HTTP/1.1 403 ")
        assert b"web.dev.test" not in body


async def test_when_control_goes_the_names_stay_and_the_page_says_so(scene, monkeypatch):
    monkeypatch.setattr(own_live, "TURN", 0.2)
    async with await scene.connect() as wire:
        await wire.send(LIVE)
        await wire.until(b"\n\n")
        await scene.doors.__aexit__()
        away = await wire.until(b"\n\n")
        assert b"control does not answer now" in away
        assert b"web.dev.test" in away


async def test_too_many_followers_are_503(scene, monkeypatch):
    monkeypatch.setattr(own_live, "MOST_LOOKING", 1)
    async with await scene.connect() as one, await scene.connect() as two:
        await one.send(LIVE)
        await one.until(b"\n\n")
        await two.send(LIVE)
        assert (await two.head()).startswith(b"HTTP/1.1 503 ")


async def test_silence_is_broken_by_a_heartbeat(scene, monkeypatch):
    monkeypatch.setattr(own_live, "HEARTBEAT", 0.05)
    async with await scene.connect() as wire:
        await wire.send(LIVE)
        await wire.until(b": still here\n\n")


async def test_a_stop_ends_the_streams_at_once(scene):
    async with await scene.connect() as wire, await scene.connect() as other:
        await wire.send(LIVE)
        await wire.until(b"\n\n")
        await other.send(b"GET /api/v1/routes/events HTTP/1.1\r\n" + HOST + b"\r\n")
        await other.until(b"event: table")
        async with asyncio.timeout(2):
            await scene.proxy.drain(0.0)
        await wire.rest()
        await other.rest()


async def test_the_script_is_a_file_of_ours(scene):
    answer = await raw(scene.port, "GET /page.js HTTP/1.1", "Host: devdns.dev.test:8080")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert b"EventSource" in answer.body


@pytest.mark.parametrize("limits", [Limits(connections_loopback=2, connections_elsewhere=1)])
async def test_connections_to_own_names_count_like_all_of_their_client(scene):
    async with await scene.connect() as one, await scene.connect() as two:
        await one.send(HEALTH)
        await one.response()
        await two.send(LIVE)
        await two.until(b"\n\n")
        assert len(scene.proxy.context.crowds) == 2
        async with await scene.connect() as three:
            await three.send(HEALTH)
            assert (await three.response())[0].startswith(b"HTTP/1.1 200 ")
            assert await one.rest() == b""  # it was idle, the stream is not
            assert len(scene.proxy.context.crowds) == 2
    await until(lambda: not len(scene.proxy.context.crowds))


async def test_a_second_head_that_takes_its_time_ends_the_connection(scene, monkeypatch):
    proxy = scene.proxy
    monkeypatch.setattr(proxy.context, "own", own_wire.connections(proxy._runner.server, idle=0.1))
    async with await scene.connect() as wire:
        await wire.send(HEALTH + b"GET /healthz HTTP/1.1\r\nHost: dev")
        await wire.response()
        assert await wire.rest() == b""


async def test_a_body_that_takes_its_time_is_408(scene, monkeypatch):
    monkeypatch.setattr(own_relay, "BODY_TIME", 0.1)
    async with await scene.connect() as wire:
        await wire.send(b"PUT /api/v1/routes/new HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n{")
        assert (await wire.head()).startswith(b"HTTP/1.1 408 ")
