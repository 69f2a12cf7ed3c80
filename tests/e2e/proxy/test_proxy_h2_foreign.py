"""Clients of HTTP/2 that others wrote: curl, nghttp2's h2load and httpx, over TLS by ALPN and with prior knowledge."""

from __future__ import annotations

import asyncio
import hashlib
import re

import httpx
from aiohttp import web
from support.http_proxy import listening, route
from support.https_proxy import authority, securely
from support.parts import need

BIG = bytes(range(256)) * 4_000
AT_ONCE = 60


async def service(request: web.Request) -> web.Response:
    if request.path == "/big":
        return web.Response(body=BIG)
    body = await request.read()
    return web.Response(text=f"{hashlib.sha256(body).hexdigest()} {request.headers['X-Forwarded-Proto']}")


async def serving() -> tuple[web.AppRunner, int]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{rest:.*}", service)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = listening()
    await web.SockSite(runner, sock).start()
    return runner, sock.getsockname()[1]


async def ran(*command: str, body: bytes | None = None) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(body), 30)
    assert process.returncode == 0, out
    return out


async def test_curl_chooses_http2_over_tls_and_knows_it_beforehand_without():
    need("curl")
    runner, port = await serving()
    async with securely(route("api", port)) as proxy:
        for scheme, at, how in (("https", proxy.secure, "--http2"), ("http", proxy.port, "--http2-prior-knowledge")):
            curl = ("curl", "-sS", how, "--max-time", "20", "--cacert", str(authority().pem))
            place = ("--resolve", f"api.dev.test:{at}:127.0.0.1", f"{scheme}://api.dev.test:{at}")
            base = (*curl, *place[:2])
            told = await ran(*base, "--data-binary", "@-", "-w", " %{http_version}", place[2] + "/", body=BIG)
            assert told.decode() == f"{hashlib.sha256(BIG).hexdigest()} {scheme} 2"
            piped = await ran(*base, "-T", "-", place[2] + "/", body=BIG)
            assert piped.decode() == f"{hashlib.sha256(BIG).hexdigest()} {scheme}"
            assert await ran(*base, place[2] + "/big") == BIG
    await runner.cleanup()


async def test_h2load_has_no_failed_request():
    need("h2load")
    runner, port = await serving()
    async with securely(route("api", port)) as proxy:
        told = await ran(
            *("h2load", "-n", "2000", "-c", "8", "-m", "10", "-H", ":authority: api.dev.test"),
            f"https://127.0.0.1:{proxy.secure}/",
        )
        assert re.search(rb"2000 succeeded, 0 failed, 0 errored, 0 timeout", told)
        assert b"2000 2xx" in told
    await runner.cleanup()


async def test_httpx_sends_many_at_once_over_one_connection():
    runner, port = await serving()
    async with securely(route("api", port)) as proxy:
        url = f"https://127.0.0.1:{proxy.secure}"
        names = {"headers": {"Host": "api.dev.test"}, "extensions": {"sni_hostname": "api.dev.test"}}
        async with httpx.AsyncClient(http2=True, http1=False, verify=authority().trusting(), timeout=20) as client:
            bodies = [b"x" * (number * 1_000) for number in range(AT_ONCE)]
            answers = await asyncio.gather(*(client.post(url, content=body, **names) for body in bodies))
            whole = await client.get(f"{url}/big", **names)
        assert whole.http_version == "HTTP/2"
        assert whole.content == BIG
        assert [answer.text.split()[0] for answer in answers] == [hashlib.sha256(body).hexdigest() for body in bodies]
        assert proxy.proxy.counters.connections == 1
    await runner.cleanup()
