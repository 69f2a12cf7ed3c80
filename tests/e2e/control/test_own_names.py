"""devdns's own names through the proxy: reading is free for that very origin, nothing else gets in."""

import asyncio
import json

import aiohttp
import pytest
from support.control import TOKEN, Doors, Scripted, registry_of, route
from support.figures import value
from support.own import own_names, raw, view_of
from support.waiting import until

from devdns.core.sources import Statement

HOST = "Host: devdns.dev.test:8080"
BEARER = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"
PUT = "PUT /api/v1/routes/new HTTP/1.1"
BODY = b'{"target": 5173}'
EVIL = '<script>alert(1)</script>"\x1b[31m\u202e'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def registry():
    hostile = route("web", "127.0.0.1:1", "docker", owner=EVIL, origin=f"container {EVIL}", reason=EVIL)
    async with registry_of(Scripted("docker", Statement((hostile,)))) as registry:
        yield registry


@pytest.fixture
async def port(registry):
    view = view_of(registry.table)
    async with Doors(registry), own_names(view) as port:
        yield port


@pytest.mark.parametrize(
    "path", ["/api/v1/status", "/api/v1/routes", "/api/v1/explain/http%3A%2F%2Fweb.dev.test%2F", "/healthz"]
)
async def test_the_api_is_read_through_the_proxy(port, path):
    answer = await raw(port, f"GET {path} HTTP/1.1", HOST)
    assert answer.status == 200
    assert answer.json["version"] == 1
    assert answer.headers["cache-control"] == "no-store"


async def test_metrics_pass_as_text(port):
    answer = await raw(port, "GET /metrics HTTP/1.1", HOST)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert value(answer.body, "devdns_routes") == 1


async def test_head_has_no_body(port):
    answer = await raw(port, "HEAD /api/v1/routes HTTP/1.1", HOST)
    assert (answer.status, answer.body) == (200, b"")


async def test_a_write_with_the_token_from_our_own_origin_is_done(port, registry):
    answer = await raw(port, PUT, HOST, BEARER, JSON, "Origin: http://devdns.dev.test:8080", body=BODY)
    assert answer.status == 201
    assert registry.table.lookup("new.dev.test")
    assert (await raw(port, "DELETE /api/v1/routes/new HTTP/1.1", HOST, BEARER)).status == 200


