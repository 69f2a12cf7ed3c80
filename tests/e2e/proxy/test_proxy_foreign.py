"""Clients and servers that others wrote: curl, aiohttp and http.client in front; aiohttp and http.server behind."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import shutil
import threading
from contextlib import asynccontextmanager
from io import BytesIO

import pytest
from aiohttp import ClientSession, web
from support.http_proxy import listening, route, running

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl")
BIG = bytes(range(256)) * 40_000


async def curl(proxy, *arguments: str, body: bytes | None = None, path: str = "/") -> bytes:
    process = await asyncio.create_subprocess_exec(
        "curl",
        "-sS",
        "--max-time",
        "20",
        *arguments,
        "--resolve",
        f"api.dev.test:{proxy.port}:127.0.0.1",
        f"http://api.dev.test:{proxy.port}{path}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(body)
    assert process.returncode == 0
    return out


async def digest(request: web.Request) -> web.Response:
    body = await request.read()
    return web.Response(text=f"{request.method} {len(body)} {hashlib.sha256(body).hexdigest()}")


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for at in range(0, len(BIG), 100_000):
        await response.write(BIG[at : at + 100_000])
    return response


async def whole(_: web.Request) -> web.Response:
    return web.Response(body=BIG)


@asynccontextmanager
async def aiohttp_service():
    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/stream", stream)
    app.router.add_get("/file", whole)
    app.router.add_route("*", "/{rest:.*}", digest)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = listening()
    await web.SockSite(runner, listener).start()
    try:
        async with running(route("api", listener.getsockname()[1])) as proxy:
            yield proxy
    finally:
        await runner.cleanup()


SENT = f"{len(BIG)} {hashlib.sha256(BIG).hexdigest()}".encode()


async def test_curl_uploads_and_downloads():
    async with aiohttp_service() as proxy:
        assert await curl(proxy, "--data-binary", "@-", body=BIG) == b"POST " + SENT
        assert await curl(proxy, "-T", "-", body=BIG) == b"PUT " + SENT  # chunked, with Expect
        assert await curl(proxy, "--http1.0", "--data-binary", "@-", body=BIG) == b"POST " + SENT
        assert await curl(proxy, path="/stream") == BIG
        assert await curl(proxy, "--http1.0", path="/stream") == BIG
        assert await curl(proxy, path="/file") == BIG
        assert b"200 OK" in await curl(proxy, "-I", path="/file")
        assert b"Names (" in await curl(proxy, "-H", "Host: nope.dev.test")


async def test_aiohttp_keeps_its_connections():
    async with aiohttp_service() as proxy, ClientSession(headers={"Host": "api.dev.test"}) as session:
        for body in (b"", b"x", BIG):
            async with session.post(proxy.url("/"), data=BytesIO(body)) as response:
                assert (await response.text()).startswith(f"POST {len(body)} ")

        async def one(number: int) -> bool:
            async with session.get(proxy.url("/stream" if number % 2 else "/file")) as response:
                return await response.read() == BIG

        assert all(await asyncio.gather(*(one(number) for number in range(10))))
        assert proxy.proxy.counters.connections <= 12


async def test_a_server_that_speaks_http_10():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BIG)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        async with running(route("api", server.server_port)) as proxy:
            assert await curl(proxy) == BIG
            assert await curl(proxy, "--http1.0") == BIG
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
