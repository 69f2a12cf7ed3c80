"""The whole way: a browser's connection to the proxy, handed to our own names, relayed to control."""

import asyncio
import socket

import pytest
from support.control import TOKEN, Doors, Scripted, registry_of, route
from support.own import raw, view_of

from devdns.core.sources import Statement
from devdns_proxy.limits import Limits
from devdns_proxy.server import Proxy

JSON = "Content-Type: application/json"
BEARER = f"Authorization: Bearer {TOKEN}"
HOST = "Host: devdns.dev.test:8080"
BODY = b'{"target": 5173}'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def registry():
    async with registry_of(Scripted("docker", Statement((route("web", "127.0.0.1:1", "docker"),)))) as registry:
        yield registry


@pytest.fixture
async def port(registry):
    view = view_of(registry.table)
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(view, "web.sock", Limits(refused_hold=0.0))
    await proxy.start([listener])
    yield listener.getsockname()[1]
    await proxy.drain(1)
    listener.close()


async def test_reading_is_free_and_writing_needs_the_token(port, registry):
    async with Doors(registry):
        assert (await raw(port, "GET /api/v1/status HTTP/1.1", HOST)).json["routes"] == 1
        assert b"web.dev.test" in (await raw(port, "GET / HTTP/1.1", "Host: DEV.test:8080")).body
        put = "PUT /api/v1/routes/new HTTP/1.1"
        assert (await raw(port, put, HOST, JSON, body=BODY)).status == 403
        foreign = "Origin: http://evil.dev.test:8080"
        assert (await raw(port, put, HOST, JSON, BEARER, foreign, body=BODY)).status == 403
        assert registry.table.lookup("new.dev.test") is None
        assert (await raw(port, put, HOST, JSON, BEARER, body=BODY)).status == 201
        assert registry.table.lookup("new.dev.test")


async def test_a_connection_for_our_own_names_serves_no_other(port, registry):
    async with Doors(registry):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /healthz HTTP/1.1\r\n{HOST}\r\n\r\nGET / HTTP/1.1\r\nHost: web.dev.test\r\n\r\n".encode())
        async with asyncio.timeout(5):
            text = await reader.read()
        writer.close()
    assert text.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 421" in text


async def test_events_stream_through(port, registry):
    async with Doors(registry):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/v1/routes/events HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert b"text/event-stream" in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"event: table\n")
            await registry.put(route("new"))
            assert b'"generation":2' in await reader.readuntil(b'"added"')
        writer.close()


async def test_control_away_is_503_and_names_go_on(port):
    assert (await raw(port, "GET /api/v1/status HTTP/1.1", HOST)).status == 503
    assert (await raw(port, "GET / HTTP/1.1", "Host: web.dev.test:8080")).status == 502


async def test_an_unknown_name_is_explained_with_links_that_work(port):
    answer = await raw(
        port, "GET / HTTP/1.1", "Host: wbe.dev.test:8080", "Accept: text/html", "User-Agent: Mozilla/5.0"
    )
    assert answer.status == 404
    assert b'<a href="http://web.dev.test:8080">' in answer.body
    assert b'did you mean <a href="http://web.dev.test:8080">web.dev.test</a>?' in answer.body
    assert b"dev.route=wbe" in answer.body