@pytest.mark.parametrize(
    "lines",
    [
        (PUT, HOST, JSON),
        (PUT, HOST, JSON, "Authorization: Bearer wrong"),
        (PUT, HOST, JSON, BEARER, "Origin: http://evil.dev.test:8080"),
        (PUT, HOST, JSON, BEARER, "Origin: http://example.com"),
        (PUT, HOST, JSON, BEARER, "Origin: null"),
        (PUT, HOST, JSON, BEARER, "Sec-Fetch-Site: same-site"),
        (PUT, HOST, BEARER, "Content-Type: text/plain"),
        (PUT, HOST, BEARER, "Content-Type: application/x-www-form-urlencoded"),
        (PUT, HOST, BEARER),
        (PUT, "Host: devdns.dev.test:9999", JSON, BEARER),
        ("POST /api/v1/files HTTP/1.1", HOST, "Content-Type: application/x-www-form-urlencoded"),
        ("GET /api/v1/routes HTTP/1.1", HOST, "Origin: http://evil.dev.test:8080"),
        ("GET /api/v1/routes HTTP/1.1", HOST, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"),
    ],
)
async def test_what_a_foreign_page_can_send_is_403_and_changes_nothing(port, registry, lines):
    before = registry.table
    answer = await raw(port, *lines, body=BODY)
    assert (answer.status, answer.json["error"]) == (403, "forbidden")
    assert registry.table is before
    assert TOKEN not in answer.body.decode()


async def test_a_client_cannot_say_which_scheme_it_came_by(port, registry):
    lines = (PUT, HOST, JSON, BEARER, "Origin: https://devdns.dev.test:8080", "X-Forwarded-Proto: https")
    assert (await raw(port, *lines, body=BODY)).status == 403
    absolute = "PUT https://devdns.dev.test:8080/api/v1/routes/new HTTP/1.1"
    assert (await raw(port, absolute, *lines[1:], body=BODY)).status == 403
    assert registry.table.lookup("new.dev.test") is None


@pytest.mark.parametrize(
    "hosts",
    [
        ("Host: web.dev.test:8080",),
        ("Host: evil.com",),
        ("Host: 127.0.0.1",),
        ("Host:",),
        (),
        (HOST, "Host: web.dev.test"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/status"])
async def test_any_other_host_is_misdirected_and_the_connection_closes(port, hosts, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", *hosts, "Accept: application/json", "", ""]).encode())
    async with asyncio.timeout(5):
        head = await reader.read()
    writer.close()
    status = head.split(b" ", 2)[1]
    assert status in (b"421", b"400")
    assert (b"connection: close" in head.lower()) or status == b"400"


async def test_a_second_request_for_another_host_on_the_connection_is_misdirected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"HEAD /healthz HTTP/1.1\r\n{HOST}\r\n\r\nHEAD / HTTP/1.1\r\nHost: web.dev.test\r\n\r\n".encode())
    async with asyncio.timeout(5):
        text = await reader.read()
    writer.close()
    assert text.count(b"HTTP/1.1 200") == 1
    assert text.count(b"HTTP/1.1 421") == 1


async def test_the_page_shows_names_and_lets_no_label_run(port):
    answer = await raw(port, "GET / HTTP/1.1", HOST, "Accept: text/html")
    text = answer.body.decode()
    assert answer.status == 200
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '<a href="http://web.dev.test:8080">web.dev.test</a>' in text
    assert text.count("<script") == text.count('<script src="/page.js" defer></script>') == 1
    assert "&lt;script&gt;" in text
    assert not {"\x1b", "\u202e"} & set(text)


async def test_events_stream_through_and_end_with_the_client(port, registry):
    async with (
        aiohttp.ClientSession() as session,
        asyncio.timeout(10),
        session.get(f"http://127.0.0.1:{port}/api/v1/routes/events", headers={"Host": "devdns.dev.test:8080"}) as reply,
    ):
        assert reply.headers["Content-Type"] == "text/event-stream"
        assert await reply.content.readline() == b"event: table\n"
        data = await reply.content.readline()
        assert json.loads(data.removeprefix(b"data: "))["generation"] == 1
        await registry.put(route("new"))
        assert await reply.content.readuntil(b"event: change\n")
    assert registry.table.generation == 2


async def test_stopping_the_proxy_ends_relayed_streams(registry):
    async with Doors(registry):
        async with own_names(view_of()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /api/v1/routes/events HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
            async with asyncio.timeout(5):
                await reader.readuntil(b"event: table")
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        await until(lambda: not len(registry.events))
    assert len(registry.events) == 0


@pytest.mark.parametrize("path", ["/nowhere", "/api/v2/status", "/api"])
async def test_a_path_that_is_not_there_is_404_in_the_clients_form(port, path):
    assert (await raw(port, f"GET {path} HTTP/1.1", HOST, "Accept: application/json")).json["code"] == 404
    assert (await raw(port, f"GET {path} HTTP/1.1", HOST)).headers["content-type"].startswith("text/plain")


async def test_a_body_too_large_is_413(port):
    answer = await raw(port, PUT, HOST, BEARER, JSON, "Accept: application/json", body=b"x" * 70_000)
    assert (answer.status, answer.json["error"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("target", "status"), [("http://devdns.dev.test:8080/healthz", 200), ("http://web.dev.test:8080/healthz", 421)]
)
async def test_the_authority_of_an_absolute_target_counts(port, target, status):
    assert (await raw(port, f"GET {target} HTTP/1.1", HOST)).status == status


async def test_the_page_is_refused_where_control_refuses(port):
    answer = await raw(port, "GET / HTTP/1.1", "Host: devdns.dev.test:9999", "Accept: text/html")
    assert answer.status == 403
    assert b"is not a name of devdns" in answer.body


async def test_the_page_refuses_other_methods(port):
    answer = await raw(port, "POST / HTTP/1.1", HOST, "Accept: application/json")
    assert (answer.status, answer.json["code"]) == (405, 405)
    assert "GET" in answer.headers["allow"]


async def test_without_control_the_api_is_503_and_the_page_still_names_the_routes():
    async with own_names(view_of([route("web")])) as port:
        answer = await raw(port, "GET /api/v1/status HTTP/1.1", HOST)
        assert (answer.status, answer.json["error"], answer.headers["retry-after"]) == (503, "unavailable", "1")
        page = await raw(port, "GET / HTTP/1.1", HOST)
    assert page.status == 200
    assert b"control does not answer" in page.body
    assert b"web.dev.test" in page.body
